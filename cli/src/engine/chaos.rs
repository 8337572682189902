//! Honest workloads over a bad network: seeds in, counts and findings out.

use std::rc::Rc;

use turncoat_adversary::chaos::{Run, Tally, play};
use turncoat_adversary::driver::{Client, Hardened, Weakened};
use turncoat_adversary::run::parallel;
use turncoat_adversary::script;
use turncoat_reports::Seed;

use super::interrupt::interrupted;
use crate::args::Chaos;
use crate::client::ClientChoice;
use crate::status::Fault;
use crate::terminal::Progress;

/// What all runs came to.
#[derive(Debug, Default)]
pub(crate) struct ChaosOutcome {
    /// How many were finished.
    pub(crate) runs: usize,
    /// What happened in them, in lines of counts, each under a heading.
    pub(crate) counts: Vec<(&'static str, Vec<(&'static str, u64)>)>,
    /// The most states that the search for a serial order held at once.
    pub(crate) states_max: usize,
    /// Those in which something fell, by seed.
    pub(crate) fell: Vec<Fell>,
}

/// One run in which something fell.
#[derive(Debug)]
pub(crate) struct Fell {
    /// Its seed.
    pub(crate) seed: Seed,
    /// What fell, a line each.
    pub(crate) what: Vec<String>,
    /// The run as a script, if there is one.
    pub(crate) script: Option<String>,
}

/// Plays the runs that the command line asks for. What comes of each depends on its seed alone.
///
/// # Errors
///
/// The client is none that these runs know how to judge.
pub(crate) fn chaos(order: &Chaos, progress: &Progress) -> Result<ChaosOutcome, Fault> {
    client(&order.client)?;
    let runs = order.runs.get();
    progress.begin(runs);
    let seed = |index: usize| order.seed.0.wrapping_add(index as u64);
    let work = |index: usize| {
        // What is asked for and not done is told by the count.
        let client = client(&order.client).ok().filter(|_| !interrupted())?;
        Some(play(client, seed(index)))
    };
    let played = parallel(runs, order.jobs().get(), work, |_, _| progress.one_more());
    let mut tally = Tally::default();
    let mut outcome = ChaosOutcome::default();
    for run in played.into_iter().flatten() {
        outcome.runs += 1;
        tally.add(&run.tally);
        outcome.fell.extend(fell(run));
    }
    let failed = vec![("failed", tally.failed), ("reads at the end", tally.reads)];
    outcome.counts = vec![
        ("operations", tally.operations.into_iter().collect()),
        ("of them", failed),
        ("network", tally.troubles.into_iter().collect()),
        ("order", tally.turns.into_iter().collect()),
    ];
    outcome.states_max = tally.states_max;
    Ok(outcome)
}

fn fell(run: Run) -> Option<Fell> {
    let seed = Seed(run.seed);
    let script = run.attack.map(|attack| {
        let (id, sentence) = (format!("chaos-{seed}"), "what fell over a bad network.");
        script::print(&attack, &id, sentence)
    });
    let what: Vec<String> = run.failings.iter().map(ToString::to_string).collect();
    (!what.is_empty()).then_some(Fell { seed, what, script })
}

fn client(choice: &ClientChoice) -> Result<Rc<dyn Client>, Fault> {
    match choice {
        ClientChoice::Core => Ok(Rc::new(Hardened)),
        ClientChoice::Weakened(names) => match Weakened::without(names) {
            Ok(client) => Ok(Rc::new(client)),
            Err(why) => Err(Fault::usage(why)),
        },
        ClientChoice::Straw(_) | ClientChoice::External(_) => Err(Fault::usage(
            "chaos holds a client against what the hardened one promises of concurrent work: \
             --client core or weakened:DEFENCE,...",
        )),
    }
}
