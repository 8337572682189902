//! Decides from a run's history alone which guarantees fell: one file for each guarantee.
//!
//! Oracles know plain names and bytes. Ground truth is what the workload asked, the record of what
//! the server was sent and stored, and what clients returned; what a client *claims* is compared
//! with it and never believed. An oracle that cannot decide says so: that is the testbed's failure
//! and no verdict on the client.

mod acts;
mod authenticity;
mod binding;
mod bits;
mod bounded;
mod chain;
mod confidentiality;
mod explain;
mod fail_closed;
mod file;
mod fork;
mod freshness;
#[cfg(test)]
mod honest;
mod impostors;
mod key_authenticity;
mod key_hygiene;
mod listing;
mod names;
mod no_false_alarm;
mod no_oracles;
mod revocation;
#[cfg(test)]
mod scene;
mod seen;
mod skeleton;
mod truth;

use std::collections::BTreeSet;
use std::fmt::Write;

pub use bounded::{Budget, HonestCosts};
pub use key_hygiene::{KeyUse, judge_keys};
pub use no_oracles::{judge_same_view, judge_same_view_of};
pub use revocation::{Reach, judge_reach};
pub use skeleton::{Anatomy, Lengths, Skeleton};

use crate::history::History;
use crate::verdict::{Breach, Guarantee};
use seen::Case;

/// What the history does not say about a run.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether the server of this run is honest by the kind of the script, so that nothing excuses
    /// an alarm.
    pub honest: bool,
    /// Users whose keys the server holds. What they may write, the server may write.
    pub colluders: BTreeSet<String>,
    /// Whether a colluder may have written what begins well and ends badly, so that its beginning
    /// is handed out before an error. A script knows, and expects it; what a fuzzer made up, does
    /// not say.
    pub spoiling: bool,
    /// The users' passwords.
    pub passwords: Vec<Vec<u8>>,
    /// What one operation may cost.
    pub budget: Budget,
    /// What the same operations cost before an honest server, where that is known.
    pub honest_costs: HonestCosts,
}

/// What all oracles together decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The guarantees that fell, in the order of their ids.
    pub breaches: Vec<Breach>,
    /// What would have fallen, had the client not said of that very answer that it cannot know.
    pub admitted: Vec<Breach>,
    /// What could not be decided, and why.
    pub undecided: Vec<String>,
}

impl Judgement {
    fn breach(&mut self, guarantee: Guarantee, operation: Option<u32>, evidence: String) {
        self.breaches.push(Breach {
            guarantee,
            evidence,
            operation,
        });
    }

    fn admit(&mut self, guarantee: Guarantee, operation: Option<u32>, evidence: String) {
        self.admitted.push(Breach {
            guarantee,
            evidence,
            operation,
        });
    }

    /// Whether any breach is of this guarantee.
    #[must_use]
    pub fn has(&self, guarantee: Guarantee) -> bool {
        self.breaches
            .iter()
            .any(|breach| breach.guarantee == guarantee)
    }
}

/// Judges one run.
///
/// This decides G1 to G5, G6 by canaries, G7 as far as what clients returned shows it, G8, G11,
/// G12 and G15. What a decryptor opens is judged by [`judge_reach`] (G7) and [`judge_keys`] (G13).
/// [`judge_same_view`] compares two runs of a script that says `secrets: two` (G6, G10). Where
/// the two sides differ in what is done, and not in secrets alone, `expect_same_view` compares the
/// kinds and sizes of messages in two parts of one run.
#[must_use]
pub fn judge(history: &History, facts: &Facts) -> Judgement {
    let case = Case::of(history);
    let mut judgement = Judgement::default();
    authenticity::judge(&case, facts, &mut judgement);
    binding::judge(&case, facts, &mut judgement);
    freshness::judge(&case, &mut judgement);
    fork::judge(&case, &mut judgement);
    listing::judge(&case, &mut judgement);
    confidentiality::judge(&case, facts, &mut judgement);
    revocation::judge(&case, facts, &mut judgement);
    key_authenticity::judge(&case, &mut judgement);
    impostors::judge(&case, facts, &mut judgement);
    fail_closed::judge(&case, facts, &mut judgement);
    bounded::judge(&case, facts, &mut judgement);
    no_false_alarm::judge(&case, facts, &mut judgement);
    judgement
        .breaches
        .sort_by_key(|breach| (breach.guarantee, breach.operation));
    judgement
}

/// The operation as evidence cites it.
fn cite(case: &Case<'_>, op: usize) -> String {
    let op = &case.truth.ops[op];
    let mut text = format!("operation {} ({} {}", op.id, op.device, op.what.name());
    for (name, _) in truth::uses(op.what).into_iter().take(3) {
        let _ = write!(text, " {}", quote(name));
    }
    text.push(')');
    text
}

/// Bytes as evidence shows them: the beginning, and the length where that is not all.
fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 48;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let text = shown.escape_ascii();
    if bytes.len() > SHOWN {
        format!("\"{text}..\" ({} bytes)", bytes.len())
    } else {
        format!("\"{text}\"")
    }
}
