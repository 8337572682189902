//! G10: nothing that the server sees depends on why a secret-key operation failed.
//!
//! The same comparison decides the two-secret runs of G6.

use super::skeleton::{Anatomy, Bone, Skeleton};
use crate::history::{Event, History};
use crate::verdict::{Breach, Guarantee};

/// Compares two runs of one script whose secrets differ.
///
/// The first message of a client that differs, after replies of equal skeletons, is the breach. A
/// reply that differs first decides nothing: then the runs were not asked the same, and there is
/// no verdict.
///
/// # Errors
///
/// What kept the two runs from being comparable.
pub fn judge_same_view(
    first: &History,
    second: &History,
    anatomy: &dyn Anatomy,
    guarantee: Guarantee,
) -> Result<Option<Breach>, String> {
    if started(first) != started(second) {
        return Err("the two runs did not ask the same of their clients".to_owned());
    }
    let (one, other) = views(first, second, anatomy, None);
    judge_views(&one, &other, guarantee)
}

/// Compares what one user is shown in two runs: what a revoked member learns of others (G7).
///
/// # Errors
///
/// What kept the two runs from being comparable.
pub fn judge_same_view_of(
    user: &str,
    first: &History,
    second: &History,
    anatomy: &dyn Anatomy,
) -> Result<Option<Breach>, String> {
    let (one, other) = views(first, second, anatomy, Some(user));
    let differing = one
        .bones
        .iter()
        .zip(&other.bones)
        .find(|(one, other)| one.1 != other.1);
    let (operation, text) = match differing {
        Some(((operation, one), (_, other))) => (*operation, format!("{one:?} against {other:?}")),
        None if one.bones.len() != other.bones.len() => {
            return Err("the user did not ask the same in both runs".to_owned());
        }
        None => return Ok(None),
    };
    Ok(Some(Breach {
        guarantee: Guarantee::G7,
        evidence: format!("what {user} is shown depends on what others do: {text}"),
        operation: Some(operation),
    }))
}

fn views<'h>(
    first: &'h History,
    second: &'h History,
    anatomy: &dyn Anatomy,
    only: Option<&str>,
) -> (Skeleton<'h>, Skeleton<'h>) {
    (
        Skeleton::of(first, anatomy, only),
        Skeleton::of(second, anatomy, only),
    )
}

fn judge_views(
    one: &Skeleton<'_>,
    other: &Skeleton<'_>,
    guarantee: Guarantee,
) -> Result<Option<Breach>, String> {
    let longest = one.bones.len().max(other.bones.len());
    for at in 0..longest {
        let pair = (one.bones.get(at), other.bones.get(at));
        if pair.0.map(|bone| &bone.1) == pair.1.map(|bone| &bone.1) {
            continue;
        }
        let client = |bone: Option<&(u32, Bone<'_>)>| match bone {
            Some((_, Bone::Reply { .. })) => false,
            Some((_, Bone::Request { .. })) | None => true,
        };
        if !client(pair.0) && !client(pair.1) {
            return Err(format!(
                "the server's reply {at} differs before any request does"
            ));
        }
        let show = |bone: Option<&(u32, Bone<'_>)>| match bone {
            Some((_, bone)) => format!("{bone:?}"),
            None => "nothing more".to_owned(),
        };
        return Ok(Some(Breach {
            guarantee,
            evidence: format!(
                "message {at} depends on a secret: {} against {}",
                show(pair.0),
                show(pair.1)
            ),
            operation: pair.0.or(pair.1).map(|bone| bone.0),
        }));
    }
    Ok(None)
}

/// The operations without their arguments.
fn started(history: &History) -> Vec<(u32, String)> {
    history
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::OperationStarted {
                operation,
                device,
                what,
            } => Some((*operation, format!("{device} {}", what.name()))),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{judge_same_view, judge_same_view_of};
    use crate::oracle::scene::Scene;
    use crate::oracle::skeleton::{Anatomy, Lengths};
    use crate::verdict::Guarantee::{G6, G7, G10};

    /// Messages of these tests: a byte that is an id, a byte that is a number, then ciphertext.
    struct Plain;

    impl Anatomy for Plain {
        fn ids(&self, _: &str, request: &[u8]) -> Vec<Vec<Vec<u8>>> {
            let first = request.first().into_iter();
            let group = first.flat_map(|byte| {
                // Of a byte above 100 there are two ids, in no order that says anything.
                let two = *byte > 100;
                [Some(vec![*byte]), two.then(|| vec![255 - *byte])]
            });
            vec![group.flatten().collect()]
        }

        fn numbers(&self, _: &str, request: &[u8]) -> Vec<u64> {
            request
                .get(1)
                .map(|byte| u64::from(*byte))
                .into_iter()
                .collect()
        }
    }

    fn run(messages: &[(&str, &[u8], &[u8])]) -> Scene {
        let mut scene = Scene::new();
        let op = scene.start_download("alice", "n");
        for (kind, request, reply) in messages {
            scene.message(op, kind, request, Some(reply), Some(reply));
        }
        scene.fail(op, "inauthentic");
        scene
    }

    fn differs(one: &Scene, other: &Scene) -> Option<crate::verdict::Guarantee> {
        judge_same_view(&one.history, &other.history, &Plain, G10)
            .expect("the runs are comparable")
            .map(|breach| breach.guarantee)
    }

    #[test]
    fn another_length_kind_number_or_count_of_requests_is_a_breach() {
        let base = run(&[("read", b"\x01\x07abc", b"ok")]);
        for other in [
            run(&[("read", b"\x01\x07abcd", b"ok")]),
            run(&[("fetch", b"\x01\x07abc", b"ok")]),
            run(&[("read", b"\x01\x08abc", b"ok")]),
            run(&[
                ("read", b"\x01\x07abc", b"ok"),
                ("read", b"\x01\x07abc", b"ok"),
            ]),
            run(&[]),
        ] {
            assert_eq!(differs(&base, &other), Some(G10));
        }
    }

    #[test]
    fn an_id_that_comes_again_in_one_run_alone_is_a_breach() {
        let one = run(&[
            ("read", b"\x01\x07abc", b"ok"),
            ("read", b"\x01\x07abc", b"ok"),
        ]);
        let other = run(&[
            ("read", b"\x05\x07abc", b"ok"),
            ("read", b"\x06\x07abc", b"ok"),
        ]);
        assert_eq!(differs(&one, &other), Some(G10));
        let renamed = run(&[
            ("read", b"\x05\x07xyz", b"ok"),
            ("read", b"\x05\x07uvw", b"no"),
        ]);
        assert_eq!(
            differs(&one, &renamed),
            None,
            "other ids and ciphertext are equal skeletons"
        );
    }

    #[test]
    fn ids_whose_order_says_nothing_are_not_told_apart() {
        let sorted = |first: u8, then: u8| {
            let messages = [[first, 7], [then, 7]];
            run(&messages
                .each_ref()
                .map(|one| ("read", &one[..], &b"ok"[..])))
        };
        // Both are of the pair, or one is of none.
        assert_eq!(differs(&sorted(154, 101), &sorted(154, 154)), None);
        assert_eq!(differs(&sorted(154, 101), &sorted(154, 102)), Some(G10));
    }

    #[test]
    fn equal_lengths_are_equal_to_an_anatomy_that_knows_no_more() {
        let one = run(&[("read", b"abc", b"ok")]);
        let other = run(&[("read", b"xyz", b"ok")]);
        let judged = judge_same_view(&one.history, &other.history, &Lengths, G6);
        assert_eq!(judged, Ok(None));
    }

    #[test]
    fn a_reply_that_differs_first_decides_nothing() {
        let one = run(&[
            ("read", b"\x01\x07abc", b"ok"),
            ("read", b"\x01\x07abc", b"ok"),
        ]);
        let other = run(&[
            ("read", b"\x01\x07abc", b"long"),
            ("fetch", b"\x01\x07abc", b"ok"),
        ]);
        assert!(judge_same_view(&one.history, &other.history, &Plain, G10).is_err());
        let mut third = Scene::new();
        third.upload("alice", "n", "v1");
        assert!(judge_same_view(&one.history, &third.history, &Plain, G10).is_err());
    }

    /// Bob polls once; then alice makes `updates` updates, and bob polls again.
    fn polled(updates: usize, second_reply: &[u8]) -> Scene {
        let mut scene = Scene::new();
        let poll = |scene: &mut Scene, reply: &[u8]| {
            let op = scene.start_download("bob", "m");
            scene.message(op, "read", b"\x01\x07abc", Some(reply), Some(reply));
            scene.fail(op, "closed");
        };
        poll(&mut scene, b"closed");
        for _ in 0..updates {
            scene.upload("alice", "n", "v");
        }
        poll(&mut scene, second_reply);
        scene
    }

    #[test]
    fn a_revoked_member_who_sees_an_update_is_a_breach() {
        let (none, five) = (polled(0, b"closed"), polled(5, b"moved again"));
        let judged = judge_same_view_of("bob", &none.history, &five.history, &Plain);
        let breach = judged.expect("comparable").expect("a breach");
        assert_eq!(breach.guarantee, G7);
        let quiet = polled(5, b"closed");
        let judged = judge_same_view_of("bob", &none.history, &quiet.history, &Plain);
        assert_eq!(judged, Ok(None));
    }
}
