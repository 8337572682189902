//! The formulas of suite 1, written a second time: labels, derivations, and what is sealed how.

use aes_gcm::aead::{AeadInOut, KeyInit as _};
use aes_gcm::{Aes256Gcm, Tag};
use hmac::{Hmac, Mac};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Oaep, PrivateKey};
use sha2::{Digest, Sha256};
use turncoat_core::wire::{Blob, Envelope, Frame, KdfParams, Writer};

use crate::memo::Memo;

/// What is sealed; one byte of the associated data.
pub(super) const BAG: u8 = 1;
pub(crate) const LEAF: u8 = 2;
pub(crate) const CHUNK: u8 = 3;
pub(super) const NAME: u8 = 4;
pub(super) const KEYRING: u8 = 5;
pub(super) const NOTE: u8 = 6;

/// Plain bytes of a full chunk, and of a tag.
pub(super) const CHUNK_SIZE: usize = 65_536;
pub(super) const TAG_SIZE: usize = 16;

/// The nonce of keys that are used once.
pub(crate) const ONCE: [u8; 12] = [0; 12];

pub(crate) type Key = [u8; 32];

/// `HMAC(key, "turncoat/1/" label ":" (length part)*)`.
pub(crate) fn mac(key: &Key, label: &str, parts: &[&[u8]]) -> Key {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any key will do");
    mac.update(format!("turncoat/1/{label}:").as_bytes());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `SHA-256("turncoat/1/" label ":" (length part)*)`.
pub(crate) fn hash(label: &str, parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new_with_prefix(format!("turncoat/1/{label}:"));
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What the password derives.
pub(crate) fn master_key(
    realm: &[u8; 32],
    user: &[u8; 32],
    kdf: &KdfParams,
    password: &[u8],
) -> Key {
    let salt = hash("salt", &[realm, user, &kdf.salt_seed]);
    let password = hash("password", &[password]);
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(&password, &salt, kdf.iterations)
}

/// The associated data of a key bag.
pub(crate) fn bag_context(realm: &[u8; 32], user: &[u8; 32], kdf: &KdfParams) -> Vec<u8> {
    let mut context = vec![b'T', b'C', BAG, 1];
    context.extend_from_slice(realm);
    context.extend_from_slice(user);
    context.push(kdf.suite);
    context.extend_from_slice(&kdf.iterations.to_be_bytes());
    context.extend_from_slice(&kdf.salt_seed);
    context
}

/// The associated data of everything else.
pub(crate) fn context(kind: u8, id: &[u8; 16], number: u32) -> Vec<u8> {
    let mut context = vec![b'T', b'C', kind, 1];
    context.extend_from_slice(id);
    context.extend_from_slice(&number.to_be_bytes());
    context
}

/// Opens sealed bytes that end with their tag.
pub(crate) fn gcm_open(
    key: &Key,
    nonce: &[u8; 12],
    context: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let (data, tag) = sealed.split_last_chunk::<TAG_SIZE>()?;
    let mut data = data.to_vec();
    let tag: Tag = (*tag).into();
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), context, data.as_mut_slice().into(), &tag)
        .ok()?;
    Some(data)
}

/// Seals bytes, and adds the tag.
pub(crate) fn gcm_seal(key: &Key, nonce: &[u8; 12], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let tag = Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), context, sealed.as_mut_slice().into())
        .expect("nothing here is as long as a GCM message may be");
    sealed.extend_from_slice(&tag);
    sealed
}

/// One block that both keys open, and its tag: to two keys, GCM commits to neither.
///
/// A tag is a polynomial of what it covers, at a point that the key makes. A block next to the end
/// counts with that point's square, so that where both polynomials meet is a division.
pub(crate) fn sealed_for_two(keys: &[Key; 2], nonce: &[u8; 12], context: &[u8]) -> Vec<u8> {
    let sealed = |key: &Key, block: u128| {
        let stream = gcm_seal(key, nonce, context, &[0; 16]);
        let plain = block ^ number(&stream[..16]);
        gcm_seal(key, nonce, context, &plain.to_be_bytes())
    };
    let [one, other] = keys;
    let tag = |key, block| number(&sealed(key, block)[16..]);
    let apart = tag(one, 0) ^ tag(other, 0);
    let squares = [one, other].map(|key| tag(key, 0) ^ tag(key, ONE));
    sealed(one, times(apart, inverse(squares[0] ^ squares[1])))
}

fn number(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .fold(0, |sum, &byte| (sum << 8) | u128::from(byte))
}

/// The one of GCM's field, whose first bit counts least.
const ONE: u128 = 1 << 127;

/// The product in GCM's field.
fn times(left: u128, right: u128) -> u128 {
    let (mut product, mut shifted) = (0, right);
    for bit in (0..128).rev() {
        product ^= shifted * ((left >> bit) & 1);
        shifted = (shifted >> 1) ^ ((shifted & 1) * (0xe1 << 120));
    }
    product
}

/// The number whose product with this one is one: its power of 2^128 - 2.
fn inverse(of: u128) -> u128 {
    let powers = std::iter::successors(Some(of), |&power| Some(times(power, power)));
    powers.skip(1).take(127).fold(ONE, times)
}

/// What lies behind a length, before zeros.
pub(super) fn unpadded(padded: &[u8]) -> Option<&[u8]> {
    let (size, rest) = padded.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*size)).ok()?)
}

thread_local! {
    /// Users come from a small pool, and every run asks for their keys again.
    static KEYS: Memo<[Vec<u8>; 2], PrivateKey> = const { Memo::new(64) };
}

/// The private key with these primes.
pub(crate) fn private_key(p: &[u8], q: &[u8]) -> Option<PrivateKey> {
    let primes = [p, q].map(<[u8]>::to_vec);
    KEYS.with(|keys| {
        keys.get_or(primes, |[p, q]| {
            let exponent = BoxedUint::from(65_537_u32);
            PrivateKey::from_p_q(integer(p)?, integer(q)?, exponent).ok()
        })
    })
}

/// The number that `bytes` write, big-endian.
pub(crate) fn integer(bytes: &[u8]) -> Option<BoxedUint> {
    let bits = u32::try_from(bytes.len()).ok()?.checked_mul(8)?;
    BoxedUint::from_be_slice(bytes, bits).ok()
}

/// What the wrapped key of an envelope is bound to: all that the envelope says but key and note.
pub(crate) fn wrapping_label(envelope: &Envelope) -> Vec<u8> {
    let bare = Envelope {
        wrapped: Blob::default(),
        note: Blob::default(),
        ..envelope.clone()
    };
    bare.encode()
}

thread_local! {
    /// What was wrapped and for what, the modulus that it was wrapped for, and the key.
    static UNWRAPPED: Memo<Key, (Vec<u8>, Key)> = const { Memo::new(1024) };
}

/// The key in an envelope, if it was wrapped for the holder of `key`.
///
/// What opened for one modulus opens for no other: a number below both that decrypts to something
/// well padded under each would have to be found first.
pub(crate) fn unwrap(key: &PrivateKey, envelope: &Envelope) -> Option<Key> {
    let label = wrapping_label(envelope);
    let name = hash("unwrapped", &[&label, &envelope.wrapped.0]);
    let own = key.n_bytes().into_vec();
    let opened = UNWRAPPED.with(|unwrapped| {
        unwrapped.get_or(name, |_| {
            let padding = Oaep::<Sha256>::new_with_label(label);
            let opened = key.decrypt(padding, &envelope.wrapped.0).ok()?;
            Some((own.clone(), opened.try_into().ok()?))
        })
    });
    opened
        .filter(|(modulus, _)| *modulus == own)
        .map(|(_, key)| key)
}

/// The name in an envelope's note.
#[cfg(test)]
pub(crate) fn open_note(key: &Key, envelope: &Envelope) -> Option<Vec<u8>> {
    let id = envelope.id.as_bytes();
    let note_key = mac(key, "note-key", &[id]);
    let opened = gcm_open(&note_key, &[0; 12], &context(NOTE, id, 0), &envelope.note.0)?;
    unpadded(&opened).map(<[u8]>::to_vec)
}

/// The note that says `name`: behind its length, in whole kibibytes.
pub(crate) fn seal_note(key: &Key, envelope: &Envelope, name: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(name);
    let size = writer.size();
    writer.zeros(size.next_multiple_of(1024) - size);
    let id = envelope.id.as_bytes();
    let note_key = mac(key, "note-key", &[id]);
    gcm_seal(&note_key, &[0; 12], &context(NOTE, id, 0), &writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_opens_under_two_keys() {
        let keys = [[1; 32], [2; 32]];
        let both = sealed_for_two(&keys, &[3; 12], b"of both");
        let [one, other] = keys.map(|key| gcm_open(&key, &[3; 12], b"of both", &both));
        assert!(one.is_some() && other.is_some() && one != other);
        assert_eq!(gcm_open(&[4; 32], &[3; 12], b"of both", &both), None);
    }
}
