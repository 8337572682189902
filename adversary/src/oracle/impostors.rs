//! G8, where somebody bears a contact's name: who knew the contact takes nobody else for them.
//!
//! That keys are mistaken for a contact's shows in what is read: by an impostor who was let in, or
//! by whoever takes an impostor's file. What the client says of it is not asked; at first contact
//! nobody can tell an impostor, and nothing is held against the client.

use super::bits::Bits;
use super::explain::{Edges, Query, explain};
use super::key_authenticity::contact;
use super::names::Touch;
use super::seen::{Case, Reading, Standing};
use super::truth::{Effect, Op, Use};
use super::{Judgement, cite};
use crate::client::Operation;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, judgement: &mut Judgement) {
    for reading in &case.readings {
        let op = &case.truth.ops[reading.op];
        let found = match reading.standing {
            Standing::Undecided => None,
            // Nobody who may write the reader's file wrote this.
            Standing::Foreign => taken_from_impostor(case, reading),
            _ => let_in_by(case, reading).map(|share| (share, op.user())),
        };
        let Some((mistaken, impostor)) = found.filter(|_| !reading.content.is_empty()) else {
            continue;
        };
        judgement.breach(
            Guarantee::G8,
            Some(case.truth.ops[mistaken].id),
            format!(
                "{} took {impostor:?} for the {:?} that it knew: see {}",
                cite(case, mistaken),
                case.truth.account(impostor),
                cite(case, reading.op)
            ),
        );
    }
}

/// The receives that may have given the file of a read its name.
fn received<'c, 'h>(
    case: &'c Case<'h>,
    reading: &Reading<'_>,
) -> impl Iterator<Item = &'c Touch<'h>> {
    let read = &case.truth.ops[reading.op];
    let touch = case.names.of_op(reading.op).next();
    let slot = touch.map(|touch| case.names.slot(touch.user, touch.name));
    slot.into_iter().flatten().filter(|other| {
        let receive = &case.truth.ops[other.op];
        other.used == Use::Receive && receive.effect != Effect::None && receive.start < read.end
    })
}

/// The share by which an impostor came to what was read, if no device that might have made it met
/// the name for the first time.
fn let_in_by(case: &Case<'_>, reading: &Reading<'_>) -> Option<usize> {
    let reader = case.truth.ops[reading.op].user();
    if case.truth.account(reader) == reader {
        return None;
    }
    let shares: Vec<usize> = received(case, reading)
        .flat_map(|receive| {
            let receive = &case.truth.ops[receive.op];
            case.names.invitations(&case.truth, receive)
        })
        .map(|share| share.op)
        .collect();
    let known = |share: &usize| knew(case, &case.truth.ops[*share], reader);
    shares.iter().all(known).then(|| shares.last().copied())?
}

/// The receive by which an impostor's content came to a reader who knew whose name it came under.
fn taken_from_impostor<'h>(case: &Case<'h>, reading: &Reading<'_>) -> Option<(usize, &'h str)> {
    received(case, reading).find_map(|touch| {
        let receive = &case.truth.ops[touch.op];
        let Operation::Receive { from, .. } = receive.what else {
            return None;
        };
        let mut impostors = case.truth.impostors_of(from);
        let impostor = impostors
            .find(|impostor| knew(case, receive, impostor) && is_of(case, reading, impostor))?;
        Some((touch.op, impostor))
    })
}

/// Whether what was read is a state of a file that this user shared with the reader.
fn is_of(case: &Case<'_>, reading: &Reading<'_>, user: &str) -> bool {
    let read = &case.truth.ops[reading.op];
    let nothing = Bits::default();
    let query = Query {
        content: reading.content,
        prefix: false,
        until: read.end,
        edges: Edges::Proved,
        required: &nothing,
        excluded: &nothing,
    };
    let mut shares = case.names.touches.iter().filter(|touch| {
        touch.user == user
            && matches!(touch.used, Use::Share(with) if with == case.truth.account(read.user()))
    });
    shares.any(|share| {
        let mut classes = share.classes.iter();
        classes.any(|class| explain(case.ground(), case.file(*class), &query, false).explained())
    })
}

/// Whether the device of an operation had to do with whose name the impostor bears, before there
/// was an impostor.
fn knew(case: &Case<'_>, by: &Op<'_>, impostor: &str) -> bool {
    let mut ops = case.truth.ops.iter();
    let appears = ops.find(|op| op.user() == impostor);
    let of = case.truth.account(impostor);
    appears.is_some_and(|first| {
        by.before(first)
            || case.truth.ops.iter().any(|op| {
                op.lineage == by.lineage
                    && op.effect == Effect::Certain
                    && contact(op.what) == Some(of)
                    && op.before(first)
            })
    })
}

#[cfg(test)]
mod tests {
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G1, G2, G8};

    /// Alice knows bob; mallory comes by his name.
    fn with_impostor() -> Scene {
        let mut scene = Scene::new();
        scene.upload("bob", "hello", "from bob");
        scene.share("bob", "hello", "alice");
        scene.receive("alice", "bob", "hello", "hello");
        scene.upload("alice", "n", "v1");
        scene.act("server.impostor(\"mallory\", \"bob\")", true);
        scene.impostor("mallory", "bob");
        scene.upload("mallory", "own", "mine");
        scene
    }

    #[test]
    fn sharing_with_who_bears_the_name_of_a_contact_is_a_breach() {
        let mut scene = with_impostor();
        scene.share("alice", "n", "bob");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn an_older_share_that_opens_to_an_impostor_is_a_breach() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.impostor("mallory", "bob");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn a_name_that_is_let_in_again_is_a_breach_if_it_is_another_one() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.revoke("alice", "n", "bob");
        scene.impostor("mallory", "bob");
        scene.upload("mallory", "own", "mine");
        scene.share("alice", "n", "bob");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.breaks(&[G8]);
    }

    /// Bob has his first file of alice's name from somebody else; and hers, as it should be.
    fn baited(scene: &mut Scene, name: &str) {
        scene.impostor("mallory", "alice");
        scene.upload("mallory", name, "bait");
        scene.share("mallory", name, "bob");
        scene.upload("alice", name, "genuine");
        scene.share("alice", name, "bob");
        scene.receive("bob", "alice", name, "b");
        scene.act("server.fork(\"bob\")", true);
    }

    #[test]
    fn a_file_of_who_bears_the_name_of_a_contact_is_a_breach() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        baited(&mut scene, "x");
        scene.download("bob", "b", "bait");
        scene.breaks(&[G1, G2, G8]);
    }

    #[test]
    fn a_first_file_of_anybody_breaks_no_pin() {
        for (read, fallen) in [("bait", &[G1, G2][..]), ("genuine", &[])] {
            let mut scene = Scene::new();
            baited(&mut scene, "x");
            scene.download("bob", "b", read);
            scene.breaks(fallen);
        }
    }

    #[test]
    fn what_no_impostor_shared_is_not_an_impostors() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        baited(&mut scene, "x");
        scene.download("bob", "b", "made up");
        scene.breaks(&[G1]);
    }

    #[test]
    fn at_first_contact_nobody_can_tell() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.impostor("mallory", "bob");
        scene.upload("mallory", "own", "mine");
        scene.share("alice", "n", "bob");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.passes();
    }

    #[test]
    fn a_device_that_forgot_meets_the_name_for_the_first_time() {
        let mut scene = with_impostor();
        scene.wipe("alice");
        scene.share("alice", "n", "bob");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.passes();
    }

    #[test]
    fn an_invitation_without_what_it_leads_to_tells_nothing_of_keys() {
        let mut scene = with_impostor();
        scene.share("alice", "n", "bob");
        scene.receive("mallory", "alice", "n", "m");
        let op = scene.start_download("mallory", "m");
        scene.fail(op, "inauthentic");
        scene.passes();
    }

    #[test]
    fn whose_name_it_is_reads_what_was_shared() {
        let mut scene = with_impostor();
        scene.share("alice", "n", "bob");
        scene.receive("bob", "alice", "n", "m");
        scene.download("bob", "m", "v1");
        scene.download("mallory", "own", "mine");
        scene.passes();
    }

    #[test]
    fn another_name_explains_nothing() {
        let mut scene = with_impostor();
        scene.share("alice", "n", "carol");
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", "v1");
        scene.breaks(&[G1, G2]);
    }
}
