//! The history of a space: a mountain range over its heads, with the highest numbers below a node.

use super::{Mountain, Summary};
use crate::id::{Digest, Epoch, HeadHash, RosterNumber};
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::wire::HistoryNode;

/// The leaf of a head in its space's history.
#[must_use]
pub fn history_leaf(head: &HeadHash, roster: RosterNumber, epoch: Epoch) -> HistoryNode {
    let hash = Hasher::new(Label::HistoryLeaf)
        .part(head.as_bytes())
        .number(roster.0)
        .number(epoch.0)
        .finish();
    HistoryNode {
        hash: Digest(hash),
        roster_max: roster.0,
        epoch_max: epoch.0,
    }
}

/// Adds a node in full: what it says of its leaves is as binding as its hash.
fn part(hasher: Hasher, node: &HistoryNode) -> Hasher {
    hasher
        .part(node.hash.as_bytes())
        .number(node.roster_max)
        .number(node.epoch_max)
}

impl Summary for HistoryNode {
    fn join(left: &Self, right: &Self, level: u8) -> Self {
        let hasher = Hasher::new(Label::HistoryNode).number(u64::from(level));
        Self {
            hash: Digest(part(part(hasher, left), right).finish()),
            roster_max: left.roster_max.max(right.roster_max),
            epoch_max: left.epoch_max.max(right.epoch_max),
        }
    }
}

impl Mountain<HistoryNode> {
    /// The history root that a head of height `size` states.
    #[must_use]
    pub fn root(&self) -> Digest {
        let hasher = Hasher::new(Label::History).number(self.size());
        Digest(self.peaks().iter().fold(hasher, part).finish())
    }

    /// The highest roster number of all heads; zero if there is none.
    #[must_use]
    pub fn roster_max(&self) -> u64 {
        let numbers = self.peaks().iter().map(|peak| peak.roster_max);
        numbers.max().unwrap_or(0)
    }

    /// The highest epoch of all heads; zero if there is none.
    #[must_use]
    pub fn epoch_max(&self) -> u64 {
        let epochs = self.peaks().iter().map(|peak| peak.epoch_max);
        epochs.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::testing::{leaf, range};
    use alloc::vec::Vec;

    #[test]
    fn the_maxima_reach_the_peaks() {
        for size in 1..70 {
            let numbers = (0..size).map(|number| number * 37 % 71);
            assert_eq!(range(size).roster_max(), numbers.max().unwrap());
            let epochs = (0..size).map(|number| number * 53 % 67);
            assert_eq!(range(size).epoch_max(), epochs.max().unwrap());
        }
        assert_eq!((range(0).roster_max(), range(0).epoch_max()), (0, 0));
    }

    #[test]
    fn the_root_holds_size_maxima_and_every_peak() {
        let mut roots = Vec::new();
        for size in 0..70 {
            roots.push(range(size).root());
        }
        let mut forged = range(13).into_peaks();
        forged[0].roster_max += 1;
        roots.push(Mountain::from_parts(13, forged).unwrap().root());
        let resized = range(13).into_peaks();
        roots.push(Mountain::from_parts(14, resized).unwrap().root());
        let count = roots.len();
        roots.sort();
        roots.dedup();
        assert_eq!(roots.len(), count);
    }

    #[test]
    fn a_join_holds_level_order_and_maxima() {
        let (one, two) = (leaf(1), leaf(2));
        let joined = HistoryNode::join(&one, &two, 1);
        assert_ne!(joined, HistoryNode::join(&two, &one, 1));
        assert_ne!(joined, HistoryNode::join(&one, &two, 2));
        let mut higher = two;
        higher.epoch_max += 1;
        assert_ne!(joined.hash, HistoryNode::join(&one, &higher, 1).hash);
    }
}
