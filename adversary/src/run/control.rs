//! Power control: a script that nobody falls for proves nothing.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::decide::{acts, honest_failure};
use super::{Control, Plan, Play, Run, Subject, Twin, once_with};
use crate::attack::Expectation;
use crate::client::DeviceName;
use crate::codec::Code as _;
use crate::driver::{Lie, Planted, stopwatch};
use crate::history::Event;
use crate::oracle::HonestCosts;
use crate::stage::{Acts, Only};
use crate::verdict::{Guarantee, Verdict};

/// Whether the script could have failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    /// Power is taken from another client's run of the script.
    NotAsked,
    /// It could: without these defences the guarantee falls, and without fewer of them it stands.
    Shown {
        /// The defences.
        defences: Vec<String>,
        /// At how many expectations of an attack it falls, and how many there are; both zero where
        /// what fell belongs to no operation.
        reached: (usize, usize),
        /// Why it stands at the others, by the header.
        depth: String,
    },
    /// It could: this planted lie was seen.
    Planted(&'static str),
    /// The control lies elsewhere, as the script's header says.
    Elsewhere,
    /// No control. Says why.
    None(String),
    /// None was run, as the header says and why; or there is no header.
    Unexecuted(String),
}

/// Shows that the script could have failed.
pub(super) fn power(
    subject: &dyn Subject,
    twin: &Twin,
    (honest, attacked): (&Run, &Run),
    (seed, strawman): (u64, &Cell<Duration>),
) -> Power {
    let plan = subject.plan();
    let timed = Timed { seed, strawman };
    match plan.control {
        Control::Planted => match plan.planted {
            Some(lie) => planted(subject, plan, lie, (honest, timed)),
            None => {
                let why = plan.uncontrolled.as_deref();
                Power::Unexecuted(why.unwrap_or("the script has no header").to_owned())
            }
        },
        Control::Claim => claim(honest, attacked),
        Control::Defences => match without(subject, attacked, twin, timed) {
            Ok(reached) => Power::Shown {
                defences: plan.defences.clone(),
                reached,
                depth: plan.depth.1.clone(),
            },
            Err(why) => Power::None(why),
        },
    }
}

/// The seed of all runs, and where it is noted how long the strawman's own took.
#[derive(Clone, Copy)]
struct Timed<'a> {
    seed: u64,
    strawman: &'a Cell<Duration>,
}

impl Timed<'_> {
    fn strawman<T>(&self, run: impl FnOnce() -> T) -> T {
        let time = stopwatch();
        let ran = run();
        self.strawman.set(time());
        ran
    }
}

/// How often more a sweep is played, so that what fell first does not hide what comes after.
const ROUNDS_MAX: usize = 5;

fn without(
    subject: &dyn Subject,
    attacked: &Run,
    twin: &Twin,
    timed: Timed<'_>,
) -> Result<(usize, usize), String> {
    let plan = subject.plan();
    if plan.defences.is_empty() {
        return Err("the header names no defence".to_owned());
    }
    let named = plan.defences.join(", ");
    let play = |defences: &[String], acts, only, costs: &HonestCosts| {
        let client = twin(defences)?;
        let play = Play {
            acts,
            without: defences.to_vec(),
            only,
            costs: costs.clone(),
            probes: false,
        };
        let run = once_with(subject, client, play, timed.seed);
        undecided(&run).map_or(Ok(run), Err)
    };
    let honest = play(
        &plan.defences,
        Acts::Evaluated,
        None,
        &HonestCosts::default(),
    )?;
    let costs = HonestCosts::of(&honest.history);
    let attack = |defences: &[String], only| play(defences, Acts::Applied, only, &costs);
    if let Some(why) = honest_failure(&honest) {
        return Err(format!("without {named} the honest run fails: {why}"));
    }
    if acts(&honest.attack) && honest.breaks(plan.guarantee) {
        let id = plan.guarantee.id();
        return Err(format!("without {named} {id} falls in the honest run, too"));
    }
    let weak = timed.strawman(|| attack(&plan.defences, None))?;
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
        if attack(&subset, None)?.breaks(plan.guarantee) {
            let (subset, verb) = (
                subset.join(", "),
                if subset.len() == 1 { "is" } else { "are" },
            );
            return Err(format!("{subset} alone {verb} enough of {named}"));
        }
    }
    let fallen = |run: &Run| fallen_in(attacked, run, plan.guarantee);
    let counted = counted(attacked);
    let mut reached = fallen(&weak);
    // A twin without a limit has none: what it did not come to the first time may take for ever.
    let rounds = if plan.guarantee == Guarantee::G12 {
        0
    } else {
        ROUNDS_MAX
    };
    for _ in 0..rounds {
        if reached.is_empty() || reached.len() == counted.len() {
            break;
        }
        // What fell before is left in peace, so that the rest is met by a twin that is whole.
        let only = Only {
            counted: counted.clone(),
            attacked: counted.difference(&reached).copied().collect(),
        };
        let more = fallen(&attack(&plan.defences, Some(only))?);
        if more.is_subset(&reached) {
            break;
        }
        reached.extend(more);
    }
    let (fell, all) = (reached.len(), counted.len());
    match fell {
        0 => Ok((0, 0)),
        _ if fell + plan.depth.0 >= all => Ok((fell, all)),
        _ => Err(format!(
            "without {named}, {} falls at {fell} of {all} expectations; that the other {} are \
             depth is nothing that the header says",
            plan.guarantee.id(),
            all - fell
        )),
    }
}

/// The expectations that need power of their own, by their places: of an attack, and of what the
/// server is shown.
fn counted(attacked: &Run) -> BTreeSet<usize> {
    let mut judgements = attacked.judgements.iter().enumerate();
    let asking = judgements.by_ref().filter(|(_, one)| {
        let compares = matches!(one.expectation, Expectation::SameView { second: true });
        compares || one.is_of_an_attack()
    });
    asking.map(|(at, _)| at).collect()
}

/// Those of them inside which the guarantee fell in another run.
fn fallen_in(attacked: &Run, run: &Run, guarantee: Guarantee) -> BTreeSet<usize> {
    let expected = |run: &Run, at: usize| {
        let judgement = run.judgements.get(at);
        judgement.map(|judgement| judgement.expectation.clone())
    };
    let falls =
        |at: &usize| expected(attacked, *at) == expected(run, *at) && run.breaks_at(*at, guarantee);
    counted(attacked).into_iter().filter(falls).collect()
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

/// Plays the script against the client with one planted lie, which must be seen: where the script
/// guards something, and because of the attack.
///
/// Before a bad network that is honest, the lie is a false alarm, and stands where it is told.
fn planted(
    subject: &dyn Subject,
    plan: &Plan,
    lie: &'static Lie,
    (honest, timed): (&Run, Timed<'_>),
) -> Power {
    let costs = HonestCosts::of(&honest.history);
    let play = |acts| {
        let play = Play {
            costs: costs.clone(),
            ..Play::of(acts)
        };
        once_with(subject, Rc::new(Planted::new(lie)), play, timed.seed)
    };
    let strawman = timed.strawman(|| play(Acts::Applied));
    let attacked = seen(&strawman, plan.guarantee, !plan.chaos);
    let (sentence, id) = (lie.sentence, plan.guarantee.id());
    if attacked.is_empty() {
        return Power::None(format!(
            "a client that {sentence} keeps {id} at the guarded operations by what the oracles see"
        ));
    }
    // A claim that nobody can make good is as false before an honest server. Where the attack is
    // one that nobody sees, to claim too much is all that a client can do wrong.
    let unseen = matches!(plan.expected, Some(Verdict::Admitted | Verdict::Harmless));
    if plan.chaos || (lie.is_a_claim() && unseen) {
        return Power::Planted(lie.name);
    }
    let honest = seen(&play(Acts::Evaluated), plan.guarantee, false);
    if attacked.is_subset(&honest) {
        return Power::None(format!(
            "a client that {sentence} breaks {id} before an honest server, too"
        ));
    }
    Power::Planted(lie.name)
}

/// Where a guarantee fell: by device and operation, or by the place of an expectation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Operation(DeviceName, Vec<u8>),
    Expectation(usize),
    Anywhere,
}

/// Where a run shows that the guarantee fell, at guarded operations alone if so asked.
fn seen(run: &Run, guarantee: Guarantee, guarded: bool) -> BTreeSet<Place> {
    // A limit that was passed is what a lie may be about.
    let found = run.breaches.iter().chain(&run.faults);
    let found = found.filter(|one| one.guarantee == guarantee);
    let places = found.filter_map(|one| match one.operation {
        Some(number) if guarded && !run.guarded.contains(&number) => None,
        Some(number) => run.history.events().iter().find_map(|event| match event {
            Event::OperationStarted {
                operation,
                device,
                what,
            } if *operation == number => Some(Place::Operation(device.clone(), what.to_bytes())),
            _ => None,
        }),
        None => Some(Place::Anywhere),
    });
    let fell = run.judgements.iter().enumerate();
    let fell = fell.filter(|(_, judgement)| judgement.shows_fallen(guarantee));
    places
        .chain(fell.map(|(at, _)| Place::Expectation(at)))
        .collect()
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
