//! Every check sees what it is for: in histories made by hand, in runs with a planted breach, and
//! in runs of clients and servers that are known to be wrong.

mod made;
mod planted;
mod wrong;

use super::story::Told;
use super::{Check, Failing, Tally, check};
use crate::history::History;

fn judged(history: &History, healed: usize) -> Vec<Failing> {
    let told = Told {
        tally: Tally::default(),
        healed,
        refused: Vec::new(),
    };
    check(history, &told).0
}

fn checks(failings: &[Failing]) -> Vec<Check> {
    let mut checks: Vec<Check> = failings.iter().map(|failing| failing.check).collect();
    checks.sort_unstable();
    checks.dedup();
    checks
}
