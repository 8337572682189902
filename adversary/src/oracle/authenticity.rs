//! G1: a successful read returns bytes that a member wrote to that file, authorised at that
//! position.

use std::collections::BTreeSet;

use super::acts::may_have_made_some;
use super::seen::{Case, Reading, Standing};
use super::truth::{Effect, Op, Use};
use super::{Facts, Judgement, cite, quote};
use crate::client::Operation;
use crate::codec::Code as _;
use crate::front::kv::Request;
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    for reading in &case.readings {
        if excused(case, facts, reading) {
            continue;
        }
        match reading.standing {
            Standing::Foreign => judgement.breach(
                Guarantee::G1,
                Some(case.truth.ops[reading.op].id),
                format!(
                    "{} returned {}, which no order of what was written to that file gives",
                    cite(case, reading.op),
                    quote(reading.content)
                ),
            ),
            Standing::Unauthorised => judgement.breach(
                Guarantee::G1,
                Some(case.truth.ops[reading.op].id),
                format!(
                    "{} returned {}, written by somebody whose exclusion this device had seen",
                    cite(case, reading.op),
                    quote(reading.content)
                ),
            ),
            Standing::Undecided => judgement.undecided.push(format!(
                "too many orders of writes might explain {}",
                cite(case, reading.op)
            )),
            Standing::Fresh | Standing::Stale | Standing::Regressed => {}
        }
    }
    for (op, found) in case.truth.ops.iter().enumerate() {
        if found.effect == Effect::Certain
            && let Operation::Receive { from, .. } = found.what
            && case.names.invitations(&case.truth, found).is_empty()
            && !facts.colluders.contains(from)
            && !impersonable(case, op)
        {
            judgement.breach(
                Guarantee::G1,
                Some(found.id),
                format!(
                    "{} took an invitation that {from:?} never sent",
                    cite(case, op)
                ),
            );
        }
    }
}

/// Whether the bytes of a read may rightly be the server's own: a colluder may use the file, and
/// the server has done more than show or mangle what others stored, which no key is good for; or
/// the file was received from a contact whom the server impersonates and the client said that
/// nobody had checked the contact.
pub(super) fn excused(case: &Case<'_>, facts: &Facts, reading: &Reading<'_>) -> bool {
    let op = &case.truth.ops[reading.op];
    let slot = case.names.of_op(reading.op).next();
    let impersonated = slot.is_some_and(|touch| {
        case.names.slot(touch.user, touch.name).any(|other| {
            other.used == Use::Receive
                && case.truth.ops[other.op].effect == Effect::Certain
                && case.truth.ops[other.op].before(op)
                && impersonable(case, other.op)
        })
    });
    theirs(case, facts, reading.op, reading.classes.iter().copied()) || impersonated
}

/// Whether what an operation reads of a file may rightly be what a member who works with the server
/// wrote: one who may use the file, as far as the reader knows, and a server that made something.
pub(super) fn theirs(
    case: &Case<'_>,
    facts: &Facts,
    at: usize,
    mut classes: impl Iterator<Item = usize>,
) -> bool {
    let op = &case.truth.ops[at];
    let colluding = classes.any(|class| {
        let members = case.names.members(&case.truth, class, op, |_, _| true);
        members
            .iter()
            .any(|member| facts.colluders.contains(*member) && !revoked(case, at, class, member))
    });
    colluding && may_have_made_some(case, op.ended)
}

/// Whether the reader surely knows that the member was excluded from the file.
fn revoked(case: &Case<'_>, at: usize, class: usize, member: &str) -> bool {
    let floor = &case.floors[at];
    let op = &case.truth.ops[at];
    case.names.touches.iter().any(|touch| {
        let Use::Revoke(from) = touch.used else {
            return false;
        };
        let revoke = &case.truth.ops[touch.op];
        touch.classes.contains(&class)
            && floor.contains(touch.op)
            && !case
                .names
                .members(&case.truth, class, op, |share, with| {
                    case.truth.ops[share.op].end > revoke.start
                        || (with != from && share.user != from)
                })
                .contains(member)
    })
}

/// Whether a receive was shown keys other than the honest server's, from a contact that nobody had
/// checked, and the client said so.
fn impersonable(case: &Case<'_>, op: usize) -> bool {
    let found = &case.truth.ops[op];
    let unverified = found
        .answer()
        .is_some_and(|answer| answer.claims.contact_verified == Some(false));
    let Operation::Receive { from, .. } = found.what else {
        return false;
    };
    unverified && shown_other_keys(case, op, from)
}

/// Whether the user of an operation may have been shown keys of a contact that are the server's.
pub(super) fn impersonated(case: &Case<'_>, op: usize) -> bool {
    let user = case.truth.ops[op].user();
    let mut others = case.truth.ops.iter().map(Op::user);
    others.any(|other| other != user && shown_other_keys(case, op, other))
}

/// Whether the operation's user was, up to its end, perhaps shown other keys of the contact than an
/// honest server shows: another answer to a request for them, or an act on the objects that hold
/// them.
pub(super) fn shown_other_keys(case: &Case<'_>, op: usize, contact: &str) -> bool {
    let found = &case.truth.ops[op];
    let mut asked = BTreeSet::new();
    let events = case.history.events();
    events.iter().take(found.ended).any(|event| match event {
        Event::Request {
            request,
            device,
            kind,
            bytes,
            ..
        } => {
            if device.user == found.user() && asks_for_keys(case, kind, bytes, contact) {
                asked.insert(*request);
            }
            false
        }
        Event::Reply {
            request,
            honest,
            shown: Some(shown),
        } => asked.contains(request) && honest.as_ref() != Some(shown),
        Event::Act {
            text,
            applied: true,
        } => touches_keys(case, text, contact),
        _ => false,
    })
}

/// Bytes of a user's id in the native front's messages.
const USER_ID: usize = 32;

/// Whether a request asks for the public keys of this user.
pub(super) fn asks_for_keys(case: &Case<'_>, kind: &str, bytes: &[u8], user: &str) -> bool {
    match kind {
        "get-pub" => matches!(
            Request::from_bytes(bytes),
            Some(Request::GetPublic { user: asked }) if asked == user
        ),
        // It ends with the user's id, a hash that the user's own sign-up brought.
        "lookup" => bytes.last_chunk::<USER_ID>().is_some_and(|id| {
            case.history.events().iter().any(|event| match event {
                Event::Request {
                    device,
                    kind,
                    bytes,
                    ..
                } if kind == "register" && case.truth.account(&device.user) == user => {
                    bytes.windows(USER_ID).any(|window| window == id)
                }
                _ => false,
            })
        }),
        _ => false,
    }
}

/// Whether an act names an object that holds a user's public keys: by its kind, or by who wrote it.
fn touches_keys(case: &Case<'_>, act: &str, user: &str) -> bool {
    let by_author = act.split("wrote(").skip(1).any(|rest| {
        let mut numbers = rest.split(')').next().unwrap_or_default().split(", ");
        let mut number = || {
            numbers
                .next()
                .and_then(|digits| digits.parse::<usize>().ok())
        };
        let (Some(author), Some(index)) = (number(), number()) else {
            return false;
        };
        let mut written = case
            .history
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Wrote {
                    operation, object, ..
                } if *operation as usize == author => Some(object),
                _ => None,
            });
        written
            .nth(index)
            .is_some_and(|object| object.kind == "pub" && object.id == user.as_bytes())
    });
    by_author || act.contains(&format!("\"pub\", {user:?}"))
}

#[cfg(test)]
mod tests {
    use crate::client::{Claims, Operation};
    use crate::history::{Event, ObjectKey};
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G1, G2, G3, G7};

    #[test]
    fn thin_air_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.download("alice", "n", "planted");
        scene.breaks(&[G1]);
    }

    #[test]
    fn an_invitation_that_nobody_sent_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.receive("bob", "alice", "n", "m");
        scene.breaks(&[G1]);
    }

    /// Bob takes an invitation that alice never sent, and says whether anybody checked her.
    fn impersonated(scene: &mut Scene, verified: bool) {
        let what = Operation::Receive {
            from: "alice".to_owned(),
            name: Some(b"n".to_vec()),
            pointer: None,
            as_name: b"m".to_vec(),
        };
        let op = scene.start("bob", what);
        let claims = Claims {
            contact_verified: Some(verified),
            ..Claims::default()
        };
        scene.end_claiming(op, None, claims);
        scene.download("bob", "m", "planted");
    }

    #[test]
    fn an_impersonated_contact_that_nobody_checked_is_admitted() {
        for act in [
            "server.replace(object(\"pub\", \"alice\"), object(\"pub\", \"mallory\"))",
            "server.replace(wrote(0, 1), wrote(7, 7))",
        ] {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "v1");
            scene.wrote("alice", "obj", 1);
            scene.history.push(Event::Wrote {
                operation: 0,
                object: ObjectKey::new("pub", "alice"),
                version: 2,
            });
            scene.act(act, true);
            impersonated(&mut scene, false);
            scene.passes();
        }
    }

    #[test]
    fn the_swapped_keys_of_somebody_else_excuse_nothing() {
        let id = |user: &str| [user.as_bytes()[0]; super::USER_ID];
        let received = |whose: &str| {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "v1");
            scene.wrote("alice", "obj", 1);
            for user in ["alice", "carol"] {
                let op = scene.start(user, Operation::SignUp);
                let sent = [b"proof".as_slice(), &id(user), b"keys"].concat();
                scene.message(op, "register", &sent, Some(b"ok"), Some(b"ok"));
                scene.end(op, None);
            }
            let request = [b"token".as_slice(), &id(whose)].concat();
            let op = scene.start("bob", Operation::Login);
            scene.message(op, "lookup", &request, Some(b"genuine"), Some(b"other"));
            scene.end(op, None);
            impersonated(&mut scene, false);
            scene
        };
        received("carol").breaks(&[G1]);
        received("alice").passes();
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.wrote("alice", "obj", 1);
        scene.act(
            "server.replace(object(\"pub\", \"carol\"), object(\"pub\", \"eve\"))",
            true,
        );
        impersonated(&mut scene, false);
        scene.breaks(&[G1]);
    }

    #[test]
    fn a_forged_invitation_under_a_genuine_key_is_not_admitted() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.wrote("alice", "obj", 1);
        scene.act("server.put_new(\"envelope\", \"forged\", \"..\")", true);
        scene.act("server.replace(wrote(0, 0), wrote(7, 7))", true);
        impersonated(&mut scene, false);
        scene.breaks(&[G1]);
    }

    #[test]
    fn what_a_revoked_member_writes_later_is_a_breach_for_who_knows() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.revoke("alice", "n", "bob");
        scene.append("bob", "m", "+bob");
        scene.download("alice", "n", "v1+bob");
        scene.breaks(&[G1, G7]);
    }

    #[test]
    fn a_colluder_excuses_what_the_server_can_have_made_and_nothing_else() {
        let read_after = |act: &str, applied: bool| {
            let mut scene = Scene::new();
            scene.shared_by_alice_with_bob();
            scene.facts.colluders.insert("bob".to_owned());
            scene.act(act, applied);
            scene.download("alice", "n", "made up");
            scene
        };
        let flip = "server.flip(wrote(0, 0), 1600)";
        for (act, applied) in [
            (flip, true),
            ("server.replace(wrote(0, 0), wrote(1, 0))", true),
            ("replace(\"..\")", false),
        ] {
            read_after(act, applied).breaks(&[G1]);
        }
        for act in [
            "replace(\"..\")",
            "server.put(\"obj\", \"id\", \"..\")",
            "server.put_new(\"obj\", \"id\", \"..\")",
        ] {
            read_after(act, true).passes();
        }
    }

    #[test]
    fn a_mix_of_two_uploads_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "first-first");
        scene.upload("alice", "n", "other-other");
        scene.download("alice", "n", "first-other");
        scene.breaks(&[G1]);
    }

    #[test]
    fn appends_after_an_upload_that_replaced_them_are_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.append("alice", "n", "+a");
        scene.upload("alice", "n", "v2");
        scene.download("alice", "n", "v2+a");
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn a_failed_write_that_took_effect_is_authentic() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.lost_append("alice", "n", "+a", true);
        scene.download("alice", "n", "v1+a");
        scene.append("alice", "n", "+b");
        scene.download("alice", "n", "v1+a+b");
        scene.passes();
    }

    #[test]
    fn a_failed_write_of_which_nothing_was_stored_is_thin_air() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.lost_append("alice", "n", "+a", false);
        scene.download("alice", "n", "v1+a");
        scene.breaks(&[G1]);
    }

    #[test]
    fn concurrent_appends_may_come_in_either_order_or_not_yet() {
        for read in ["v1+a+b", "v1+b+a", "v1+a", "v1+b", "v1"] {
            let mut scene = Scene::new();
            scene.shared_by_alice_with_bob();
            let one = scene.start_append("alice", "n", "+a");
            let two = scene.start_append("bob", "m", "+b");
            let reader = scene.start_download("alice/phone", "n");
            scene.end(reader, Some(read));
            scene.end(one, None);
            scene.end(two, None);
            scene.passes();
        }
    }

    #[test]
    fn files_are_followed_through_several_hands() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.share("bob", "m", "carol");
        scene.receive("carol", "bob", "m", "c");
        scene.append("carol", "c", "+carol");
        scene.download("alice", "n", "v1+carol");
        scene.download("bob", "m", "v1+carol");
        scene.passes();
    }

    #[test]
    fn a_revoked_member_who_is_let_in_again_may_write() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.revoke("alice", "n", "bob");
        scene.share("alice", "n", "bob");
        scene.receive("bob", "alice", "n", "again");
        scene.append("bob", "again", "+bob");
        scene.download("alice", "n", "v1+bob");
        scene.passes();
    }

    #[test]
    fn what_a_member_wrote_before_the_revocation_stays() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.append("bob", "m", "+bob");
        scene.revoke("alice", "n", "bob");
        scene.download("alice", "n", "v1+bob");
        scene.passes();
    }

    #[test]
    fn a_fresh_device_may_be_shown_the_branch_before_the_revocation() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.revoke("alice", "n", "bob");
        scene.append("bob", "m", "+bob");
        scene.download("alice/fresh", "n", "v1+bob");
        scene.passes();
    }

    #[test]
    fn a_thousand_appends_of_one_byte_by_two_devices_are_followed() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "0");
        for round in 0..1000 {
            scene.append(["alice", "alice/phone"][round % 2], "n", "x");
        }
        let all = format!("0{}", "x".repeat(1000));
        scene.download("alice", "n", &all);
        scene.passes();
        scene.download("alice", "n", &format!("{all}x"));
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn a_colluder_may_write_what_the_server_likes_until_excluded() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.facts.colluders.insert("bob".to_owned());
        scene.act("replace(\"what bob signed\")", true);
        scene.download("alice", "n", "anything");
        scene.passes();
        scene.revoke("alice", "n", "bob");
        scene.download("alice", "n", "something");
        scene.breaks(&[G1]);
    }

    #[test]
    fn an_older_state_is_authentic_though_stale() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.upload("alice", "n", "v2");
        scene.download("alice", "n", "v1");
        scene.breaks(&[G3]);
    }
}
