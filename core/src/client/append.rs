//! Adds to the end of a file: two requests, whatever the file, the directory and the history.

use super::Session;
use super::commit::{Draft, Landed};
use super::locate::Found;
use super::upload::Packer;
use crate::chunk::SEGMENT_CONTENT_MAX;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Usage, Violation};
use crate::limits::SEGMENTS_MAX;
use crate::remote::{Remote, Vault};
use crate::secret::ContentKey;
use crate::tree::{Mountain, segment_leaf};
use crate::wire::{FileEntry, SegmentNode};
use alloc::vec::Vec;

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Appends to a file. What is there already is neither read nor sent.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`], and [`Usage::Full`] once a version has 65,535 segments: uploading the
    /// file anew makes room.
    pub async fn append(&mut self, name: &[u8], content: &[u8]) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let (found, _) = self.file(name, &[]).await?;
            let space = found.space;
            // Sealed anew at each try: nothing of a pack that lost a race is used again, so that
            // a revocation that came first revokes this content too.
            let draft = self.append_draft(found, content).await?;
            if self.commit(space, draft).await? == Landed::Yes {
                return Ok(());
            }
            self.try_again(&mut tries)?;
        }
    }

    async fn append_draft(&mut self, found: Found, content: &[u8]) -> Result<Draft, Error> {
        let Found {
            space,
            tag,
            leaf: _,
            file,
        } = found;
        let key = ContentKey::copy_from(file.content_key.expose());
        let mut parts: Vec<&[u8]> = content.chunks(SEGMENT_CONTENT_MAX).collect();
        let last = parts.pop().unwrap_or_default();
        let mut records = Vec::new();
        for part in parts {
            let mut packer = Packer::new(&mut self.ports.entropy);
            records.push(packer.segment(&key, file.key_index, part));
            self.store(packer).await?;
        }
        let mut packer = Packer::new(&mut self.ports.entropy);
        records.push(packer.segment(&key, file.key_index, last));
        let keep = u32::try_from(file.segments).map_err(|_| Violation::Malformed)?;
        let peaks = file.peaks.clone();
        let mut mountain: Mountain<SegmentNode> =
            Mountain::from_parts(file.segments, peaks).map_err(|_| Violation::Malformed)?;
        for record in &records {
            mountain
                .push(segment_leaf(record))
                .map_err(|_| Usage::Full)?;
        }
        if mountain.size() > SEGMENTS_MAX {
            return Err(Usage::Full.into());
        }
        let added = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
        let file = FileEntry {
            size: file.size.saturating_add(added),
            segments: mountain.size(),
            peaks: mountain.into_peaks(),
            ..file
        };
        let leaf = self.sealed_file(&space, file, keep, records)?;
        let mut draft = Draft {
            pack: packer.finish(),
            ..Draft::default()
        };
        draft.leaves.insert(tag, Some(leaf));
        Ok(draft)
    }
}
