//! Which of two equally shaped sets of secrets the users of a run have.

use super::Stage;
use crate::pool::{Identity, identities};

/// The secrets of a run: passwords, keys, what devices draw, and what scripts make up.
///
/// Everything else is the same with either of them, so that whatever the server sees differently
/// in two runs depends on a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secrets {
    /// Those of every run that stands for itself.
    #[default]
    First,
    /// The others, of equal lengths.
    Second,
}

impl Secrets {
    /// The seed of everything that is secret, in a run of this seed.
    #[must_use]
    pub const fn seed(self, seed: u64) -> u64 {
        match self {
            Self::First => seed,
            Self::Second => seed ^ 0x7365_6372_6574_7321,
        }
    }

    /// What a user types at every login.
    #[must_use]
    pub fn password_of(self, user: &str) -> Vec<u8> {
        match self {
            Self::First => format!("the password of {user}"),
            Self::Second => format!("THE PASSWORD OF {user}"),
        }
        .into_bytes()
    }

    /// The prepared keys of the user who appeared at this place.
    #[must_use]
    pub fn identity(self, place: usize) -> &'static Identity {
        let all = identities();
        let first = match self {
            Self::First => 0,
            Self::Second => all.len() / 2,
        };
        &all[(first + place) % all.len()]
    }
}

/// What a user types at every login, in a run that stands for itself.
#[must_use]
pub fn password_of(user: &str) -> Vec<u8> {
    Secrets::First.password_of(user)
}

impl Stage {
    /// Gives the users of the run other secrets; before the first step.
    pub fn set_secrets(&mut self, secrets: Secrets) {
        self.secrets = secrets;
        let deterministic = self.client.declaration().deterministic;
        self.worlds = deterministic
            .then(|| super::world::Cursor::new(&self.client.name(), self.seed, secrets));
    }
}
