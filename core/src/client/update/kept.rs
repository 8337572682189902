//! What of the version before stays where it is: whole segments, and runs of their chunks that the
//! server shows to be the same.

use super::Updating;
use super::compared::{Again, Compared, Probe};
use crate::chunk::{CONTENT_MAX, SEALED_MAX, TAG_SIZE, record_of, resealed};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Violation};
use crate::remote::{Remote, Vault};
use crate::secret::KeyBytes;
use crate::wire::{Range, SegmentRecord};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A run of chunks that stays, and where its content is in its stretch.
pub(super) struct Kept {
    pub(super) content: Span,
    pub(super) record: SegmentRecord,
    pub(super) probe: Probe,
    /// It ends the content, padded as an end is.
    pub(super) ends: bool,
}

type Span = core::ops::Range<usize>;

/// How many records a stretch of this length comes to.
pub(super) fn pieces(kept: &[Kept], length: usize) -> u64 {
    let mut at = 0;
    let mut pieces = 0_u64;
    for Kept { content, .. } in kept {
        pieces = pieces.saturating_add(1 + u64::from(at < content.start));
        at = content.end;
    }
    pieces.saturating_add(u64::from(at < length))
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Updating<'_, R, V, E, C> {
    /// What of one segment of the version before stays.
    pub(super) async fn stays(
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

    /// The keys of what stays, and no others; the records name them from here on, and the key of
    /// this update after them.
    pub(super) fn older_keys(&mut self) -> Vec<KeyBytes> {
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
