//! The primitives that the straw clients build on, used as their designs say.

use std::cell::RefCell;
use std::convert::Infallible;

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{Aes256Gcm, AesGcm, KeyInit as _};
use hmac::{Hmac, Mac as _};
use rand_core::{TryCryptoRng, TryRng};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Oaep};
use sha2::{Digest as _, Sha256};
use turncoat_core::env::Entropy;

use crate::codec::coded;
use crate::pool::{Identity, Key as Primes};

/// The public exponent of every honest key.
pub const EXPONENT: u32 = 65_537;
/// Bytes of an honest modulus.
const MODULUS_SIZE: usize = 256;

/// A symmetric key, or a hash.
pub type Bytes32 = [u8; 32];

/// The device's randomness, shared by the operations that run on it.
pub struct Dice(RefCell<Box<dyn Entropy>>);

impl Dice {
    /// Takes the device's stream.
    #[must_use]
    pub fn new(entropy: Box<dyn Entropy>) -> Self {
        Self(RefCell::new(entropy))
    }

    /// Fresh random bytes.
    #[must_use]
    pub fn roll<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.borrow_mut().fill(&mut bytes);
        bytes
    }
}

/// [`Dice`] in the shape that the cryptography crates ask for.
struct Rng<'a>(&'a Dice);

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.0.roll()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.0.roll()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.0.borrow_mut().fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Rng<'_> {}

/// SHA-256 over parts, each preceded by its length.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> Bytes32 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// HMAC-SHA256 over parts, each preceded by its length: derives one key from another.
#[must_use]
pub fn derive(key: &Bytes32, parts: &[&[u8]]) -> Bytes32 {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// PBKDF2-HMAC-SHA256.
#[must_use]
pub fn stretch(password: &[u8], salt: &[u8], iterations: u32) -> Bytes32 {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations)
}

/// AES-256-GCM under a random 12-byte nonce, which comes first.
#[must_use]
pub fn seal(dice: &Dice, key: &Bytes32, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = dice.roll();
    let sealed = Aes256Gcm::new(key.into())
        .encrypt(&nonce.into(), payload(associated, plaintext))
        .expect("a message is shorter than 2^36 - 32 bytes");
    [&nonce[..], &sealed].concat()
}

/// Opens what [`seal`] made.
#[must_use]
pub fn open(key: &Bytes32, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<12>()?;
    Aes256Gcm::new(key.into())
        .decrypt(nonce.into(), payload(associated, body))
        .ok()
}

/// AES-256-GCM with the 16-byte nonces of Python's habit: legal, if unusual.
type LongNonceGcm = AesGcm<Aes256, U16>;

/// AES-256-GCM under a random 16-byte nonce, which comes first; nothing is associated.
#[must_use]
pub fn seal_long(dice: &Dice, key: &Bytes32, plaintext: &[u8]) -> Vec<u8> {
    let nonce: [u8; 16] = dice.roll();
    let sealed = LongNonceGcm::new(key.into())
        .encrypt(&nonce.into(), plaintext)
        .expect("a message is shorter than 2^36 - 32 bytes");
    [&nonce[..], &sealed].concat()
}

/// Opens what [`seal_long`] made.
#[must_use]
pub fn open_long(key: &Bytes32, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<16>()?;
    LongNonceGcm::new(key.into())
        .decrypt(nonce.into(), body)
        .ok()
}

const fn payload<'a>(associated: &'a [u8], message: &'a [u8]) -> Payload<'a, 'a> {
    Payload {
        msg: message,
        aad: associated,
    }
}

/// The two private keys of an account.
pub struct Keys {
    decryption: rsa::PrivateKey,
    signing: rsa::PrivateKey,
}

impl Keys {
    /// The keys with these primes; `None` if they are not the primes of two keys.
    #[must_use]
    pub fn new(identity: &Identity) -> Option<Self> {
        Some(Self {
            decryption: private(&identity.encryption)?,
            signing: private(&identity.signing)?,
        })
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            encryption: PublicKey::of(&self.decryption),
            signing: PublicKey::of(&self.signing),
        }
    }

    /// A PSS-SHA256 signature with a 32-byte salt.
    #[must_use]
    pub fn sign(&self, dice: &Dice, message: &[u8]) -> Vec<u8> {
        self.signing
            .pss_sign_with_rng::<Sha256, _>(&mut Rng(dice), message)
            .expect("a checked key signs")
    }

    /// Opens an OAEP-SHA256 ciphertext that was made with this label.
    #[must_use]
    pub fn unwrap(&self, dice: &Dice, label: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
        let oaep = Oaep::<Sha256>::new_with_label(label);
        self.decryption
            .decrypt_blinded(&mut Rng(dice), oaep, wrapped)
            .ok()
    }
}

fn private(primes: &Primes) -> Option<rsa::PrivateKey> {
    let [p, q] = [&primes.p, &primes.q].map(|prime| integer(prime));
    rsa::PrivateKey::from_p_q(p?, q?, BoxedUint::from(EXPONENT)).ok()
}

fn integer(bytes: &[u8]) -> Option<BoxedUint> {
    let bits = u32::try_from(bytes.len().checked_mul(8)?).ok()?;
    BoxedUint::from_be_slice(bytes, bits).ok()
}

coded! {
    /// One RSA public key.
    pub struct PublicKey {
        /// Big-endian.
        pub modulus: Vec<u8>,
        /// 65,537 in every honest key.
        pub exponent: u32,
    }
}

coded! {
    /// What an account publishes.
    pub struct PublicKeys {
        /// Others encrypt to this key.
        pub encryption: PublicKey,
        /// Others verify with this key.
        pub signing: PublicKey,
    }
}

impl PublicKey {
    fn of(key: &rsa::PrivateKey) -> Self {
        Self {
            modulus: key.as_public_key().n_bytes().into_vec(),
            exponent: EXPONENT,
        }
    }

    /// Whether the key has the one size and exponent that the careful clients use.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.modulus.len() == MODULUS_SIZE
            && self.modulus.first().is_some_and(|byte| byte & 0x80 != 0)
            && self.exponent == EXPONENT
    }

    /// Whatever the crate accepts: the careful clients ask [`is_sound`](Self::is_sound) first.
    fn load(&self) -> Option<rsa::PublicKey> {
        // A modulus of a megabyte would hold the client up for hours before the crate refused it.
        if self.modulus.len() > 1024 {
            return None;
        }
        rsa::PublicKey::new(integer(&self.modulus)?, BoxedUint::from(self.exponent)).ok()
    }

    /// OAEP-SHA256 with a label; `None` if the key or the message does not allow it.
    #[must_use]
    pub fn wrap(&self, dice: &Dice, label: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let oaep = Oaep::<Sha256>::new_with_label(label);
        self.load()?.encrypt(&mut Rng(dice), oaep, message).ok()
    }

    /// Whether this is the signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.load()
            .is_some_and(|key| key.pss_verify::<Sha256>(message, signature).is_ok())
    }
}

/// Lower-case hexadecimal, for ids.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
