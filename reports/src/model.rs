//! The result model: what one invocation found, in plain names and text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ErrorClass, Guarantee, Outcome, RunKind, Seed, Truth, Verdict, Works};

/// Everything that one invocation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// What was run.
    pub run: Run,
    /// Counts per verdict, which [`Totals::of`] makes from the scripts.
    pub totals: Totals,
    /// One entry for each script, in the order of the run.
    pub scripts: Vec<ScriptResult>,
    /// Which operations of an external client work; empty unless conformance was asked for.
    pub conformance: Vec<Conformance>,
}

/// What was run, with all that a second run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The version of the program.
    pub tool_version: String,
    /// The commit that the program was built from, or `unknown`.
    pub commit: String,
    /// The seed of every choice.
    pub seed: Seed,
    /// The command that was given.
    pub command: String,
    /// The client under test.
    pub client: Client,
    /// When the run started, as the caller tells it.
    pub started: Option<String>,
    /// When the run ended, as the caller tells it.
    pub ended: Option<String>,
    /// The wall time of the whole run.
    pub time_ms: Option<u64>,
    /// Scripts that were asked for and are not among the results, because the run was interrupted.
    pub not_run: Vec<String>,
    /// How often a client was run: up to three times for each script, and again for each sub-run.
    pub runs: u64,
    /// How much processor time of all runs was spent inside the client, where it can be told.
    pub client_ms: Option<u64>,
    /// How much of the time of all runs went into the honest, the attacked and the strawman's run
    /// of each script; the rest shows that no fewer defences would do.
    pub three_runs_percent: Option<u64>,
}

/// The client under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name, as on the command line.
    pub name: String,
    /// Whether it is the project's own hardened client, of which an exact verdict is demanded.
    pub ours: bool,
    /// Whether the same seed gives the same history.
    pub deterministic: bool,
    /// Further labels that a reader of the verdicts must know.
    pub labels: Vec<String>,
}

/// What one script found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptResult {
    /// The attack's id, which is its file's name.
    pub id: String,
    /// The class that it belongs to.
    pub class: String,
    /// The attack in one sentence, from the script's header.
    pub summary: String,
    /// The guarantees that it attacks, or that fell.
    pub guarantees: Vec<Guarantee>,
    /// Where the attack was published.
    pub source: String,
    /// The smallest set of defences whose removal lets the attack through.
    pub defences: Vec<String>,
    /// The verdict that was written down for this client before the run, if one was.
    pub expected: Option<Verdict>,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the verdict is the expected one, by [`agrees`].
    pub as_expected: bool,
    /// Why the verdict is this one, in one line.
    pub reason: String,
    /// What proves it.
    pub evidence: String,
    /// Up to three runs and what each operation in them came to.
    pub runs: Vec<RunResult>,
    /// The acts of the attacked run, as printed lines of a script.
    pub acts: Vec<String>,
    /// What the client claimed in the attacked run.
    pub claims: Vec<Claim>,
    /// What the attacked run cost.
    pub counters: Counters,
    /// The one command that reproduces this result.
    pub reproduction: String,
}

/// One of the three runs of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Which of the three.
    pub kind: RunKind,
    /// Its operations in the order in which they ended.
    pub operations: Vec<OperationResult>,
}

/// What one operation came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationResult {
    /// Who did it, such as `alice/laptop`.
    pub actor: String,
    /// What was asked, such as `download notes.txt`.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The error that the client returned, where it returned one.
    pub error: Option<ClientError>,
}

/// An error as the client named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientError {
    /// Its class.
    pub class: ErrorClass,
    /// Its name, such as `rollback`.
    pub name: String,
    /// What the client said, in full.
    pub text: String,
    /// The server's side of the contradiction.
    pub offered: Option<String>,
    /// The side that the device remembers or has verified.
    pub trusted: Option<String>,
}

/// Something that the client claimed at run time, and whether it was so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Who claimed it, such as `alice/laptop`.
    pub actor: String,
    /// What was claimed, such as `freshness: monotone, no bound, no witness`.
    pub text: String,
    /// Whether ground truth agrees.
    pub truth: Truth,
}

/// What the attacked run of a script cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Requests that the client made.
    pub requests: u64,
    /// Bytes that it sent.
    pub bytes_up: u64,
    /// Bytes that it was sent.
    pub bytes_down: u64,
    /// Wall time; absent where a result must not depend on the machine.
    pub time_ms: Option<u64>,
}

/// Whether one operation of an external client works on an honest server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformance {
    /// The operation.
    pub operation: String,
    /// Whether it works.
    pub works: Works,
    /// What was tried and what came of it.
    pub detail: String,
}

/// How many scripts came to each verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// All scripts.
    pub scripts: u64,
    /// Those whose verdict is not the expected one.
    pub not_as_expected: u64,
    /// Scripts per verdict; a verdict that did not occur is absent.
    pub verdicts: BTreeMap<Verdict, u64>,
}

impl Totals {
    /// Counts the scripts.
    #[must_use]
    pub fn of(scripts: &[ScriptResult]) -> Self {
        let mut totals = Self::default();
        for script in scripts {
            totals.scripts += 1;
            totals.not_as_expected += u64::from(!script.as_expected);
            *totals.verdicts.entry(script.verdict).or_default() += 1;
        }
        totals
    }

    /// How many scripts came to this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }
}

impl Results {
    /// The results of a run, with their totals.
    #[must_use]
    pub fn new(run: Run, scripts: Vec<ScriptResult>, conformance: Vec<Conformance>) -> Self {
        Self {
            run,
            totals: Totals::of(&scripts),
            scripts,
            conformance,
        }
    }

    /// The worst verdict of all, or none where there are no scripts.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        self.scripts.iter().map(|script| script.verdict).max()
    }

    /// Whether there are scripts, and none of them applies to the client.
    #[must_use]
    pub fn nothing_applies(&self) -> bool {
        let inapplicable = self.totals.count(Verdict::Inapplicable);
        inapplicable > 0 && inapplicable == self.totals.scripts
    }

    /// The scripts that a reader must look at, worst first; see [`ScriptResult::is_finding`].
    /// For the project's own client, `inert` is one of them: its scripts must show it something.
    #[must_use]
    pub fn findings(&self) -> Vec<&ScriptResult> {
        let mut found: Vec<_> = self
            .scripts
            .iter()
            .filter(|script| {
                script.is_finding() || self.run.client.ours && script.verdict == Verdict::Inert
            })
            .collect();
        found.sort_by_key(|script| core::cmp::Reverse(script.verdict));
        found
    }
}

/// How the evidence of a script begins that nothing shows to have power, before the reason.
pub const UNCONTROLLED: &str = "without control: ";

impl ScriptResult {
    /// Whether nothing shows that the script could have come to another verdict.
    #[must_use]
    pub fn is_uncontrolled(&self) -> bool {
        let mut lines = self.evidence.lines();
        lines.any(|line| line.starts_with(UNCONTROLLED))
    }

    /// Whether the verdict is not the expected one, or is `broken` or `unknown` although it was
    /// expected to be.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        !self.as_expected || matches!(self.verdict, Verdict::Broken | Verdict::Unknown)
    }
}

/// Whether a verdict is as expected: equal to what was written down; where nothing was, neither a
/// guarantee fell nor the testbed failed.
#[must_use]
pub fn agrees(expected: Option<Verdict>, verdict: Verdict) -> bool {
    match expected {
        Some(expected) => expected == verdict,
        None => !matches!(verdict, Verdict::Broken | Verdict::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn totals_count_every_script_once() {
        let results = sample();
        let sum: u64 = results.totals.verdicts.values().sum();
        assert_eq!(sum, results.totals.scripts);
        assert_eq!(results.totals.scripts, results.scripts.len() as u64);
        let unexpected = results.scripts.iter().filter(|script| !script.as_expected);
        assert_eq!(results.totals.not_as_expected, unexpected.count() as u64);
        assert_eq!(results.totals.count(Verdict::Caught), 1);
    }

    #[test]
    fn worst_verdict_comes_first_among_the_findings() {
        let results = sample();
        assert_eq!(results.worst(), Some(Verdict::Broken));
        let found: Vec<_> = results
            .findings()
            .iter()
            .map(|script| script.verdict)
            .collect();
        assert_eq!(found, [Verdict::Broken, Verdict::Unknown, Verdict::Refused]);
    }

    #[test]
    fn inert_is_a_finding_for_our_client_alone() {
        let mut results = sample();
        results.scripts.truncate(1);
        results.scripts[0].verdict = Verdict::Inert;
        for ours in [true, false] {
            results.run.client.ours = ours;
            assert_eq!(results.findings().len(), usize::from(ours));
        }
    }

    #[test]
    fn broken_is_a_finding_even_where_it_was_expected() {
        let mut script = sample().scripts.remove(0);
        assert!(!script.is_finding());
        script.verdict = Verdict::Broken;
        script.expected = Some(Verdict::Broken);
        assert!(script.as_expected && script.is_finding());
    }

    #[test]
    fn where_nothing_was_written_down_only_broken_and_unknown_are_unexpected() {
        for verdict in Verdict::WORST_FIRST {
            let bad = [Verdict::Broken, Verdict::Unknown].contains(&verdict);
            assert_eq!(agrees(None, verdict), !bad);
            assert!(agrees(Some(verdict), verdict));
        }
        assert!(!agrees(Some(Verdict::Caught), Verdict::Refused));
    }
}
