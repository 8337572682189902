//! G4: views once forked are never silently joined, and any contact exposes the fork.
//!
//! Where clients publish their heads, this compares accepted heads in linear time. For any other
//! client it looks at bytes alone: one read shows a later append without an earlier one, so they
//! lie on two branches; another read shows both.

use std::collections::BTreeMap;

use super::chain::{HeadId, SpaceId};
use super::seen::{Case, Reading, Standing};
use super::{Judgement, cite};
use crate::client::{DeviceName, Operation};
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, judgement: &mut Judgement) {
    judge_heads(case, judgement);
    judge_values(case, judgement);
}

/// What each memory accepted last, for each space.
type Views = BTreeMap<usize, BTreeMap<SpaceId, HeadId>>;

fn judge_heads(case: &Case<'_>, judgement: &mut Judgement) {
    let mut views = Views::new();
    for (at, event) in case.history.events().iter().enumerate() {
        match event {
            Event::Accepted {
                device,
                space,
                head,
                height,
            } => {
                let Some(lineage) = case.truth.lineage(device, at) else {
                    continue;
                };
                let trusted = views.entry(lineage).or_default().insert(*space, *head);
                if let Some(trusted) = trusted
                    && split(case, &trusted, head)
                {
                    judgement.breach(
                        Guarantee::G4,
                        case.truth.busy(device, at).map(|op| case.truth.ops[op].id),
                        format!("{device} went over to another branch at height {height}"),
                    );
                }
            }
            Event::OperationEnded {
                operation,
                outcome: Ok(_),
            } => {
                if let Some(op) = case.truth.index(*operation)
                    && let Operation::Compare { other } = case.truth.ops[op].what
                    && forked(case, &views, op, other, at)
                {
                    judgement.breach(
                        Guarantee::G4,
                        Some(*operation),
                        format!(
                            "{} met {other} on another branch and said nothing",
                            cite(case, op)
                        ),
                    );
                }
            }
            _ => {}
        }
    }
}

/// Whether two heads of one space are known and neither leads to the other.
fn split(case: &Case<'_>, one: &HeadId, other: &HeadId) -> bool {
    case.chain.knows(one)
        && case.chain.knows(other)
        && !case.chain.leads_to(one, other)
        && !case.chain.leads_to(other, one)
}

/// Whether two devices that meet have accepted heads of two branches.
fn forked(case: &Case<'_>, views: &Views, op: usize, other: &DeviceName, at: usize) -> bool {
    let own = views.get(&case.truth.ops[op].lineage);
    let met = case
        .truth
        .lineage(other, at)
        .and_then(|lineage| views.get(&lineage));
    let (Some(own), Some(met)) = (own, met) else {
        return false;
    };
    own.iter()
        .any(|(space, head)| met.get(space).is_some_and(|other| split(case, head, other)))
}

/// An append that some read shows without an earlier one.
struct Split {
    earlier: usize,
    later: usize,
    shown_by: usize,
}

fn judge_values(case: &Case<'_>, judgement: &mut Judgement) {
    let mut splits: Vec<Split> = Vec::new();
    for reading in &case.readings {
        if reading.standing != Standing::Fresh {
            continue;
        }
        let [(class, witness)] = reading.witnesses.as_slice() else {
            continue;
        };
        let joined = splits.iter().find(|split| {
            witness.included.contains(split.earlier) && witness.included.contains(split.later)
        });
        if let Some(split) = joined {
            judgement.breach(
                Guarantee::G4,
                Some(case.truth.ops[reading.op].id),
                format!(
                    "{} holds both {} and {}, which {} showed without it",
                    cite(case, reading.op),
                    cite(case, split.earlier),
                    cite(case, split.later),
                    cite(case, split.shown_by)
                ),
            );
        }
        splits.extend(splits_of(case, reading, *class, witness));
    }
}

/// The pairs of appends that a read proves to lie on two branches.
fn splits_of(
    case: &Case<'_>,
    reading: &Reading<'_>,
    class: usize,
    witness: &super::explain::Witness,
) -> Vec<Split> {
    let ops = &case.truth.ops;
    let file = case.file(class);
    let mut splits = Vec::new();
    for piece in file.lanes.iter().flatten() {
        let lacking = !witness.included.contains(piece.op)
            && file.own.contains(piece.op)
            && ops[piece.op].answer().is_some()
            // It comes after the upload, or the upload may have replaced it.
            && ops[witness.base].before(&ops[piece.op]);
        if !lacking {
            continue;
        }
        let later = witness
            .included
            .iter()
            .filter(|op| *op != witness.base && ops[piece.op].before(&ops[*op]));
        splits.extend(later.map(|later| Split {
            earlier: piece.op,
            later,
            shown_by: reading.op,
        }));
    }
    splits
}

#[cfg(test)]
mod tests {
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::G4;

    /// Two devices of alice on two branches: heads 2 and 3 both follow head 1.
    fn forked() -> Scene {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        scene.accepted("alice/phone", 1, 1);
        scene.append("alice", "n", "+a");
        scene.head("alice", 1, 1, 2);
        scene.accepted("alice", 1, 2);
        scene.append("alice/phone", "n", "+p");
        scene.head("alice/phone", 1, 1, 3);
        scene.accepted("alice/phone", 1, 3);
        scene
    }

    #[test]
    fn going_over_to_another_branch_is_a_breach() {
        let mut scene = forked();
        scene.accepted("alice", 1, 3);
        scene.breaks(&[G4]);
    }

    #[test]
    fn a_contact_that_does_not_expose_the_fork_is_a_breach() {
        let mut scene = forked();
        scene.compare("alice", "alice/phone", true);
        scene.breaks(&[G4]);
    }

    #[test]
    fn bytes_that_join_two_branches_are_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "0");
        scene.append("alice", "n", "A");
        scene.append("alice/phone", "n", "B");
        scene.download("alice/phone", "n", "0B");
        scene.download("alice/fresh", "n", "0AB");
        scene.breaks(&[G4]);
    }

    #[test]
    fn a_fork_that_a_contact_exposes_is_no_breach() {
        let mut scene = forked();
        scene.compare("alice", "alice/phone", false);
        scene.download("alice", "n", "v1+a");
        scene.download("alice/phone", "n", "v1+p");
        scene.passes();
    }

    #[test]
    fn two_devices_of_which_one_is_behind_are_no_fork() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        scene.head("alice", 1, 0, 1);
        scene.accepted("alice", 1, 1);
        scene.accepted("alice/phone", 1, 1);
        scene.append("alice", "n", "+a");
        scene.head("alice", 1, 1, 2);
        scene.accepted("alice", 1, 2);
        scene.compare("alice", "alice/phone", true);
        scene.accepted("alice/phone", 1, 2);
        scene.compare("alice", "alice/phone", true);
        scene.passes();
    }

    #[test]
    fn forked_devices_that_each_go_on_alone_are_no_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "0");
        scene.append("alice", "n", "A");
        scene.append("alice/phone", "n", "B");
        scene.download("alice/phone", "n", "0B");
        scene.download("alice", "n", "0A");
        scene.append("alice/phone", "n", "C");
        scene.download("alice/phone", "n", "0BC");
        scene.passes();
    }

    #[test]
    fn two_spaces_do_not_mix() {
        let mut scene = forked();
        scene.upload("alice", "other", "x");
        scene.head("alice", 2, 0, 7);
        scene.accepted("alice", 2, 7);
        scene.passes();
    }
}
