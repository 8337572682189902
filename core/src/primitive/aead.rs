//! AES-256-GCM with 12-byte nonces and 16-byte tags.
//!
//! A tag commits to nothing for someone who knows the key: what must be bound is bound by the hash
//! tree. No (key, nonce) may ever meet two messages; keys here are used once, or nonces are random.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use alloc::vec::Vec;

use super::{Opaque, Zeroize};

/// Bytes of a nonce.
pub const NONCE_SIZE: usize = 12;
/// Bytes of a tag.
pub const TAG_SIZE: usize = 16;

/// Seals `data` where it lies; returns its tag.
///
/// `data` is shorter than 2^36 - 32 bytes, GCM's bound for one message.
#[must_use]
pub fn seal_slice(
    key: &[u8; 32],
    nonce: &[u8; NONCE_SIZE],
    associated: &[u8],
    data: &mut [u8],
) -> [u8; TAG_SIZE] {
    Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, data.into())
        .expect("a message is shorter than 2^36 - 32 bytes")
        .into()
}

/// Opens `data` where it lies.
///
/// # Errors
///
/// [`Opaque`] if tag, nonce, associated data or ciphertext is not what was sealed; `data` is then
/// all zeros.
pub fn open_slice(
    key: &[u8; 32],
    nonce: &[u8; NONCE_SIZE],
    associated: &[u8],
    data: &mut [u8],
    tag: &[u8; TAG_SIZE],
) -> Result<(), Opaque> {
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, (&mut *data).into(), tag.into())
        .map_err(|_| {
            data.zeroize();
            Opaque
        })
}

/// Seals `buffer` where it lies, then appends its tag.
pub fn seal_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_SIZE],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) {
    // Room first: a vector that grew after this would leave a copy of the plaintext behind.
    reserve_wiping(buffer, TAG_SIZE);
    let tag = seal_slice(key, nonce, associated, buffer);
    buffer.extend_from_slice(&tag);
}

/// Opens `buffer`, which ends with its tag, where it lies, and removes the tag.
///
/// # Errors
///
/// [`Opaque`] if `buffer` is shorter than a tag or is not what was sealed; it is then empty.
pub fn open_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_SIZE],
    associated: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), Opaque> {
    let opened = match buffer.split_last_chunk_mut::<TAG_SIZE>() {
        Some((data, tag)) => {
            let length = data.len();
            open_slice(key, nonce, associated, data, tag).map(|()| length)
        }
        None => Err(Opaque),
    };
    match opened {
        Ok(length) => {
            buffer.truncate(length);
            Ok(())
        }
        Err(Opaque) => {
            buffer.zeroize();
            Err(Opaque)
        }
    }
}

/// Makes room for `additional` bytes; if the bytes have to move, wipes where they were.
fn reserve_wiping(buffer: &mut Vec<u8>, additional: usize) {
    if buffer.capacity() - buffer.len() >= additional {
        return;
    }
    let mut moved = Vec::with_capacity(buffer.len() + additional);
    moved.extend_from_slice(buffer);
    buffer.zeroize();
    *buffer = moved;
}
