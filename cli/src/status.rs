//! Exit statuses: constant, documented, and chosen in one fixed order.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | nothing of the below |
//! | 1 | a guarantee is broken, or our client's verdict is another than the script states |
//! | 1 | with `--conformance`: an operation that the client declares does not work |
//! | 2 | usage, configuration, or a script that does not parse |
//! | 3 | `unknown` anywhere, `inert` for our client, or no script applies to the client |
//! | 4 | the program or the machine failed outside a run |
//! | 5 | the client under test did not start |
//! | 6 | the server is caught: an answer of its contradicts what this device can prove |
//! | 7 | no usable answer: none at all, or a refusal, as of a wrong password; nothing is proved |
//! | 130 | interrupted or terminated before its end; what was finished is told and reported |
//!
//! The first that applies in the order 2, 4, 5, 130, 1, 3, 0 is the one. A verdict `unknown` or
//! `inert` says nothing about the client, so for our client it is a 3 and not "another verdict".
//! An interrupted run has no verdict as a whole, so that what it found so far decides nothing.

use std::io;
use std::process::ExitCode;

use turncoat_reports::text::visible_lines;
use turncoat_reports::{Results, Verdict, Works};

/// The statuses as the help prints them.
pub(crate) const HELP: &str = "\
Exit status; 6 and 7 for files, of the others the first in the order 2, 4, 5, 130, 1, 3, 0:
  0  nothing of the below
  1  a guarantee is broken, or our client's verdict is another than the script states;
     with --conformance, an operation that the client declares does not work
  2  usage, configuration, or a script that does not parse
  3  unknown anywhere, inert for our client, or no script applies to the client
  4  the program or the machine failed outside a run
  5  the client under test did not start
  6  the server is caught: an answer contradicts what this device can prove
  7  no usable answer: none at all, or a refusal, as of a wrong password; nothing is proved
  130  interrupted or terminated before its end; what was finished is told and reported";

/// The statuses of honest workloads over a bad network.
pub(crate) const HELP_OF_CHAOS: &str = "\
Exit status; the first that applies in the order 2, 4, 130, 1, 0:
  0  nothing fell
  1  something fell: an alarm, a breach, a lost write, or no serial order explains a run
  2  usage or configuration
  4  the program or the machine failed outside a run
  130  interrupted or terminated before its end; what was finished is told";

/// The statuses of commands for people with files.
pub(crate) const HELP_OF_FILES: &str = "\
Exit status:
  0  all is done
  2  usage, or a file or name that does not allow it; what was done is told
  4  the machine failed: its disk, its terminal, or what this device remembers
  6  the server is caught: an answer contradicts what this device can prove
  7  no usable answer: none at all, or a refusal, as of a wrong password; nothing is proved
  130  interrupted or terminated; what had not come to its end may still take effect";

/// The statuses of commands that run no scripts and keep no files.
pub(crate) const HELP_OF_OTHERS: &str = "\
Exit status:
  0  done
  2  usage, configuration, or a script that does not parse
  4  the program or the machine failed";

/// An exit status. The order of the variants is the order in which they apply, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Nothing else applies.
    Fine,
    /// `unknown` anywhere, `inert` for our client, or no script applies to the client.
    Undecided,
    /// A guarantee is broken, or our client's verdict is another than the script states.
    Broken,
    /// Interrupted or terminated before its end.
    Interrupted,
    /// The server is caught.
    Violation,
    /// There is no usable answer.
    NoAnswer,
    /// The client under test did not start.
    NotStarted,
    /// The program or the machine failed outside a run.
    Machine,
    /// Usage, configuration, or a script that does not parse.
    Usage,
}

impl Status {
    /// The number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Broken => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Machine => 4,
            Self::NotStarted => 5,
            Self::Violation => 6,
            Self::NoAnswer => 7,
            Self::Interrupted => 130,
        }
    }

    /// The kind of failure that it stands for, as documents name it.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Fine => "none",
            Self::Broken => "broken",
            Self::Usage => "usage",
            Self::Undecided => "undecided",
            Self::Machine => "machine",
            Self::NotStarted => "not-started",
            Self::Violation => "violation",
            Self::NoAnswer => "unavailable",
            Self::Interrupted => "interrupted",
        }
    }

    /// What the results of a run come to.
    pub(crate) fn of(results: &Results) -> Self {
        let ours = results.run.client.ours;
        let statuses = results.scripts.iter().map(|script| match script.verdict {
            Verdict::Broken => Self::Broken,
            Verdict::Unknown => Self::Undecided,
            Verdict::Inert if ours => Self::Undecided,
            _ if ours && !script.as_expected => Self::Broken,
            _ => Self::Fine,
        });
        let mut conformance = results.conformance.iter();
        let others = [
            (!results.run.not_run.is_empty(), Self::Interrupted),
            // Who is asked nothing has withstood nothing.
            (results.nothing_applies(), Self::Undecided),
            (
                conformance.any(|row| row.works == Works::Fails),
                Self::Broken,
            ),
        ];
        let others = others.into_iter().filter(|(holds, _)| *holds);
        let others = others.map(|(_, status)| status);
        statuses.chain(others).max().unwrap_or(Self::Fine)
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// Why a command came to no result, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The status that it ends with.
    pub(crate) status: Status,
    message: String,
    /// The client's stable word for it.
    name: Option<&'static str>,
}

impl Fault {
    /// A failure of the client's.
    pub(crate) fn of(status: Status, message: String) -> Self {
        Self {
            status,
            message,
            name: None,
        }
    }

    /// The same under the client's stable word for it.
    #[must_use]
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// The client's stable word for it, where it is the client's.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// What is to be said, as it is.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same, and something more to say.
    #[must_use]
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The caller's mistake.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::of(Status::Usage, message.into())
    }

    /// The client under test did not start.
    pub(crate) fn not_started(message: impl Into<String>) -> Self {
        Self::of(Status::NotStarted, message.into())
    }

    /// The program was asked to end before anything was finished.
    pub(crate) fn interrupted() -> Self {
        Self::of(
            Status::Interrupted,
            "interrupted before anything was finished; run it again".to_owned(),
        )
    }

    /// The program or the machine failed.
    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Self::of(Status::Machine, message.into())
    }

    /// Standard output did not take what was written.
    ///
    /// Whoever closed it has seen enough: nothing is said, and nothing failed.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::of(Status::Fine, String::new()),
            _ => Self::machine(format!("standard output could not be written: {error}")),
        }
    }

    /// The message, safe on a terminal.
    pub(crate) fn shown(&self) -> String {
        visible_lines(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use turncoat_reports::Conformance;

    use super::*;
    use crate::summary::tests::results;

    #[test]
    fn statuses_are_the_documented_ones_in_the_documented_order() {
        let order = [
            Status::Usage,
            Status::Machine,
            Status::NotStarted,
            Status::Interrupted,
            Status::Broken,
            Status::Undecided,
            Status::Fine,
        ];
        assert_eq!(order.map(Status::code), [2, 4, 5, 130, 1, 3, 0]);
        assert!(order.is_sorted_by(|first, second| first > second));
        for status in order {
            let code = format!("  {}  ", status.code());
            assert!(HELP.contains(&code), "the help does not explain{code}");
        }
    }

    #[test]
    fn our_client_needs_the_exact_verdict() {
        use Verdict::*;
        let cases = [
            (Caught, Caught, 0),
            (Harmless, Harmless, 0),
            (Admitted, Admitted, 0),
            (Caught, Refused, 1),
            (Caught, Harmless, 1),
            (Caught, Admitted, 1),
            (Caught, Inapplicable, 1),
            (Caught, Broken, 1),
            (Broken, Broken, 1),
            (Caught, Unknown, 3),
            (Caught, Inert, 3),
        ];
        for (expected, verdict, code) in cases {
            let found = Status::of(&results(true, &[(Some(expected), verdict)]));
            assert_eq!(found.code(), code, "{expected} {verdict}");
        }
    }

    #[test]
    fn other_clients_fail_by_broken_alone() {
        use Verdict::*;
        let cases = [
            (Caught, 0),
            (Refused, 0),
            (Inert, 0),
            (Inapplicable, 0),
            (Unknown, 3),
            (Broken, 1),
        ];
        for (verdict, code) in cases {
            for expected in [None, Some(Caught)] {
                let scripts = [(expected, verdict), (expected, Harmless)];
                let found = Status::of(&results(false, &scripts));
                assert_eq!(found.code(), code, "{verdict}");
            }
        }
    }

    #[test]
    fn a_client_to_which_nothing_applies_has_withstood_nothing() {
        let none = (None, Verdict::Inapplicable);
        assert_eq!(
            Status::of(&results(false, &[none, none])),
            Status::Undecided
        );
        assert_eq!(Status::of(&results(false, &[])), Status::Fine);
    }

    #[test]
    fn an_interrupted_run_is_no_verdict() {
        let mut found = results(true, &[(Some(Verdict::Caught), Verdict::Broken)]);
        found.run.not_run = vec!["head-fork".to_owned()];
        assert_eq!(Status::of(&found), Status::Interrupted);
    }

    #[test]
    fn a_declared_operation_that_fails_is_told_by_the_status() {
        let mut found = results(false, &[]);
        for (works, status) in [
            (Works::Works, Status::Fine),
            (Works::NotDeclared, Status::Fine),
            (Works::Fails, Status::Broken),
        ] {
            found.conformance.push(Conformance {
                operation: "list".to_owned(),
                works,
                detail: String::new(),
            });
            assert_eq!(Status::of(&found), status);
        }
    }

    #[test]
    fn a_fault_is_shown_without_what_a_terminal_would_obey() {
        let fault = Fault::not_started("exec:'\u{1b}[2J'\nnot found");
        assert_eq!((fault.status.code(), fault.shown().as_str()), {
            (5, "exec:'\\u{1b}[2J'\nnot found")
        });
    }

    #[test]
    fn broken_comes_before_unknown() {
        let caught = Some(Verdict::Caught);
        let scripts = [(caught, Verdict::Unknown), (caught, Verdict::Broken)];
        assert_eq!(Status::of(&results(true, &scripts)), Status::Broken);
        assert_eq!(Status::of(&results(true, &[])), Status::Fine);
    }
}
