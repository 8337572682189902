//! What a device is told by its owner: the realm, the policy and the limits.

use crate::id::Realm;
use crate::limits::Limits;
use crate::primitive::rsa::KeySize;

/// What this device accepts and makes, decided here and never by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) iterations_min: u32,
    pub(crate) iterations_max: u32,
    pub(crate) iterations: u32,
    pub(crate) key_size: KeySize,
}

impl Policy {
    /// 600,000 PBKDF2 iterations at least and ten million at most, RSA-3072 for new accounts.
    #[must_use]
    pub const fn hardened() -> Self {
        Self {
            iterations_min: 600_000,
            iterations_max: 10_000_000,
            iterations: 600_000,
            key_size: KeySize::Bits3072,
        }
    }

    /// The same with the seed's key size, 2048 bits, for new accounts.
    #[must_use]
    pub const fn with_small_keys(self) -> Self {
        Self {
            key_size: KeySize::Bits2048,
            ..self
        }
    }
}

/// Everything that a device knows before it meets the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment.
    pub realm: Realm,
    /// What is accepted.
    pub policy: Policy,
    /// What may be spent.
    pub limits: Limits,
}
