//! Directories: the root of a partial trie, what it shows of a slot, and what a change makes of it.
//!
//! A directory has one form: buckets hold sorted slots and are never empty, and an inner node has
//! something below it. Every function here keeps that form.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::ZERO;
use crate::id::{Digest, LeafHash, Tag};
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::wire::{DEPTH, PartialTrie, Slot, slot_bit};

/// What a partial trie shows of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing is in it.
    Absent,
    /// This leaf is in it.
    Found(LeafHash),
    /// The trie does not show it.
    Opaque,
}

/// The trie does not show the slot that is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpaquePath;

/// The hash of an inner node over the hashes of its subtrees. Two empty ones have no parent.
#[must_use]
pub fn inner_hash(left: &Digest, right: &Digest) -> Digest {
    Digest(
        Hasher::new(Label::DirectoryInner)
            .part(left.as_bytes())
            .part(right.as_bytes())
            .finish(),
    )
}

/// The hash of a bucket.
#[must_use]
pub fn bucket_hash(slots: &[Slot]) -> Digest {
    // No platform of Rust has a usize wider than 64 bits.
    let hasher = Hasher::new(Label::DirectoryBucket).number(slots.len() as u64);
    let hasher = slots.iter().fold(hasher, |hasher, slot| {
        hasher.part(slot.tag.as_bytes()).part(slot.leaf.as_bytes())
    });
    Digest(hasher.finish())
}

/// The hash of a trie; zero if it is empty.
#[must_use]
pub fn root_of(trie: &PartialTrie) -> Digest {
    match trie {
        PartialTrie::Bucket(slots) => bucket_hash(slots),
        PartialTrie::Empty => ZERO,
        PartialTrie::Inner(children) => inner_hash(&root_of(&children.0), &root_of(&children.1)),
        PartialTrie::Opaque(hash) => *hash,
    }
}

/// What `trie` shows of the slot `tag`.
#[must_use]
pub fn lookup(trie: &PartialTrie, tag: &Tag) -> Lookup {
    let mut node = trie;
    let mut depth = 0_u8;
    loop {
        node = match node {
            PartialTrie::Bucket(slots) => {
                let slot = slots.iter().find(|slot| slot.tag == *tag);
                return slot.map_or(Lookup::Absent, |slot| Lookup::Found(slot.leaf));
            }
            PartialTrie::Empty => return Lookup::Absent,
            PartialTrie::Inner(children) if slot_bit(tag, depth) => &children.1,
            PartialTrie::Inner(children) => &children.0,
            PartialTrie::Opaque(_) => return Lookup::Opaque,
        };
        depth = depth.saturating_add(1);
    }
}

/// Puts `leaf` into the slot `tag`, or empties the slot; returns what was in it.
///
/// # Errors
///
/// [`OpaquePath`] if the trie does not show the slot; it is then unchanged.
pub fn set(
    trie: &mut PartialTrie,
    tag: &Tag,
    leaf: Option<LeafHash>,
) -> Result<Option<LeafHash>, OpaquePath> {
    match (lookup(trie, tag), leaf) {
        (Lookup::Opaque, _) => return Err(OpaquePath),
        (Lookup::Absent, None) => return Ok(None),
        _ => {}
    }
    Ok(set_below(trie, 0, tag, leaf))
}

/// [`set`] at `depth`, where the caller has seen that the path is shown and that something changes.
fn set_below(
    node: &mut PartialTrie,
    depth: u8,
    tag: &Tag,
    leaf: Option<LeafHash>,
) -> Option<LeafHash> {
    if *node == PartialTrie::Empty {
        *node = if depth < DEPTH {
            PartialTrie::Inner(Box::new((PartialTrie::Empty, PartialTrie::Empty)))
        } else {
            PartialTrie::Bucket(Vec::new())
        };
    }
    let (before, is_empty) = match node {
        PartialTrie::Bucket(slots) => {
            let before = set_in_bucket(slots, tag, leaf);
            (before, slots.is_empty())
        }
        PartialTrie::Inner(children) => {
            let child = if slot_bit(tag, depth) {
                &mut children.1
            } else {
                &mut children.0
            };
            let before = set_below(child, depth.saturating_add(1), tag, leaf);
            let empty = (PartialTrie::Empty, PartialTrie::Empty);
            (before, **children == empty)
        }
        // The caller excluded an opaque subtree; it stays as it is.
        PartialTrie::Empty | PartialTrie::Opaque(_) => (None, false),
    };
    if is_empty {
        *node = PartialTrie::Empty;
    }
    before
}

fn set_in_bucket(slots: &mut Vec<Slot>, tag: &Tag, leaf: Option<LeafHash>) -> Option<LeafHash> {
    let place = slots.partition_point(|slot| slot.tag < *tag);
    let before = match slots.get(place) {
        Some(slot) if slot.tag == *tag => Some(slots.remove(place).leaf),
        _ => None,
    };
    if let Some(leaf) = leaf {
        slots.insert(place, Slot { tag: *tag, leaf });
    }
    before
}

/// Adds to `known` what another trie of the same root shows.
pub(crate) fn unite(known: &mut PartialTrie, shown: PartialTrie) {
    match (known, shown) {
        (PartialTrie::Inner(known), PartialTrie::Inner(shown)) => {
            let (left, right) = *shown;
            unite(&mut known.0, left);
            unite(&mut known.1, right);
        }
        (known @ PartialTrie::Opaque(_), shown) => *known = shown,
        // Of one root, either the same is shown of both, or nothing more.
        _ => {}
    }
}

/// The slots that `trie` shows, in the order of their tags.
pub fn slots(trie: &PartialTrie) -> impl Iterator<Item = &Slot> {
    let mut pending = alloc::vec![trie];
    let mut bucket: core::slice::Iter<'_, Slot> = [].iter();
    core::iter::from_fn(move || {
        loop {
            if let Some(slot) = bucket.next() {
                return Some(slot);
            }
            match pending.pop()? {
                PartialTrie::Bucket(slots) => bucket = slots.iter(),
                PartialTrie::Empty | PartialTrie::Opaque(_) => {}
                PartialTrie::Inner(children) => {
                    pending.push(&children.1);
                    pending.push(&children.0);
                }
            }
        }
    })
}

/// The lowest tag at or after `from` that `trie` does not show.
///
/// Everything in between is shown, so that a page is complete up to there.
#[must_use]
pub fn first_opaque_at_or_after(trie: &PartialTrie, from: &Tag) -> Option<Tag> {
    first_opaque(trie, 0, Tag([0; 32]), Some(from))
}

/// `start` is the lowest tag below `node`. Without `from`, all of it counts.
fn first_opaque(node: &PartialTrie, depth: u8, start: Tag, from: Option<&Tag>) -> Option<Tag> {
    match node {
        PartialTrie::Bucket(_) | PartialTrie::Empty => None,
        PartialTrie::Opaque(_) => Some(from.map_or(start, |from| *from.max(&start))),
        PartialTrie::Inner(children) => {
            let below = depth.saturating_add(1);
            let goes_right = from.is_some_and(|from| slot_bit(from, depth));
            let left = if goes_right {
                None
            } else {
                first_opaque(&children.0, below, start, from)
            };
            left.or_else(|| {
                let from = from.filter(|_| goes_right);
                first_opaque(&children.1, below, with_bit(start, depth), from)
            })
        }
    }
}

/// `tag` with the bit set that [`slot_bit`] reads.
fn with_bit(mut tag: Tag, depth: u8) -> Tag {
    if let Some(byte) = tag.0.get_mut(usize::from(depth >> 3)) {
        *byte |= 0x80 >> (depth & 7);
    }
    tag
}

#[cfg(test)]
mod tests;
