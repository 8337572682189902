//! Drives any program as a client: a process for each device, JSON lines, a store over loopback.
//!
//! The stage sees an [`ExternalClient`], whose requests to the store become calls of its device's
//! line, one after the other in the stage's thread. What a client does wrong is named, and ends its
//! process group.

mod adapter;
#[cfg(test)]
mod adapter_tests;
mod checks;
mod command;
mod conformance;
mod device;
mod direct;
mod durable;
mod fault;
mod groups;
mod hub;
mod lines;
mod process;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::adapter::{ExternalClient, declaration_of};
pub use self::command::CommandLine;
pub use self::conformance::{Conformance, Row, State, conformance};
pub use self::direct::{HonestStore, Service};
pub use self::fault::{Fault, FaultKind, NotStarted};
pub use self::groups::end_all;
pub use self::hub::External;
pub use self::lines::{CLAIMS, Declaration, OPERATIONS, VERSION};
pub(crate) use self::lines::{answer, ask};
use crate::front::http::{Asked, HttpLimits};

/// What one client may spend.
#[derive(Clone, Copy, Debug)]
pub struct ExternalLimits {
    /// From the start of a process to its first line.
    pub start_time: Duration,
    /// From an operation's line to its answer.
    pub operation_time: Duration,
    /// Bytes on the standard output for one answer. A line costs 256 more.
    pub output_max: u64,
    /// Bytes of one device's durable state that are read.
    pub state_max: u64,
    /// Bounds of the front.
    pub http: HttpLimits,
}

impl Default for ExternalLimits {
    fn default() -> Self {
        Self {
            start_time: Duration::from_secs(10),
            operation_time: Duration::from_secs(10),
            output_max: 48 * 1024 * 1024,
            state_max: 16 * 1024 * 1024,
            http: HttpLimits::default(),
        }
    }
}

/// What happens while a client works.
#[derive(Debug)]
enum Event {
    /// A process wrote a line.
    Line { process: u64, line: Vec<u8> },
    /// A process ended its output.
    Ended { process: u64 },
    /// A process wrote more than it may.
    Flooded { process: u64 },
    /// Some device asks the store.
    Asked(Asked),
}
