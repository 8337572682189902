//! What the hub keeps of one device, and what a waiting caller is told.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::Fault;
use super::process::Process;
use crate::client::Outcome;
use crate::front::http::Asked;

/// How long the last words of a process that has ended may take to arrive.
pub(super) const LAST_WORDS_TIME: Duration = Duration::from_millis(300);

/// One device: its durable folder, and its process while it runs.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) folder: PathBuf,
    pub(super) process: Option<Process>,
    /// What arrived from it and was not yet looked at.
    pub(super) arrived: VecDeque<Arrived>,
    /// Whether a line is awaited.
    pub(super) busy: bool,
    /// Why there is no process any more, where that is the client's doing.
    pub(super) fault: Option<Fault>,
}

#[derive(Debug)]
pub(super) enum Arrived {
    Line(Vec<u8>),
    Asked(Asked),
    Ended,
    Flooded,
}

/// What a waiting caller is told.
#[derive(Debug)]
pub(super) enum Step {
    /// The client asks the store, and waits for the answer.
    Asks(Asked),
    /// The client's line.
    Answers(Vec<u8>),
}

/// A wait for one line. Time counts only while the client has the move.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) awaited: &'static str,
    pub(super) time: Duration,
    pub(super) spent: Duration,
    pub(super) gone: Duration,
}

impl Wait {
    pub(super) fn new(awaited: &'static str, time: Duration) -> Self {
        Self {
            awaited,
            time,
            spent: Duration::ZERO,
            gone: Duration::ZERO,
        }
    }
}

/// An operation that the client was asked for.
#[derive(Debug)]
pub(super) enum Begun {
    /// There is nothing to wait for.
    Over(Outcome),
    /// The line with this number is awaited.
    Awaited(u64, Wait),
}

impl Device {
    /// Ends the process group, and keeps why.
    pub(super) fn convict(&mut self, mut fault: Fault) -> Fault {
        self.busy = false;
        self.arrived.clear();
        if let Some(process) = self.process.take() {
            fault.complete(process.end(LAST_WORDS_TIME));
        }
        self.fault = Some(fault.clone());
        fault
    }
}
