//! Segment records at rest: what a leaf adds, and whose records it keeps.
//!
//! An append writes what it adds and refers to the leaf before, so that its cost does not grow with
//! the file.

use std::collections::BTreeSet;

use turncoat_core::SEGMENTS_MAX;
use turncoat_core::id::{LeafHash, PackId};
use turncoat_core::tree::{Mountain, segment_leaf};
use turncoat_core::wire::{Malformed, Reader, Refusal, SegmentNode, SegmentRecord, Wire, Writer};

use super::storage::{Batch, Key, Kind, Storage, encoded};

/// Leaves that one reading walks back over. Only a store that was tampered with has more.
const CHAIN_MAX: u32 = 1 << 20;

/// Packs that one slot may need beside those of its records; a name is in one of them.
const BESIDE_MAX: usize = 64;

/// The records of one leaf.
struct Records {
    /// The leaf whose first records come first.
    base: Option<LeafHash>,
    /// How many of them.
    keep: u32,
    /// The records that follow.
    add: Vec<SegmentRecord>,
    /// Peaks of the mountain range over all of them.
    peaks: Vec<SegmentNode>,
    /// Packs that no record names and that the leaf may need: a long name is in one, or a keyring.
    beside: Vec<PackId>,
}

impl Wire for Records {
    fn write(&self, writer: &mut Writer) {
        self.base.write(writer);
        self.keep.write(writer);
        self.add.write(writer);
        self.peaks.write(writer);
        self.beside.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            base: Wire::read(reader)?,
            keep: Wire::read(reader)?,
            add: Wire::read(reader)?,
            peaks: Wire::read(reader)?,
            beside: Wire::read(reader)?,
        })
    }
}

impl Records {
    fn count(&self) -> Result<u32, Refusal> {
        let added = u32::try_from(self.add.len()).map_err(|_| Refusal::TooLarge)?;
        self.keep.checked_add(added).ok_or(Refusal::TooLarge)
    }
}

fn key(leaf: &LeafHash) -> Key {
    Key::new(Kind::Records, *leaf.as_bytes())
}

/// The list of a leaf. It is taken off `work`, and so is each record in it.
fn load(storage: &impl Storage, leaf: &LeafHash, work: &mut u64) -> Result<Records, Refusal> {
    let bytes = storage.fetch(&key(leaf))?;
    let records = bytes.and_then(|bytes| Reader::all(&bytes, Records::read).ok());
    let records = records.ok_or(Refusal::NotFound)?;
    let read = 1 + records.add.len() as u64;
    *work = work.checked_sub(read).ok_or(Refusal::TooLarge)?;
    Ok(records)
}

/// Adds the records of a new leaf to the batch; returns the mountain range over all that it has.
///
/// `before` is the leaf that was in the slot, and `beside` the commit's pack if it holds more than
/// records name. The server cannot know whether that is this leaf's: what a slot may need, it may
/// need until its content is written anew, with its name, or it is empty.
pub(super) fn put(
    storage: &impl Storage,
    batch: &mut Batch,
    leaf: &LeafHash,
    before: Option<LeafHash>,
    (keep, add): (u32, &[SegmentRecord]),
    beside: Option<PackId>,
    work: &mut u64,
) -> Result<Mountain<SegmentNode>, Refusal> {
    let mut packs = match &before {
        // What records follow is reached by way of the leaf before.
        Some(before) if keep == 0 && add.is_empty() => load(storage, before, work)?.beside,
        _ => Vec::new(),
    };
    packs.extend(beside.filter(|pack| !packs.contains(pack)));
    if packs.len() > BESIDE_MAX {
        return Err(Refusal::TooLarge);
    }
    let base = before.filter(|_| keep > 0);
    let mut range = kept(storage, base.as_ref(), keep, work)?;
    for record in add {
        let pushed = range.push(segment_leaf(record));
        pushed.map_err(|_| Refusal::TooLarge)?;
    }
    let records = Records {
        base,
        keep,
        add: add.to_vec(),
        peaks: range.peaks().to_vec(),
        beside: packs,
    };
    if storage.fetch(&key(leaf))?.is_none() {
        batch.put(key(leaf), encoded(&records));
    }
    Ok(range)
}

/// The mountain range over the records that a leaf keeps of the one before. Where that is all of
/// them, as it is in an append, none of them is read.
fn kept(
    storage: &impl Storage,
    base: Option<&LeafHash>,
    keep: u32,
    work: &mut u64,
) -> Result<Mountain<SegmentNode>, Refusal> {
    let Some(base) = base else {
        return match keep {
            0 => Ok(Mountain::new()),
            _ => Err(Refusal::Invalid),
        };
    };
    let before = load(storage, base, work)?;
    let available = before.count()?;
    if keep > available {
        return Err(Refusal::Invalid);
    }
    if keep == available {
        let range = Mountain::from_parts(u64::from(keep), before.peaks);
        return range.map_err(|_| Refusal::NotFound);
    }
    let mut range = Mountain::new();
    for record in range_of(storage, base, (0, keep), work)? {
        let pushed = range.push(segment_leaf(&record));
        pushed.map_err(|_| Refusal::TooLarge)?;
    }
    Ok(range)
}

/// Adds all that a leaf's records are made of to `reached`, and returns the packs that they name.
pub(super) fn reach(
    storage: &impl Storage,
    leaf: LeafHash,
    reached: &mut BTreeSet<Key>,
) -> Result<Vec<PackId>, Refusal> {
    let mut packs = Vec::new();
    let mut next = Some(leaf);
    // Each list once, in a sweep of the server's own.
    let mut unbounded = u64::MAX;
    while let Some(leaf) = next {
        // What comes before was followed on the way of another leaf.
        if !reached.insert(key(&leaf)) {
            break;
        }
        let records = load(storage, &leaf, &mut unbounded)?;
        packs.extend(records.add.iter().map(|record| record.pack));
        packs.extend(records.beside);
        next = records.base;
    }
    Ok(packs)
}

/// The records that a stored list adds to those of the leaf before.
pub(crate) fn added_records(stored: &[u8]) -> Vec<SegmentRecord> {
    Reader::all(stored, Records::read).map_or(Vec::new(), |records| records.add)
}

/// Lists and records that are read for one request. A file has at most so many records, each in a
/// list of its own. A list is read as a whole for one record of it, and may follow others from
/// which nothing is kept: without a bound, a small request keeps the server busy for minutes.
pub(super) const WORK_MAX: u64 = 2 * SEGMENTS_MAX;

/// The records of a leaf from `from` on, at most `count`.
///
/// # Errors
///
/// [`Refusal::TooLarge`] once no work is left.
pub(super) fn range_of(
    storage: &impl Storage,
    leaf: &LeafHash,
    (from, count): (u32, u32),
    work: &mut u64,
) -> Result<Vec<SegmentRecord>, Refusal> {
    let mut until = from.saturating_add(count);
    let mut parts = Vec::new();
    let mut records = load(storage, leaf, work)?;
    for _ in 0..CHAIN_MAX {
        let keep = records.keep;
        let first = usize::try_from(from.saturating_sub(keep)).unwrap_or(usize::MAX);
        let end = usize::try_from(until.saturating_sub(keep)).unwrap_or(usize::MAX);
        let end = end.min(records.add.len());
        parts.push(records.add.get(first..end).unwrap_or_default().to_vec());
        until = until.min(keep);
        match records.base {
            Some(base) if from < until => records = load(storage, &base, work)?,
            _ => break,
        }
    }
    parts.reverse();
    Ok(parts.concat())
}
