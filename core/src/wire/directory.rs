//! Directories as the server keeps and proves them: a trie of fixed depth over sealed leaves.

use super::{Blob, Frame, Malformed, Reader, Wire, Writer, record};
use crate::id::{Digest, LeafHash, LeafId, Tag};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Levels of inner nodes. Below them, tags that share their first 24 bits share a bucket.
pub const DEPTH: u8 = 24;

/// The bit of `tag` that decides at `depth`.
#[must_use]
pub fn slot_bit(tag: &Tag, depth: u8) -> bool {
    let byte = tag.0.get(usize::from(depth >> 3)).copied().unwrap_or(0);
    byte & (0x80 >> (depth & 7)) != 0
}

record! {
    /// A leaf as stored. Its id is in clear because it selects the key; the rest is sealed.
    pub struct Leaf {
        /// Names the key that sealed it.
        pub id: LeafId,
        /// How many segment records belong to it, so that the server can count and collect.
        pub segments: u32,
        /// The sealed [`Entry`](super::Entry).
        pub sealed: Blob,
    }
}

impl Frame for Leaf {
    const KIND: u8 = 11;
}

record! {
    /// One occupied slot of a bucket.
    pub struct Slot {
        /// The slot's full tag.
        pub tag: Tag,
        /// The leaf in it.
        pub leaf: LeafHash,
    }
}

/// A directory of which some subtrees are only known by their hash.
///
/// One path, many paths, a page and a whole directory are all of this shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialTrie {
    /// Slots that share their first 24 bits, in strictly rising order of tags; never empty.
    Bucket(Vec<Slot>),
    /// Nothing below.
    Empty,
    /// Two subtrees, of which at least one is not empty.
    Inner(Box<(Self, Self)>),
    /// A subtree that is not shown.
    Opaque(Digest),
}

impl PartialTrie {
    fn write_node(&self, writer: &mut Writer) {
        match self {
            Self::Empty => writer.u8(0),
            Self::Opaque(hash) => {
                writer.u8(1);
                hash.write(writer);
            }
            Self::Inner(children) => {
                writer.u8(2);
                children.0.write_node(writer);
                children.1.write_node(writer);
            }
            Self::Bucket(slots) => {
                writer.u8(3);
                slots.write(writer);
            }
        }
    }

    /// `prefix` holds the `depth` bits that lead here, so that a bucket cannot hold strangers.
    fn read_node(reader: &mut Reader<'_>, depth: u8, prefix: u32) -> Result<Self, Malformed> {
        match (reader.u8()?, depth) {
            (0, _) => Ok(Self::Empty),
            (1, _) => Wire::read(reader).map(Self::Opaque),
            (2, 0..DEPTH) => {
                let left = Self::read_node(reader, depth.saturating_add(1), prefix << 1)?;
                let right = Self::read_node(reader, depth.saturating_add(1), prefix << 1 | 1)?;
                if left == Self::Empty && right == Self::Empty {
                    return Err(Malformed);
                }
                Ok(Self::Inner(Box::new((left, right))))
            }
            (3, DEPTH) => {
                let slots = Vec::<Slot>::read(reader)?;
                let here = |slot: &Slot| bucket_of(&slot.tag) == prefix;
                let rising = slots.windows(2).all(|pair| match pair {
                    [first, second] => first.tag < second.tag,
                    _ => false,
                });
                if slots.is_empty() || !rising || !slots.iter().all(here) {
                    return Err(Malformed);
                }
                Ok(Self::Bucket(slots))
            }
            _ => Err(Malformed),
        }
    }
}

/// The first 24 bits of a tag.
fn bucket_of(tag: &Tag) -> u32 {
    let [first, second, third, ..] = tag.0;
    u32::from_be_bytes([0, first, second, third])
}

impl Wire for PartialTrie {
    fn write(&self, writer: &mut Writer) {
        self.write_node(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Self::read_node(reader, 0, 0)
    }
}

impl Frame for PartialTrie {
    const KIND: u8 = 12;
}
