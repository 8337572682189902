//! Compares content with the version before: what its stored pieces come to once they are sealed
//! again, with nobody asked.

use crate::chunk::{
    CONTENT_MAX, SEALED_MAX, SEGMENT_CONTENT_MAX, TAG_SIZE, full_content_of, is_of, resealed,
    room_of,
};
use crate::env::Entropy;
use crate::primitive::Zeroizing;
use crate::secret::ContentKey;
use crate::wire::{FileEntry, Range, SegmentRecord};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Bytes of what it keeps that the server shows.
const SHOWN: usize = 16;

/// A segment of the version before, whose place in the content is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) record: SegmentRecord,
    /// Where its content begins.
    pub(super) start: u64,
    /// Bytes of its content.
    pub(super) size: usize,
    /// All its chunks are full.
    pub(super) full: bool,
    /// It ends the content, padded as an end is.
    pub(super) ends: bool,
    /// Where the server will have to show it. The server does not know before it is asked.
    pub(super) place: u32,
}

/// The version before: what its segments are, and the keys that sealed them.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) known: Vec<Known>,
    pub(super) keys: Vec<ContentKey>,
}

/// Compares content with what is stored of the version before. It asks nobody, so that threads of
/// the caller's own can work on several stretches at a time.
#[derive(Clone, Debug, Default)]
pub struct Comparer(pub(super) Arc<Before>);

/// One stretch of content, compared.
#[derive(Debug)]
pub struct Compared {
    /// With what.
    pub(super) before: Arc<Before>,
    pub(super) start: u64,
    pub(super) content: Zeroizing<Vec<u8>>,
    pub(super) found: Vec<Again>,
}

/// What a segment of the version before comes to, with this content in its place.
#[derive(Debug)]
pub(super) struct Again {
    /// Which one.
    pub(super) at: usize,
    /// The content reaches to its end.
    pub(super) whole: bool,
    /// If all of it is the same: what the server must show.
    pub(super) shown: Option<Probe>,
    /// The tags of its chunks, as far as the content reaches.
    pub(super) tags: Vec<[u8; TAG_SIZE]>,
}

/// What the server must show of what it keeps.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) range: Range,
    pub(super) bytes: Vec<u8>,
}

impl Probe {
    /// At a place in the sealed bytes of a record that the server could not foresee.
    pub(super) fn of(record: &SegmentRecord, sealed: &[u8], place: u32) -> Self {
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
    pub(super) fn new(
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
