//! RSA with PSS-SHA256 and OAEP-SHA256, at two sizes and one exponent.
//!
//! RUSTSEC-2023-0071 (Marvin) says that private-key operations may leak through their timing, and
//! in our threat model the server chooses ciphertexts and times replies. So: the version used has
//! constant-time integers and is always given randomness for blinding; and callers decrypt only
//! what carries a signature of its sender that they have verified.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep};
use sha2::Sha256;

use super::{Opaque, Random, Zeroizing};
use crate::env::Entropy;

/// The only public exponent.
pub const EXPONENT: u32 = 65_537;

/// The odd primes up to 541: a modulus divisible by one of them was never made by an honest device.
const SMALL_PRIMES: [u16; 99] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193,
    197, 199, 211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307,
    311, 313, 317, 331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419, 421,
    431, 433, 439, 443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503, 509, 521, 523, 541,
];

/// The sizes of a modulus that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "suite 1 has these two sizes and no other"
)]
pub enum KeySize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits, the default.
    Bits3072,
}

impl KeySize {
    /// Bits of the modulus.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
        }
    }

    /// Bytes of the modulus, of a signature and of a ciphertext.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bits() / 8
    }

    /// The size whose modulus has this many bytes.
    #[must_use]
    pub const fn of_modulus(bytes: usize) -> Option<Self> {
        match bytes {
            256 => Some(Self::Bits2048),
            384 => Some(Self::Bits3072),
            _ => None,
        }
    }
}

/// Why bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// Not exactly 256 or 384 bytes, or fewer significant bits than bytes.
    Size,
    /// The modulus is even, or divisible by a small prime.
    SmallFactor,
    /// The two primes are equal, even, of the wrong size, or do not fit the exponent.
    Primes,
}

/// A public key: a modulus of exactly 2048 or 3072 bits; the exponent is [`EXPONENT`].
///
/// The checks are structural and cheap. They do not prove that the modulus has two large primes:
/// whoever makes a bad key harms the confidentiality of what is sent to that key alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    size: KeySize,
    inner: Box<rsa::PublicKey>,
}

impl PublicKey {
    /// The key with this modulus, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyFault`] names the first check that fails.
    pub fn from_modulus(modulus: &[u8]) -> Result<Self, KeyFault> {
        let size = KeySize::of_modulus(modulus.len()).ok_or(KeyFault::Size)?;
        if modulus.first().is_none_or(|byte| byte & 0x80 == 0) {
            return Err(KeyFault::Size);
        }
        if modulus.last().is_none_or(|byte| byte & 1 == 0) || has_small_factor(modulus) {
            return Err(KeyFault::SmallFactor);
        }
        Self::of_any_strength(size, modulus, EXPONENT)
    }

    /// A key of which nothing was checked but that arithmetic works on it.
    pub(crate) fn of_any_strength(
        size: KeySize,
        modulus: &[u8],
        exponent: u32,
    ) -> Result<Self, KeyFault> {
        let inner = rsa::PublicKey::new(integer(modulus), BoxedUint::from(exponent))
            .map_err(|_| KeyFault::Size)?;
        Ok(Self {
            size,
            inner: Box::new(inner),
        })
    }

    /// The modulus, big-endian, of exactly the size's bytes.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        self.inner.n_bytes().into_vec()
    }

    /// The size of the modulus.
    #[must_use]
    pub fn size(&self) -> KeySize {
        self.size
    }

    /// Whether `signature` is a PSS-SHA256 signature of `message` with a 32-byte salt.
    ///
    /// The signature has exactly the modulus's length and is smaller than the modulus, so a
    /// message and salt have one signature only.
    ///
    /// # Errors
    ///
    /// [`Opaque`] if it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Opaque> {
        self.inner
            .pss_verify::<Sha256>(message, signature)
            .map_err(|_| Opaque)
    }

    /// OAEP-SHA256 (MGF1-SHA256) encryption of `message`, bound to `label`.
    ///
    /// # Errors
    ///
    /// [`Opaque`] if `message` is longer than the modulus less 66 bytes.
    pub fn encrypt(
        &self,
        entropy: &mut dyn Entropy,
        label: &[u8],
        message: &[u8],
    ) -> Result<Vec<u8>, Opaque> {
        self.inner
            .encrypt(&mut Random(entropy), oaep(label), message)
            .map_err(|_| Opaque)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, inner: _ } = self;
        formatter
            .debug_struct("PublicKey")
            .field("size", size)
            .finish_non_exhaustive()
    }
}

/// A private key, wiped on drop.
///
/// Use it through the role types of `secret.rs`: one key signs, another decrypts.
pub struct PrivateKey {
    inner: Box<rsa::PrivateKey>,
}

impl PrivateKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(entropy: &mut dyn Entropy, size: KeySize) -> Self {
        // The crate ends with an error only where two primes coincide or do not fit the exponent.
        loop {
            if let Ok(inner) = rsa::PrivateKey::new(&mut Random(entropy), size.bits()) {
                return Self {
                    inner: Box::new(inner),
                };
            }
        }
    }

    /// The key with these primes, big-endian, each of half the modulus's bytes.
    ///
    /// Modulus, private exponent and the rest are computed again; nothing of them is ever stored.
    /// That the two numbers are prime is not tested: they come from where only the owner writes.
    ///
    /// # Errors
    ///
    /// [`KeyFault`] if they cannot be the primes of a key of this suite.
    pub fn from_primes(p: &[u8], q: &[u8]) -> Result<Self, KeyFault> {
        let size = KeySize::of_modulus(p.len().saturating_mul(2)).ok_or(KeyFault::Size)?;
        if q.len() != p.len() {
            return Err(KeyFault::Size);
        }
        if p.last().is_none_or(|byte| byte & 1 == 0) || q.last().is_none_or(|byte| byte & 1 == 0) {
            return Err(KeyFault::Primes);
        }
        let inner = rsa::PrivateKey::from_p_q(integer(p), integer(q), BoxedUint::from(EXPONENT))
            .map_err(|_| KeyFault::Primes)?;
        // The product of two numbers of half the size can be one bit short.
        if inner.n().bit_width_vartime() as usize != size.bits() {
            return Err(KeyFault::Size);
        }
        Ok(Self {
            inner: Box::new(inner),
        })
    }

    /// The two primes, big-endian, each of half the modulus's bytes.
    #[must_use]
    pub fn primes(&self) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        match self.inner.primes() {
            [p, q] => (
                Zeroizing::new(p.as_ref().to_be_bytes().into_vec()),
                Zeroizing::new(q.as_ref().to_be_bytes().into_vec()),
            ),
            _ => unreachable!("every constructor takes or makes two primes"),
        }
    }

    /// The public half.
    ///
    /// # Errors
    ///
    /// [`KeyFault`] if the modulus is one that others would refuse.
    pub fn public(&self) -> Result<PublicKey, KeyFault> {
        PublicKey::from_modulus(&self.inner.n_bytes())
    }

    /// A PSS-SHA256 signature of `message` with a fresh 32-byte salt, blinded, and verified before
    /// it leaves: one faulty signature would give the key away.
    ///
    /// # Errors
    ///
    /// [`Opaque`] if the signature does not verify: the machine computed wrongly.
    pub fn sign(&self, entropy: &mut dyn Entropy, message: &[u8]) -> Result<Vec<u8>, Opaque> {
        let signature = self
            .inner
            .pss_sign_with_rng::<Sha256, _>(&mut Random(entropy), message)
            .map_err(|_| Opaque)?;
        self.inner
            .as_public_key()
            .pss_verify::<Sha256>(message, &signature)
            .map_err(|_| Opaque)?;
        Ok(signature)
    }

    /// OAEP-SHA256 decryption, blinded.
    ///
    /// The caller has verified the sender's signature over `ciphertext` first. The first octet of
    /// the encoded message is not looked at, so that there is no second kind of failure to tell
    /// apart (Manger).
    ///
    /// # Errors
    ///
    /// [`Opaque`] if `ciphertext` was not made for this key and `label`.
    pub fn decrypt(
        &self,
        entropy: &mut dyn Entropy,
        label: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Opaque> {
        self.inner
            .decrypt_blinded(&mut Random(entropy), oaep(label), ciphertext)
            .map(Zeroizing::new)
            .map_err(|_| Opaque)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inner: _ } = self;
        formatter.write_str("PrivateKey(..)")
    }
}

fn oaep(label: &[u8]) -> Oaep<Sha256> {
    Oaep::new_with_label(label)
}

/// The number that `bytes` write, big-endian.
fn integer(bytes: &[u8]) -> BoxedUint {
    let bits = u32::try_from(bytes.len() * 8).expect("callers pass at most 384 bytes");
    BoxedUint::from_be_slice(bytes, bits).expect("the precision is that of the bytes")
}

/// Whether a small odd prime divides `modulus`.
///
/// Divides by products of primes that fit 32 bits: one pass over the modulus for three primes.
fn has_small_factor(modulus: &[u8]) -> bool {
    let mut primes = SMALL_PRIMES
        .iter()
        .map(|&prime| u64::from(prime))
        .peekable();
    while let Some(first) = primes.next() {
        let mut product = first;
        let mut group = Vec::from([first]);
        while let Some(next) = primes.next_if(|next| product * next <= u64::from(u32::MAX)) {
            product *= next;
            group.push(next);
        }
        let remainder = modulus.chunks(4).fold(0, |remainder, word| {
            word.iter()
                .fold(remainder, |value: u64, &byte| value << 8 | u64::from(byte))
                % product
        });
        if group.iter().any(|prime| remainder % prime == 0) {
            return true;
        }
    }
    false
}
