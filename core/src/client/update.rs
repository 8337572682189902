//! Writes a file anew and sends only what changed: the server keeps the rest, and shows that it
//! still has it.
//!
//! Sealing is a function of key, place and content. So content that is sealed once more, under the
//! key of an earlier version and for the place that it had there, is a keyed hash of it: equal
//! bytes are taken over with their place, and nothing else is remembered or asked for that.

use super::Session;
use super::commit::{Draft, Landed};
use super::upload::{Destination, Packer, entry, fresh_content_key};
use super::version::drafted_one;
use crate::chunk::{
    CONTENT_MAX, SEALED_MAX, SEGMENT_CONTENT_MAX, TAG_SIZE, full_content_of, is_of, record_of,
    resealed, room_of,
};
use crate::defence::{Defence, defend, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Epoch, LeafHash, SpaceId, Tag};
use crate::limits::SEGMENTS_MAX;
use crate::primitive::Zeroizing;
use crate::remote::{Remote, Vault};
use crate::secret::{ContentKey, KeyBytes};
use crate::wire::{FileEntry, NameRef, Range, SegmentRecord};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Records that one stretch of a full segment's length may have; of more, it is sealed as one.
const PIECES_MAX: u64 = 16;
/// Records that a version may have beyond those of a whole upload.
const EXTRA_MAX: u64 = 1 << 14;
/// Bytes of what it keeps that the server shows.
const SHOWN: usize = 16;
/// Places that one request asks for.
const PLACES_PER_REQUEST: usize = 1024;

/// What of an update stayed where it was, and what was sent, in bytes of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Not sent: the server showed that it has it.
    pub kept: u64,
    /// Sealed and sent.
    pub sent: u64,
}

/// A segment of the version before, whose place in the content is known.
#[derive(Debug)]
struct Known {
    record: SegmentRecord,
    /// Where its content begins.
    start: u64,
    /// Bytes of its content.
    size: usize,
    /// All its chunks are full.
    full: bool,
    /// It ends the content, padded as an end is.
    ends: bool,
    /// Where the server will have to show it. The server does not know before it is asked.
    place: u32,
}

/// The version before: what its segments are, and the keys that sealed them.
#[derive(Debug, Default)]
struct Before {
    known: Vec<Known>,
    keys: Vec<ContentKey>,
}

/// Compares content with what is stored of the version before. It asks nobody, so that threads of
/// the caller's own can work on several stretches at a time.
#[derive(Clone, Debug, Default)]
pub struct Comparer(Arc<Before>);

/// One stretch of content, compared.
#[derive(Debug)]
pub struct Compared {
    /// With what.
    before: Arc<Before>,
    start: u64,
    content: Zeroizing<Vec<u8>>,
    found: Vec<Again>,
}

/// What a segment of the version before comes to, with this content in its place.
#[derive(Debug)]
struct Again {
    /// Which one.
    at: usize,
    /// The content reaches to its end.
    whole: bool,
    /// If all of it is the same: what the server must show.
    shown: Option<Probe>,
    /// The tags of its chunks, as far as the content reaches.
    tags: Vec<[u8; TAG_SIZE]>,
}

/// What the server must show of what it keeps.
#[derive(Clone, Debug)]
struct Probe {
    range: Range,
    bytes: Vec<u8>,
}

impl Probe {
    /// At a place in the sealed bytes of a record that the server could not foresee.
    fn of(record: &SegmentRecord, sealed: &[u8], place: u32) -> Self {
        let last = sealed.len().saturating_sub(SHOWN);
        let place = usize::try_from(place).unwrap_or(0) % last.saturating_add(1);
        let bytes = sealed.get(place..).unwrap_or_default();
        let bytes = bytes.get(..SHOWN).unwrap_or(bytes).to_vec();
        let offset = u32::try_from(place).unwrap_or(u32::MAX);
        Self {
            range: Range {
                pack: record.pack,
                offset: record.offset.saturating_add(offset),
                length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            },
            bytes,
        }
    }
}

impl Before {
    /// The segments whose place is known: those up to the first that may be padded, and the last.
    fn new(
        entropy: &mut dyn Entropy,
        file: &FileEntry,
        records: Vec<SegmentRecord>,
        keys: Vec<ContentKey>,
    ) -> Self {
        let mut known = Vec::new();
        let mut start = 0_u64;
        let count = records.len();
        for (at, record) in records.into_iter().enumerate() {
            let ends = at.saturating_add(1) == count;
            let size = match ends {
                true => file.size.checked_sub(start).map(usize::try_from),
                false => full_content_of(&record).map(Ok),
            };
            let (Some(Ok(size)), Some(room)) = (size, room_of(&record)) else {
                break;
            };
            let key = keys.get(usize::from(record.key_index));
            if size > room || key.is_none() {
                break;
            }
            let mut place = [0; 4];
            entropy.fill(&mut place);
            let full = size == room && size.is_multiple_of(CONTENT_MAX);
            known.push(Known {
                record,
                start,
                size,
                full,
                ends,
                place: u32::from_be_bytes(place),
            });
            let next = u64::try_from(size)
                .ok()
                .and_then(|size| start.checked_add(size));
            start = next.unwrap_or(u64::MAX);
        }
        Self { known, keys }
    }

    /// The segments that lie within one stretch, by their numbers.
    fn within(&self, start: u64, length: usize) -> core::ops::Range<usize> {
        let end = start.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let first = self.known.partition_point(|known| known.start < start);
        let last = self.known.partition_point(|known| known.start < end);
        first..last.max(first)
    }

    fn again(&self, at: usize, start: u64, content: &[u8]) -> Option<Again> {
        let known = self.known.get(at)?;
        let key = self.keys.get(usize::from(known.record.key_index))?;
        let from = usize::try_from(known.start.checked_sub(start)?).ok()?;
        let rest = content.get(from..)?;
        let beyond = from.checked_add(known.size)? > SEGMENT_CONTENT_MAX;
        if beyond || known.size == 0 {
            return None;
        }
        let (sealed, whole) = match rest.get(..known.size) {
            Some(all) => (resealed(key, &known.record, all)?, true),
            None => {
                // Full chunks lie where they would lie in the whole.
                let full = rest.len() - rest.len() % CONTENT_MAX;
                let cut = SegmentRecord {
                    length: sealed_length(full)?,
                    ..known.record.clone()
                };
                (resealed(key, &cut, rest.get(..full)?)?, false)
            }
        };
        let same = whole && is_of(&known.record, &sealed);
        let tags = sealed.chunks(SEALED_MAX);
        Some(Again {
            at,
            whole,
            shown: same.then(|| Probe::of(&known.record, &sealed, known.place)),
            tags: tags
                .filter_map(|chunk| chunk.last_chunk().copied())
                .collect(),
        })
    }
}

/// The sealed length of this much content in full chunks.
fn sealed_length(content: usize) -> Option<u32> {
    u32::try_from((content / CONTENT_MAX).checked_mul(SEALED_MAX)?).ok()
}

impl Comparer {
    /// Content bytes of each stretch but the last one.
    pub const STRETCH: usize = SEGMENT_CONTENT_MAX;

    /// Content bytes of the version before that can be kept, if they are where they were.
    #[must_use]
    pub fn comparable(&self) -> u64 {
        let last = self.0.known.last();
        last.map_or(0, |last| {
            let size = u64::try_from(last.size).unwrap_or(u64::MAX);
            last.start.saturating_add(size)
        })
    }

    /// Compares the stretch of content that begins at `start`, a multiple of
    /// [`STRETCH`](Self::STRETCH).
    #[must_use]
    pub fn compare(&self, start: u64, content: Vec<u8>) -> Compared {
        let content = Zeroizing::new(content);
        let within = self.0.within(start, content.len());
        let found = within.filter_map(|at| self.0.again(at, start, &content));
        Compared {
            before: Arc::clone(&self.0),
            start,
            found: found.collect(),
            content,
        }
    }
}

/// What an update builds on. If any of it changed, what it would keep may be gone, or be for people
/// who must not read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    space: SpaceId,
    epoch: Epoch,
    tag: Tag,
    leaf: Option<LeafHash>,
}

/// An update in progress. Nothing of it is visible before [`finish`](Self::finish) returned.
#[derive(Debug)]
pub struct Updating<'a, R, V, E, C> {
    session: &'a mut Session<R, V, E, C>,
    name: Vec<u8>,
    basis: Basis,
    comparer: Comparer,
    /// Of this update alone, and its number after those of the version before.
    key: ContentKey,
    key_index: u16,
    /// Content that was not compared yet: at most one stretch.
    plain: Zeroizing<Vec<u8>>,
    /// The latest stretch that somebody else compared: it may be the last one.
    latest: Option<Compared>,
    packer: Packer,
    /// In order, with the numbers of the keys as above.
    records: Vec<SegmentRecord>,
    probes: Vec<Probe>,
    stretches: u64,
    size: u64,
    done: Updated,
    /// The latest write came to its end. After one that did not, nothing may follow.
    whole: bool,
}

/// A run of chunks that stays, and where its content is in its stretch.
struct Kept {
    content: Span,
    record: SegmentRecord,
    probe: Probe,
    /// It ends the content, padded as an end is.
    ends: bool,
}

type Span = core::ops::Range<usize>;

/// How many records a stretch of this length comes to.
fn pieces(kept: &[Kept], length: usize) -> u64 {
    let mut at = 0;
    let mut pieces = 0_u64;
    for Kept { content, .. } in kept {
        pieces = pieces.saturating_add(1 + u64::from(at < content.start));
        at = content.end;
    }
    pieces.saturating_add(u64::from(at < length))
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Begins to write a file anew; it replaces what has the name. Of a content that is in part the
    /// one that is there, at the same place, only the rest is sent.
    ///
    /// The server sees which chunks changed; and what was in their place stays readable, with its
    /// help, to whomever the file is given to, for as long as the file keeps anything of the upload
    /// that it came with. An [`upload`](Self::upload) tells nothing of the kind, and leaves all
    /// that behind.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`] for the name; those of a read of the file's records and keys.
    pub async fn update(&mut self, name: &[u8]) -> Result<Updating<'_, R, V, E, C>, Error> {
        let to = self.destination(name).await?;
        let basis = self.basis_of(&to)?;
        let before = match &to.before {
            None => Before::default(),
            Some(found) => {
                let records = self.records_of(found).await?;
                match self.content_keys(found).await {
                    Ok(keys) => {
                        let entropy = &mut self.ports.entropy;
                        Before::new(entropy, &found.file, records, keys)
                    }
                    // What its author left does not open, and is written over.
                    Err(Error::Unavailable(Unavailable::Spoilt { .. })) => Before::default(),
                    Err(error) => return Err(error),
                }
            }
        };
        let key_index = u16::try_from(before.keys.len()).map_err(|_| Usage::Full)?;
        let key = fresh_content_key(&mut self.ports.entropy);
        let packer = Packer::new(&mut self.ports.entropy);
        Ok(Updating {
            session: self,
            name: name.to_vec(),
            basis,
            comparer: Comparer(Arc::new(before)),
            key,
            key_index,
            plain: Zeroizing::new(Vec::new()),
            latest: None,
            packer,
            records: Vec::new(),
            probes: Vec::new(),
            stretches: 0,
            size: 0,
            done: Updated::default(),
            whole: true,
        })
    }

    /// Writes a whole file from memory, and sends what changed.
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update), [`Updating::write`] and [`Updating::finish`].
    pub async fn update_all(&mut self, name: &[u8], content: &[u8]) -> Result<Updated, Error> {
        let mut tries = 0;
        loop {
            let mut updating = self.update(name).await?;
            updating.write(content).await?;
            match updating.finish().await {
                Err(Error::Unavailable(Unavailable::Contended)) => self.try_again(&mut tries)?,
                done => return done,
            }
        }
    }

    fn basis_of(&self, to: &Destination) -> Result<Basis, Error> {
        Ok(Basis {
            space: to.space,
            epoch: self.open_space(&to.space)?.epoch,
            tag: to.tag,
            leaf: to.before.as_ref().map(|found| found.leaf),
        })
    }

    /// Bytes of the version before.
    async fn shown(&mut self, basis: &Basis, ranges: Vec<Range>) -> Result<Vec<u8>, Error> {
        match (self.fetch(ranges).await, basis.leaf) {
            (Err(Error::Unavailable(Unavailable::Withheld)), Some(leaf)) => {
                Err(self.denied(basis.space, basis.tag, leaf).await)
            }
            (shown, _) => shown,
        }
    }

    /// Whether the server still has what an update keeps: it shows some of each piece of it, from a
    /// place that it could not foresee.
    async fn possession(&mut self, basis: &Basis, probes: &[Probe]) -> Result<(), Error> {
        for probes in probes.chunks(PLACES_PER_REQUEST) {
            if !stands(Defence::Possession) {
                break;
            }
            let ranges = probes.iter().map(|probe| probe.range.clone()).collect();
            let shown = self.shown(basis, ranges).await?;
            let expected = probes.iter().flat_map(|probe| &probe.bytes);
            let there = shown.iter().eq(expected);
            defend!(Defence::Possession, there, Violation::Misbound);
        }
        Ok(())
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Updating<'_, R, V, E, C> {
    /// What compares content with the version before, for threads of the caller's own.
    #[must_use]
    pub fn comparer(&self) -> Comparer {
        self.comparer.clone()
    }

    /// Adds content. Holds at most one stretch of it in memory, and as much of what is to be sent.
    ///
    /// # Errors
    ///
    /// Those of [`Uploading::write`](super::Uploading::write); [`Usage::Full`] if the file has no
    /// room for more pieces, and a [`Violation`] if the server does not show what it has of the
    /// version before. An [`upload`](Session::upload) does without both.
    pub async fn write(&mut self, content: &[u8]) -> Result<(), Error> {
        self.check_whole()?;
        self.whole = false;
        self.settle().await?;
        self.fill(content).await?;
        self.whole = true;
        Ok(())
    }

    /// Adds a stretch of content that the [`comparer`](Self::comparer) compared, to what comes
    /// before it.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    pub async fn add(&mut self, compared: Compared) -> Result<(), Error> {
        self.check_whole()?;
        self.whole = false;
        self.settle().await?;
        // What was compared with another version is compared anew.
        let fits = Arc::ptr_eq(&compared.before, &self.comparer.0)
            && self.plain.is_empty()
            && compared.start == self.size
            && compared.content.len() <= SEGMENT_CONTENT_MAX;
        match fits {
            true => self.latest = Some(compared),
            false => self.fill(&compared.content).await?,
        }
        self.whole = true;
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Error> {
        match self.whole {
            true => Ok(()),
            false => Err(Unavailable::CutOff.into()),
        }
    }

    /// More follows what somebody else compared last.
    async fn settle(&mut self) -> Result<(), Error> {
        match self.latest.take() {
            Some(latest) if latest.content.len() == SEGMENT_CONTENT_MAX => {
                self.take(&latest, false).await
            }
            Some(latest) => {
                self.plain = latest.content;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn fill(&mut self, content: &[u8]) -> Result<(), Error> {
        let mut rest = content;
        while !rest.is_empty() {
            if self.plain.len() == SEGMENT_CONTENT_MAX {
                let compared = self.compared();
                self.take(&compared, false).await?;
            }
            let room = SEGMENT_CONTENT_MAX.saturating_sub(self.plain.len());
            let (now, later) = rest.split_at(rest.len().min(room));
            self.plain.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// What was written since, compared here.
    fn compared(&mut self) -> Compared {
        let content = core::mem::take(&mut *self.plain);
        self.comparer.compare(self.size, content)
    }

    /// Takes one stretch into the file: what is there already stays, the rest is sealed.
    async fn take(&mut self, compared: &Compared, last: bool) -> Result<(), Error> {
        let content = compared.content.as_slice();
        let mut kept: Vec<Kept> = Vec::new();
        for again in &compared.found {
            self.stays(again, compared, last, &mut kept).await?;
        }
        self.stretches = self.stretches.saturating_add(1);
        let extra = self.stretches.saturating_mul(PIECES_MAX - 1);
        let allowed = self.stretches.saturating_add(extra.min(EXTRA_MAX));
        let held = u64::try_from(self.records.len()).unwrap_or(u64::MAX);
        let pieces = pieces(&kept, content.len());
        if pieces > PIECES_MAX || held.saturating_add(pieces) > allowed {
            kept.clear();
        }
        if held.saturating_add(PIECES_MAX) >= SEGMENTS_MAX {
            return Err(Usage::Full.into());
        }
        let mut at = 0;
        let mut ends = false;
        for kept in kept {
            let before = content.get(at..kept.content.start).unwrap_or_default();
            if !before.is_empty() {
                self.seal(before, false).await?;
            }
            at = kept.content.end;
            ends = kept.ends;
            self.records.push(kept.record);
            self.probes.push(kept.probe);
            let size = u64::try_from(kept.content.len()).unwrap_or(u64::MAX);
            self.done.kept = self.done.kept.saturating_add(size);
        }
        let rest = content.get(at..).unwrap_or_default();
        // The end of a content is padded, lest its length be known to the byte.
        if !rest.is_empty() || (last && !ends) {
            self.seal(rest, last).await?;
        }
        let size = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
        self.size = self.size.saturating_add(size);
        Ok(())
    }

    /// Seals content under the key of this update. What no longer fits into one pack is sent.
    async fn seal(&mut self, content: &[u8], last: bool) -> Result<(), Error> {
        if !self.packer.has_room(content.len()) {
            let next = Packer::new(&mut self.session.ports.entropy);
            let full = core::mem::replace(&mut self.packer, next);
            self.session.store(full).await?;
        }
        let record = match last {
            true => self.packer.segment(&self.key, self.key_index, content),
            false => self.packer.run(&self.key, self.key_index, content),
        };
        self.records.push(record);
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.done.sent = self.done.sent.saturating_add(size);
        Ok(())
    }

    /// What of one segment of the version before stays.
    async fn stays(
        &mut self,
        again: &Again,
        compared: &Compared,
        last: bool,
        kept: &mut Vec<Kept>,
    ) -> Result<(), Error> {
        let before = Arc::clone(&self.comparer.0);
        let known = before.known.get(again.at).ok_or(Violation::OutOfTurn)?;
        let key = before.keys.get(usize::from(known.record.key_index));
        let key = key.ok_or(Violation::OutOfTurn)?;
        let from = known.start.saturating_sub(compared.start);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let content = compared.content.get(from..).unwrap_or_default();
        let at_end = last && content.len() == known.size;
        // Nothing can follow a chunk that is not full.
        let stays = match known.full || at_end {
            true => again.tags.len(),
            false => again.tags.len().min(known.size / CONTENT_MAX),
        };
        if let Some(probe) = again.shown.as_ref().filter(|_| stays == again.tags.len()) {
            kept.push(Kept {
                content: from..from.saturating_add(known.size),
                record: known.record.clone(),
                probe: probe.clone(),
                ends: known.ends && at_end,
            });
            return Ok(());
        }
        let tags = again.tags.get(..stays).unwrap_or_default();
        let equal = match &again.shown {
            Some(_) => Vec::from_iter(tags.iter().map(|_| true)),
            None if is_one_chunk(&known.record) => return Ok(()),
            None => self.equal(&known.record, tags).await?,
        };
        // All tags are those of a segment that is another one: they are somebody's lie, who knows
        // the key, and what they stand for is not there to be kept.
        let all = again.whole && equal.len() == again.tags.len();
        if all && again.shown.is_none() && !equal.contains(&false) {
            return Ok(());
        }
        let mut chunk = 0;
        for run in equal.chunk_by(|left, right| left == right) {
            let (first, next) = (chunk, chunk + run.len());
            chunk = next;
            let begin = first.saturating_mul(CONTENT_MAX);
            // Padding alone is not worth a piece: what is before it would have to be full.
            if run.first() != Some(&true) || begin >= known.size {
                continue;
            }
            let end = next.saturating_mul(CONTENT_MAX).min(known.size);
            // Of our own content, whatever the tags say: a tag commits to nothing for whoever
            // knows the key.
            let plain = content.get(begin..end).unwrap_or_default();
            let place = run_of(&known.record, first, next);
            let Some(sealed) = resealed(key, &place, plain) else {
                continue;
            };
            let record = record_of((place.pack, place.offset), place.key_index, &sealed);
            kept.push(Kept {
                content: from.saturating_add(begin)..from.saturating_add(end),
                probe: Probe::of(&record, &sealed, known.place),
                record,
                ends: known.ends && at_end && next == again.tags.len(),
            });
        }
        Ok(())
    }

    /// Which chunks of a segment have these tags, as the server says. It is asked once.
    async fn equal(
        &mut self,
        record: &SegmentRecord,
        tags: &[[u8; TAG_SIZE]],
    ) -> Result<Vec<bool>, Error> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let ranges = (0..tags.len()).map(|chunk| {
            let place = run_of(record, chunk, chunk.saturating_add(1));
            let tag = u32::try_from(TAG_SIZE).unwrap_or(u32::MAX);
            let before = place.length.saturating_sub(tag);
            Range {
                pack: place.pack,
                offset: place.offset.saturating_add(before),
                length: tag,
            }
        });
        let basis = self.basis;
        let shown = self.session.shown(&basis, ranges.collect()).await?;
        let shown = shown.chunks(TAG_SIZE).zip(tags);
        Ok(shown.map(|(shown, tag)| shown == tag).collect())
    }

    /// Publishes the file.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write). [`Unavailable::Contended`] if other devices were first
    /// again and again, or if anything of the file changed while this was under way: what was sent
    /// is then not used, and the update starts again from its beginning.
    pub async fn finish(mut self) -> Result<Updated, Error> {
        self.check_whole()?;
        let last = match self.latest.take() {
            Some(latest) => latest,
            None => self.compared(),
        };
        self.take(&last, true).await?;
        drop(last);
        let older = self.older_keys();
        let session = self.session;
        let newest = KeyBytes::new(self.key.expose());
        let keyring = (!older.is_empty()).then(|| self.packer.keyring(&self.key, &older));
        let name = match self.basis.space == session.private {
            true => self.packer.name(&newest, &self.name),
            false => NameRef::Inline(Vec::new()),
        };
        let key_index = u16::try_from(older.len()).map_err(|_| Usage::Full)?;
        let pack = self.packer.finish();
        let mut tries = 0;
        loop {
            let to = session.destination(&self.name).await?;
            if session.basis_of(&to)? != self.basis {
                return Err(Unavailable::Contended.into());
            }
            session.possession(&self.basis, &self.probes).await?;
            let before = to.before.as_ref().map(|found| &found.file);
            let (key, records, name) = (&self.key, &self.records, name.clone());
            let entropy = &mut session.ports.entropy;
            let file = FileEntry {
                key_index,
                keyring: keyring.clone(),
                ..entry(before, entropy, key, self.size, records, name)?
            };
            let leaf = session.sealed_file(&to.space, file, 0, self.records.clone())?;
            let mut draft = Draft {
                pack: pack.clone(),
                ..Draft::default()
            };
            draft.leaves.insert(to.tag, Some(leaf));
            let version = drafted_one(to.space, &draft);
            if session.commit(to.space, draft, to.link.as_ref()).await? == Landed::Yes {
                session.wrote(&self.name, version);
                return Ok(self.done);
            }
            session.try_again(&mut tries)?;
        }
    }

    /// The keys of what stays, and no others; the records name them from here on, and the key of
    /// this update after them.
    fn older_keys(&mut self) -> Vec<KeyBytes> {
        let used: BTreeSet<u16> = self.records.iter().map(|record| record.key_index).collect();
        let used: Vec<u16> = used
            .into_iter()
            .filter(|key| *key != self.key_index)
            .collect();
        for record in &mut self.records {
            let place = used.partition_point(|key| *key < record.key_index);
            record.key_index = u16::try_from(place).unwrap_or(u16::MAX);
        }
        let keys = used
            .iter()
            .filter_map(|key| self.comparer.0.keys.get(usize::from(*key)));
        keys.map(|key| KeyBytes::new(key.expose())).collect()
    }
}

fn is_one_chunk(record: &SegmentRecord) -> bool {
    usize::try_from(record.length).is_ok_and(|length| length <= SEALED_MAX)
}

/// Where the chunks from `first` up to `next` of a segment are; the hash is not theirs.
fn run_of(record: &SegmentRecord, first: usize, next: usize) -> SegmentRecord {
    let place = |chunk: usize| {
        let place = u32::try_from(chunk.saturating_mul(SEALED_MAX)).unwrap_or(u32::MAX);
        place.min(record.length)
    };
    SegmentRecord {
        offset: record.offset.saturating_add(place(first)),
        length: place(next).saturating_sub(place(first)),
        ..record.clone()
    }
}
