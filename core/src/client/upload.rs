//! Writes whole files: one after another as they come, or many under one head.

use super::Session;
use super::commit::{Draft, Landed, NewLeaf};
use super::locate::{Found, Located};
use super::stretch::Stretch;
use super::sync::Want;
use super::transport::unexpected;
use super::version::{drafted, drafted_one};
use crate::chunk::{
    CONTENT_MAX, SEALED_MAX, SEGMENT_CONTENT_MAX, SEGMENT_SEALED_MAX, seal_run, seal_segment,
};
use crate::defence::{Defence, construct};
use crate::env::{Clock, Entropy};
use crate::error::{Error, LocalState, Unavailable, Usage, Violation};
use crate::id::{Epoch, FileId, PackId, SpaceId, Tag};
use crate::remote::{Remote, Unusable, Vault};
use crate::seal::{fresh_id, seal_keyring, seal_leaf, seal_name};
use crate::secret::{ContentKey, KeyBytes};
use crate::tree::{Mountain, segment_leaf};
use crate::wire::{
    Blob, Entry, FileEntry, LinkEntry, NAME_INLINE_MAX, NameRef, Pack, Region, Reply, RequestBody,
    SegmentNode, SegmentRecord,
};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

/// Files of one batch. What is there of them fits into one reply: the leaf of each is 1.2 KB, its
/// path 0.2 KB, and its bucket 1.8 KB in a directory of 1.8 million names.
pub const BATCH_MAX: usize = 2560;

/// An upload in progress. Nothing of it is visible before [`finish`](Self::finish) returned.
#[derive(Debug)]
pub struct Uploading<'a, R, V, E, C> {
    session: &'a mut Session<R, V, E, C>,
    name: Vec<u8>,
    stretch: Stretch,
    /// Only of an upload that can be gone on with.
    notes: Option<Notes<'a>>,
}

/// An upload that can be gone on with after a cut. It holds no key, and may be kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Fresh for each upload.
    pub id: [u8; 16],
    /// Where the file goes.
    pub space: SpaceId,
    /// The space's key epoch: after a revocation, nothing that was sent before is used.
    pub epoch: Epoch,
}

/// What whoever keeps the notes of an upload must have done before the upload goes on.
#[derive(Clone, Copy, Debug)]
pub enum Note<'r> {
    /// Kept: this segment is about to be sent. Notes of another upload are of no use any more.
    Sealed(Begun, &'r SegmentRecord),
    /// Thrown away: the upload is about to be published. What is sealed under its key from here on
    /// would be open to whomever the file is given to.
    Spent,
}

/// Keeps notes; says if it cannot, and then keeps none.
pub type Notebook<'a> = dyn FnMut(Note<'_>) -> Result<(), Unusable> + 'a;

/// The notes of an upload on its way.
pub(super) struct Notes<'a> {
    pub(super) begun: Begun,
    book: &'a mut Notebook<'a>,
}

impl Notes<'_> {
    pub(super) fn sealed(&mut self, record: &SegmentRecord) -> Result<(), Error> {
        (self.book)(Note::Sealed(self.begun, record)).map_err(unnoted)
    }

    fn spent(&mut self) -> Result<(), Error> {
        (self.book)(Note::Spent).map_err(unnoted)
    }
}

impl fmt::Debug for Notes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.begun.fmt(formatter)
    }
}

fn unnoted(Unusable: Unusable) -> Error {
    Unavailable::LocalState(LocalState::Unwritable).into()
}

/// Where an upload goes.
pub(super) struct Destination {
    pub(super) space: SpaceId,
    pub(super) tag: Tag,
    /// The file that is there.
    pub(super) before: Option<Found>,
    /// What leads to the space, if it is a shared one.
    pub(super) link: Option<LinkEntry>,
}

/// A pack that is being filled.
#[derive(Debug)]
pub(super) struct Packer {
    id: PackId,
    bytes: Vec<u8>,
}

impl Packer {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        Self {
            id: PackId(fresh_id(entropy)),
            bytes: Vec::new(),
        }
    }

    /// A pack that was filled before, to be sent again.
    pub(super) fn again(id: PackId, bytes: Vec<u8>) -> Self {
        Self { id, bytes }
    }

    pub(super) fn segment(
        &mut self,
        key: &ContentKey,
        key_index: u16,
        content: &[u8],
    ) -> SegmentRecord {
        seal_segment(key, key_index, self.id, &mut self.bytes, content)
    }

    /// Content that more content follows, in full chunks.
    pub(super) fn run(
        &mut self,
        key: &ContentKey,
        key_index: u16,
        content: &[u8],
    ) -> SegmentRecord {
        seal_run(key, key_index, self.id, &mut self.bytes, content)
    }

    /// The older keys of a file, sealed under its newest one.
    pub(super) fn keyring(&mut self, newest: &ContentKey, older: &[KeyBytes]) -> Region {
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let (region, sealed) = seal_keyring(newest, self.id, offset, older);
        self.bytes.extend_from_slice(&sealed);
        region
    }

    /// Whether a segment of this content still fits, with all that padding may add.
    pub(super) fn has_room(&self, content: usize) -> bool {
        let chunks = content.div_ceil(CONTENT_MAX).saturating_add(1);
        let sealed = chunks.saturating_mul(SEALED_MAX);
        self.bytes.is_empty() || self.bytes.len().saturating_add(sealed) <= SEGMENT_SEALED_MAX
    }

    /// A name as it goes into a leaf; a long one goes into the pack.
    pub(super) fn name(&mut self, key: &KeyBytes, name: &[u8]) -> NameRef {
        if name.len() <= NAME_INLINE_MAX {
            return NameRef::Inline(name.to_vec());
        }
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let (region, sealed) = seal_name(key, self.id, offset, name);
        self.bytes.extend_from_slice(&sealed);
        NameRef::Object(region)
    }

    fn fits(&self, content: usize) -> bool {
        self.bytes.len().saturating_add(content) <= SEGMENT_SEALED_MAX / 2
    }

    /// The pack, unless nothing is in it.
    pub(super) fn finish(self) -> Option<Pack> {
        let Self { id, bytes } = self;
        (!bytes.is_empty()).then_some(Pack {
            id,
            bytes: Blob(bytes),
        })
    }
}

/// A fresh content key, used by nothing else.
pub(super) fn fresh_content_key(entropy: &mut dyn Entropy) -> ContentKey {
    construct!(
        Defence::ContentKeyFresh,
        ContentKey::random(entropy),
        same_content_key(entropy)
    )
}

/// The entry of a file that begins with `records`.
pub(super) fn entry(
    before: Option<&FileEntry>,
    entropy: &mut dyn Entropy,
    key: &ContentKey,
    size: u64,
    records: &[SegmentRecord],
    name: NameRef,
) -> Result<FileEntry, Error> {
    let mut mountain: Mountain<SegmentNode> = Mountain::new();
    for record in records {
        mountain
            .push(segment_leaf(record))
            .map_err(|_| Usage::Full)?;
    }
    Ok(FileEntry {
        file: before.map_or_else(|| FileId(fresh_id(entropy)), |before| before.file),
        version: before.map_or(1, |before| before.version.saturating_add(1)),
        size,
        content_key: KeyBytes::new(key.expose()),
        key_index: 0,
        keyring: None,
        segments: mountain.size(),
        peaks: mountain.into_peaks(),
        name,
    })
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Begins to write a file; it replaces what has the name.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`] for the name.
    pub fn upload(&mut self, name: &[u8]) -> Result<Uploading<'_, R, V, E, C>, Error> {
        self.name_tag(name)?;
        let key = fresh_content_key(&mut self.ports.entropy);
        Ok(Uploading {
            session: self,
            name: name.to_vec(),
            stretch: Stretch::new(key, 0, 0),
            notes: None,
        })
    }

    /// Begins to write a file so that another session can go on with it, or goes on with what an
    /// earlier one began. All content is written again: what the server still holds of it is not
    /// sent again.
    ///
    /// All that is sealed on the way is under one key, and it stays at the server; so it must be
    /// what the file will be, or whomever the file is given to could read what it is not. Hence the
    /// obligations of the caller: `book` keeps each segment before it returns, and `before` is all
    /// that it kept of this upload, in order.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`] for the name; those of a read. Later, of [`Uploading::write`] and
    /// [`Uploading::finish`]: [`Usage::OtherContent`] once the content departs from what was kept;
    /// the caller then throws the notes away and begins anew.
    pub async fn upload_resumed<'a>(
        &'a mut self,
        name: &[u8],
        before: Option<(Begun, Vec<SegmentRecord>)>,
        book: &'a mut Notebook<'a>,
    ) -> Result<Uploading<'a, R, V, E, C>, Error> {
        let space = self.destination(name).await?.space;
        let epoch = self.open_space(&space)?.epoch;
        let fits = |before: &(Begun, _)| before.0.space == space && before.0.epoch == epoch;
        let (begun, claimed) = before.filter(fits).unwrap_or_else(|| {
            let id = fresh_id(&mut self.ports.entropy);
            (Begun { id, space, epoch }, Vec::new())
        });
        let mut uploading = self.upload(name)?;
        uploading.stretch.key = uploading.session.own_upload_key(&begun.id)?;
        uploading.stretch.claimed = claimed.into();
        uploading.notes = Some(Notes { begun, book });
        Ok(uploading)
    }

    pub(super) fn own_upload_key(&self, id: &[u8; 16]) -> Result<ContentKey, Error> {
        Ok(self.open_space(&self.private)?.key.upload_key(id))
    }

    /// Writes a whole file from memory.
    ///
    /// # Errors
    ///
    /// Those of [`upload`](Self::upload), [`Uploading::write`] and [`Uploading::finish`].
    pub async fn upload_all(&mut self, name: &[u8], content: &[u8]) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let mut uploading = self.upload(name)?;
            uploading.write(content).await?;
            if uploading.publish().await? == Landed::Yes {
                return Ok(());
            }
            self.try_again(&mut tries)?;
        }
    }

    /// Writes many files, thousands of them under one head. What is given later for a name is what
    /// it has; of two names of one shared file, the same holds among small files.
    ///
    /// # Errors
    ///
    /// As for one file. What an earlier head of the batch published stays.
    pub async fn upload_many(&mut self, files: &[(&[u8], &[u8])]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let from_last = files.iter().rev().copied();
        let mut last: Vec<(&[u8], &[u8])> =
            from_last.filter(|(name, _)| seen.insert(*name)).collect();
        last.reverse();
        let small: Vec<(&[u8], &[u8])> = last
            .iter()
            .copied()
            .filter(|(_, content)| content.len() <= SEGMENT_CONTENT_MAX / 4)
            .collect();
        for (name, content) in last {
            if content.len() > SEGMENT_CONTENT_MAX / 4 {
                self.upload_all(name, content).await?;
            }
        }
        for batch in small.chunks(BATCH_MAX) {
            let linked = self.upload_batch(batch).await?;
            for (name, content) in linked {
                self.upload_all(name, content).await?;
            }
        }
        Ok(())
    }

    /// Writes the files of a batch that live in the private space; returns the others.
    async fn upload_batch<'f>(
        &mut self,
        files: &[(&'f [u8], &'f [u8])],
    ) -> Result<Vec<(&'f [u8], &'f [u8])>, Error> {
        let mut tries = 0;
        let private = self.private;
        loop {
            let tags = files
                .iter()
                .map(|(name, _)| self.name_tag(name))
                .collect::<Result<_, _>>()?;
            self.read_one(Want::tags(private, tags)).await?;
            let mut draft = Draft::default();
            let mut linked = Vec::new();
            let mut packer = Packer::new(&mut self.ports.entropy);
            for &(name, content) in files {
                let tag = self.name_tag(name)?;
                let before = match self.entry(&private, &tag)? {
                    Some((_, Entry::File(file))) => Some(file),
                    None => None,
                    Some(_) => {
                        linked.push((name, content));
                        continue;
                    }
                };
                if !packer.fits(content.len()) {
                    let next = Packer::new(&mut self.ports.entropy);
                    self.store(core::mem::replace(&mut packer, next)).await?;
                }
                let key = fresh_content_key(&mut self.ports.entropy);
                let record = packer.segment(&key, 0, content);
                let name = packer.name(&KeyBytes::new(key.expose()), name);
                let size = u64::try_from(content.len()).map_err(|_| Usage::TooLong)?;
                let entropy = &mut self.ports.entropy;
                let file = entry(
                    before.as_ref(),
                    entropy,
                    &key,
                    size,
                    core::slice::from_ref(&record),
                    name,
                )?;
                let leaf = self.sealed_file(&private, file, 0, Vec::from([record]))?;
                draft.leaves.insert(tag, Some(leaf));
            }
            draft.pack = packer.finish();
            if draft.leaves.is_empty() {
                return Ok(linked);
            }
            let versions = drafted(private, &draft);
            if self.commit(private, draft, None).await? == Landed::Yes {
                self.written.extend(versions);
                return Ok(linked);
            }
            self.try_again(&mut tries)?;
        }
    }

    /// Seals the leaf of a file.
    pub(super) fn sealed_file(
        &mut self,
        space: &SpaceId,
        file: FileEntry,
        keep: u32,
        add: Vec<SegmentRecord>,
    ) -> Result<NewLeaf, Error> {
        let space = self.spaces.get(space).ok_or(Violation::OutOfTurn)?;
        let entropy = &mut self.ports.entropy;
        let stored = seal_leaf(entropy, &space.key, &Entry::File(file))?;
        Ok(NewLeaf {
            keep,
            add,
            ..NewLeaf::of(stored)
        })
    }

    /// Sends a pack ahead of the commit that needs it.
    pub(super) async fn store(&mut self, packer: Packer) -> Result<(), Error> {
        let Some(pack) = packer.finish() else {
            return Ok(());
        };
        match self.ask(RequestBody::Store { pack }).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Where an upload of this name goes.
    pub(super) async fn destination(&mut self, name: &[u8]) -> Result<Destination, Error> {
        let free = Destination {
            space: self.private,
            tag: self.name_tag(name)?,
            before: None,
            link: None,
        };
        Ok(match self.locate(name, &[]).await? {
            Located::File(found, link) => Destination {
                space: found.space,
                tag: found.tag,
                before: Some(found),
                link,
            },
            // Of a file that its owner deleted, the name is free again, for a file of one's own.
            Located::Nothing | Located::Gone(_) => free,
            Located::Spoilt(link) => Destination {
                space: link.space,
                tag: self.open_space(&link.space)?.only_tag(),
                before: None,
                link: Some(link),
            },
        })
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Uploading<'_, R, V, E, C> {
    /// Adds content. Holds at most one segment of it in memory.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if a full segment could not be sent. The upload then starts again from its
    /// beginning, as it does if this future was dropped: whatever follows is
    /// [`Unavailable::CutOff`].
    pub async fn write(&mut self, content: &[u8]) -> Result<(), Error> {
        let notes = self.notes.as_mut();
        self.stretch.write(self.session, notes, content).await
    }

    /// Bytes that were not sent because an earlier session had stored them.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.stretch.resumed
    }

    /// Publishes the file.
    ///
    /// # Errors
    ///
    /// [`Unavailable::Contended`] if other devices were first again and again, or if a member was
    /// revoked while packs were under way: what was sent before is then not used, and the upload
    /// starts again from its beginning.
    pub async fn finish(self) -> Result<(), Error> {
        match self.publish().await? {
            Landed::Yes => Ok(()),
            Landed::Raced => Err(Unavailable::Contended.into()),
        }
    }

    /// Publishes the file, unless a member was revoked while packs were under way.
    async fn publish(mut self) -> Result<Landed, Error> {
        self.stretch.check_whole()?;
        if !self.stretch.claimed.is_empty() && !self.stretch.stored.is_empty() {
            return Err(Usage::OtherContent.into());
        }
        let mut tries = 0;
        let begun = self.notes.as_ref().map(|notes| notes.begun);
        let mut epoch = begun.map(|begun| (begun.space, begun.epoch));
        loop {
            let to = self.session.destination(&self.name).await?;
            let space = to.space;
            let now = (space, self.session.open_space(&space)?.epoch);
            let moved = epoch.is_some_and(|before| before != now);
            if moved && !self.stretch.stored.is_empty() {
                return Ok(Landed::Raced);
            }
            if epoch.is_some() && self.stretch.stored.is_empty() {
                self.stretch.key = fresh_content_key(&mut self.session.ports.entropy);
            }
            epoch = Some(now);
            let before = to.before.as_ref().map(|found| &found.file);
            let draft = self.draft(space, to.tag, before)?;
            let version = drafted_one(space, &draft);
            if let Some(notes) = &mut self.notes {
                // While there still are notes: what the server dropped meanwhile is sent again.
                self.stretch.check_kept(self.session).await?;
                notes.spent()?;
            }
            let landed = self.session.commit(space, draft, to.link.as_ref()).await?;
            if landed == Landed::Yes {
                self.session.wrote(&self.name, version);
                return Ok(landed);
            }
            self.session.try_again(&mut tries)?;
        }
    }

    fn draft(
        &mut self,
        space: SpaceId,
        tag: Tag,
        before: Option<&FileEntry>,
    ) -> Result<Draft, Error> {
        let session = &mut *self.session;
        let stretch = &self.stretch;
        let mut packer = Packer::new(&mut session.ports.entropy);
        let mut records = stretch.stored.clone();
        if records.is_empty() || !stretch.plain.is_empty() {
            records.push(packer.segment(&stretch.key, 0, &stretch.plain));
        }
        let name = match space == session.private {
            true => packer.name(&KeyBytes::new(stretch.key.expose()), &self.name),
            false => NameRef::Inline(Vec::new()),
        };
        let entropy = &mut session.ports.entropy;
        let file = entry(before, entropy, &stretch.key, stretch.size, &records, name)?;
        let leaf = session.sealed_file(&space, file, 0, records)?;
        let mut draft = Draft {
            pack: packer.finish(),
            ..Draft::default()
        };
        draft.leaves.insert(tag, Some(leaf));
        Ok(draft)
    }
}
