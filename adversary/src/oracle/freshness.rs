//! G3: no device accepts a state older than one it has seen, and each claims exactly what is true.

use std::collections::{BTreeMap, BTreeSet};

use super::seen::{Case, Standing};
use super::truth::{Effect, Op, Use, uses};
use super::{Judgement, cite, quote};
use crate::client::{Class, DeviceName, Operation};
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, judgement: &mut Judgement) {
    for reading in &case.readings {
        let what = match reading.standing {
            Standing::Stale => "a state older than one that this device had seen",
            Standing::Regressed => "a state that lacks what its writers had seen",
            _ => continue,
        };
        let op = &case.truth.ops[reading.op];
        let (returned, number) = (quote(reading.content), Some(op.id));
        let what = format!("{} returned {returned}: {what}", cite(case, reading.op));
        // The word of a client excuses what its process cannot have known by itself, and no more:
        // whatever it keeps, what one process has seen it can hold against the next answer.
        if says_that_it_cannot_know(op) && case.is_fresh_in_its_life(reading) {
            judgement.admit(Guarantee::G3, number, what);
        } else {
            judgement.breach(Guarantee::G3, number, what);
        }
    }
    judge_heads(case, judgement);
    for op in 0..case.truth.ops.len() {
        judge_absence(case, op, judgement);
        judge_claims(case, op, judgement);
    }
}

/// Whether the client said of this answer that it cannot know its age.
pub(super) fn says_that_it_cannot_know(op: &Op<'_>) -> bool {
    op.answer()
        .is_some_and(|answer| answer.claims.monotone == Some(false))
}

/// Accepted heads never go back.
fn judge_heads(case: &Case<'_>, judgement: &mut Judgement) {
    let mut last = BTreeMap::new();
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
        let Some(lineage) = case.truth.lineage(device, at) else {
            continue;
        };
        if let Some((trusted, reached)) = last.insert((lineage, space), (*head, *height))
            && trusted != *head
            && case.chain.leads_to(head, &trusted)
        {
            judgement.breach(
                Guarantee::G3,
                case.truth.busy(device, at).map(|op| case.truth.ops[op].id),
                format!("{device} went back from height {reached} to height {height}"),
            );
        }
    }
}

/// A device that has seen a name does not believe that there is none.
fn judge_absence(case: &Case<'_>, at: usize, judgement: &mut Judgement) {
    let op = &case.truth.ops[at];
    // A mistake of the caller's that is none of the others is that there is no such file, in
    // whatever words: the user believes that it is gone.
    let denied = op.failure().is_some_and(|failure| {
        failure.class == Class::Usage && !is_another_mistake(op.what, &failure.name)
    });
    if !denied {
        return;
    }
    for (name, used) in uses(op.what) {
        if matches!(used, Use::Receive | Use::Upload(_)) {
            continue;
        }
        let bound = case.names.slot(op.user(), name).find(|touch| {
            matches!(touch.used, Use::Upload(_) | Use::Receive)
                && case.floors[at].contains(touch.op)
                && !may_be_gone(case, touch.op, name, op)
                && !case.names.may_be_lost(&case.truth, touch, op)
        });
        if let Some(touch) = bound {
            judgement.breach(
                Guarantee::G3,
                Some(op.id),
                format!(
                    "{} said that there is no such file, having seen {}",
                    cite(case, at),
                    cite(case, touch.op)
                ),
            );
        }
    }
}

/// Whether a mistake of the caller's says something else than that the file is not there. Whoever
/// asks for a file can make few of them.
fn is_another_mistake(what: &Operation, name: &str) -> bool {
    match what {
        Operation::Download { .. } => MISTAKES_OF_READERS.contains(&name),
        _ => OTHER_MISTAKES.contains(&name),
    }
}

/// Those that somebody can make who only reads.
const MISTAKES_OF_READERS: [&str; 3] = ["empty-name", "too-long", "wrong-device"];

/// The mistakes of a caller that do not say that a file is not there.
const OTHER_MISTAKES: [&str; 11] = [
    "already-received",
    "already-shared",
    "empty-name",
    "full",
    "name-taken",
    "not-owner",
    "not-shared",
    "oneself",
    "too-long",
    "unknown-contact",
    "wrong-device",
];

/// Whether a name may have been deleted between an operation that bound it and another one.
fn may_be_gone(case: &Case<'_>, bound: usize, name: &[u8], by: &Op<'_>) -> bool {
    let binder = &case.truth.ops[bound];
    case.names.slot(by.user(), name).any(|touch| {
        let delete = &case.truth.ops[touch.op];
        touch.used == Use::Delete
            && delete.effect != Effect::None
            && delete.start < by.end
            && !delete.before(binder)
    })
}

/// Each claim is compared with what is true.
fn judge_claims(case: &Case<'_>, at: usize, judgement: &mut Judgement) {
    let op = &case.truth.ops[at];
    let Some(claims) = op.answer().map(|answer| &answer.claims) else {
        return;
    };
    let mut breach = |what: String| {
        judgement.breach(
            Guarantee::G3,
            Some(op.id),
            format!("{} {what}", cite(case, at)),
        );
    };
    match (claims.monotone, monotone(case, at)) {
        (Some(true), Some(false)) => {
            breach("claims to be no older than what it saw before, and saw nothing before".into());
        }
        (Some(false), Some(true)) => {
            breach("claims to know nothing of its age, and saw the same before".into());
        }
        _ => {}
    }
    // No party of a run vouches for an age, so every bound is invented.
    if claims.bounded == Some(true) {
        breach("claims a bound on its age for which nobody vouches".into());
    }
    let met = witnesses(case, at);
    if let Some(claimed) = claims.witnesses
        && usize::try_from(claimed).is_ok_and(|claimed| claimed > met)
    {
        breach(format!("claims {claimed} witnesses and met {met}"));
    }
}

/// Whether what this operation was shown can be compared with something seen before; none where
/// the run does not tell.
fn monotone(case: &Case<'_>, at: usize) -> Option<bool> {
    let op = &case.truth.ops[at];
    let before = case.truth.ops[..at]
        .iter()
        .any(|other| other.lineage == op.lineage && other.answer().is_some());
    let mut accepted = false;
    let mut known = BTreeSet::new();
    for (now, event) in case.history.events().iter().enumerate().take(op.ended) {
        let Event::Accepted { device, space, .. } = event else {
            continue;
        };
        if device != op.device || case.truth.lineage(device, now) != Some(op.lineage) {
            continue;
        }
        accepted = true;
        if now < op.start {
            known.insert(space);
        } else if !known.contains(space) {
            // The first head of a space: there is nothing to compare it with, whoever asked.
            return (case.truth.busy(device, now) == Some(at)).then_some(false);
        }
    }
    if accepted {
        return Some(true);
    }
    let reads = matches!(op.what, Operation::Download { .. } | Operation::List);
    match (before, reads && seen_the_same(case, at)) {
        (false, _) => Some(false),
        (true, true) => Some(true),
        (true, false) => None,
    }
}

/// Whether this device read or wrote the same name, or listed, before in the same process, which
/// has shown by a claim that it compares.
fn seen_the_same(case: &Case<'_>, at: usize) -> bool {
    let op = &case.truth.ops[at];
    let mut in_life = case.truth.ops[..at]
        .iter()
        .filter(|other| other.life == op.life);
    let claims = |other: &Op<'_>| {
        let answer = other.answer();
        answer.is_some_and(|answer| answer.claims.monotone == Some(true))
    };
    in_life.clone().any(claims)
        && in_life.any(|other| {
            let same = match (op.what, other.what) {
                (Operation::List, Operation::List) => true,
                _ => uses(op.what)
                    .iter()
                    .any(|(name, _)| uses(other.what).iter().any(|(other, _)| name == other)),
            };
            other.answer().is_some() && other.before(op) && same
        })
}

/// Whether a device, as far as the run shows, holds a head of any space of which this one does: who
/// holds none can witness nothing.
fn shares_a_space(case: &Case<'_>, op: &Op<'_>, met: &DeviceName) -> bool {
    let held = |by: &DeviceName| -> BTreeSet<&[u8; 32]> {
        let events = case.history.events().iter().take(op.ended);
        events
            .filter_map(|event| match event {
                Event::Accepted { device, space, .. } if device == by => Some(space),
                _ => None,
            })
            .collect()
    };
    let (ours, theirs) = (held(op.device), held(met));
    ours.is_empty() || ours.intersection(&theirs).next().is_some()
}

/// How many other devices this one has met that can have seen a space of its own.
fn witnesses(case: &Case<'_>, at: usize) -> usize {
    let op = &case.truth.ops[at];
    let met: BTreeSet<_> = case
        .truth
        .ops
        .iter()
        .filter(|other| other.answer().is_some() && other.start < op.ended)
        .filter_map(|other| match other.what {
            Operation::Compare { other: met } if other.lineage == op.lineage => Some(met),
            Operation::Compare { other: met } if met == op.device => Some(other.device),
            _ => None,
        })
        .filter(|met| shares_a_space(case, op, met))
        .collect();
    met.len()
}

#[cfg(test)]
mod tests;
