//! The switches of the twin: which defences are left out, on this thread, for how long; and what a
//! client does that never had the construction.

extern crate std;

use super::Defence;
use crate::env::Entropy;
use crate::error::{Error, Violation};
use crate::id::Tag;
use crate::primitive::rsa::{KeySize, PublicKey};
use crate::primitive::{Opaque, aead, hash};
use crate::secret::{ContentKey, EpochKey};
use crate::wire::{ENTRY_SIZE, Entry, Key, Malformed};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::RefCell;

std::thread_local! {
    static OFF: RefCell<BTreeSet<Defence>> = const { RefCell::new(BTreeSet::new()) };
}

/// The defences are left out for as long as this value lives.
#[derive(Debug)]
#[must_use]
pub struct Weakened {
    before: BTreeSet<Defence>,
}

/// Leaves the given defences out on this thread.
pub fn weaken(defences: &[Defence]) -> Weakened {
    let off = defences.iter().copied().collect();
    Weakened {
        before: OFF.with(|cell| cell.replace(off)),
    }
}

impl Drop for Weakened {
    fn drop(&mut self) {
        let before = core::mem::take(&mut self.before);
        OFF.with(|cell| cell.replace(before));
    }
}

/// Whether a defence stands on this thread.
pub(crate) fn stands(defence: Defence) -> bool {
    OFF.with(|cell| !cell.borrow().contains(&defence))
}

/// Without padding: the length as it is. Even nothing takes a chunk.
pub(crate) fn exact_size(size: usize) -> usize {
    size.max(1)
}

/// Without the tag: counter mode runs either way, so that sealing once more opens.
pub(crate) fn open_blindly(
    key: &[u8; 32],
    nonce: &[u8; aead::NONCE_SIZE],
    data: &mut [u8],
) -> Result<(), Opaque> {
    let _tag = aead::seal_slice(key, nonce, &[], data);
    Ok(())
}

/// The same where the tag follows the data.
pub(crate) fn open_blindly_in_place(
    key: &[u8; 32],
    nonce: &[u8; aead::NONCE_SIZE],
    data: &mut Vec<u8>,
) -> Result<(), Opaque> {
    data.truncate(data.len().saturating_sub(aead::TAG_SIZE));
    open_blindly(key, nonce, data)
}

/// Without a keyed hash: whoever guesses a name can confirm it.
pub(crate) fn plain_tag(kind: u8, name: &[u8]) -> Tag {
    let mut bytes = Vec::from([kind]);
    bytes.extend_from_slice(name);
    Tag(hash::sha256(&bytes))
}

/// Without a limit: whatever comes is read.
pub(crate) fn boundless() -> u64 {
    u64::MAX
}

/// Without fresh keys: every upload under the same one.
pub(crate) fn same_content_key(_: &mut dyn Entropy) -> ContentKey {
    ContentKey::copy_from(&[0x5a; 32])
}

/// Without a new content key at a revocation: the newest old one.
pub(crate) fn kept_content_key(entropy: &mut dyn Entropy, keys: &[ContentKey]) -> ContentKey {
    match keys.last() {
        Some(key) => ContentKey::copy_from(key.expose()),
        None => ContentKey::random(entropy),
    }
}

/// Without a new space key at a revocation: the old one.
pub(crate) fn kept_epoch_key(_: &mut dyn Entropy, key: &EpochKey) -> EpochKey {
    EpochKey::copy_from(key.expose())
}

/// Without a floor for others' keys: whatever arithmetic works on.
pub(crate) fn any_key(stated: &Key) -> Result<PublicKey, Error> {
    PublicKey::of_any_strength(KeySize::Bits2048, &stated.modulus, stated.exponent)
        .map_err(|_| Violation::WeakParameters.into())
}

/// Without padding: a leaf as long as what it says.
pub(crate) fn unfilled(entry: &Entry) -> Vec<u8> {
    let mut bytes = entry.encode();
    let used = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

/// Reads such a leaf.
pub(crate) fn decode_filled(opened: &[u8]) -> Result<Entry, Malformed> {
    let mut filled = opened.to_vec();
    filled.resize(filled.len().max(ENTRY_SIZE), 0);
    Entry::decode(&filled)
}
