//! The only folder that names a cryptography crate.

pub mod aead;
pub mod hash;
pub mod kdf;
pub mod mac;
pub mod rsa;

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use subtle::ConstantTimeEq;
pub(crate) use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::env::Entropy;

/// An operation under a key failed. Deliberately says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opaque;

/// Whether two byte strings are equal, in time that depends on their lengths alone.
///
/// The only place where a comparison of secrets becomes a `bool`.
#[must_use]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// The device's randomness, in the shape that the cryptography crates ask for.
struct Random<'a>(&'a mut dyn Entropy);

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}
