//! Finds what a name leads to, in one request where it can.

use super::Session;
use super::space::{SlotKind, Space};
use super::sync::{Candidate, Seen, Want};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Epoch, LeafHash, SpaceId, Tag};
use crate::remote::{Remote, Vault};
use crate::secret::EpochKey;
use crate::wire::{Entry, FileEntry, LinkEntry, Region};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Where a file's content is described.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) space: SpaceId,
    pub(super) tag: Tag,
    pub(super) leaf: LeafHash,
    pub(super) file: FileEntry,
}

/// What a name leads to.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on its way to its only reader"
)]
#[derive(Debug)]
pub(super) enum Located {
    /// Nothing has this name.
    Nothing,
    /// A file, in the private space or, behind a link, in a shared one.
    File(Found, Option<LinkEntry>),
    /// A link to a space whose file was deleted.
    Gone(LinkEntry),
    /// A link to a space in which a member left nothing that opens.
    Spoilt(LinkEntry),
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// The slot of a name in the private space.
    pub(super) fn name_tag(&self, name: &[u8]) -> Result<Tag, Error> {
        let size = u64::try_from(name.len()).map_err(|_| Usage::TooLong)?;
        if size > self.config.limits.name_size_max {
            return Err(Usage::TooLong.into());
        }
        Ok(self.open_space(&self.private)?.tag(SlotKind::Name, name))
    }

    /// A space that is open in this session.
    pub(super) fn open_space(&self, id: &SpaceId) -> Result<&Space, Error> {
        self.spaces
            .get(id)
            .ok_or_else(|| Violation::OutOfTurn.into())
    }

    /// The entry in a slot of what was read last.
    pub(super) fn entry(
        &self,
        space: &SpaceId,
        tag: &Tag,
    ) -> Result<Option<(LeafHash, Entry)>, Error> {
        let space = self.open_space(space)?;
        match space.leaf(tag) {
            Some((hash, stored)) => Ok(Some((hash, space.open(stored)?))),
            None => Ok(None),
        }
    }

    /// Reads the private space, and the shared one that the name led to before; then whatever else
    /// it takes. `also` are further slots of the private space that the caller will look at.
    pub(super) async fn locate(&mut self, name: &[u8], also: &[Tag]) -> Result<Located, Error> {
        let tag = self.name_tag(name)?;
        let mut tags = Vec::from([tag]);
        tags.extend_from_slice(also);
        let mut wants = Vec::from([Want::tags(self.private, tags)]);
        let guess = self.links.get(&tag).copied();
        if let Some(space) = guess.and_then(|id| self.spaces.get(&id)) {
            wants.push(Want::tags(space.id, Vec::from([space.only_tag()])));
        }
        let seen = self.read(&wants).await?;
        let link = match self.entry(&self.private, &tag)? {
            None => return Ok(Located::Nothing),
            Some((leaf, Entry::File(file))) => {
                let found = Found {
                    space: self.private,
                    tag,
                    leaf,
                    file,
                };
                return Ok(Located::File(found, None));
            }
            Some((_, Entry::Link(link))) => link,
            Some(_) => return Err(Violation::Misbound.into()),
        };
        let fresh = guess == Some(link.space) && seen.get(1) == Some(&Seen::Shown);
        if !fresh {
            self.open_link(&link).await?;
            self.links.insert(tag, link.space);
        }
        self.linked(link)
    }

    fn linked(&self, link: LinkEntry) -> Result<Located, Error> {
        let space = link.space;
        let tag = self.open_space(&space)?.only_tag();
        match self.entry(&space, &tag) {
            Ok(Some((leaf, Entry::File(file)))) => Ok(Located::File(
                Found {
                    space,
                    tag,
                    leaf,
                    file,
                },
                Some(link),
            )),
            Ok(None) => Ok(Located::Gone(link)),
            Ok(Some(_)) | Err(Error::Unavailable(Unavailable::Spoilt { .. })) => {
                Ok(Located::Spoilt(link))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the one file of a linked space, under whatever key the space has by now.
    pub(super) async fn open_link(&mut self, link: &LinkEntry) -> Result<(), Error> {
        let open = self.spaces.get(&link.space);
        let mut candidate = match open.is_none_or(|space| space.epoch < link.epoch) {
            true => Some(Candidate {
                space: self.under(
                    link.space,
                    link.epoch,
                    EpochKey::copy_from(link.epoch_key.expose()),
                ),
                proven: true,
            }),
            false => None,
        };
        let mut tries = 0;
        loop {
            let (tag, epoch) = match &candidate {
                Some(Candidate { space, .. }) => (space.only_tag(), space.epoch),
                None => {
                    let space = self.open_space(&link.space)?;
                    (space.only_tag(), space.epoch)
                }
            };
            let want = Want {
                candidate,
                ..Want::tags(link.space, Vec::from([tag]))
            };
            if self.read_one(want).await? == Seen::Shown {
                return Ok(());
            }
            self.try_again(&mut tries)?;
            candidate = Some(self.newer_key(link, epoch).await?);
        }
    }

    /// A space under another key than it is open with, if it is open.
    pub(super) fn under(&self, id: SpaceId, epoch: Epoch, key: EpochKey) -> Arc<Space> {
        let mut space = Space::new(id, epoch, key);
        let open = self.spaces.get(&id);
        space.roster = open.and_then(|space| space.roster.clone());
        Arc::new(space)
    }

    /// A name that must lead to a file.
    pub(super) async fn file(
        &mut self,
        name: &[u8],
        also: &[Tag],
    ) -> Result<(Found, Option<LinkEntry>), Error> {
        match self.locate(name, also).await? {
            Located::File(found, link) => Ok((found, link)),
            Located::Gone(_) | Located::Nothing => Err(Usage::NoSuchFile.into()),
            Located::Spoilt(link) => Err(self.open_space(&link.space)?.spoilt()),
        }
    }

    /// An accepted head promises an object, and the server denies it: asked again, does the head
    /// still promise it?
    pub(super) async fn denied(&mut self, space: SpaceId, tag: Tag, leaf: LeafHash) -> Error {
        let want = Want {
            cold: true,
            ..Want::tags(space, Vec::from([tag]))
        };
        match self.read_one(want).await {
            Ok(Seen::Shown) => match self.open_space(&space).map(|space| space.leaf(&tag)) {
                Ok(Some((still, _))) if still == leaf => Violation::Missing.into(),
                _ => Unavailable::Contended.into(),
            },
            Ok(Seen::Closed) => Unavailable::Closed.into(),
            Err(error @ Error::Violation(_)) => error,
            Err(_) => Unavailable::Withheld.into(),
        }
    }

    /// Fetches a small sealed object that a verified leaf names.
    pub(super) async fn fetch_object(&mut self, region: &Region) -> Result<Vec<u8>, Error> {
        let range = crate::wire::Range {
            pack: region.pack,
            offset: region.offset,
            length: region.length,
        };
        self.fetch(Vec::from([range])).await
    }
}
