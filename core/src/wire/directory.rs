//! Directories as the server keeps and proves them: a trie of fixed depth over sealed leaves.

use super::{Blob, Frame, Malformed, Reader, Wire, Writer, record};
use crate::id::{Digest, LeafHash, LeafId, Tag};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Levels of inner nodes. Below them, tags that share their first 16 bits share a bucket.
///
/// Each level costs every entry one node, and a bucket is shown as a whole: with 16, a directory of
/// 10,000 entries has four nodes for each, and a bucket of one of a million has some 16 slots.
pub const DEPTH: u8 = 16;

/// The hash of an empty directory, and of an empty part of one.
const EMPTY: Digest = Digest([0; 32]);

/// The bit of `tag` that decides at `depth`.
#[must_use]
pub fn slot_bit(tag: &Tag, depth: u8) -> bool {
    let byte = tag.0.get(usize::from(depth >> 3)).copied().unwrap_or(0);
    byte & (0x80 >> (depth & 7)) != 0
}

record! {
    /// A leaf as stored. Its id is in clear because it selects the key, and what it says of its
    /// segments so that the server can tell whether the records are those; the rest is sealed.
    pub struct Leaf {
        /// Names the key that sealed it.
        pub id: LeafId,
        /// How many segment records belong to it, so that the server can count and collect.
        pub segments: u32,
        /// The root of the mountain range over them.
        pub root: Digest,
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
    /// Slots that share their first 16 bits, in strictly rising order of tags; never empty.
    Bucket(Vec<Slot>),
    /// Nothing below.
    Empty,
    /// Two subtrees, of which at least one is not empty.
    Inner(Box<(Self, Self)>),
    /// A subtree that is not shown; never the empty one, whose hash is zero.
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
    fn read_node(reader: &mut Reader<'_>, depth: u8, prefix: u16) -> Result<Self, Malformed> {
        match (reader.u8()?, depth) {
            (0, _) => Ok(Self::Empty),
            // An empty subtree has one form. If it could hide behind its hash, a client that
            // empties what is beside it would sign an inner node with nothing below, which nobody
            // can ever show.
            (1, _) => match Wire::read(reader)? {
                EMPTY => Err(Malformed),
                hash => Ok(Self::Opaque(hash)),
            },
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

/// The first 16 bits of a tag.
fn bucket_of(tag: &Tag) -> u16 {
    let [first, second, ..] = tag.0;
    u16::from_be_bytes([first, second])
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

#[cfg(test)]
mod tests {
    use super::{EMPTY, PartialTrie, Slot};
    use crate::id::{Digest, LeafHash, Tag};
    use crate::wire::{Frame, Malformed};
    use alloc::boxed::Box;
    use alloc::vec;

    fn inner(left: PartialTrie, right: PartialTrie) -> PartialTrie {
        PartialTrie::Inner(Box::new((left, right)))
    }

    fn check(trie: &PartialTrie, accepted: bool) {
        let expected = if accepted {
            Ok(trie.clone())
        } else {
            Err(Malformed)
        };
        assert_eq!(PartialTrie::decode(&trie.encode()), expected);
    }

    #[test]
    fn an_empty_subtree_does_not_hide_behind_its_hash() {
        let hidden = || PartialTrie::Opaque(EMPTY);
        let shown = || PartialTrie::Opaque(Digest([1; 32]));
        check(&hidden(), false);
        check(&inner(hidden(), shown()), false);
        check(&inner(shown(), hidden()), false);
        check(&inner(PartialTrie::Empty, hidden()), false);
        check(&inner(PartialTrie::Empty, inner(shown(), hidden())), false);
        check(&shown(), true);
        check(&PartialTrie::Empty, true);
        check(&inner(PartialTrie::Empty, shown()), true);
        let mut almost = [0; 32];
        almost[31] = 1;
        check(&PartialTrie::Opaque(Digest(almost)), true);
    }

    #[test]
    fn an_inner_node_has_something_below() {
        let nothing = || inner(PartialTrie::Empty, PartialTrie::Empty);
        check(&nothing(), false);
        check(
            &inner(nothing(), PartialTrie::Opaque(Digest([1; 32]))),
            false,
        );
    }

    /// The left path down to a bucket of these slots.
    fn leftmost(slots: &[u8]) -> PartialTrie {
        let slots = slots.iter().map(|&last| {
            let mut tag = Tag([0; 32]);
            tag.0[31] = last;
            let leaf = LeafHash([last; 32]);
            Slot { tag, leaf }
        });
        let bucket = PartialTrie::Bucket(slots.collect());
        (0..super::DEPTH).fold(bucket, |below, _| inner(below, PartialTrie::Empty))
    }

    #[test]
    fn a_bucket_is_sorted_without_doubles_at_its_depth_alone() {
        check(&leftmost(&[1, 2, 3]), true);
        check(&leftmost(&[1]), true);
        check(&leftmost(&[]), false);
        check(&leftmost(&[2, 1]), false);
        check(&leftmost(&[1, 1]), false);
        check(&inner(leftmost(&[1]), PartialTrie::Empty), false);
        check(&PartialTrie::Bucket(vec![]), false);
        let PartialTrie::Inner(children) = leftmost(&[1]) else {
            panic!("a path begins with an inner node");
        };
        let (left, _) = *children;
        // One level up, and then on the other side: the tag says that it belongs elsewhere.
        check(&left, false);
        check(&inner(PartialTrie::Empty, left), false);
    }
}
