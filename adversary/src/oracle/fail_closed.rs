//! G11: after an error nothing was released but bytes in their place, and what is trusted neither
//! went back nor took anything from the failed reply.
//!
//! That the next honest run works is an operation of its own, and scripts demand its success.

use std::collections::{BTreeMap, BTreeSet};

use super::acts::may_have_made_some;
use super::authenticity::{impersonated, theirs};
use super::bits::Bits;
use super::explain::{Edges, Query, explain};
use super::key_authenticity::uploaded_keys;
use super::seen::Case;
use super::truth::Use;
use super::{Facts, Judgement, cite, quote};
use crate::client::Operation;
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let mut released: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for event in case.history.events() {
        if let Event::Released { operation, bytes } = event {
            released
                .entry(*operation)
                .or_default()
                .extend_from_slice(bytes);
        }
    }
    let uploaded = uploaded_keys(case);
    for (at, op) in case.truth.ops.iter().enumerate() {
        if op.failure().is_some() {
            if let Some(released) = released.get(&op.id).filter(|bytes| !bytes.is_empty()) {
                judge_released(case, facts, at, released, judgement);
            }
            if let Some(kind) = uploaded.get(&op.id) {
                judge_keys(case, at, kind, judgement);
            }
        }
    }
    judge_accepted(case, facts, judgement);
}

/// What left the client before an error is the beginning of a state of the file.
fn judge_released(
    case: &Case<'_>,
    facts: &Facts,
    at: usize,
    released: &[u8],
    judgement: &mut Judgement,
) {
    let op = &case.truth.ops[at];
    let mut classes = case.names.of_op(at).flat_map(|touch| &touch.classes);
    if facts.spoiling && theirs(case, facts, at, classes.by_ref().copied()) {
        return;
    }
    let nothing = Bits::default();
    let query = Query {
        content: released,
        prefix: true,
        until: op.end,
        edges: Edges::Proved,
        required: &nothing,
        excluded: &nothing,
    };
    let reads = case
        .names
        .of_op(at)
        .filter(|touch| touch.used == Use::Download);
    let found: Vec<_> = reads
        .flat_map(|touch| touch.classes.iter())
        .map(|class| explain(case.ground(), case.file(*class), &query, false))
        .collect();
    if found.iter().any(super::explain::Found::explained) {
        return;
    }
    if found.iter().all(super::explain::Found::refuted) {
        judgement.breach(
            Guarantee::G11,
            Some(op.id),
            format!(
                "{} failed and had released {}",
                cite(case, at),
                quote(released)
            ),
        );
    } else {
        judgement.undecided.push(format!(
            "too many orders might explain what {} released",
            cite(case, at)
        ));
    }
}

/// An error uploads no key.
fn judge_keys(case: &Case<'_>, at: usize, kind: &str, judgement: &mut Judgement) {
    let op = &case.truth.ops[at];
    if matches!(op.what, Operation::SignUp) {
        return;
    }
    judgement.breach(
        Guarantee::G11,
        Some(op.id),
        format!(
            "{} failed and had published a {kind:?} object",
            cite(case, at)
        ),
    );
}

/// What a device trusts after an operation is what an honest client published, and after a failed
/// one no older than before.
fn judge_accepted(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let mut last = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (at, event) in case.history.events().iter().enumerate() {
        let Event::Accepted {
            device,
            space,
            head,
            height,
        } = event
        else {
            continue;
        };
        // One that writes accepts its own head, if the server says that it is stored, and others
        // may be shown it from then on.
        let is_new = taken.insert(head);
        let Some(lineage) = case.truth.lineage(device, at) else {
            continue;
        };
        let trusted = last.insert((lineage, space), *head);
        let Some(busy) = case.truth.busy(device, at) else {
            continue;
        };
        let op = &case.truth.ops[busy];
        let went_back = op.caught()
            && trusted
                .is_some_and(|trusted| trusted != *head && case.chain.leads_to(head, &trusted));
        let reads = matches!(
            op.what,
            Operation::Download { .. } | Operation::List | Operation::Login
        );
        // A member who works with the server publishes in replies, which no record shows. Such a
        // head stands in its place whatever lies under it, or its writer could keep all others from
        // writing anything else there. And whoever has not compared the keys of a contact may take
        // the server's for them.
        let by_member = !facts.colluders.is_empty() && may_have_made_some(case, at);
        let may_be_theirs = by_member || impersonated(case, busy);
        let invented = reads
            && case.chain.is_visible()
            && !case.chain.knows(head)
            && ((op.caught() && !by_member) || (is_new && !may_be_theirs));
        let (guarantee, what) = match (went_back, invented, op.answer().is_some()) {
            (true, ..) => (Guarantee::G11, "went back"),
            (_, true, false) => (Guarantee::G11, "took over a head that no client published"),
            (_, true, true) => (Guarantee::G1, "took over a head that no client published"),
            _ => continue,
        };
        let ended = if op.answer().is_some() {
            "succeeded"
        } else {
            "failed"
        };
        judgement.breach(
            guarantee,
            Some(op.id),
            format!("{} {ended}, and {what}: height {height}", cite(case, busy)),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::client::{Class, Operation};
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G1, G3, G8, G11};

    #[test]
    fn releasing_planted_bytes_before_the_error_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "genuine content");
        let op = scene.start_download("alice", "n");
        scene.released(op, b"planted");
        scene.fail(op, "inauthentic");
        scene.breaks(&[G11]);
    }

    #[test]
    fn releasing_what_a_colluder_may_have_written_is_no_breach() {
        for (colluder, made) in [(false, true), (true, false), (true, true)] {
            let mut scene = Scene::new();
            scene.shared_by_alice_with_bob();
            if colluder {
                scene.facts.colluders.insert("bob".to_owned());
            }
            scene.facts.spoiling = true;
            scene.act("server.edit_reply(7, |m| { m.put(hex(\"00\")); })", made);
            let op = scene.start_download("alice", "n");
            scene.released(op, b"planted");
            // An accusation would stand for an act of the server's in itself.
            scene.fail_with(op, Class::Unavailable, "withheld");
            match colluder && made {
                true => scene.passes(),
                false => scene.breaks(&[G11]),
            }
        }
    }

    #[test]
    fn releasing_bytes_out_of_place_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "genuine content");
        let op = scene.start_download("alice", "n");
        scene.released(op, b"content");
        scene.fail(op, "inauthentic");
        scene.breaks(&[G11]);
    }

    #[test]
    fn going_back_in_an_operation_that_fails_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.append("alice", "n", "+a");
        scene.head("alice", 1, 1, 2);
        scene.accepted("alice", 1, 2);
        let op = scene.start_download("alice", "n");
        scene.accepted("alice", 1, 1);
        scene.fail(op, "rollback");
        scene.breaks(&[G3, G11]);
    }

    #[test]
    fn taking_over_an_invented_head_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        let op = scene.start_download("alice", "n");
        scene.accepted("alice", 1, 66);
        scene.fail(op, "inauthentic");
        scene.breaks(&[G11]);
    }

    #[test]
    fn taking_over_an_invented_head_is_a_breach_whatever_the_client_says() {
        let begun = || {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "v1");
            scene.head("alice", 1, 0, 1);
            scene.accepted("alice", 1, 1);
            scene
        };
        let scene = |colluder: bool| {
            let mut scene = begun();
            let op = scene.start_download("alice", "n");
            scene.accepted("alice", 1, 66);
            if colluder {
                scene.facts.colluders.insert("bob".to_owned());
            }
            (scene, op)
        };
        let (mut failed, op) = scene(false);
        failed.fail_with(op, Class::Unavailable, "withheld");
        failed.breaks(&[G11]);
        let (mut content, op) = scene(false);
        content.end(op, Some("v1"));
        content.breaks(&[G1]);
        // A member who works with the server may have signed it, where the server showed anything
        // of its own; what lies under it may then be refused.
        let (mut nobodys, op) = scene(true);
        nobodys.end(op, Some("v1"));
        nobodys.breaks(&[G1]);
        for caught in [false, true] {
            let mut theirs = begun();
            theirs.facts.colluders.insert("bob".to_owned());
            theirs.act("server.edit_reply(7, |m| { m.put(hex(\"00\")); })", true);
            let op = theirs.start_download("alice", "n");
            theirs.accepted("alice", 1, 66);
            match caught {
                false => theirs.end(op, Some("v1")),
                true => theirs.fail(op, "inauthentic"),
            }
            theirs.passes();
        }
    }

    #[test]
    fn an_own_head_that_was_acknowledged_and_dropped_is_not_invented() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        let op = scene.start_append("alice", "n", "+a");
        scene.accepted("alice", 1, 2);
        scene.end(op, None);
        let op = scene.start_download("alice", "n");
        scene.accepted("alice", 1, 2);
        scene.fail_with(op, Class::Unavailable, "withheld");
        scene.passes();
    }

    #[test]
    fn publishing_keys_in_a_login_that_fails_is_a_breach() {
        let mut scene = Scene::new();
        let op = scene.start("alice", Operation::Login);
        scene.wrote("alice", "pub", 1);
        scene.fail(op, "inauthentic");
        scene.breaks(&[G8, G11]);
    }

    #[test]
    fn a_beginning_released_before_the_error_is_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "genuine content");
        scene.append("alice", "n", " and more");
        for beginning in ["genu", "genuine content", "genuine content and"] {
            let op = scene.start_download("alice", "n");
            scene.released(op, &beginning.as_bytes()[..2]);
            scene.released(op, &beginning.as_bytes()[2..]);
            scene.fail(op, "inauthentic");
        }
        scene.passes();
    }

    #[test]
    fn accepting_a_newer_head_before_the_error_is_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        scene.append("alice/phone", "n", "+a");
        scene.head("alice/phone", 1, 1, 2);
        let op = scene.start_download("alice", "n");
        scene.accepted("alice", 1, 2);
        scene.fail(op, "inauthentic");
        scene.passes();
    }

    #[test]
    fn a_sign_up_that_fails_may_have_registered() {
        let mut scene = Scene::new();
        let op = scene.start("alice", Operation::SignUp);
        scene.wrote("alice", "pub", 1);
        scene.fail_with(op, crate::client::Class::Unavailable, "timeout");
        scene.passes();
    }
}
