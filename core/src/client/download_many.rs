//! Reads many small files under one head.

use super::download::check_records;
use super::locate::Found;
use super::sync::Want;
use super::transport::unexpected;
use super::{Freshness, Session};
use crate::chunk::{SEGMENT_SEALED_MAX, open_segment};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::Tag;
use crate::remote::{Remote, Vault};
use crate::secret::ContentKey;
use crate::wire::{Entry, Range, RecordRange, Reply, RequestBody, SegmentRecord};
use alloc::vec::Vec;

/// Files whose leaves are asked for at a time: they fit into one reply.
const VIEW_MAX: usize = 2048;

/// Denials after which no further halves are asked for: a server that has lost one list of many
/// denies it a dozen times, and one that denies everything is found out by the first file.
const DENIALS_MAX: u32 = 32;

/// What became of a request for many files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    /// The names that were not handed out, by their place in the request: files that are large,
    /// shared, of an older key, not there, or denied. Each is to be read by itself, which says why.
    pub rest: Vec<usize>,
    /// What is known of how current the others are.
    pub freshness: Freshness,
}

/// A file of one segment.
struct Small {
    place: usize,
    found: Found,
    record: Option<SegmentRecord>,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Reads those of the files that are small and in the private space, and gives each to `take`
    /// once it is complete and verified, with its place in `names`.
    ///
    /// # Errors
    ///
    /// A [`Violation`] if what comes is not what an accepted head promises. What was handed out
    /// before stays authentic and whole.
    pub async fn download_many(
        &mut self,
        names: &[&[u8]],
        mut take: impl FnMut(usize, Vec<u8>),
    ) -> Result<Many, Error> {
        let freshness = Freshness::alone(self.accepted(&self.private).is_some());
        let mut rest = Vec::new();
        let mut first = 0;
        for names in names.chunks(VIEW_MAX) {
            let small = self.small_files(names, first, &mut rest).await?;
            first = first.saturating_add(names.len());
            let mut small = self.ask_records(small, &mut rest).await?;
            while !small.is_empty() {
                let later = small.split_off(fitting(&small));
                self.hand_out(&small, &mut rest, &mut take).await?;
                small = later;
            }
        }
        rest.sort_unstable();
        Ok(Many { rest, freshness })
    }

    /// The files of one segment among the names, as one head has them.
    async fn small_files(
        &mut self,
        names: &[&[u8]],
        first: usize,
        rest: &mut Vec<usize>,
    ) -> Result<Vec<Small>, Error> {
        let private = self.private;
        let tags: Vec<Tag> = names
            .iter()
            .map(|name| self.name_tag(name))
            .collect::<Result<_, _>>()?;
        self.read_one(Want::tags(private, tags.clone())).await?;
        let mut small = Vec::new();
        for (place, tag) in (first..).zip(tags) {
            match self.entry(&private, &tag)? {
                Some((leaf, Entry::File(file)))
                    if file.segments == 1 && file.key_index == 0 && file.keyring.is_none() =>
                {
                    small.push(Small {
                        place,
                        found: Found {
                            space: private,
                            tag,
                            leaf,
                            file,
                        },
                        record: None,
                    });
                }
                _ => rest.push(place),
            }
        }
        Ok(small)
    }

    /// The record of each file, as the peak in its leaf vouches for it; without those files whose
    /// records are denied.
    async fn ask_records(
        &mut self,
        mut small: Vec<Small>,
        rest: &mut Vec<usize>,
    ) -> Result<Vec<Small>, Error> {
        let mut denials = 0;
        let mut parts: Vec<_> = core::iter::once(0..small.len()).collect();
        while let Some(part) = parts.pop() {
            let asked = small.get_mut(part.clone()).unwrap_or_default();
            if asked.is_empty() {
                continue;
            }
            let ranges = asked.iter().map(|one| RecordRange {
                leaf: one.found.leaf,
                from: 0,
                count: 1,
            });
            let ranges = ranges.collect();
            let records = match self.ask(RequestBody::Segments { ranges }).await? {
                Reply::Segments(records) => records,
                reply => match unexpected(&reply) {
                    // One of them is denied, and is found by halves.
                    Error::Unavailable(Unavailable::Withheld) => {
                        denials += 1;
                        let middle = part.start.midpoint(part.end);
                        if middle > part.start && denials <= DENIALS_MAX {
                            parts.extend([middle..part.end, part.start..middle]);
                        } else {
                            rest.extend(asked.iter().map(|one| one.place));
                        }
                        continue;
                    }
                    error => return Err(error),
                },
            };
            let most = records.len() <= asked.len();
            defend!(Defence::ReplyCounts, most, Violation::TooLarge);
            let mut records = records.into_iter();
            for one in asked {
                let record = records.next();
                check_records(&one.found.file, record.as_slice())?;
                one.record = Some(record.ok_or(Violation::Truncated)?);
            }
        }
        small.retain(|one| one.record.is_some());
        Ok(small)
    }

    /// Fetches and opens files that fit into one reply.
    async fn hand_out(
        &mut self,
        small: &[Small],
        rest: &mut Vec<usize>,
        take: &mut impl FnMut(usize, Vec<u8>),
    ) -> Result<(), Error> {
        let records: Vec<&SegmentRecord> = small
            .iter()
            .map(|one| one.record.as_ref().ok_or(Violation::Truncated))
            .collect::<Result<_, _>>()?;
        let ranges = records.iter().map(|record| Range {
            pack: record.pack,
            offset: record.offset,
            length: record.length,
        });
        let mut sealed = match self.fetch(ranges.collect()).await {
            // Which one is denied comes out when each is asked for.
            Err(Error::Unavailable(Unavailable::Withheld)) => {
                rest.extend(small.iter().map(|one| one.place));
                return Ok(());
            }
            other => other?,
        };
        let mut sealed = sealed.as_mut_slice();
        for (one, record) in small.iter().zip(records) {
            let length = usize::try_from(record.length).map_err(|_| Violation::Malformed)?;
            let (segment, later) = sealed
                .split_at_mut_checked(length)
                .ok_or(Violation::Truncated)?;
            if record.key_index != 0 {
                return Err(Violation::Malformed.into());
            }
            let key = ContentKey::copy_from(one.found.file.content_key.expose());
            let mut content = Vec::new();
            open_segment(&key, record, segment, &mut content)?;
            let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let within = size <= one.found.file.size;
            defend!(Defence::SizeBound, within, Violation::Misbound);
            let complete = size == one.found.file.size;
            defend!(Defence::SizeBound, complete, Violation::Truncated);
            take(one.place, content);
            sealed = later;
        }
        Ok(())
    }
}

/// How many of the first files fit into one reply; at least one.
fn fitting(small: &[Small]) -> usize {
    let mut size = 0_usize;
    let fit = small.iter().take_while(|one| {
        let length = one.record.as_ref().map_or(0, |record| record.length);
        size = size.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        size <= SEGMENT_SEALED_MAX
    });
    fit.count().max(1)
}
