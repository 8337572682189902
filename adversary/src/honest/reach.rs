//! What the newest heads reach, and what of a store an honest server may therefore forget.
//!
//! Directories, leaves, records and packs serve the newest head of their space alone. Heads, their
//! history, rosters and envelopes stay: devices that come back after years walk along them.

use std::collections::BTreeSet;

use turncoat_core::wire::Refusal;

use super::read::SpaceRecord;
use super::storage::{Key, Kind, Storage, StorageFault};
use super::{directory, history, native, read, segments};

/// The kinds of which a store may forget what no head reaches.
const SWEPT: [Kind; 4] = [Kind::Leaf, Kind::Node, Kind::Pack, Kind::Records];

/// A store that can tell what is in it.
pub trait Listed: Storage {
    /// The keys of all objects of a kind.
    ///
    /// # Errors
    ///
    /// [`StorageFault`] if that cannot be told.
    fn keys(&self, kind: Kind) -> Result<Vec<Key>, StorageFault>;
}

/// All that no newest head of any space reaches.
///
/// A reader that began under an earlier head may still need it, and an upload that is under way
/// needs what it has sent: the caller lets time pass before it forgets anything.
///
/// # Errors
///
/// [`Refusal`] if something that a head needs is not there: then nothing is known to be useless.
pub fn unreached(storage: &impl Listed) -> Result<BTreeSet<Key>, Refusal> {
    let mut reached = BTreeSet::new();
    for space in storage.keys(Kind::Space)? {
        let record = SpaceRecord::at(storage, &space)?.ok_or(Refusal::NotFound)?;
        if record.closed {
            continue;
        }
        let newest = history::head_at(storage, &record.space, record.height)?;
        let head = newest.ok_or(Refusal::NotFound)?.head;
        for leaf in directory::reach(storage, head.directory, &mut reached)? {
            reached.insert(read::leaf_key(&leaf));
            for pack in segments::reach(storage, leaf, &mut reached)? {
                reached.insert(native::pack_key(&pack));
            }
        }
    }
    let mut unreached = BTreeSet::new();
    for kind in SWEPT {
        unreached.extend(storage.keys(kind)?);
    }
    Ok(&unreached - &reached)
}
