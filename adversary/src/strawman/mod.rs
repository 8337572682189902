//! Five clients that are meant to fall, each written like a plausible real design.
//!
//! None of them shares code with the hardened client, and none misbehaves to please a script: with
//! an honest server each does what it declares. Each has the weakness that its file states.

pub mod account;
pub mod aead_only;
pub mod expected;
#[cfg(test)]
mod honest_tests;
pub mod mailbox;
pub mod naive;
mod session;
#[cfg(test)]
pub(crate) mod testing;
pub mod toolkit;
pub mod tree;
pub mod trusting;
pub mod unchained;
pub mod unfresh;

use std::rc::Rc;

use turncoat_core::env::Entropy;
use turncoat_core::remote::Lost;

use crate::client::{Class, Failure, Operation, Outcome};
use crate::driver::Accepted;
use crate::front::kv::{LocalFuture, Memory, Store, Trouble};
use crate::pool::Identity;

/// Iterations of PBKDF2: a constant of the build, never the server's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    iterations: u32,
}

impl Policy {
    /// The count of the seed's description.
    pub const SEED: Self = Self {
        iterations: 100_000,
    };
    /// The count in runs of the library: the same construction, one hundredth of the cost. No
    /// script guesses passwords of a straw client, so that no verdict depends on it.
    pub const RUNS: Self = Self { iterations: 1_000 };

    /// How often the password is iterated.
    #[must_use]
    pub const fn iterations(self) -> u32 {
        self.iterations
    }
}

/// What a person knows or carries to a device.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's name.
    pub user: String,
    /// The password.
    pub password: Vec<u8>,
    /// The key pairs: made at sign-up by every client; copied from device to device by hand where
    /// the client keeps them off the server.
    pub identity: Identity,
}

/// Everything that a device of a straw client runs on.
pub struct Environment {
    /// Whose device it is.
    pub person: Person,
    /// The server.
    pub store: Store,
    /// What the device remembers when the process ends.
    pub memory: Rc<dyn Memory>,
    /// The device's randomness.
    pub entropy: Box<dyn Entropy>,
    /// The cost of a password.
    pub policy: Policy,
}

/// One device of one user. A restart makes a new one over the same memory.
pub trait Device {
    /// Performs one operation.
    fn perform(&self, operation: Operation) -> LocalFuture<'_, Outcome>;
}

/// One of the straw clients: what it is called, what it says that it can do, how it starts.
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// The operations that it has, by [`Operation::name`].
    pub operations: &'static [&'static str],
    /// The claims that its answers carry: fields of [`Claims`](crate::client::Claims).
    pub claims: &'static [&'static str],
    /// Reads what a device accepted out of its memory, for the oracles.
    pub accepted: fn(&[u8]) -> Vec<Accepted>,
    /// Whether it needs conditional writes.
    pub conditional: bool,
    /// Starts a device.
    pub start: fn(Environment) -> Rc<dyn Device>,
}

/// Of a client that keeps no heads in its memory.
pub(crate) fn accepted_nothing(_memory: &[u8]) -> Vec<Accepted> {
    Vec::new()
}

/// All straw clients.
pub const ALL: [&Kind; 5] = [
    &naive::KIND,
    &aead_only::KIND,
    &unfresh::KIND,
    &trusting::KIND,
    &unchained::KIND,
];

/// The straw client of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.name == name)
}

pub(crate) fn violation(name: &str) -> Failure {
    Failure::new(Class::Violation, name)
}

pub(crate) fn unavailable(name: &str) -> Failure {
    Failure::new(Class::Unavailable, name)
}

pub(crate) fn usage(name: &str) -> Failure {
    Failure::new(Class::Usage, name)
}

/// The answer to an operation that the client does not declare.
pub(crate) fn unsupported(operation: &Operation) -> Failure {
    Failure {
        class: Class::Usage,
        name: "unsupported".to_owned(),
        text: format!("this client has no operation {}", operation.name()),
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let mut failure = match trouble {
            Trouble::Lost(Lost::Timeout) => unavailable("timeout"),
            Trouble::Lost(Lost::TooLarge) => violation("too-large"),
            Trouble::Lost(_) => unavailable("cut-off"),
            Trouble::Nonsense => violation("malformed"),
            Trouble::Refused(_) => unavailable("refused"),
        };
        failure.text = trouble.to_string();
        failure
    }
}
