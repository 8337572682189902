//! Mountain ranges: an append-only list as the roots of its largest complete binary subtrees.
//!
//! A list of `n` leaves has one peak for each bit of `n` that is set, largest first. Whoever holds
//! the peaks extends them with complete subtrees and needs nothing else of what came before.

use alloc::vec::Vec;

/// What a complete subtree says of the leaves below it.
pub trait Summary: Clone + Eq {
    /// The parent of two neighbours of one size; it has `2^level` leaves, so `level` is above zero.
    #[must_use]
    fn join(left: &Self, right: &Self, level: u8) -> Self;
}

/// The parts do not make a mountain range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misshapen;

/// More leaves than this are never accepted, so that no count here can overflow.
const SIZE_MAX: u64 = 1 << 62;

/// The peaks over an append-only list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mountain<S> {
    size: u64,
    peaks: Vec<S>,
}

impl<S: Summary> Mountain<S> {
    /// The range over no leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// The range of `size` leaves with these peaks, largest first.
    ///
    /// # Errors
    ///
    /// [`Misshapen`] if a range of that size has another number of peaks.
    pub fn from_parts(size: u64, peaks: Vec<S>) -> Result<Self, Misshapen> {
        if size <= SIZE_MAX && usize::try_from(size.count_ones()) == Ok(peaks.len()) {
            Ok(Self { size, peaks })
        } else {
            Err(Misshapen)
        }
    }

    /// Appends one leaf.
    ///
    /// # Errors
    ///
    /// [`Misshapen`] if the range is full, which takes 2^62 leaves.
    pub fn push(&mut self, leaf: S) -> Result<(), Misshapen> {
        self.extend(0, leaf)
    }

    /// Appends the complete subtree of `2^level` leaves that begins where the range ends.
    ///
    /// # Errors
    ///
    /// [`Misshapen`], and the range as it was, if no subtree of that size begins there.
    pub fn extend(&mut self, level: u8, node: S) -> Result<(), Misshapen> {
        let leaves = 1_u64.checked_shl(u32::from(level)).ok_or(Misshapen)?;
        let size = self.size.checked_add(leaves).ok_or(Misshapen)?;
        if size > SIZE_MAX || u32::from(level) > self.size.trailing_zeros() {
            return Err(Misshapen);
        }
        let mut node = node;
        let mut parent = level;
        // The peaks that the new one completes are the lowest bits that are set without a gap.
        for _ in 0..(self.size >> level).trailing_ones() {
            let left = self.peaks.pop().ok_or(Misshapen)?;
            parent = parent.saturating_add(1);
            node = S::join(&left, &node, parent);
        }
        self.peaks.push(node);
        self.size = size;
        Ok(())
    }

    /// Appends the subtrees that cover everything from here up to `size`, as
    /// [`decomposition`] cuts them.
    ///
    /// # Errors
    ///
    /// [`Misshapen`] if it takes more or fewer subtrees; the range is then unchanged.
    pub fn extend_to(&mut self, size: u64, nodes: &[S]) -> Result<(), Misshapen> {
        let mut extended = self.clone();
        let mut levels = decomposition(self.size, size);
        for node in nodes {
            extended.extend(levels.next().ok_or(Misshapen)?, node.clone())?;
        }
        if extended.size != size {
            return Err(Misshapen);
        }
        *self = extended;
        Ok(())
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[S] {
        &self.peaks
    }

    /// The peaks, largest first.
    #[must_use]
    pub fn into_peaks(self) -> Vec<S> {
        self.peaks
    }
}

impl<S: Summary> Default for Mountain<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The levels of the largest complete subtrees that cover the leaves `from..to`, left to right.
///
/// There are at most twice as many as `to` has bits.
pub fn decomposition(from: u64, to: u64) -> impl Iterator<Item = u8> {
    let mut at = from;
    core::iter::from_fn(move || {
        let left = to.checked_sub(at)?.checked_ilog2()?;
        let level = left.min(at.trailing_zeros());
        at = at.checked_add(1_u64.checked_shl(level)?)?;
        u8::try_from(level).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::testing::{leaf, range};
    use crate::wire::HistoryNode;

    /// The complete subtree of `2^level` leaves from `from` on, straight from the definition.
    fn subtree(from: u64, level: u8) -> HistoryNode {
        match level.checked_sub(1) {
            None => leaf(from),
            Some(below) => HistoryNode::join(
                &subtree(from, below),
                &subtree(from + (1 << below), below),
                level,
            ),
        }
    }

    #[test]
    fn a_range_has_one_peak_for_each_bit_of_its_size() {
        for size in 0..70 {
            let range = range(size);
            assert_eq!(range.size(), size);
            let mut at = 0;
            let expected = (0..7_u8).rev().filter(|level| size >> level & 1 == 1);
            let expected = expected.map(|level| {
                let node = subtree(at, level);
                at += 1 << level;
                node
            });
            assert_eq!(range.peaks(), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_decomposition_extends_any_range_to_any_other() {
        for from in 0..70 {
            for to in from..70 {
                let mut extended = range(from);
                let mut at = from;
                let mut nodes = Vec::new();
                for level in decomposition(from, to) {
                    nodes.push(subtree(at, level));
                    at += 1 << level;
                }
                assert_eq!(at, to);
                assert!(nodes.len() <= 14);
                extended.extend_to(to, &nodes).unwrap();
                assert_eq!(extended, range(to), "{from}..{to}");
                assert_eq!(extended.root(), range(to).root());
            }
        }
    }

    #[test]
    fn a_decomposition_takes_the_largest_subtrees() {
        let levels = |from, to| decomposition(from, to).collect::<Vec<_>>();
        assert_eq!(levels(0, 8), [3]);
        assert_eq!(levels(1, 8), [0, 1, 2]);
        assert_eq!(levels(3, 12), [0, 2, 2]);
        assert_eq!(levels(7, 17), [0, 3, 0]);
        assert_eq!(levels(4, 13), [2, 2, 0]);
        assert_eq!(levels(5, 5), []);
        assert_eq!(levels(6, 5), []);
        assert_eq!(levels(0, 1 << 48), [48]);
        assert_eq!(levels(0, u64::MAX).len(), 64);
    }

    #[test]
    fn too_many_and_too_few_subtrees_are_refused_and_change_nothing() {
        let mut at_three = range(3);
        let nodes = [subtree(3, 0), subtree(4, 2)];
        for wrong in [&nodes[..1], &[], &[leaf(3), subtree(4, 2), leaf(8)]] {
            assert_eq!(at_three.extend_to(8, wrong), Err(Misshapen));
            assert_eq!(at_three, range(3));
        }
        assert_eq!(at_three.extend_to(2, &[]), Err(Misshapen));
        assert_eq!(at_three.extend_to(8, &nodes), Ok(()));
    }

    #[test]
    fn a_subtree_that_is_not_aligned_is_refused() {
        for size in 0..33_u64 {
            for level in 0..6_u8 {
                let extended = range(size).extend(level, leaf(0));
                assert_eq!(extended.is_ok(), size % (1 << level) == 0, "{size} {level}");
            }
        }
        assert_eq!(range(0).extend(63, leaf(0)), Err(Misshapen));
        assert_eq!(range(0).extend(200, leaf(0)), Err(Misshapen));
    }

    #[test]
    fn parts_of_the_wrong_shape_are_refused() {
        let peaks = range(7).into_peaks();
        assert_eq!(Mountain::from_parts(7, peaks.clone()), Ok(range(7)));
        assert_eq!(Mountain::from_parts(8, peaks.clone()), Err(Misshapen));
        assert_eq!(Mountain::from_parts(6, peaks.clone()), Err(Misshapen));
        assert!(Mountain::from_parts(11, peaks.clone()).is_ok());
        assert_eq!(Mountain::from_parts((1 << 62) + 3, peaks), Err(Misshapen));
    }
}
