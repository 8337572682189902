//! G7: nothing that a member writes who has seen the revocation can be opened by the revoked one.
//!
//! Two halves: what clients of revoked users returned, from the history alone, and what an offline
//! decryptor opens with all of the revoked user's keys and the server's whole record.

use std::collections::BTreeSet;

use super::authenticity::excused;
use super::bits::Bits;
use super::names::Touch;
use super::seen::{Case, Reading, Standing};
use super::truth::{Effect, Use};
use super::{Facts, Judgement, cite, quote};
use crate::history::{Event, History, ObjectKey};
use crate::verdict::{Breach, Guarantee};

/// What an offline decryptor opens with one user's keys and the server's whole record.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Whose keys.
    pub user: String,
    /// The objects that it can tell apart: whatever it is asked about must be among them.
    pub known: BTreeSet<ObjectKey>,
    /// Those of them that it opens.
    pub opened: BTreeSet<ObjectKey>,
}

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    for reading in &case.readings {
        let user = case.truth.ops[reading.op].user();
        if facts.colluders.contains(user) {
            continue;
        }
        if reading.standing == Standing::Unauthorised && !excused(case, facts, reading) {
            judgement.breach(
                Guarantee::G7,
                Some(case.truth.ops[reading.op].id),
                format!(
                    "{} returned {}, altered by somebody whose exclusion this device had seen",
                    cite(case, reading.op),
                    quote(reading.content)
                ),
            );
        }
        for revocation in revocations(case, user) {
            judge_reading(case, reading, revocation, judgement);
        }
    }
}

/// The revocations that surely exclude a user, and are never taken back.
fn revocations<'c, 'h>(case: &'c Case<'h>, user: &'c str) -> Vec<&'c Touch<'h>> {
    let excludes = |touch: &&Touch<'h>| {
        let Use::Revoke(from) = touch.used else {
            return false;
        };
        let revoke = &case.truth.ops[touch.op];
        let mut classes = touch.classes.iter();
        let (Some(class), None) = (classes.next(), classes.next()) else {
            return false;
        };
        let end = case.truth.ops.iter().max_by_key(|op| op.start);
        let kept = end.map(|last| {
            case.names
                .members(&case.truth, *class, last, |share, with| {
                    case.truth.ops[share.op].end > revoke.start
                        || (with != from && share.user != from)
                })
        });
        revoke.effect == Effect::Certain
            && touch.user == case.names.owner(*class)
            && kept.is_some_and(|kept| !kept.contains(user))
            && case
                .names
                .members(&case.truth, *class, revoke, |_, _| true)
                .contains(user)
    };
    case.names.touches.iter().filter(excludes).collect()
}

/// The writes to the revoked file whose author had seen the revocation.
fn written_after(case: &Case<'_>, revocation: &Touch<'_>) -> Bits {
    let revoke = &case.truth.ops[revocation.op];
    let after = |touch: &&Touch<'_>| {
        let op = &case.truth.ops[touch.op];
        let knows = case.floors[touch.op].contains(revocation.op)
            || case.chain.past[touch.op].contains(revocation.op);
        matches!(touch.used, Use::Upload(_) | Use::Append(_))
            && touch.classes == revocation.classes
            && knows
            && revoke.before(op)
    };
    case.names
        .touches
        .iter()
        .filter(after)
        .map(|touch| touch.op)
        .collect()
}

fn judge_reading(
    case: &Case<'_>,
    reading: &Reading<'_>,
    revocation: &Touch<'_>,
    judgement: &mut Judgement,
) {
    let shared: Vec<_> = reading.classes.intersection(&revocation.classes).collect();
    let later = written_after(case, revocation);
    if shared.is_empty() || later.is_empty() {
        return;
    }
    let nothing = Bits::default();
    let explained = |without: &Bits| {
        let mut classes = reading.classes.iter();
        classes.any(|class| case.is_state(reading, *class, without))
    };
    if explained(&nothing) && !explained(&later) {
        judgement.breach(
            Guarantee::G7,
            Some(case.truth.ops[reading.op].id),
            format!(
                "{} returned {}, written by a member who had seen {}",
                cite(case, reading.op),
                quote(reading.content),
                cite(case, revocation.op)
            ),
        );
    }
}

/// Judges what an offline decryptor opens with the keys of a revoked user.
///
/// It is believed only if it opens everything that was written to the file before: `undecided` is
/// the reason why it is not.
///
/// # Errors
///
/// What keeps the decryptor from being believed.
pub fn judge_reach(history: &History, reach: &Reach) -> Result<Vec<Breach>, String> {
    let case = Case::of(history);
    let mut breaches = Vec::new();
    for revocation in revocations(&case, &reach.user) {
        let later = written_after(&case, revocation);
        let revoke = &case.truth.ops[revocation.op];
        for touch in &case.names.touches {
            let op = &case.truth.ops[touch.op];
            let writes = matches!(touch.used, Use::Upload(_) | Use::Append(_));
            let before = op.before(revoke) && op.effect == Effect::Certain;
            if !writes || touch.classes != revocation.classes {
                continue;
            }
            let objects = objects_since(history.events(), op.id, &reach.known);
            let anew = sent_anew(&case, touch, revocation, &reach.known);
            if before && !replaced(&case, touch, revocation) {
                let closed = objects
                    .iter()
                    .find(|object| !reach.opened.contains(*object));
                if let Some(object) = closed {
                    return Err(format!(
                        "the decryptor does not open {object}, written by {} while {} was a member",
                        cite(&case, touch.op),
                        reach.user
                    ));
                }
            } else {
                let objects = if later.contains(touch.op) {
                    &objects
                } else {
                    &anew
                };
                breaches.extend(
                    objects
                        .iter()
                        .filter(|object| reach.opened.contains(*object))
                        .map(|object| Breach {
                            guarantee: Guarantee::G7,
                            evidence: format!(
                                "{} opens {object}, written by {} after {}",
                                reach.user,
                                cite(&case, touch.op),
                                cite(&case, revocation.op)
                            ),
                            operation: Some(op.id),
                        }),
                );
            }
        }
    }
    Ok(breaches)
}

/// What a write sent anew, having met the revocation on its way: the last of it followed the
/// revocation's head, and its objects since then count as written by one who has seen it.
fn sent_anew(
    case: &Case<'_>,
    touch: &Touch<'_>,
    revocation: &Touch<'_>,
    known: &BTreeSet<ObjectKey>,
) -> BTreeSet<ObjectKey> {
    let (op, revoke) = (&case.truth.ops[touch.op], &case.truth.ops[revocation.op]);
    let follows = case.chain.past[touch.op].contains(revocation.op);
    if revoke.before(op) || !follows {
        return BTreeSet::new();
    }
    let published = |event: &Event| match event {
        Event::Published { operation, .. } => *operation == revoke.id,
        _ => false,
    };
    let events = case.history.events();
    let since = events.iter().rposition(published).unwrap_or(events.len());
    objects_since(&events[since..], op.id, known)
}

/// Whether a write was replaced before the user was ever let in: then it need not open.
fn replaced(case: &Case<'_>, touch: &Touch<'_>, revocation: &Touch<'_>) -> bool {
    let Use::Revoke(_) = revocation.used else {
        return false;
    };
    let op = &case.truth.ops[touch.op];
    let first = case.names.touches.iter().find(|share| {
        matches!(share.used, Use::Share(_)) && !share.classes.is_disjoint(&touch.classes)
    });
    first.is_some_and(|share| {
        let share = &case.truth.ops[share.op];
        case.names.touches.iter().any(|other| {
            let upload = &case.truth.ops[other.op];
            matches!(other.used, Use::Upload(_))
                && other.classes == touch.classes
                && op.before(upload)
                && upload.start < share.end
        })
    })
}

fn objects_since(events: &[Event], id: u32, known: &BTreeSet<ObjectKey>) -> BTreeSet<ObjectKey> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Wrote {
                operation, object, ..
            } if *operation == id => Some(object.clone()),
            _ => None,
        })
        .filter(|object| known.contains(object))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Reach, judge_reach};
    use crate::history::ObjectKey;
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G3, G7};

    fn revoked() -> Scene {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.wrote("alice", "pack", 1);
        scene.append("bob", "m", "+bob");
        scene.wrote("bob", "pack", 2);
        scene.revoke("alice", "n", "bob");
        scene.append("alice", "n", "+later");
        scene.wrote("alice", "pack", 3);
        scene
    }

    fn reach(opened: &[u8]) -> Reach {
        let pack = |id: &u8| ObjectKey::new("pack", [*id]);
        Reach {
            user: "bob".to_owned(),
            known: [1, 2, 3].iter().map(pack).collect(),
            opened: opened.iter().map(pack).collect(),
        }
    }

    #[test]
    fn opening_what_was_written_after_is_a_breach() {
        let breaches = judge_reach(&revoked().history, &reach(&[1, 2, 3])).expect("believed");
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].guarantee, G7);
        assert!(
            breaches[0].evidence.contains("pack/03"),
            "{}",
            breaches[0].evidence
        );
    }

    #[test]
    fn a_decryptor_that_opens_too_little_is_not_believed() {
        assert!(judge_reach(&revoked().history, &reach(&[1])).is_err());
        assert!(judge_reach(&revoked().history, &reach(&[])).is_err());
    }

    #[test]
    fn what_was_written_before_may_be_opened_for_ever() {
        assert_eq!(
            judge_reach(&revoked().history, &reach(&[1, 2])),
            Ok(Vec::new())
        );
    }

    #[test]
    fn what_an_author_sends_who_has_not_seen_the_revocation_counts_as_before() {
        let mut scene = revoked();
        scene.append("carol/unaware", "x", "");
        scene.append("alice/phone", "n", "+unaware");
        scene.wrote("alice/phone", "pack", 3);
        let opened = judge_reach(&scene.history, &reach(&[1, 2])).expect("believed");
        assert!(opened.is_empty());
    }

    #[test]
    fn a_revoked_client_that_returns_later_content_is_a_breach() {
        let mut scene = revoked();
        scene.download("bob", "m", "v1+bob+later");
        scene.breaks(&[G7]);
    }

    #[test]
    fn a_revoked_member_of_the_subtree_is_held_to_the_same() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.share("bob", "m", "dan");
        scene.receive("dan", "bob", "m", "d");
        scene.revoke("alice", "n", "bob");
        scene.upload("alice", "n", "v2");
        scene.download("dan", "d", "v2");
        scene.breaks(&[G7]);
    }

    #[test]
    fn a_revoked_client_may_return_what_it_saw_before() {
        let mut scene = revoked();
        scene.download("bob", "m", "v1+bob");
        scene.passes();
    }

    #[test]
    fn who_is_let_in_again_may_read_all() {
        let mut scene = revoked();
        scene.share("alice", "n", "bob");
        scene.receive("bob", "alice", "n", "again");
        scene.download("bob", "again", "v1+bob+later");
        scene.passes();
        scene.download("bob", "again", "v1");
        scene.breaks(&[G3]);
    }

    #[test]
    fn others_keep_access() {
        let mut scene = Scene::new();
        scene.shared_by_alice_with_bob();
        scene.share("alice", "n", "carol");
        scene.receive("carol", "alice", "n", "c");
        scene.revoke("alice", "n", "bob");
        scene.append("carol", "c", "+carol");
        scene.download("carol", "c", "v1+carol");
        scene.download("alice", "n", "v1+carol");
        scene.passes();
    }
}
