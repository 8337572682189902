//! Power control: a script that nobody falls for proves nothing.

use std::rc::Rc;

use super::decide::{acts, honest_failure};
use super::{Control, Plan, Run, Subject, Twin, once_with};
use crate::attack::Expectation;
use crate::driver::{Lie, Planted};
use crate::history::Event;
use crate::stage::Acts;

/// Whether the script could have failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    /// Power is taken from another client's run of the script.
    NotAsked,
    /// It could: without these defences the guarantee falls, and without fewer of them it stands.
    Shown(Vec<String>),
    /// It could: this planted lie was seen.
    Planted(&'static str),
    /// The control lies elsewhere, as the script's header says.
    Elsewhere,
    /// No control. Says why.
    None(String),
    /// The header says that the control is planted, and names no client for it: none was run.
    Unexecuted,
}

/// Shows that the script could have failed.
pub(super) fn power(
    subject: &dyn Subject,
    twin: &Twin,
    (honest, attacked): (&Run, &Run),
    seed: u64,
) -> Power {
    let plan = subject.plan();
    match plan.control {
        Control::Planted => match plan.planted {
            Some(lie) => planted(subject, plan, lie, seed),
            None => Power::Unexecuted,
        },
        Control::Claim => claim(honest, attacked),
        Control::Defences => match without(subject, plan, twin, seed) {
            Ok(()) => Power::Shown(plan.defences.clone()),
            Err(why) => Power::None(why),
        },
    }
}

fn without(subject: &dyn Subject, plan: &Plan, twin: &Twin, seed: u64) -> Result<(), String> {
    if plan.defences.is_empty() {
        return Err("the header names no defence".to_owned());
    }
    let named = plan.defences.join(", ");
    let run = |defences: &[String], acts| {
        let client = twin(defences)?;
        let setting = (acts, defences.to_vec());
        let run = once_with(subject, client, setting, seed);
        undecided(&run).map_or(Ok(run), Err)
    };
    let honest = run(&plan.defences, Acts::Evaluated)?;
    if let Some(why) = honest_failure(&honest) {
        return Err(format!("without {named} the honest run fails: {why}"));
    }
    if acts(&honest.attack) && honest.breaks(plan.guarantee) {
        let id = plan.guarantee.id();
        return Err(format!("without {named} {id} falls in the honest run, too"));
    }
    let weak = run(&plan.defences, Acts::Applied)?;
    if !weak.breaks(plan.guarantee) {
        let fault = weak.faults.first().map(|fault| fault.evidence.clone());
        let stray = || weak.stray_failure().map(|(_, failure)| failure.to_string());
        let unmet = || {
            weak.judgements
                .iter()
                .find_map(|judgement| judgement.instead.clone())
        };
        let came = fault.or_else(stray).or_else(unmet);
        let came = came.unwrap_or_else(|| "what the script expects".to_owned());
        return Err(format!(
            "without {named}, {} stands at the guarded operations (they came to {came})",
            plan.guarantee.id()
        ));
    }
    for subset in proper_subsets(&plan.defences) {
        if run(&subset, Acts::Applied)?.breaks(plan.guarantee) {
            return Err(format!("{} alone are enough of {named}", subset.join(", ")));
        }
    }
    Ok(())
}

/// Why a run shows neither that a guarantee stands nor that it falls, if it does not.
fn undecided(run: &Run) -> Option<String> {
    let stopped = run.stopped.as_ref().filter(|stopped| !stopped.by_operation);
    let why = stopped
        .map(|stopped| &stopped.text)
        .or(run.undecided.first())?;
    let off = run.without.join(", ");
    Some(format!("the run without {off} did not end: {why}"))
}

/// Plays the script once more, against the client with one planted lie: it must be seen.
fn planted(subject: &dyn Subject, plan: &Plan, lie: &'static Lie, seed: u64) -> Power {
    let client = Rc::new(Planted::new(lie));
    let run = once_with(subject, client, (Acts::Applied, Vec::new()), seed);
    // The lie stands where the client tells it, guarded or not.
    if run.breaks(plan.guarantee)
        || run
            .breaches
            .iter()
            // A limit that was passed is what the lie is about, where it is.
            .chain(&run.faults)
            .any(|one| one.guarantee == plan.guarantee)
    {
        return Power::Planted(lie.name);
    }
    Power::None(format!(
        "a client that {} keeps {} by what the oracles see",
        lie.sentence,
        plan.guarantee.id()
    ))
}

/// All subsets but the empty one, which is the client itself, and the whole.
fn proper_subsets(all: &[String]) -> Vec<Vec<String>> {
    let count = all.len().min(16);
    let subsets = (1..(1_u32 << count) - 1).map(|mask| {
        let chosen = all.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        chosen.map(|(_, name)| name.clone()).collect()
    });
    subsets.collect()
}

/// What a client admits here it must elsewhere claim, or it would admit it whatever is true.
pub(super) fn claim(honest: &Run, attacked: &Run) -> Power {
    let mut judgements = attacked.judgements.iter();
    let admitted = judgements.find_map(|judgement| match &judgement.expectation {
        Expectation::Admitted { claim } => Some(claim.as_str()),
        _ => None,
    });
    let Some(admitted) = admitted else {
        return Power::None("the script expects nothing to be admitted".to_owned());
    };
    let events = honest
        .history
        .events()
        .iter()
        .chain(attacked.history.events());
    let mut answers = events.filter_map(|event| match event {
        Event::OperationEnded { outcome, .. } => outcome.as_ref().ok(),
        _ => None,
    });
    let claimed = answers.any(|answer| match admitted {
        "unverified-contact" => answer.claims.contact_verified == Some(true),
        _ => answer.claims.monotone == Some(true),
    });
    if claimed {
        Power::Elsewhere
    } else {
        Power::None(format!(
            "nowhere in the run does the client claim more than {admitted}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::proper_subsets;

    #[test]
    fn proper_subsets_are_neither_empty_nor_all() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(proper_subsets(&names(&["a"])).is_empty());
        assert_eq!(
            proper_subsets(&names(&["a", "b"])),
            [names(&["a"]), names(&["b"])]
        );
        assert_eq!(proper_subsets(&names(&["a", "b", "c"])).len(), 6);
    }
}
