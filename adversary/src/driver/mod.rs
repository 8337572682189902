//! What the engine asks of a client under test: one small adapter for each.

mod core;
pub mod external;
mod line;
mod outside;
mod over_http;
mod peers;
mod planted;
mod straw;
mod time;

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use turncoat_core::env::Clock;

use crate::chooser::DeviceEntropy;
use crate::client::{DeviceName, Operation, Outcome};
use crate::pool::Identity;

pub use self::core::{DefenceRow, Hardened, REALM, Weakened, defence_table, defences};
pub(crate) use self::core::{ITERATIONS_MIN, ROSTER_CHANGES_MAX};
pub use line::Line;
pub(crate) use line::{Call, Response, Shown};
pub(crate) use outside::{Outside, Slot};
pub use over_http::OverHttp;
pub use peers::{Meets, Peers};
pub use planted::{Lie, Planted};
pub use straw::Straw;
pub use time::time_in_clients;
pub(crate) use time::{stopwatch, timed};

/// A future that lives on one thread and owns what it needs.
pub type OwnedFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A dialect through which clients reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Front {
    /// The messages of the hardened client.
    Native,
    /// Objects under ids, and a public object for each user.
    KeyValue,
}

impl Front {
    /// The word of headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::KeyValue => "kv",
        }
    }
}

/// What a client says that it can do, before any run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// How it reaches the server.
    pub front: Front,
    /// The operations that it has, by [`Operation::name`].
    pub operations: Vec<String>,
    /// The claims that its answers carry, by the names of the fields of
    /// [`Claims`](crate::client::Claims); and `hides-lengths`, which is one of its design.
    pub claims: Vec<String>,
    /// Whether it writes conditionally.
    pub conditional: bool,
    /// Whether a run is a function of script and seed.
    pub deterministic: bool,
}

impl Declaration {
    /// Whether the client has an operation of this name.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.operations.iter().any(|own| own == operation)
    }
}

/// A head that a device accepted, in plain bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// The space.
    pub space: [u8; 32],
    /// The head.
    pub head: [u8; 32],
    /// Its height.
    pub height: u64,
}

/// A client under test.
pub trait Client {
    /// What it is called on the command line.
    fn name(&self) -> String;

    /// What it can do.
    fn declaration(&self) -> Declaration;

    /// A run begins, which nothing that the client kept of an earlier one may reach.
    ///
    /// # Errors
    ///
    /// Why it cannot; only an external client can fail here.
    fn begin_run(&self) -> Result<(), String> {
        Ok(())
    }

    /// Starts the process of one device. It sends nothing before its first operation.
    ///
    /// # Errors
    ///
    /// Why the process did not start; only an external client can fail here.
    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String>;

    /// Starts the process of one device again where [`Process::save`] left it, without its
    /// password.
    ///
    /// `setting` is that of the same life; its random stream is as of its beginning.
    fn resume(&self, _setting: Setting, _saved: &Saved) -> Option<Box<dyn Process>> {
        None
    }

    /// Whether an operation reaches the client at all. One that it does not need succeeds unasked,
    /// and its answer says nothing.
    fn is_asked(&self, _operation: &Operation) -> bool {
        true
    }

    /// Reads the accepted heads out of a device's durable state, for the oracles.
    fn accepted(&self, _durable: &[u8]) -> Vec<Accepted> {
        Vec::new()
    }

    /// What is left of a device's durable state after the power was cut as it was written.
    fn torn(&self, durable: &[u8]) -> Vec<u8> {
        durable[..durable.len() / 2].to_vec()
    }
}

/// A running device. Dropping it is a crash.
pub trait Process {
    /// Begins an operation; the future awaits nothing but calls of the device's [`Line`].
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome>;

    /// What [`Client::resume`] needs to go on from here; none if the client cannot. No operation is
    /// under way.
    fn save(&self) -> Option<Saved> {
        None
    }
}

/// A process as it was at one moment, in its client's own form.
pub type Saved = Rc<dyn Any>;

/// Everything that one life of one device runs on.
pub struct Setting {
    /// Which device.
    pub device: DeviceName,
    /// The name of the account that the device signs up or logs in to: its user's, but for
    /// impostors.
    pub account: String,
    /// What its user types.
    pub password: Vec<u8>,
    /// The keys that the user's account is made with.
    pub identity: &'static Identity,
    /// Whether the device holds durable state from before.
    pub remembers: bool,
    /// The way to the server and to the durable state.
    pub line: Line,
    /// The random stream of this life.
    pub entropy: DeviceEntropy,
    /// The run's clock.
    pub clock: StageClock,
    /// The devices of the run that meet without the server.
    pub peers: Peers,
}

/// The logical clock of a run. It moves when the stage says so.
#[derive(Clone, Debug, Default)]
pub struct StageClock(Rc<Cell<u64>>);

impl StageClock {
    /// The moment at which every run begins: 2026-01-01 in UTC.
    pub const START_MS: u64 = 1_767_225_600_000;

    /// A clock at [`StageClock::START_MS`].
    #[must_use]
    pub fn new() -> Self {
        Self(Rc::new(Cell::new(Self::START_MS)))
    }

    /// A clock at a moment that another one reached.
    pub(crate) fn at(now_ms: u64) -> Self {
        Self(Rc::new(Cell::new(now_ms)))
    }

    /// Moves on.
    pub fn advance(&self, duration_ms: u64) {
        self.0.set(self.0.get().saturating_add(duration_ms));
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.0.get()
    }
}

impl Clock for StageClock {
    fn now_ms(&self) -> u64 {
        Self::now_ms(self)
    }
}
