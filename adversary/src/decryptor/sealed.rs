//! Opens sealed bytes, and remembers how the key was used.

use turncoat_core::id::PackId;
use turncoat_core::wire::Leaf;

use super::entry::Entry;
use super::formula::{self, CHUNK, CHUNK_SIZE, Key, LEAF, ONCE, TAG_SIZE};
use crate::oracle::KeyUse;

/// Sealed bytes, with all that opens them if it is right.
pub(super) struct Sealed<'a> {
    pub(super) key: Key,
    pub(super) nonce: [u8; 12],
    pub(super) context: Vec<u8>,
    pub(super) bytes: &'a [u8],
}

impl Sealed<'_> {
    /// What is inside, and how the key was used.
    pub(super) fn open(
        &self,
        what: &str,
        place: impl FnOnce() -> String,
    ) -> Option<(Vec<u8>, KeyUse)> {
        let opened = formula::gcm_open(&self.key, &self.nonce, &self.context, self.bytes)?;
        let used = KeyUse {
            key: self.key,
            purpose: format!("seals {what}"),
            nonce: Some(self.nonce),
            message: formula::hash("message", &[&self.context, &opened]),
            length: opened.len() as u64,
            place: place(),
        };
        Some((opened, used))
    }
}

/// What a leaf says, if the key of its epoch is this one.
pub(super) fn open_leaf(epoch: &Key, leaf: &Leaf) -> Option<(Entry, KeyUse)> {
    let id = leaf.id.as_bytes();
    let sealed = Sealed {
        key: formula::mac(epoch, "leaf-key", &[id]),
        nonce: ONCE,
        context: formula::context(LEAF, id, leaf.segments),
        bytes: &leaf.sealed.0,
    };
    let (opened, used) = sealed.open("a leaf", || format!("leaf {}", leaf.id))?;
    Some((Entry::decode(&opened).ok()?, used))
}

/// The uses of a content key in a segment, whose first chunk it opens.
pub(super) fn open_segment(
    content: &Key,
    pack: &[u8; 16],
    at: u32,
    segment: &[u8],
) -> Option<Vec<KeyUse>> {
    let mut uses = Vec::new();
    let mut offset = at;
    for chunk in segment.chunks(CHUNK_SIZE + TAG_SIZE) {
        let sealed = Sealed {
            key: formula::mac(content, "chunk-key", &[pack, &offset.to_be_bytes()]),
            nonce: ONCE,
            context: formula::context(CHUNK, pack, offset),
            bytes: chunk,
        };
        let id = PackId(*pack);
        match sealed.open("a chunk", || format!("chunk of pack {id} at {offset}")) {
            Some((_, used)) => uses.push(used),
            None => break,
        }
        offset = u32::try_from(chunk.len()).map_or(u32::MAX, |size| offset.saturating_add(size));
    }
    (!uses.is_empty()).then_some(uses)
}
