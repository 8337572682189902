//! The public hashes and trees of suite 1: everything here is computed without a key.
//!
//! The server computes the same values over the same stored bytes, so that it can prove what it
//! shows. Nothing here decides whether a root is to be believed.

pub mod directory;
mod history;
mod mountain;
mod segments;

pub use directory::{Lookup, OpaquePath};
pub use history::history_leaf;
pub use mountain::{Misshapen, Mountain, Summary, decomposition};
pub use segments::segment_leaf;

use crate::id::{Digest, HeadHash, LeafHash, PackId};
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::wire::{Frame, SignedHead, SignedRosterChange};

/// The digest that stands for "nothing here": an empty directory, the change before the first.
pub const ZERO: Digest = Digest([0; 32]);

/// `SHA-256(leaf, stored leaf)`: what a slot of the directory holds.
#[must_use]
pub fn leaf_hash(stored: &[u8]) -> LeafHash {
    LeafHash(Hasher::new(Label::Leaf).part(stored).finish())
}

/// `SHA-256(head, signed head)`, its signature included.
#[must_use]
pub fn head_hash(head: &SignedHead) -> HeadHash {
    HeadHash(Hasher::new(Label::Head).part(&head.encode()).finish())
}

/// `SHA-256(roster, signed change)`: one change, its signature, and by `previous` all before it.
#[must_use]
pub fn roster_hash(change: &SignedRosterChange) -> Digest {
    Digest(Hasher::new(Label::Roster).part(&change.encode()).finish())
}

/// `SHA-256(segment, pack, length, sealed bytes)`: what a segment record says of its bytes.
#[must_use]
pub fn segment_hash(pack: &PackId, sealed: &[u8]) -> Digest {
    Digest(
        Hasher::new(Label::Segment)
            .part(pack.as_bytes())
            .part(sealed)
            .finish(),
    )
}

#[cfg(test)]
mod testing {
    use super::{Mountain, history_leaf};
    use crate::id::{Epoch, HeadHash, RosterNumber};
    use crate::wire::HistoryNode;

    pub(super) fn leaf(number: u64) -> HistoryNode {
        let mut head = [0; 32];
        head[24..].copy_from_slice(&number.to_be_bytes());
        // Neither number rises with the position, so that a maximum is not just the last leaf.
        history_leaf(
            &HeadHash(head),
            RosterNumber(number * 37 % 71),
            Epoch(number * 53 % 67),
        )
    }

    pub(super) fn range(size: u64) -> Mountain<HistoryNode> {
        let mut range = Mountain::new();
        for number in 0..size {
            range.push(leaf(number)).unwrap();
        }
        range
    }
}
