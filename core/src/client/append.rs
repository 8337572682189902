//! Adds to the end of a file: in two requests what fits into one pack, whatever is there before.

use super::Session;
use super::commit::{Draft, Landed};
use super::locate::Found;
use super::stretch::Stretch;
use super::upload::Packer;
use crate::chunk::SEGMENT_CONTENT_MAX;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Epoch, FileId, SpaceId};
use crate::remote::{Remote, Vault};
use crate::secret::ContentKey;
use crate::tree::{Mountain, segment_leaf};
use crate::wire::{FileEntry, SegmentNode, SegmentRecord};
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
            let (found, link) = self.file(name, &[]).await?;
            let space = found.space;
            // Sealed anew at each try: nothing of a pack that lost a race is used again, so that
            // a revocation that came first revokes this content too.
            let draft = self.append_draft(found, content).await?;
            if self.commit(space, draft, link.as_ref()).await? == Landed::Yes {
                return Ok(());
            }
            self.try_again(&mut tries)?;
        }
    }

    /// Begins to append what comes piece by piece, of any length.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`].
    pub async fn appending(&mut self, name: &[u8]) -> Result<Appending<'_, R, V, E, C>, Error> {
        let (found, _) = self.file(name, &[]).await?;
        let basis = self.basis(&found)?;
        let key = ContentKey::copy_from(found.file.content_key.expose());
        let stretch = Stretch::new(key, found.file.key_index, found.file.segments);
        Ok(Appending {
            session: self,
            name: name.to_vec(),
            basis,
            stretch,
        })
    }

    fn basis(&self, found: &Found) -> Result<Basis, Error> {
        Ok(Basis {
            space: found.space,
            epoch: self.open_space(&found.space)?.epoch,
            file: found.file.file,
            version: found.file.version,
            key_index: found.file.key_index,
        })
    }

    async fn append_draft(&mut self, found: Found, content: &[u8]) -> Result<Draft, Error> {
        let key = ContentKey::copy_from(found.file.content_key.expose());
        let mut parts: Vec<&[u8]> = content.chunks(SEGMENT_CONTENT_MAX).collect();
        let last = parts.pop().unwrap_or_default();
        let mut records = Vec::new();
        for part in parts {
            let mut packer = Packer::new(&mut self.ports.entropy);
            records.push(packer.segment(&key, found.file.key_index, part));
            self.store(packer).await?;
        }
        let added = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
        self.longer(found, records, last, added)
    }

    /// The file with more segments: those that were stored, and a last one.
    fn longer(
        &mut self,
        found: Found,
        mut records: Vec<SegmentRecord>,
        last: &[u8],
        added: u64,
    ) -> Result<Draft, Error> {
        let Found {
            space,
            tag,
            leaf: _,
            file,
        } = found;
        let key = ContentKey::copy_from(file.content_key.expose());
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

/// What the content of an append was sealed for. If any of it changed, the content may be for
/// people who must not read it, or of a file that is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    space: SpaceId,
    epoch: Epoch,
    file: FileId,
    version: u64,
    key_index: u16,
}

/// An append in progress. Nothing of it is visible before [`finish`](Self::finish) returned.
#[derive(Debug)]
pub struct Appending<'a, R, V, E, C> {
    session: &'a mut Session<R, V, E, C>,
    name: Vec<u8>,
    basis: Basis,
    stretch: Stretch,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Appending<'_, R, V, E, C> {
    /// Adds content. Holds at most one segment of it in memory.
    ///
    /// # Errors
    ///
    /// Those of [`Uploading::write`](super::Uploading::write), and [`Usage::Full`] once the file
    /// cannot hold more.
    pub async fn write(&mut self, content: &[u8]) -> Result<(), Error> {
        self.stretch.write(self.session, None, content).await
    }

    /// Publishes all that was written, under one head.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Contended`] if the file was written anew, shared or revoked while packs were
    /// under way: what was sent before is then not used, and the append starts again from its
    /// beginning.
    pub async fn finish(self) -> Result<(), Error> {
        let Self {
            session,
            name,
            basis,
            stretch,
        } = self;
        stretch.check_whole()?;
        let mut tries = 0;
        loop {
            let (found, link) = session.file(&name, &[]).await?;
            if session.basis(&found)? != basis && !stretch.stored.is_empty() {
                return Err(Unavailable::Contended.into());
            }
            let space = found.space;
            let stored = stretch.stored.clone();
            let draft = session.longer(found, stored, &stretch.plain, stretch.size)?;
            if session.commit(space, draft, link.as_ref()).await? == Landed::Yes {
                return Ok(());
            }
            session.try_again(&mut tries)?;
        }
    }
}
