//! Taking a new head: compare and swap, and everything that the head says is checked and stored.

use std::collections::{BTreeMap, BTreeSet};

use turncoat_core::Limits;
use turncoat_core::id::{HeadHash, Height, LeafHash, Locator, PackId, Tag, UserId};
use turncoat_core::tree::{ZERO, head_hash, leaf_hash, roster_hash};
use turncoat_core::verify::{Roster, Unfit, check_commit};
use turncoat_core::wire::{
    Blob, Commit, ENTRY_SIZE, Frame, Head, Leaf, Reader, Refusal, SignedRecord, Wire,
};

use super::history::{self, Indexed};
use super::native::{Checks, Published, new_pack, pack_key, public_key};
use super::read::{
    Delivered, SpaceRecord, delivered, envelope_key, head_key, inbox_key, leaf_key, roster_key,
    space_key,
};
use super::storage::{Batch, Storage, encoded};
use super::{directory, members, segments};

/// Bytes of a stored leaf at most.
const LEAF_MAX: usize = ENTRY_SIZE + 256;

/// How strict it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) limits: Limits,
    pub(super) checks: Checks,
}

/// Adds to the batch all that `commit` changes; `None` if its head was taken before.
///
/// Who founds an account brings the public record along; that of others is stored.
pub(super) fn plan(
    storage: &impl Storage,
    batch: &mut Batch,
    terms: &Terms,
    (user, record): (&UserId, Option<&SignedRecord>),
    commit: &Commit,
) -> Result<Option<Published>, Refusal> {
    let head = &commit.head.head;
    let hash = head_hash(&commit.head);
    if history::head_at(storage, &head.space, head.height)?.is_some_and(|at| at.hash == hash) {
        return Ok(None);
    }
    if head.author != *user {
        return Err(Refusal::Invalid);
    }
    let current = newest(storage, commit)?;
    check_place(storage, commit, current.as_ref())?;
    let before = match &current {
        None => None,
        Some(current) => match (members::of(storage, &current.head), terms.checks) {
            (Err(_), Checks::None) => None,
            (known, _) => Some(known?),
        },
    };
    if terms.checks == Checks::All {
        let newest = current.as_ref().map(|current| &current.head);
        let mut people = |user: &UserId| match record {
            Some(record) if record.record.user == *user => Some(record.clone()),
            _ => stored_record(storage, user),
        };
        let newest = newest.zip(before.as_ref());
        check_commit(&terms.limits, newest, commit, &mut people).map_err(refusal)?;
    }
    put_roster(batch, commit, current.as_ref(), before)?;
    put_directory(storage, batch, commit, current.as_ref())?;
    put_envelopes(storage, batch, user, commit)?;
    if terms.checks == Checks::All && commit.moves_to.is_none() {
        check_packs(storage, commit)?;
    }
    if let Some(pack) = &commit.pack
        && let Some(key) = new_pack(storage, pack)?
    {
        batch.put(key, pack.bytes.0.as_slice());
    }
    put_head(storage, batch, commit, &hash)?;
    Ok(Some(Published {
        space: head.space,
        head: hash,
        previous: head.previous,
        height: head.height,
    }))
}

fn stored_record(storage: &impl Storage, user: &UserId) -> Option<SignedRecord> {
    let bytes = storage.fetch(&public_key(user)).ok()??;
    Reader::all(&bytes, SignedRecord::read).ok()
}

const fn refusal(unfit: Unfit) -> Refusal {
    match unfit {
        Unfit::Full => Refusal::TooLarge,
        _ => Refusal::Invalid,
    }
}

/// The head that the commit follows, if it names the newest one.
fn newest(storage: &impl Storage, commit: &Commit) -> Result<Option<Indexed>, Refusal> {
    let record = SpaceRecord::load(storage, &commit.locator)?;
    let record = match (record, commit.expect) {
        (None, None) => return Ok(None),
        (Some(record), Some(expect)) if record.head == expect && !record.closed => record,
        _ => return Err(Refusal::Conflict),
    };
    let indexed = history::head_at(storage, &record.space, record.height)?;
    indexed.ok_or(Refusal::NotFound).map(Some)
}

fn ensure(holds: bool) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Invalid) }
}

/// Space, height, history and epoch follow from the head before; a locator is taken once.
fn check_place(
    storage: &impl Storage,
    commit: &Commit,
    current: Option<&Indexed>,
) -> Result<(), Refusal> {
    let head = &commit.head.head;
    match current {
        None => {
            ensure(head.height == Height(0) && head.previous == HeadHash([0; 32]))?;
            ensure(commit.moves_to.is_none())?;
            if history::head_at(storage, &head.space, Height(0))?.is_some() {
                return Err(Refusal::Exists);
            }
        }
        Some(current) => {
            ensure(head.space == current.head.space && head.previous == current.hash)?;
            ensure(head.height == current.head.height.next())?;
            let moves = commit.moves_to.is_some();
            ensure(
                moves == (head.epoch != current.head.epoch) && head.epoch >= current.head.epoch,
            )?;
        }
    }
    if let Some(locator) = elsewhere(commit)
        && SpaceRecord::load(storage, locator)?.is_some()
    {
        return Err(Refusal::Exists);
    }
    let range = history::range(storage, &head.space, head.height.0)?;
    ensure(head.history == range.root())
}

/// Where the space moves to. A client that takes its old key for a new one stays where it is.
fn elsewhere(commit: &Commit) -> Option<&Locator> {
    commit.moves_to.as_ref().filter(|to| **to != commit.locator)
}

/// The roster's changes are numbered without a gap and chained; the head names the last one.
fn put_roster(
    batch: &mut Batch,
    commit: &Commit,
    current: Option<&Indexed>,
    mut roster: Option<Roster>,
) -> Result<(), Refusal> {
    let head = &commit.head.head;
    let mut last = current.map(|current| (current.head.roster, current.head.roster_hash));
    for signed in &commit.roster {
        let change = &signed.change;
        let follows = match last {
            None => change.number.0 == 0 && change.previous == ZERO,
            Some((number, hash)) => change.number == number.next() && change.previous == hash,
        };
        ensure(follows && change.space == head.space)?;
        batch.put(roster_key(&head.space, change.number), encoded(signed));
        last = Some((change.number, roster_hash(signed)));
        roster = members::after(roster, signed);
    }
    if let Some(roster) = roster.filter(|_| !commit.roster.is_empty()) {
        members::put(batch, &head.space, roster);
    }
    ensure(last == Some((head.roster, head.roster_hash)))
}

/// The head's directory is the one before with the commit's changes, and counts them.
fn put_directory(
    storage: &impl Storage,
    batch: &mut Batch,
    commit: &Commit,
    current: Option<&Indexed>,
) -> Result<(), Refusal> {
    let head = &commit.head.head;
    let base = current.filter(|_| commit.moves_to.is_none());
    let (root, entries) = base.map_or((ZERO, 0), |base| (base.head.directory, base.head.entries));
    let rising = commit
        .leaves
        .windows(2)
        .all(|pair| pair[0].tag < pair[1].tag);
    ensure(rising)?;
    let changes: Vec<(Tag, Option<LeafHash>)> = commit.leaves.iter().map(slot).collect();
    let beside = unnamed(commit);
    let changed = directory::change(storage, batch, root, &changes)?;
    let grown = entries.checked_add(changed.added);
    let counted = grown.and_then(|grown| grown.checked_sub(changed.removed));
    ensure(changed.root == head.directory && counted == Some(head.entries))?;
    let mut work = segments::WORK_MAX;
    for ((change, (_, hash)), before) in commit.leaves.iter().zip(&changes).zip(changed.before) {
        let (Some(Blob(bytes)), Some(hash)) = (&change.leaf, hash) else {
            ensure(change.keep == 0 && change.add.is_empty())?;
            continue;
        };
        if bytes.len() > LEAF_MAX {
            return Err(Refusal::TooLarge);
        }
        let leaf = Leaf::decode(bytes).map_err(|_| Refusal::Invalid)?;
        let records = (change.keep, &*change.add);
        let range = segments::put(storage, batch, hash, before, records, beside, &mut work)?;
        ensure(u64::from(leaf.segments) == range.size() && leaf.root == range.root())?;
        if storage.fetch(&leaf_key(hash))?.is_none() {
            batch.put(leaf_key(hash), bytes.as_slice());
        }
    }
    Ok(())
}

/// The commit's pack, if it holds more than the commit's records name.
fn unnamed(commit: &Commit) -> Option<PackId> {
    let pack = commit.pack.as_ref()?;
    let records = commit.leaves.iter().flat_map(|change| &change.add);
    let named = records.filter(|record| record.pack == pack.id);
    let named: u64 = named.map(|record| u64::from(record.length)).sum();
    (named < pack.bytes.0.len() as u64).then_some(pack.id)
}

/// Every pack that a new record names is there, or comes along: what was sent long ago may have
/// been forgotten meanwhile. A space that moves names what the head before reaches; whatever this
/// server may have lost of that, it does not keep anybody from revoking.
fn check_packs(storage: &impl Storage, commit: &Commit) -> Result<(), Refusal> {
    let records = commit.leaves.iter().flat_map(|change| &change.add);
    let packs: BTreeSet<PackId> = records.map(|record| record.pack).collect();
    let own = commit.pack.as_ref().map(|pack| pack.id);
    for pack in packs.into_iter().filter(|pack| Some(*pack) != own) {
        let there = storage.fetch_part(&pack_key(&pack), 0, 0)?;
        there.ok_or(Refusal::NotFound)?;
    }
    Ok(())
}

fn slot(change: &turncoat_core::wire::LeafChange) -> (Tag, Option<LeafHash>) {
    let leaf = change.leaf.as_ref();
    (change.tag, leaf.map(|Blob(bytes)| leaf_hash(bytes)))
}

/// Envelopes are of this space and sender, have names of their own, and reach who exists.
fn put_envelopes(
    storage: &impl Storage,
    batch: &mut Batch,
    user: &UserId,
    commit: &Commit,
) -> Result<(), Refusal> {
    let Head { space, .. } = commit.head.head;
    let mut inboxes: BTreeMap<UserId, Vec<Delivered>> = BTreeMap::new();
    for signed in &commit.envelopes {
        let envelope = &signed.envelope;
        ensure(envelope.space == space && envelope.sender == *user)?;
        ensure(storage.fetch(&public_key(&envelope.recipient))?.is_some())?;
        let key = envelope_key(&envelope.id);
        if storage.fetch(&key)?.is_some() {
            return Err(Refusal::Exists);
        }
        let mut inbox = match inboxes.remove(&envelope.recipient) {
            Some(inbox) => inbox,
            None => delivered(storage, &envelope.recipient, user)?,
        };
        ensure(inbox.iter().all(|line| line.envelope != envelope.id))?;
        inbox.push(Delivered {
            envelope: envelope.id,
            space,
        });
        inboxes.insert(envelope.recipient, inbox);
        batch.put(key, encoded(signed));
    }
    for (recipient, inbox) in inboxes {
        batch.put(inbox_key(&recipient, user), encoded(&inbox));
    }
    Ok(())
}

/// The head becomes the newest one, where the space is from now on.
fn put_head(
    storage: &impl Storage,
    batch: &mut Batch,
    commit: &Commit,
    hash: &HeadHash,
) -> Result<(), Refusal> {
    let head = &commit.head.head;
    let indexed = Indexed {
        hash: *hash,
        head: head.clone(),
    };
    history::push(storage, batch, &indexed)?;
    batch.put(head_key(hash), encoded(&commit.head));
    let mut record = SpaceRecord {
        space: head.space,
        height: head.height,
        head: *hash,
        closed: false,
    };
    if let Some(locator) = elsewhere(commit) {
        batch.put(space_key(locator), encoded(&record));
        record.closed = true;
    }
    batch.put(space_key(&commit.locator), encoded(&record));
    Ok(())
}
