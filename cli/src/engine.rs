//! Where the program meets the attack engine: plain data in, plain data out.
//!
//! The other files of the program know these types and no types of the engine.

use std::num::NonZeroUsize;

use turncoat_reports::{Guarantee, Results, Verdict};

use crate::args::Attack;
use crate::selection::Selected;
use crate::status::Fault;
use crate::terminal::Progress;
use crate::timeline::Timeline;

/// One script of the library, as its file tells it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The attack's id.
    pub(crate) id: String,
    /// The class that it belongs to.
    pub(crate) class: String,
    /// The attack in one sentence.
    pub(crate) summary: String,
    /// The guarantees that fall without the defences.
    pub(crate) guarantees: Vec<Guarantee>,
    /// Where the attack was published.
    pub(crate) source: String,
    /// The smallest set of defences whose removal lets it through.
    pub(crate) defences: Vec<String>,
    /// The one verdict that is expected of the hardened client.
    pub(crate) verdict: Verdict,
    /// The script itself, without its header.
    pub(crate) text: String,
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// The command line.
    pub(crate) attack: &'a Attack,
    /// The scripts, in order.
    pub(crate) selected: &'a [Selected],
    /// How many at once.
    pub(crate) jobs: NonZeroUsize,
}

/// Something wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptFault {
    /// Line and column, counted from one, where the fault has a place.
    pub(crate) place: Option<(usize, usize)>,
    /// What is wrong, what was expected, and the nearest known name.
    pub(crate) message: String,
}

/// The catalogue, derived from the library's files.
pub(crate) fn library() -> Result<Vec<Entry>, Fault> {
    Err(not_wired())
}

/// Runs scripts and gives a verdict for each.
pub(crate) fn run(order: &Order<'_>, progress: &Progress) -> Result<Results, Fault> {
    progress.begin(order.selected.len());
    let Order {
        attack: Attack { .. },
        selected: [..],
        jobs,
    } = order;
    let _ = jobs;
    Err(not_wired())
}

/// Runs honest workloads only and tells which operations work.
pub(crate) fn conformance(attack: &Attack) -> Result<Results, Fault> {
    let Attack { .. } = attack;
    Err(not_wired())
}

/// The messages of the honest and of the attacked run of one script.
pub(crate) fn timelines(attack: &Attack, script: &Selected) -> Result<Vec<Timeline>, Fault> {
    let (Attack { .. }, Selected::Library(_) | Selected::File(_)) = (attack, script);
    Err(not_wired())
}

/// Parses and dry-runs a script; an empty list means that nothing is wrong.
pub(crate) fn check(name: &str, text: &str) -> Result<Vec<ScriptFault>, Fault> {
    let _ = (name, text);
    Err(not_wired())
}

fn not_wired() -> Fault {
    Fault::machine("the attack engine is not wired into this program: nothing was run")
}
