//! Sharp tools for testbeds: lower floors, prepared keys, and sessions without a password.
//!
//! Nothing here belongs into a program that people trust their files to. `Policy::hardened` is all
//! that such a program names.

use crate::client::{Identity, Ports, Session};
use crate::config::{Config, Policy};
use crate::env::{Clock, Entropy};
use crate::error::Error;
use crate::primitive::rsa::KeySize;
use crate::remote::{Remote, Vault};
use crate::secret::Password;

/// A policy with another floor, for runs that cannot afford a derivation each.
#[must_use]
pub const fn policy(iterations_min: u32, iterations_max: u32) -> Policy {
    Policy {
        iterations_min,
        iterations_max,
        iterations: iterations_min,
        key_size: KeySize::Bits2048,
    }
}

/// An identity from primes that somebody else may know.
///
/// Returns nothing if they cannot be the primes of keys of suite 1.
#[must_use]
pub fn identity(encryption: (&[u8], &[u8]), signing: (&[u8], &[u8])) -> Option<Identity> {
    Identity::from_primes(encryption, signing)
}

/// Signs up with keys that were made elsewhere.
///
/// # Errors
///
/// Those of [`Session::sign_up`].
pub async fn sign_up<R: Remote, V: Vault, E: Entropy, C: Clock>(
    ports: Ports<R, V, E, C>,
    config: Config,
    name: &[u8],
    password: &Password,
    identity: Identity,
) -> Result<Session<R, V, E, C>, Error> {
    Session::sign_up_as(ports, config, name, password, identity).await
}

/// A session once more, without its password, behind other doors: what a saved world needs to be
/// opened again.
///
/// The two must not draw from one stream of randomness at one position, unless one of them is
/// given up.
#[must_use]
pub fn copy<R, V, E, C, R2, V2, E2, C2>(
    session: &Session<R, V, E, C>,
    ports: Ports<R2, V2, E2, C2>,
) -> Session<R2, V2, E2, C2> {
    session.copied(ports)
}
