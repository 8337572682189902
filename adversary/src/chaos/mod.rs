//! Honest-chaos runs: people at work over a bad network, before an honest server, from seeds.
//!
//! A run has two to four devices of one to three users. They write, read, share, take back and
//! delete a few files, some at once; processes end at any point where they wait, and start again.
//! The network delays, loses, doubles, cuts and refuses messages, delivers some after their sender
//! gave up, and changes none. Then it heals, every device that is not logged in logs in, and every
//! device, and a new one of each user, lists and reads all that it may have.
//!
//! What is checked of each run, the [`Check`]s:
//!
//! - no client ever says that the server is caught, none panics or outgrows its budget, and no
//!   oracle sees a breach, leaves anything undecided, or has anything to admit;
//! - once the network is well, everything works on every device;
//! - no acknowledged write is lost, and none is there twice (`writes`: a plain look at the end);
//! - everything that any operation returned, and all that was read at the end, is what some serial
//!   order of the operations gives (`order`, over the plain files of `model`).
//!
//! # The serial order
//!
//! The directory of a user is one object, and so is each shared file; an operation on one of them
//! takes effect at one moment between its start and its end. An operation that finds a shared file
//! behind a name takes the name at one moment and the file at a later one: between the two another
//! device may have given the name to something else. A share and a deletion of a shared file change
//! both, one after the other. That is all that the design promises, as there is no head over
//! several spaces. An acknowledged operation took effect exactly once, and what it returned is what
//! was there; one that failed for want of an answer, or whose process ended, may have taken effect
//! up to each of its moments, and after its end only where the server's record shows a write of it
//! after its end. A mistake of the caller's must be one at some moment. The search is exact: it
//! keeps every state that any order leads to, and one that grows too large is a failure.

mod model;
mod order;
mod past;
mod people;
mod story;
#[cfg(test)]
mod tests;
mod weather;
mod writes;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::attack::{Attack, Step};
use crate::client::Class;
use crate::driver::Client;
use crate::history::{Event, History};
use crate::oracle::{self, Facts};
use crate::stage::{Acts, Stage, password_of};

use past::Past;
use story::{Story, Told};

/// What a run is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Nobody accuses the honest server, panics, or outgrows a budget.
    Alarm,
    /// The run itself went as it should: nothing dishonest was shown, no step was refused.
    Honesty,
    /// No oracle sees a breach.
    Oracle,
    /// Everything works once the network is well.
    Stuck,
    /// No acknowledged write is lost or doubled.
    Write,
    /// Some serial order explains everything.
    Order,
}

impl Check {
    /// What it means that it failed, in a few words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alarm => "false alarm",
            Self::Honesty => "spoilt run",
            Self::Oracle => "breach",
            Self::Stuck => "stuck",
            Self::Write => "lost write",
            Self::Order => "no serial order",
        }
    }
}

/// One thing that is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Which check failed.
    pub check: Check,
    /// Both sides of the contradiction, for people.
    pub evidence: String,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check.name(), self.evidence)
    }
}

/// What happened in runs, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations before the network healed, by their names.
    pub operations: BTreeMap<&'static str, u64>,
    /// How many of them failed.
    pub failed: u64,
    /// Operations after it.
    pub reads: u64,
    /// What the network did to messages, by kind.
    pub troubles: BTreeMap<&'static str, u64>,
    /// What happened around operations: races, crashes and the like.
    pub turns: BTreeMap<&'static str, u64>,
    /// The most states that the search for a serial order held at once.
    pub states_max: usize,
}

impl Tally {
    /// Adds what happened in other runs.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.operations, &other.operations),
            (&mut self.troubles, &other.troubles),
            (&mut self.turns, &other.turns),
        ];
        for (sum, more) in sums {
            for (name, count) in more {
                *sum.entry(name).or_default() += count;
            }
        }
        self.failed += other.failed;
        self.reads += other.reads;
        self.states_max = self.states_max.max(other.states_max);
    }
}

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What happened.
    pub tally: Tally,
    /// What is wrong with it; nothing should be.
    pub failings: Vec<Failing>,
    /// The run as a value that plays again, if anything is wrong with it.
    pub attack: Option<Attack>,
}

/// The seed of the devices' randomness, one for all runs: how they begin is played once.
const WORLD: u64 = 1;

/// Plays the run of a seed and checks it: a function of client, seed and commit.
#[must_use]
pub fn play(client: Rc<dyn Client>, seed: u64) -> Run {
    let played = catch_unwind(AssertUnwindSafe(|| {
        play_on(Stage::new(client, Acts::Applied, WORLD), seed).1
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let evidence = format!("the run panicked: {}", text.unwrap_or("without a word"));
        Run {
            seed,
            tally: Tally::default(),
            failings: vec![Failing {
                check: Check::Honesty,
                evidence,
            }],
            attack: None,
        }
    })
}

/// Plays the run of a seed in this world, and checks it.
fn play_on(mut stage: Stage, seed: u64) -> (Stage, Run) {
    let told = Story::new(seed).tell(&mut stage);
    let mut tally = told.tally.clone();
    count(stage.history(), told.healed, &mut tally);
    let (mut failings, states_max) = check(stage.history(), &told);
    tally.states_max = states_max;
    failings.extend(stage.faults().iter().map(|fault| Failing {
        check: Check::Alarm,
        evidence: fault.to_string(),
    }));
    failings.extend(oracles(&stage));
    failings.sort_by_key(|failing| failing.check);
    let attack = (!failings.is_empty()).then(|| stage.attack());
    let run = Run {
        seed,
        tally,
        failings,
        attack,
    };
    (stage, run)
}

/// What the oracles say.
fn oracles(stage: &Stage) -> Vec<Failing> {
    let passwords = stage.users().iter().map(|user| password_of(user));
    let facts = Facts {
        honest: true,
        passwords: passwords.collect(),
        ..Facts::default()
    };
    let judgement = oracle::judge(stage.history(), &facts);
    let breaches = judgement.breaches.iter().map(ToString::to_string);
    let admitted = judgement.admitted.iter();
    let admitted = admitted.map(|breach| format!("admitted: {breach}"));
    let undecided = judgement.undecided.iter();
    let undecided = undecided.map(|what| format!("undecided: {what}"));
    let all = breaches.chain(admitted).chain(undecided);
    let failing = |evidence| Failing {
        check: Check::Oracle,
        evidence,
    };
    all.map(failing).collect()
}

/// What is wrong with what happened, the oracles apart; and how far the search for an order went.
fn check(history: &History, told: &Told) -> (Vec<Failing>, usize) {
    let mut failings: Vec<Failing> = told.refused.iter().map(|why| spoilt(why.clone())).collect();
    // All that the server ever does here is that its network gets well.
    let heals = Step::Heal.to_string();
    for event in history.events() {
        match event {
            Event::Act {
                text,
                applied: true,
            } if *text != heals => {
                failings.push(spoilt(format!("the server is not honest: {text}")));
            }
            Event::Reply {
                request,
                honest,
                shown: Some(shown),
            } if honest.as_ref() != Some(shown) => {
                failings.push(spoilt(format!("the reply to request {request} is a lie")));
            }
            _ => {}
        }
    }
    let past = match Past::of(history, told.healed) {
        Ok(past) => past,
        Err(why) => {
            failings.push(spoilt(why));
            return (failings, 0);
        }
    };
    failings.extend(alarms(&past));
    failings.extend(writes::stuck(&past));
    failings.extend(writes::lost(&past));
    let (unexplained, states_max) = order::explain(&past, order::STATES_MAX);
    failings.extend(unexplained.map(|evidence| Failing {
        check: Check::Order,
        evidence,
    }));
    (failings, states_max)
}

fn spoilt(evidence: String) -> Failing {
    Failing {
        check: Check::Honesty,
        evidence,
    }
}

fn alarms(past: &Past<'_>) -> Vec<Failing> {
    let caught = past.acts.iter().filter_map(|act| {
        let failure = act
            .failure()
            .filter(|failure| failure.class == Class::Violation)?;
        Some(Failing {
            check: Check::Alarm,
            evidence: format!("{act} says {failure}, and the server was honest"),
        })
    });
    caught.collect()
}

/// Counts the operations.
fn count(history: &History, healed: usize, tally: &mut Tally) {
    for (at, event) in history.events().iter().enumerate() {
        match event {
            Event::OperationStarted { what, .. } if at < healed => {
                *tally.operations.entry(what.name()).or_default() += 1;
            }
            Event::OperationStarted { .. } => tally.reads += 1,
            Event::OperationEnded {
                outcome: Err(_), ..
            } if at < healed => tally.failed += 1,
            _ => {}
        }
    }
}
