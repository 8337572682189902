//! G8, where somebody bears a contact's name: who knew the contact takes nobody else for them.
//!
//! That keys are mistaken for a contact's shows in what is read: by an impostor who was let in, or
//! by whoever takes an impostor's file. What the client says of it is not asked. A device knows a
//! contact once it had to do with them while it was shown nothing but what an honest server shows;
//! before, nobody can tell an impostor, and G8 holds nothing against the client.

use super::authenticity::{shown_other_keys, theirs};
use super::bits::Bits;
use super::key_authenticity::contact;
use super::names::Class;
use super::seen::{Case, Reading, Standing};
use super::truth::{Effect, Op, Use};
use super::{Facts, Judgement, cite};
use crate::client::Operation;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    for reading in &case.readings {
        let op = &case.truth.ops[reading.op];
        // With the keys of a member who works with it, the server lets in whom it likes.
        if theirs(case, facts, reading.op, reading.classes.iter().copied()) {
            continue;
        }
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

/// The share by which an impostor came to what was read, if every share by which that may have been
/// was made by somebody who could tell.
fn let_in_by(case: &Case<'_>, reading: &Reading<'_>) -> Option<usize> {
    let reader = case.truth.ops[reading.op].user();
    if case.truth.account(reader) == reader {
        return None;
    }
    let own = (0..case.truth.ops.len()).filter(|at| case.truth.ops[*at].user() == reader);
    let (own, nothing): (Bits, Bits) = (own.collect(), Bits::default());
    let mut blamed = None;
    for class in &reading.classes {
        if !case.is_state(reading, *class, &nothing) {
            continue;
        }
        // What is the reader's own needs no key of anybody's.
        let of_others = case.is_state(reading, *class, &own);
        blamed = Some(of_others.then(|| telling_share(case, reading, *class))??);
    }
    blamed
}

/// The latest share of a file with the reader's name, if no such share was made by somebody who
/// could not tell, or who may have forgotten before the key was handed out anew.
fn telling_share(case: &Case<'_>, reading: &Reading<'_>, class: Class) -> Option<usize> {
    let read = &case.truth.ops[reading.op];
    let of = case.truth.account(read.user());
    let mut latest = None;
    for touch in &case.names.touches {
        let share = &case.truth.ops[touch.op];
        let lets_in = matches!(touch.used, Use::Share(with) if with == of)
            && touch.classes.contains(&class)
            && share.effect != Effect::None
            && share.start < read.end;
        if !lets_in {
            continue;
        }
        // Whatever the sharer's devices write later to the file may hand the key out anew.
        let forgetful = case.names.touches.iter().any(|later| {
            let op = &case.truth.ops[later.op];
            op.user() == share.user()
                && op.effect != Effect::None
                && !matches!(later.used, Use::Download)
                && later.classes.contains(&class)
                && share.start < op.start
                && op.start < read.end
                && !knows(case, op, of)
        });
        if forgetful || !knows(case, share, of) && shown_other_keys(case, touch.op, of) {
            return None;
        }
        latest = Some(touch.op);
    }
    latest
}

/// The latest receive by which an impostor's content may have come to the reader, if each of them
/// was made by a device that knew whose name it came under.
fn taken_from_impostor<'h>(case: &Case<'h>, reading: &Reading<'_>) -> Option<(usize, &'h str)> {
    let read = &case.truth.ops[reading.op];
    let touch = case.names.of_op(reading.op).next()?;
    let mut latest = None;
    for other in case.names.slot(touch.user, touch.name) {
        let receive = &case.truth.ops[other.op];
        let Operation::Receive { from, .. } = receive.what else {
            continue;
        };
        if receive.effect == Effect::None || receive.start >= read.end {
            continue;
        }
        let mut impostors = case.truth.impostors_of(from);
        let Some(impostor) = impostors.find(|impostor| is_of(case, reading, impostor)) else {
            continue;
        };
        if !knows(case, receive, from) {
            return None;
        }
        latest = Some((other.op, impostor));
    }
    latest
}

/// Whether what was read is a state of a file that this user shared with the reader.
fn is_of(case: &Case<'_>, reading: &Reading<'_>, user: &str) -> bool {
    let of = case.truth.account(case.truth.ops[reading.op].user());
    let mut shares =
        case.names.touches.iter().filter(|touch| {
            touch.user == user && matches!(touch.used, Use::Share(with) if with == of)
        });
    let nothing = Bits::default();
    shares.any(|share| {
        let mut classes = share.classes.iter();
        classes.any(|class| case.is_state(reading, *class, &nothing))
    })
}

/// Whether the device of an operation had to do with a contact before, and was shown no keys of
/// theirs but the honest server's until then.
fn knows(case: &Case<'_>, by: &Op<'_>, of: &str) -> bool {
    let mut ops = case.truth.ops.iter().enumerate();
    ops.any(|(at, op)| {
        op.lineage == by.lineage
            && op.effect == Effect::Certain
            && contact(op.what) == Some(of)
            && op.before(by)
            && !shown_other_keys(case, at, of)
    })
}

#[cfg(test)]
mod tests {
    use crate::client::Operation;
    use crate::codec::Code as _;
    use crate::front::kv::Request;
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

    /// Somebody shares a file with whoever the server says that bob is.
    fn shares(scene: &mut Scene, who: &str, name: &str, shown: &[u8]) {
        let what = Operation::Share {
            name: name.into(),
            with: "bob".to_owned(),
        };
        let user = "bob".to_owned();
        let op = scene.start(who, what);
        let request = Request::GetPublic { user }.to_bytes();
        scene.message(op, "get-pub", &request, Some(b"bob's"), Some(shown));
        scene.end(op, None);
    }

    fn mallory_reads(scene: &mut Scene, content: &str) {
        scene.receive("mallory", "alice", "n", "m");
        scene.download("mallory", "m", content);
    }

    #[test]
    fn sharing_with_who_bears_the_name_of_a_contact_is_a_breach() {
        let mut scene = with_impostor();
        shares(&mut scene, "alice", "n", b"mallory's");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn an_older_share_that_opens_to_an_impostor_is_a_breach() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.impostor("mallory", "bob");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn a_name_that_is_let_in_again_is_a_breach_if_it_is_another_one() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.revoke("alice", "n", "bob");
        scene.impostor("mallory", "bob");
        shares(&mut scene, "alice", "n", b"mallory's");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn what_opens_by_the_name_though_the_keys_were_shown_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.impostor("mallory", "bob");
        shares(&mut scene, "alice", "n", b"bob's");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G8]);
    }

    /// Bob has a file of alice's name from somebody else; and hers, as it should be.
    fn baited(scene: &mut Scene) {
        scene.impostor("mallory", "alice");
        scene.upload("mallory", "x", "bait");
        scene.share("mallory", "x", "bob");
        scene.upload("alice", "x", "genuine");
        scene.share("alice", "x", "bob");
        scene.receive("bob", "alice", "x", "b");
        scene.act("server.fork(\"bob\")", true);
    }

    #[test]
    fn a_file_of_who_bears_the_name_of_a_contact_is_a_breach() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        baited(&mut scene);
        scene.download("bob", "b", "bait");
        scene.breaks(&[G1, G2, G8]);
    }

    #[test]
    fn a_first_file_of_anybody_breaks_no_pin() {
        for (read, fallen) in [("bait", &[G1, G2][..]), ("genuine", &[])] {
            let mut scene = Scene::new();
            baited(&mut scene);
            scene.download("bob", "b", read);
            scene.breaks(fallen);
        }
    }

    #[test]
    fn what_no_impostor_shared_is_not_an_impostors() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        baited(&mut scene);
        scene.download("bob", "b", "made up");
        scene.breaks(&[G1]);
    }

    #[test]
    fn another_device_that_could_not_tell_may_have_taken_it() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        baited(&mut scene);
        scene.receive("bob/phone", "alice", "x", "b");
        scene.download("bob/phone", "b", "bait");
        scene.breaks(&[G1, G2]);
    }

    #[test]
    fn a_colluder_lets_in_whom_the_server_likes() {
        let mut scene = with_impostor();
        scene.facts.colluders.insert("alice".to_owned());
        shares(&mut scene, "alice", "n", b"bob's");
        mallory_reads(&mut scene, "v1");
        scene.passes();
    }

    #[test]
    fn what_another_device_reads_hands_out_nothing() {
        let mut scene = with_impostor();
        shares(&mut scene, "alice", "n", b"mallory's");
        scene.download("alice/phone", "n", "v1");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G8]);
    }

    #[test]
    fn at_first_contact_nobody_can_tell() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.impostor("mallory", "bob");
        shares(&mut scene, "alice", "n", b"mallory's");
        mallory_reads(&mut scene, "v1");
        scene.passes();
    }

    #[test]
    fn a_device_that_forgot_meets_the_name_for_the_first_time() {
        let mut scene = with_impostor();
        scene.wipe("alice");
        shares(&mut scene, "alice", "n", b"mallory's");
        mallory_reads(&mut scene, "v1");
        scene.passes();
    }

    #[test]
    fn a_device_that_forgot_may_give_the_next_key_to_anybody() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.impostor("mallory", "bob");
        scene.wipe("alice");
        scene.upload("alice", "n", "v2");
        mallory_reads(&mut scene, "v2");
        scene.passes();
    }

    #[test]
    fn who_could_not_tell_may_have_let_them_in() {
        let mut scene = with_impostor();
        shares(&mut scene, "alice", "n", b"bob's");
        scene.share("alice", "n", "carol");
        scene.receive("carol", "alice", "n", "c");
        shares(&mut scene, "carol", "c", b"mallory's");
        mallory_reads(&mut scene, "v1");
        scene.passes();
    }

    #[test]
    fn an_invitation_without_what_it_leads_to_tells_nothing_of_keys() {
        let mut scene = with_impostor();
        shares(&mut scene, "alice", "n", b"bob's");
        scene.receive("mallory", "alice", "n", "m");
        let op = scene.start_download("mallory", "m");
        scene.fail(op, "inauthentic");
        // Nor does what she wrote herself.
        scene.upload("mallory", "m", "hers");
        scene.download("mallory", "m", "hers");
        scene.delete("mallory", "m");
        scene.upload("mallory", "m", "hers again");
        scene.download("mallory", "m", "hers again");
        scene.passes();
    }

    #[test]
    fn whose_name_it_is_reads_what_was_shared() {
        let mut scene = with_impostor();
        shares(&mut scene, "alice", "n", b"bob's");
        scene.receive("bob", "alice", "n", "m");
        scene.download("bob", "m", "v1");
        scene.download("mallory", "own", "mine");
        scene.passes();
    }

    #[test]
    fn another_name_explains_nothing() {
        let mut scene = with_impostor();
        scene.share("alice", "n", "carol");
        mallory_reads(&mut scene, "v1");
        scene.breaks(&[G1, G2]);
    }
}
