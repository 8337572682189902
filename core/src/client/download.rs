//! Reads a file, a segment at a time.

use super::locate::Found;
use super::transport::unexpected;
use super::{Freshness, Session};
use crate::chunk::{
    SEGMENT_CONTENT_MAX, SEGMENT_SEALED_MAX, full_content_of, open_segment, sealed_as,
};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::SpaceId;
use crate::remote::{Remote, Vault};
use crate::seal::open_keyring;
use crate::secret::{ContentKey, KeyBytes};
use crate::tree::{Mountain, segment_leaf};
use crate::wire::{
    FileEntry, Range, RecordRange, Reply, RequestBody, SegmentNode, SegmentRecord, SpaceState,
};
use alloc::vec::Vec;

/// Segment records that one request asks for.
const RECORDS_PER_REQUEST: u32 = 8192;

/// Batches of segments that are asked for before their turn.
const BATCHES_AHEAD: usize = 2;

/// A download in progress. What it hands out is authentic in its place; it is complete only once
/// [`next`](Self::next) returned `None`.
#[derive(Debug)]
pub struct Downloading<'a, R, V, E, C> {
    session: &'a mut Session<R, V, E, C>,
    found: Found,
    keys: Vec<ContentKey>,
    records: Vec<SegmentRecord>,
    position: usize,
    /// Up to where segments were asked for ahead.
    ahead: usize,
    released: u64,
    freshness: Freshness,
    written_ms: u64,
    /// Memory for the next part.
    spent: Vec<u8>,
    /// What it is if something has the hash that it must have and is not what it must be.
    spoilt: Error,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Begins to read a file.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`](crate::Usage::NoSuchFile) if the directory, complete under an accepted
    /// head, has no such name.
    pub async fn download(&mut self, name: &[u8]) -> Result<Downloading<'_, R, V, E, C>, Error> {
        let known = |known: &SpaceState| known.accepted.map(|_| known.space);
        let known: Vec<SpaceId> = self.state.spaces.iter().filter_map(known).collect();
        let (found, _) = self.file(name, &[]).await?;
        let monotone = known.contains(&found.space);
        let freshness = Freshness::alone(monotone);
        let records = self.records_of(&found).await?;
        let keys = self.content_keys(&found).await?;
        let space = self.open_space(&found.space)?;
        let written_ms = space.warm.as_ref().map_or(0, |warm| warm.head.written_ms);
        let spoilt = space.spoilt();
        Ok(Downloading {
            session: self,
            found,
            keys,
            records,
            position: 0,
            ahead: 0,
            released: 0,
            freshness,
            written_ms,
            spent: Vec::new(),
            spoilt,
        })
    }

    /// Reads a whole file into memory.
    ///
    /// # Errors
    ///
    /// Those of [`download`](Self::download) and [`Downloading::next`].
    pub async fn download_all(&mut self, name: &[u8]) -> Result<(Vec<u8>, Freshness), Error> {
        let mut downloading = self.download(name).await?;
        let mut content = Vec::new();
        while let Some(part) = downloading.next().await? {
            content.extend_from_slice(&part);
        }
        Ok((content, downloading.freshness().clone()))
    }

    /// All segment records of a file, as the peaks in its leaf vouch for them.
    pub(super) async fn records_of(&mut self, found: &Found) -> Result<Vec<SegmentRecord>, Error> {
        let wanted = usize::try_from(found.file.segments).map_err(|_| Violation::Malformed)?;
        let mut records: Vec<SegmentRecord> = Vec::new();
        while records.len() < wanted {
            let from = u32::try_from(records.len()).map_err(|_| Violation::Malformed)?;
            let page = match self.ask(records_from(found, from)).await? {
                Reply::Segments(page) => page,
                reply => return Err(self.not_there(&reply, found.space, found).await),
            };
            let most = usize::try_from(RECORDS_PER_REQUEST).unwrap_or(usize::MAX);
            defend!(
                Defence::ReplyCounts,
                page.len() <= most,
                Violation::TooLarge
            );
            if page.is_empty() {
                break;
            }
            records.extend(page);
        }
        check_records(&found.file, &records)?;
        Ok(records)
    }

    /// The content keys of a file, oldest first, the newest last.
    pub(super) async fn content_keys(&mut self, found: &Found) -> Result<Vec<ContentKey>, Error> {
        let spoilt = self.open_space(&found.space)?.spoilt();
        let newest = ContentKey::copy_from(found.file.content_key.expose());
        let mut keys = Vec::new();
        if let Some(region) = &found.file.keyring {
            let sealed = match self.fetch_object(region).await {
                Err(Error::Unavailable(Unavailable::Withheld)) => {
                    return Err(self.denied(found.space, found.tag, found.leaf).await);
                }
                other => other?,
            };
            let older = open_keyring(&newest, region, sealed);
            let older: Vec<KeyBytes> = older.map_err(|error| by_author(error, &spoilt))?;
            keys.extend(older.iter().map(|key| ContentKey::copy_from(key.expose())));
        }
        if keys.len() != usize::from(found.file.key_index) {
            return Err(spoilt);
        }
        keys.push(newest);
        Ok(keys)
    }

    async fn not_there(&mut self, reply: &Reply, space: SpaceId, found: &Found) -> Error {
        match unexpected(reply) {
            Error::Unavailable(Unavailable::Withheld) => {
                self.denied(space, found.tag, found.leaf).await
            }
            error => error,
        }
    }

    /// Bytes of packs; exactly as many as asked for, and nothing said about what they are.
    pub(super) async fn fetch(&mut self, ranges: Vec<Range>) -> Result<Vec<u8>, Error> {
        let total = ranges.iter().try_fold(0_usize, |sum, range| {
            sum.checked_add(usize::try_from(range.length).ok()?)
        });
        let total = total.ok_or(Violation::Malformed)?;
        match self.ask(RequestBody::Fetch { ranges }).await? {
            Reply::Content(bytes) if bytes.0.len() == total => Ok(bytes.0),
            Reply::Content(bytes) if bytes.0.len() < total => Err(Violation::Truncated.into()),
            Reply::Content(_) => Err(Violation::OutOfTurn.into()),
            other => Err(unexpected(&other)),
        }
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Downloading<'_, R, V, E, C> {
    /// What is known of how current this is.
    #[must_use]
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Bytes of the whole content.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.found.file.size
    }

    /// When the space's newest head was written, by its author's clock.
    #[must_use]
    pub fn written_ms(&self) -> u64 {
        self.written_ms
    }

    /// The next part of the content, or `None` once it is complete.
    ///
    /// # Errors
    ///
    /// A [`Violation`] if what comes is not what the accepted head promises,
    /// [`Unavailable::Spoilt`] if the head promises what cannot be. What was handed out before
    /// stays authentic; it is not the whole.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let batch = self.batch(self.position);
        if batch.is_empty() {
            let complete = self.released == self.found.file.size;
            defend!(Defence::SizeBound, complete, self.spoilt.clone());
            return Ok(None);
        }
        self.ask_ahead();
        let mut sealed = match self.session.fetch(ranges(&batch)).await {
            Err(Error::Unavailable(Unavailable::Withheld)) => {
                let Found {
                    space, tag, leaf, ..
                } = self.found;
                return Err(self.session.denied(space, tag, leaf).await);
            }
            other => other?,
        };
        let mut content = core::mem::take(&mut self.spent);
        let mut rest = sealed.as_mut_slice();
        for record in &batch {
            let length = usize::try_from(record.length).map_err(|_| Violation::Malformed)?;
            let (segment, later) = rest
                .split_at_mut_checked(length)
                .ok_or(Violation::Truncated)?;
            let key = self
                .keys
                .get(usize::from(record.key_index))
                .ok_or_else(|| self.spoilt.clone())?;
            open_segment(key, record, segment, &mut content)
                .map_err(|error| by_author(error, &self.spoilt))?;
            rest = later;
        }
        // It was opened where it lay, and is nobody's to read.
        sealed.clear();
        self.session.ports.remote.reuse(sealed);
        self.position = self.position.saturating_add(batch.len());
        self.released = u64::try_from(content.len())
            .map_or(u64::MAX, |size| self.released.saturating_add(size));
        let within = self.released <= self.found.file.size;
        defend!(Defence::SizeBound, within, self.spoilt.clone());
        Ok(Some(content))
    }

    /// Gives a part back that the caller is done with: its memory serves for the next one.
    pub fn reuse(&mut self, mut spent: Vec<u8>) {
        spent.clear();
        self.spent = spent;
    }

    /// Passes over the next segment if `held`, kept from an earlier read, begins with its content,
    /// and returns how many bytes that is. Nothing is asked of the server and nothing is believed
    /// of what was kept: sealed anew, it must give what the accepted head promises.
    ///
    /// Segments that do not end in a full chunk and are not the last one, as appends leave them,
    /// are not passed over.
    pub fn skip(&mut self, held: &[u8]) -> usize {
        let left = self.found.file.size.saturating_sub(self.released);
        let Some(record) = self.records.get(self.position) else {
            return 0;
        };
        let full = full_content_of(record).unwrap_or(SEGMENT_CONTENT_MAX);
        let size = usize::try_from(left).map_or(full, |left| left.min(full));
        let Some(content) = held.get(..size) else {
            return 0;
        };
        let key = self.keys.get(usize::from(record.key_index));
        if key.is_none_or(|key| sealed_as(key, record, content).is_none()) {
            return 0;
        }
        self.position = self.position.saturating_add(1);
        self.ahead = self.position;
        self.released =
            u64::try_from(size).map_or(u64::MAX, |size| self.released.saturating_add(size));
        size
    }

    /// Asks for a few batches before those that come first are there and judged: the order of
    /// requests tells nothing of what came of the earlier ones.
    fn ask_ahead(&mut self) {
        let more = if self.ahead == self.position {
            1 + BATCHES_AHEAD
        } else {
            1
        };
        for _ in 0..more {
            let batch = self.batch(self.ahead);
            if batch.is_empty() {
                break;
            }
            self.ahead = self.ahead.saturating_add(batch.len());
            let ranges = ranges(&batch);
            self.session.ask_ahead(RequestBody::Fetch { ranges });
        }
    }

    /// As many of the segments from `position` on as fit into one reply of one pack's size.
    fn batch(&self, position: usize) -> Vec<SegmentRecord> {
        let mut size = 0_usize;
        let rest = self.records.get(position..).unwrap_or_default();
        rest.iter()
            .enumerate()
            .take_while(|(index, record)| {
                size = size.saturating_add(usize::try_from(record.length).unwrap_or(usize::MAX));
                *index == 0 || size <= SEGMENT_SEALED_MAX
            })
            .map(|(_, record)| record.clone())
            .collect()
    }
}

/// What has the hash that its author gave it, and does not open, is the author's doing.
fn by_author(error: Error, spoilt: &Error) -> Error {
    match error {
        Error::Violation(Violation::Inauthentic | Violation::Malformed) => spoilt.clone(),
        error => error,
    }
}

/// Where segments are in their packs.
fn ranges(records: &[SegmentRecord]) -> Vec<Range> {
    let range = |record: &SegmentRecord| Range {
        pack: record.pack,
        offset: record.offset,
        length: record.length,
    };
    records.iter().map(range).collect()
}

/// The records of a file are all that its leaf's peaks vouch for, in their order.
pub(super) fn check_records(file: &FileEntry, records: &[SegmentRecord]) -> Result<(), Error> {
    let mut mountain: Mountain<SegmentNode> = Mountain::new();
    for record in records {
        mountain
            .push(segment_leaf(record))
            .map_err(|_| Violation::Malformed)?;
    }
    let short = mountain.size() < file.segments;
    defend!(Defence::SegmentTree, !short, Violation::Truncated);
    let bound = mountain.size() == file.segments && mountain.peaks() == file.peaks.as_slice();
    defend!(Defence::SegmentTree, bound, Violation::Misbound);
    Ok(())
}

/// The request for a page of segment records.
fn records_from(found: &Found, from: u32) -> RequestBody {
    RequestBody::Segments {
        ranges: Vec::from([RecordRange {
            leaf: found.leaf,
            from,
            count: RECORDS_PER_REQUEST,
        }]),
    }
}
