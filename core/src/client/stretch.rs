//! Content on its way into segments: full ones are sent as they come, one is held.

use super::Session;
use super::upload::{Notes, Packer};
use crate::chunk::{SEGMENT_CONTENT_MAX, sealed_as};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage};
use crate::limits::SEGMENTS_MAX;
use crate::primitive::Zeroizing;
use crate::remote::{Remote, Vault};
use crate::seal::fresh_id;
use crate::secret::ContentKey;
use crate::wire::{Range, SegmentRecord};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes of a pack's end that the server shows before the pack is used again.
const SHOWN: usize = 16;

/// Content that was written and is not published yet.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) key: ContentKey,
    pub(super) key_index: u16,
    /// Content that is not sealed yet: at most one segment.
    pub(super) plain: Zeroizing<Vec<u8>>,
    pub(super) stored: Vec<SegmentRecord>,
    pub(super) size: u64,
    /// Segments that an earlier run sealed. The content must be theirs, to the last of them.
    pub(super) claimed: VecDeque<SegmentRecord>,
    /// Content that the server had already.
    pub(super) resumed: u64,
    /// Segments that the file has before it.
    before: u64,
    /// The latest write came to its end. After one that did not, nobody knows how much of it was
    /// taken, and nothing may follow.
    whole: bool,
}

impl Stretch {
    pub(super) fn new(key: ContentKey, key_index: u16, before: u64) -> Self {
        Self {
            key,
            key_index,
            plain: Zeroizing::new(Vec::new()),
            stored: Vec::new(),
            size: 0,
            claimed: VecDeque::new(),
            resumed: 0,
            before,
            whole: true,
        }
    }

    pub(super) async fn write<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &mut self,
        session: &mut Session<R, V, E, C>,
        mut notes: Option<&mut Notes<'_>>,
        content: &[u8],
    ) -> Result<(), Error> {
        self.check_whole()?;
        self.whole = false;
        let mut rest = content;
        while !rest.is_empty() {
            if self.plain.len() == SEGMENT_CONTENT_MAX {
                let mut plain = core::mem::take(&mut self.plain);
                self.send(session, notes.as_deref_mut(), &plain).await?;
                plain.clear();
                self.plain = plain;
            }
            // What is last is kept back for the commit; what more follows need not be.
            if self.plain.is_empty()
                && let Some((now, later)) = rest.split_at_checked(SEGMENT_CONTENT_MAX)
                && !later.is_empty()
            {
                self.send(session, notes.as_deref_mut(), now).await?;
                rest = later;
                continue;
            }
            let room = SEGMENT_CONTENT_MAX.saturating_sub(self.plain.len());
            let (now, later) = rest.split_at(rest.len().min(room));
            self.plain.extend_from_slice(now);
            rest = later;
        }
        let size = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
        self.size = self.size.saturating_add(size);
        self.whole = true;
        Ok(())
    }

    /// Nothing was cut in the middle.
    pub(super) fn check_whole(&self) -> Result<(), Error> {
        match self.whole {
            true => Ok(()),
            false => Err(Unavailable::CutOff.into()),
        }
    }

    /// Whether the server still has a pack that an earlier run sent: it shows how the pack ends.
    /// An honest server may have dropped what no head names.
    async fn is_there<R: Remote, V: Vault, E: Entropy, C: Clock>(
        session: &mut Session<R, V, E, C>,
        record: &SegmentRecord,
        sealed: &[u8],
    ) -> Result<bool, Error> {
        let end = sealed
            .get(sealed.len().saturating_sub(SHOWN)..)
            .unwrap_or_default();
        let length = u32::try_from(end.len()).map_err(|_| Usage::TooLong)?;
        let range = Range {
            pack: record.pack,
            offset: record.length.saturating_sub(length),
            length,
        };
        match session.fetch(Vec::from([range])).await {
            Ok(shown) => Ok(shown == end),
            Err(Error::Unavailable(Unavailable::Withheld)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next segment as an earlier run sealed it, if one did; the server has it from here on.
    async fn sent_before<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &mut self,
        session: &mut Session<R, V, E, C>,
        content: &[u8],
    ) -> Result<Option<SegmentRecord>, Error> {
        let Some(record) = self.claimed.pop_front() else {
            return Ok(None);
        };
        let whole_pack = record.key_index == self.key_index && record.offset == 0;
        let sealed = sealed_as(&self.key, &record, content).filter(|_| whole_pack);
        let sealed = sealed.ok_or(Usage::OtherContent)?;
        if Self::is_there(session, &record, &sealed).await? {
            let size = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
            self.resumed = self.resumed.saturating_add(size);
            return Ok(Some(record));
        }
        match session.store(Packer::again(record.pack, sealed)).await {
            Ok(()) => Ok(Some(record)),
            // It has something else in its place, and will always.
            Err(Error::Unavailable(Unavailable::Taken)) => Err(Usage::OtherContent.into()),
            Err(error) => Err(error),
        }
    }

    /// The server still has all that was stored.
    pub(super) async fn check_kept<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &self,
        session: &mut Session<R, V, E, C>,
    ) -> Result<(), Error> {
        let first = |record: &SegmentRecord| Range {
            pack: record.pack,
            offset: record.offset,
            length: 1,
        };
        let ranges: Vec<Range> = self.stored.iter().map(first).collect();
        if !ranges.is_empty() {
            session.fetch(ranges).await?;
        }
        Ok(())
    }

    /// Sends a full segment.
    async fn send<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &mut self,
        session: &mut Session<R, V, E, C>,
        mut notes: Option<&mut Notes<'_>>,
        content: &[u8],
    ) -> Result<(), Error> {
        let count = u64::try_from(self.stored.len()).map_err(|_| Usage::Full)?;
        if self.before.saturating_add(count) >= SEGMENTS_MAX - 1 {
            return Err(Usage::Full.into());
        }
        let before = match (
            self.sent_before(session, content).await,
            notes.as_deref_mut(),
        ) {
            // Nothing of the earlier run is in the file yet, nor will be.
            (Err(Error::Usage(Usage::OtherContent)), Some(notes)) if self.stored.is_empty() => {
                self.claimed.clear();
                notes.begun.id = fresh_id(&mut session.ports.entropy);
                self.key = session.own_upload_key(&notes.begun.id)?;
                None
            }
            (before, _) => before?,
        };
        let record = if let Some(record) = before {
            record
        } else {
            let mut packer = Packer::new(&mut session.ports.entropy);
            let record = packer.segment(&self.key, self.key_index, content);
            if let Some(notes) = notes {
                notes.sealed(&record)?;
            }
            session.store(packer).await?;
            record
        };
        self.stored.push(record);
        Ok(())
    }
}
