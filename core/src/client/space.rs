//! A space that is open in a session: its key, its roster and what was shown last.

use crate::defence::{Defence, construct};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Epoch, HeadHash, LeafHash, Locator, SpaceId, Tag};
use crate::seal::open_leaf;
use crate::secret::{EpochKey, NameKey};
use crate::tree::{Lookup, directory};
use crate::verify::Roster;
use crate::wire::{Entry, Head, PartialTrie, Selection};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a slot of a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotKind {
    /// A name: a file or a link.
    Name = 0,
    /// A pinned contact.
    Pin = 1,
    /// An invitation that was received.
    Received = 2,
}

/// The newest head that was accepted, and what was shown under it.
#[derive(Debug)]
pub(super) struct Warm {
    pub(super) hash: HeadHash,
    pub(super) head: Head,
    pub(super) trie: PartialTrie,
    pub(super) leaves: BTreeMap<LeafHash, Vec<u8>>,
}

/// Leaves that are kept of several views of one head: some twenty megabytes.
const WARM_MAX: usize = 1 << 14;

impl Warm {
    /// Adds what was shown earlier under the same head, and so of a directory of the same root;
    /// false if that was another head, or is more than is kept.
    pub(super) fn add(&mut self, earlier: Self) -> bool {
        let leaves = self.leaves.len().saturating_add(earlier.leaves.len());
        if self.hash != earlier.hash || leaves > WARM_MAX {
            return false;
        }
        directory::unite(&mut self.trie, earlier.trie);
        let latest = core::mem::replace(&mut self.leaves, earlier.leaves);
        self.leaves.extend(latest);
        true
    }
}

/// An open space.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) id: SpaceId,
    pub(super) epoch: Epoch,
    pub(super) key: EpochKey,
    pub(super) names: NameKey,
    pub(super) locator: Locator,
    pub(super) roster: Option<Roster>,
    pub(super) warm: Option<Warm>,
}

impl Space {
    /// A space whose key is known and of which nothing was read yet.
    pub(super) fn new(id: SpaceId, epoch: Epoch, key: EpochKey) -> Self {
        let names = key.name_key();
        let locator = Locator(key.locator(&id.0));
        Self {
            id,
            epoch,
            key,
            names,
            locator,
            roster: None,
            warm: None,
        }
    }

    /// The same space under a newer key.
    pub(super) fn rekeyed(&mut self, epoch: Epoch, key: EpochKey) {
        self.names = key.name_key();
        self.locator = Locator(key.locator(&self.id.0));
        self.epoch = epoch;
        self.key = key;
        self.warm = None;
    }

    /// The slot of a name.
    pub(super) fn tag(&self, kind: SlotKind, name: &[u8]) -> Tag {
        construct!(
            Defence::NameHiding,
            Tag(self.names.tag(kind as u8, name)),
            plain_tag(kind as u8, name)
        )
    }

    /// The slot of the one file of a shared space.
    pub(super) fn only_tag(&self) -> Tag {
        self.tag(SlotKind::Name, b"")
    }

    /// The stored leaf in a slot, if the newest shown head has one there.
    pub(super) fn leaf(&self, tag: &Tag) -> Option<(LeafHash, &[u8])> {
        let warm = self.warm.as_ref()?;
        match directory::lookup(&warm.trie, tag) {
            Lookup::Found(hash) => warm.leaves.get(&hash).map(|leaf| (hash, leaf.as_slice())),
            _ => None,
        }
    }

    /// Opens a leaf that the newest shown head vouches for.
    pub(super) fn open(&self, stored: &[u8]) -> Result<Entry, Error> {
        open_leaf(&self.key, stored).map_err(|_| self.spoilt())
    }

    /// What the newest shown head vouches for does not open: its author saw to that, or built on
    /// what he had not opened.
    pub(super) fn spoilt(&self) -> Error {
        match &self.warm {
            Some(warm) => Unavailable::Spoilt {
                author: warm.head.author,
            }
            .into(),
            None => Violation::OutOfTurn.into(),
        }
    }

    /// The head for which everything that is asked for is at hand.
    pub(super) fn warm_for(&self, select: &Selection) -> Option<HeadHash> {
        let warm = self.warm.as_ref()?;
        let at_hand = |tag: &Tag| match directory::lookup(&warm.trie, tag) {
            Lookup::Absent => true,
            Lookup::Found(hash) => warm.leaves.contains_key(&hash),
            Lookup::Opaque => false,
        };
        match select {
            Selection::Nothing => Some(warm.hash),
            Selection::Tags(tags) if tags.iter().all(at_hand) => Some(warm.hash),
            Selection::Tags(_) | Selection::Page { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{WARM_MAX, Warm};
    use crate::id::{HeadHash, LeafHash, Tag};
    use crate::tree::{Lookup, directory};
    use crate::wire::{Head, PartialTrie, Reader, Wire as _};
    use alloc::vec;
    use alloc::vec::Vec;

    /// What is shown of a directory of two slots: one of them, and the other's leaf or not.
    fn shown(head: u8, slot: u8) -> Warm {
        let sizes = 0..4096;
        let zeros = sizes.map(|size| vec![0; size]);
        let head_of_zeros = zeros
            .filter_map(|zeros| Reader::all(&zeros, Head::read).ok())
            .next();
        let leaf = LeafHash([slot; 32]);
        let mut trie = PartialTrie::Empty;
        directory::set(&mut trie, &tag(slot), Some(leaf)).unwrap();
        let PartialTrie::Inner(children) = &mut trie else {
            panic!("a slot lies below");
        };
        let hidden = PartialTrie::Opaque(crate::id::Digest([9; 32]));
        match slot {
            0 => children.1 = hidden,
            _ => children.0 = hidden,
        }
        Warm {
            hash: HeadHash([head; 32]),
            head: head_of_zeros.unwrap(),
            trie,
            leaves: [(leaf, Vec::new())].into(),
        }
    }

    fn tag(slot: u8) -> Tag {
        Tag([slot << 7; 32])
    }

    #[test]
    fn views_of_one_head_are_added_and_no_others() {
        let mut both = shown(1, 0);
        assert!(both.add(shown(1, 1)));
        for slot in [0, 1] {
            let leaf = LeafHash([slot; 32]);
            assert_eq!(
                directory::lookup(&both.trie, &tag(slot)),
                Lookup::Found(leaf)
            );
            assert!(both.leaves.contains_key(&leaf));
        }
        let mut newer = shown(2, 0);
        assert!(!newer.add(shown(1, 1)));
        assert_eq!(directory::lookup(&newer.trie, &tag(1)), Lookup::Opaque);
        assert_eq!(newer.leaves.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        for (count, kept) in [(WARM_MAX - 1, true), (WARM_MAX, false)] {
            let mut earlier = shown(1, 1);
            let leaf = |number: usize| {
                let mut leaf = [7; 32];
                leaf[..8].copy_from_slice(&(number as u64).to_be_bytes());
                LeafHash(leaf)
            };
            earlier.leaves = (0..count).map(|n| (leaf(n), Vec::new())).collect();
            let mut latest = shown(1, 0);
            assert_eq!(latest.add(earlier), kept);
            assert_eq!(latest.leaves.len(), if kept { WARM_MAX } else { 1 });
        }
    }
}
