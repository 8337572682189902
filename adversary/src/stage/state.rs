//! What a stage keeps of devices, operations, requests, holds and hooks.

use super::exchange::Pass;
use crate::client::{DeviceName, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{Accepted, Call, Line, OwnedFuture, Process, Saved};
use crate::script::performer::Direction;
use crate::selector::Selector;

/// One device.
#[derive(Default)]
pub(super) struct Device {
    pub(super) durable: Option<Bytes>,
    pub(super) life: u32,
    pub(super) process: Option<Box<dyn Process>>,
    pub(super) line: Line,
    /// The operation that has the process to itself.
    pub(super) busy: Option<u32>,
    /// The operation that was started last.
    pub(super) latest: Option<u32>,
    /// The process as of the end of its latest operation; without `process`, it is this that runs.
    pub(super) saved: Option<Saved>,
    /// The heads in the durable state as of its last change.
    pub(super) accepted: Vec<Accepted>,
}

/// One operation, from its start on.
pub(super) struct Running {
    pub(super) device: DeviceName,
    pub(super) what: Operation,
    pub(super) future: Option<OwnedFuture<Outcome>>,
    pub(super) state: State,
    /// Await points so far.
    pub(super) points: u32,
    pub(super) crash_at: Option<u32>,
    pub(super) requests: u32,
    pub(super) bytes: u64,
    pub(super) outcome: Option<Outcome>,
}

/// Where an operation stands between two moves.
pub(super) enum State {
    /// Its future does not exist yet.
    Fresh,
    /// Its call has had no effect yet.
    Calling(Call),
    /// Its request is on the way.
    Passing(Pass),
    /// Its call is answered, and it has not been polled since.
    Answered,
    /// It ended.
    Over,
}

/// What is kept of a request for those who count requests.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) device: DeviceName,
    pub(super) kind: &'static str,
    pub(super) size: usize,
    /// The sizes of the reply as shown; none if it was lost.
    pub(super) shown: Option<usize>,
    pub(super) honest: Option<Bytes>,
}

/// Matching requests wait.
pub(super) struct Hold {
    pub(super) selector: Selector,
    pub(super) count: u32,
    /// Operations whose requests wait, oldest first.
    pub(super) waiting: Vec<u32>,
    pub(super) over: bool,
}

/// Somebody wants to see matching messages.
pub(super) struct Hook {
    pub(super) direction: Direction,
    pub(super) selector: Selector,
    pub(super) count: u32,
    pub(super) over: bool,
}
