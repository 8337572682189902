//! What a client process can do wrong, and the words for it.

use std::fmt;
use std::io;

use crate::client::{Class, Failure};

/// The kinds of misbehaviour that end a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It did not answer in time.
    Hung,
    /// It ended, or closed its output.
    Died,
    /// It wrote more than its limit.
    Flooded,
    /// It wrote what the protocol does not know, or what nothing asked for.
    Nonsense,
}

impl FaultKind {
    /// The word of reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hung => "hung",
            Self::Died => "died",
            Self::Flooded => "flooded",
            Self::Nonsense => "nonsense",
        }
    }
}

/// One misbehaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// What was seen, for a person.
    pub text: String,
}

/// How a process ended and what it complained of.
#[derive(Debug)]
pub(super) struct LastWords {
    pub(super) status: Option<String>,
    pub(super) complaint: Option<String>,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, text: String) -> Self {
        Self { kind, text }
    }

    pub(super) fn nonsense(text: String) -> Self {
        Self::new(FaultKind::Nonsense, text)
    }

    /// Adds what is known once the process has ended.
    pub(super) fn complete(&mut self, last: LastWords) {
        if self.kind == FaultKind::Died {
            self.text = last
                .status
                .unwrap_or_else(|| "closed its output".to_owned());
        }
        if let Some(complaint) = last.complaint {
            self.text = format!("{}; its last line of complaint: {complaint}", self.text);
        }
    }

    /// The outcome of the operation in which it happened.
    ///
    /// A client that hangs or floods has outgrown its limits; one that dies or speaks nonsense has
    /// refused.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let name = match self.kind {
            FaultKind::Hung | FaultKind::Flooded => Failure::EXHAUSTED,
            FaultKind::Died | FaultKind::Nonsense => self.kind.name(),
        };
        Failure {
            class: Class::Other,
            name: name.to_owned(),
            text: self.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.text)
    }
}

/// Why a client under test did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStarted {
    /// The command.
    pub command: String,
    /// What came instead of a proper first line.
    pub reason: String,
    /// Whether the machine gave no port, thread or folder, which is no fault of the client's.
    pub by_machine: bool,
}

impl NotStarted {
    /// The same as an operation's outcome, for a device that is started again under attack.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure {
            class: Class::Other,
            name: FaultKind::Died.name().to_owned(),
            text: self.to_string(),
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the client `{}` did not start: {}",
            self.command, self.reason
        )
    }
}

impl std::error::Error for NotStarted {}

/// A machine's error with what to do about it.
pub(super) fn sentence(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such program; give its path, or check PATH".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "the program may not be executed; chmod +x it, or name its interpreter".to_owned()
        }
        _ => error.to_string(),
    }
}
