//! The segments of a file: a mountain range over their records that counts sealed bytes.

use super::{Mountain, Summary};
use crate::id::Digest;
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::wire::{SegmentNode, SegmentRecord};

/// The leaf of a segment record among the segments of its file. Binds place, length and key.
#[must_use]
pub fn segment_leaf(record: &SegmentRecord) -> SegmentNode {
    // Level zero comes first, so that no leaf is a node: nodes have a level above zero.
    let hash = Hasher::new(Label::SegmentNode)
        .number(0)
        .part(record.pack.as_bytes())
        .number(u64::from(record.offset))
        .number(u64::from(record.length))
        .number(u64::from(record.key_index))
        .part(record.hash.as_bytes())
        .finish();
    SegmentNode {
        hash: Digest(hash),
        bytes: u64::from(record.length),
    }
}

fn part(hasher: Hasher, node: &SegmentNode) -> Hasher {
    hasher.part(node.hash.as_bytes()).number(node.bytes)
}

impl Summary for SegmentNode {
    /// A sum past 2^64 stays at the maximum, which no file's records add up to: the hash holds both
    /// terms, so nothing is lost by it.
    fn join(left: &Self, right: &Self, level: u8) -> Self {
        let hasher = Hasher::new(Label::SegmentNode).number(u64::from(level));
        Self {
            hash: Digest(part(part(hasher, left), right).finish()),
            bytes: left.bytes.saturating_add(right.bytes),
        }
    }
}

impl Mountain<SegmentNode> {
    /// One hash for all segments of a file.
    #[must_use]
    pub fn root(&self) -> Digest {
        let hasher = Hasher::new(Label::Segments).number(self.size());
        Digest(self.peaks().iter().fold(hasher, part).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u8) -> SegmentRecord {
        SegmentRecord {
            pack: crate::id::PackId([number; 16]),
            offset: 3,
            length: 1000 + u32::from(number),
            key_index: 0,
            hash: Digest([number; 32]),
        }
    }

    #[test]
    fn segments_add_their_bytes_and_bind_their_place() {
        let mut range = Mountain::new();
        for number in 0..5 {
            range.push(segment_leaf(&record(number))).unwrap();
        }
        assert_eq!(range.peaks()[0].bytes, 4006);
        let base = segment_leaf(&record(1));
        let changes: [fn(&mut SegmentRecord); 5] = [
            |record| record.pack.0[0] ^= 1,
            |record| record.offset += 1,
            |record| record.length += 1,
            |record| record.key_index += 1,
            |record| record.hash.0[0] ^= 1,
        ];
        for change in changes {
            let mut changed = record(1);
            change(&mut changed);
            assert_ne!(segment_leaf(&changed).hash, base.hash);
        }
    }

    #[test]
    fn a_sum_that_overflows_stays_at_the_maximum() {
        let huge = SegmentNode {
            hash: Digest([1; 32]),
            bytes: u64::MAX,
        };
        let joined = SegmentNode::join(&huge, &huge, 1);
        assert_eq!(joined.bytes, u64::MAX);
    }
}
