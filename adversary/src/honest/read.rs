//! Reading: views of spaces, all at one moment, and the inbox.

use std::collections::BTreeSet;

use turncoat_core::id::{
    EnvelopeId, HeadHash, Height, Locator, RosterNumber, SpaceId, Tag, UserId,
};
use turncoat_core::tree::{Lookup, directory as trie};
use turncoat_core::wire::{
    AtHeight, Malformed, Padding, PartialTrie, Reader, Refusal, Selection, SignedRosterChange,
    ViewRequest, Wire, Writer,
};

use super::directory::Beside;
use super::history::Indexed;
use super::native::{CONTENT_MAX, INBOX, VIEWS, public_key, reply};
use super::storage::{Bytes, Key, Kind, Storage};
use super::{directory, history};

/// Leaves of one page at most.
const PAGE_MAX: u32 = 2048;
/// Envelopes of one page at most.
const INBOX_PAGE: u32 = 256;
/// The size of a view of single slots is a multiple of this many bytes.
const PADDED_TO: usize = 512;

/// Where a space stands.
#[derive(Clone, Debug)]
pub(super) struct SpaceRecord {
    pub(super) space: SpaceId,
    pub(super) height: Height,
    pub(super) head: HeadHash,
    /// Whether it moved on to another locator.
    pub(super) closed: bool,
}

impl Wire for SpaceRecord {
    fn write(&self, writer: &mut Writer) {
        self.space.write(writer);
        self.height.write(writer);
        self.head.write(writer);
        self.closed.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            space: Wire::read(reader)?,
            height: Wire::read(reader)?,
            head: Wire::read(reader)?,
            closed: Wire::read(reader)?,
        })
    }
}

impl SpaceRecord {
    pub(super) fn load(storage: &impl Storage, locator: &Locator) -> Result<Option<Self>, Refusal> {
        Self::at(storage, &space_key(locator))
    }

    pub(super) fn at(storage: &impl Storage, key: &Key) -> Result<Option<Self>, Refusal> {
        let bytes = storage.fetch(key)?;
        Ok(bytes.and_then(|bytes| Reader::all(&bytes, Self::read).ok()))
    }
}

pub(super) fn space_key(locator: &Locator) -> Key {
    Key::new(Kind::Space, *locator.as_bytes())
}

pub(super) fn head_key(head: &HeadHash) -> Key {
    Key::new(Kind::Head, *head.as_bytes())
}

pub(super) fn roster_key(space: &SpaceId, number: RosterNumber) -> Key {
    let mut id = space.as_bytes().to_vec();
    id.extend_from_slice(&number.0.to_be_bytes());
    Key::new(Kind::Roster, id)
}

pub(super) fn leaf_key(leaf: &turncoat_core::id::LeafHash) -> Key {
    Key::new(Kind::Leaf, *leaf.as_bytes())
}

fn required(storage: &impl Storage, key: &Key) -> Result<Bytes, Refusal> {
    storage.fetch(key)?.ok_or(Refusal::NotFound)
}

/// Views of one read, and slots that they ask for: a client reads a directory and a file that it
/// leads to, and a batch of names has fewer than half as many.
const VIEWS_MAX: usize = 16;
const TAGS_MAX: usize = 1 << 13;

/// The reply to a read.
pub(super) fn views(storage: &impl Storage, views: &[ViewRequest]) -> Result<Vec<u8>, Refusal> {
    let tags = views.iter().map(|view| match &view.select {
        Selection::Tags(tags) => tags.len(),
        Selection::Nothing | Selection::Page { .. } => 0,
    });
    if views.len() > VIEWS_MAX || tags.sum::<usize>() > TAGS_MAX {
        return Err(Refusal::TooLarge);
    }
    let mut shown = Vec::new();
    let mut size = 0;
    for view in views {
        let view = self::view(storage, view)?;
        size += view.len() as u64;
        if size > CONTENT_MAX {
            return Err(Refusal::TooLarge);
        }
        shown.push(view);
    }
    Ok(reply(VIEWS, |writer| {
        writer.list(&shown, |writer, view| writer.raw(view));
    }))
}

/// One encoded view.
fn view(storage: &impl Storage, request: &ViewRequest) -> Result<Vec<u8>, Refusal> {
    const ABSENT: u8 = 0;
    const CLOSED: u8 = 1;
    const SAME: u8 = 2;
    let Some(record) = SpaceRecord::load(storage, &request.locator)? else {
        return Ok(vec![ABSENT]);
    };
    if record.closed {
        return Ok(vec![CLOSED]);
    }
    let height = match request.at {
        AtHeight::Newest if request.warm == Some(record.head) => return Ok(vec![SAME]),
        AtHeight::Newest => record.height,
        AtHeight::Exactly(height) if height <= record.height => height,
        AtHeight::Exactly(_) => return Err(Refusal::NotFound),
    };
    let indexed = history::head_at(storage, &record.space, height)?;
    shown(storage, request, &indexed.ok_or(Refusal::NotFound)?)
}

fn shown(
    storage: &impl Storage,
    request: &ViewRequest,
    Indexed { hash, head }: &Indexed,
) -> Result<Vec<u8>, Refusal> {
    const SHOWN: u8 = 3;
    let mut writer = Writer::new();
    writer.u8(SHOWN);
    writer.raw(&required(storage, &head_key(hash))?);
    let mut changes = Vec::new();
    for number in request.roster_from.0..=head.roster.0 {
        let key = roster_key(&head.space, RosterNumber(number));
        changes.push(required(storage, &key)?);
    }
    let records = records(storage, &head.author, &changes)?;
    writer.list(&records, |writer, record| writer.raw(record));

    let from = request.trusted.map_or(0, |trusted| trusted.height.next().0);
    history::proof(storage, &head.space, from, head.height.0)?.write(&mut writer);

    writer.list(&changes, |writer, change| writer.raw(change));

    let (directory, leaves) = select(storage, directory::closed(head.directory), &request.select)?;
    directory.write(&mut writer);
    writer.list(&leaves, |writer, leaf| writer.bytes(leaf));

    let padding = match request.select {
        Selection::Tags(_) => {
            let size = writer.size() + size_of::<u32>();
            size.next_multiple_of(PADDED_TO) - size
        }
        Selection::Nothing | Selection::Page { .. } => 0,
    };
    Padding(u32::try_from(padding).unwrap_or(0)).write(&mut writer);
    Ok(writer.finish())
}

/// The public records of the head's author, then of the other signers of the changes, each once.
///
/// Of a change that the store garbled no signer may be known, so those alone may be missing.
fn records(
    storage: &impl Storage,
    author: &UserId,
    changes: &[Bytes],
) -> Result<Vec<Bytes>, Refusal> {
    let mut records = vec![required(storage, &public_key(author))?];
    let mut known = BTreeSet::from([*author]);
    for change in changes {
        let Ok(signed) = Reader::all(change, SignedRosterChange::read) else {
            continue;
        };
        if known.insert(signed.change.signer) {
            records.extend(storage.fetch(&public_key(&signed.change.signer))?);
        }
    }
    Ok(records)
}

/// The directory, open where it was asked for, and the leaves of the slots that were asked for.
fn select(
    storage: &impl Storage,
    directory: PartialTrie,
    selection: &Selection,
) -> Result<(PartialTrie, Vec<Bytes>), Refusal> {
    let (directory, slots) = match selection {
        Selection::Nothing => (directory, Vec::new()),
        Selection::Tags(tags) => {
            let mut tags: Vec<Tag> = tags.clone();
            tags.sort_unstable();
            tags.dedup();
            let opened = directory::open_paths(storage, directory, 0, &tags, Beside::Hide)?;
            let found = tags
                .iter()
                .filter_map(|tag| match trie::lookup(&opened, tag) {
                    Lookup::Found(leaf) => Some(leaf),
                    Lookup::Absent | Lookup::Opaque => None,
                });
            let found = found.collect();
            (opened, found)
        }
        Selection::Page { from, count } => {
            let mut left = usize::try_from((*count).clamp(1, PAGE_MAX)).unwrap_or(1);
            let opened = directory::open_page(storage, directory, 0, Some(from), &mut left)?;
            let found = trie::slots(&opened).filter(|slot| slot.tag >= *from);
            let found = found.map(|slot| slot.leaf).collect();
            (opened, found)
        }
    };
    // A leaf that the store lacks is left out: what is there is shown, and the gap with it.
    let mut leaves = Vec::new();
    for leaf in &slots {
        leaves.extend(storage.fetch(&leaf_key(leaf))?);
    }
    Ok((directory, leaves))
}

/// One line of an inbox.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub(super) envelope: EnvelopeId,
    pub(super) space: SpaceId,
}

impl Wire for Delivered {
    fn write(&self, writer: &mut Writer) {
        self.envelope.write(writer);
        self.space.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            envelope: Wire::read(reader)?,
            space: Wire::read(reader)?,
        })
    }
}

/// What `sender` delivered to `recipient`: one sender's envelopes are never in another's way.
pub(super) fn inbox_key(recipient: &UserId, sender: &UserId) -> Key {
    let id = [recipient.0, sender.0].concat();
    Key::new(Kind::Inbox, id)
}

pub(super) fn envelope_key(envelope: &EnvelopeId) -> Key {
    Key::new(Kind::Envelope, *envelope.as_bytes())
}

/// What a sender delivered to a recipient, oldest first.
pub(super) fn delivered(
    storage: &impl Storage,
    recipient: &UserId,
    sender: &UserId,
) -> Result<Vec<Delivered>, Refusal> {
    match storage.fetch(&inbox_key(recipient, sender))? {
        None => Ok(Vec::new()),
        Some(bytes) => Reader::all(&bytes, Vec::read).map_err(|Malformed| Refusal::NotFound),
    }
}

/// The reply to a question for the inbox: one page, newest first. An envelope that the store lacks
/// is left out, and before one that was never delivered nothing came.
pub(super) fn inbox(
    storage: &impl Storage,
    (recipient, sender): (&UserId, &UserId),
    space: Option<SpaceId>,
    before: Option<EnvelopeId>,
    count: u32,
) -> Result<Vec<u8>, Refusal> {
    let mut lines = delivered(storage, recipient, sender)?;
    if let Some(before) = before {
        let place = lines.iter().position(|line| line.envelope == before);
        lines.truncate(place.unwrap_or(0));
    }
    lines.retain(|line| space.is_none_or(|space| space == line.space));
    let mut envelopes = Vec::new();
    let mut size = 0;
    for line in lines
        .iter()
        .rev()
        .take(usize::try_from(count.min(INBOX_PAGE)).unwrap_or(0))
    {
        let envelope = storage.fetch(&envelope_key(&line.envelope))?;
        size += envelope
            .as_ref()
            .map_or(0, |envelope| envelope.len() as u64);
        if size > CONTENT_MAX {
            break;
        }
        envelopes.extend(envelope);
    }
    Ok(reply(INBOX, |writer| {
        writer.list(&envelopes, |writer, envelope| writer.raw(envelope));
    }))
}
