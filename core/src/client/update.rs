//! Writes a file anew and sends only what changed: the server keeps the rest, and shows that it
//! still has it.
//!
//! Sealing is a function of key, place and content. So content that is sealed once more, under the
//! key of an earlier version and for the place that it had there, is a keyed hash of it: equal
//! bytes are taken over with their place, and nothing else is remembered or asked for that.

mod compared;
mod kept;

pub use compared::{Compared, Comparer};

use super::Session;
use super::commit::{Draft, Landed};
use super::upload::{Destination, Packer, entry, fresh_content_key};
use super::version::drafted_one;
use crate::chunk::SEGMENT_CONTENT_MAX;
use crate::defence::{Defence, defend, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Epoch, LeafHash, SpaceId, Tag};
use crate::limits::SEGMENTS_MAX;
use crate::primitive::Zeroizing;
use crate::remote::{Remote, Vault};
use crate::secret::{ContentKey, KeyBytes};
use crate::wire::{FileEntry, NameRef, Range, SegmentRecord};
use alloc::sync::Arc;
use alloc::vec::Vec;
use compared::{Before, Probe};
use kept::{Kept, pieces};

/// Records that one stretch of a full segment's length may have; of more, it is sealed as one.
const PIECES_MAX: u64 = 16;
/// Records that a version may have beyond those of a whole upload.
const EXTRA_MAX: u64 = 1 << 14;
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
}
