//! Content on its way into segments: full ones are sent as they come, one is held.

use super::Session;
use super::upload::Packer;
use crate::chunk::{SEGMENT_CONTENT_MAX, sealed_as};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage};
use crate::limits::SEGMENTS_MAX;
use crate::primitive::Zeroizing;
use crate::remote::{Remote, Vault};
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
    /// Segments that an earlier run stored, or so it noted; each is proved before it is used.
    pub(super) claimed: VecDeque<SegmentRecord>,
    /// Content of which the server had all that was claimed.
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
        content: &[u8],
    ) -> Result<(), Error> {
        self.check_whole()?;
        self.whole = false;
        let mut rest = content;
        while !rest.is_empty() {
            if self.plain.len() == SEGMENT_CONTENT_MAX {
                self.flush(session).await?;
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

    /// Whether a pack of an earlier run holds exactly this content, and is still at the server:
    /// it shows how the pack ends. An honest server may have dropped what no head names.
    async fn is_there<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &self,
        session: &mut Session<R, V, E, C>,
        record: &SegmentRecord,
    ) -> Result<bool, Error> {
        if record.key_index != self.key_index || record.offset != 0 {
            return Ok(false);
        }
        let Some(sealed) = sealed_as(&self.key, record, &self.plain) else {
            return Ok(false);
        };
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

    async fn flush<R: Remote, V: Vault, E: Entropy, C: Clock>(
        &mut self,
        session: &mut Session<R, V, E, C>,
    ) -> Result<(), Error> {
        let count = u64::try_from(self.stored.len()).map_err(|_| Usage::Full)?;
        if self.before.saturating_add(count) >= SEGMENTS_MAX - 1 {
            return Err(Usage::Full.into());
        }
        if let Some(record) = self.claimed.pop_front() {
            if self.is_there(session, &record).await? {
                let size = u64::try_from(self.plain.len()).map_err(|_| Usage::TooLong)?;
                self.resumed = self.resumed.saturating_add(size);
                self.stored.push(record);
                self.plain.clear();
                return Ok(());
            }
            self.claimed.clear();
        }
        let mut packer = Packer::new(&mut session.ports.entropy);
        let record = packer.segment(&self.key, self.key_index, &self.plain);
        session.store(packer).await?;
        self.stored.push(record);
        self.plain.clear();
        Ok(())
    }
}
