//! Says which version of a file has a name: what this session wrote, and what is there now.

use super::Session;
use super::commit::Draft;
use super::delete::VIEW_MAX;
use super::locate::Located;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable};
use crate::id::{LeafHash, SpaceId, Tag};
use crate::remote::{Remote, Vault};
use crate::wire::Entry;
use alloc::vec::Vec;

/// One version of one file, as one write made it: no other write, of the same content or not,
/// makes the same. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The space that the file is in.
    pub space: SpaceId,
    /// What describes it there.
    pub leaf: LeafHash,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Which versions have these names now, in the order of the names; nothing for a name that has
    /// no file, or one that is closed to this account. Of names in the private space, thousands are
    /// asked for at a time, and each shared file by itself.
    ///
    /// It says what the newest head says, and not that the server has the content. That a file is
    /// closed is the server's word.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`](crate::Usage::TooLong) for a name; those of a read.
    pub async fn versions(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Version>>, Error> {
        let space = self.private;
        let mut versions = Vec::new();
        for names in names.chunks(VIEW_MAX) {
            let mut found = Vec::new();
            for tag in self.directory_slots(names).await? {
                found.push(self.entry(&space, &tag)?);
            }
            for (name, found) in names.iter().zip(found) {
                versions.push(match found {
                    Some((leaf, Entry::File(_))) => Some(Version { space, leaf }),
                    Some((_, Entry::Link(_))) => self.shared_version(name).await?,
                    _ => None,
                });
            }
        }
        Ok(versions)
    }

    async fn shared_version(&mut self, name: &[u8]) -> Result<Option<Version>, Error> {
        match self.locate(name, &[]).await {
            Ok(Located::File(found, _)) => Ok(Some(Version {
                space: found.space,
                leaf: found.leaf,
            })),
            Ok(Located::Nothing | Located::Gone(_) | Located::Spoilt(_))
            | Err(Error::Unavailable(Unavailable::Closed)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The version that an upload or an update of this session gave a name last; whatever has the
    /// name by now.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`](crate::Usage::TooLong) for the name.
    pub fn written(&self, name: &[u8]) -> Result<Option<Version>, Error> {
        Ok(self.written.get(&self.name_tag(name)?).copied())
    }

    /// Notes what a name was given.
    pub(super) fn wrote(&mut self, name: &[u8], version: Option<Version>) {
        let Ok(name) = self.name_tag(name) else {
            return;
        };
        match version {
            Some(version) => self.written.insert(name, version),
            None => self.written.remove(&name),
        };
    }
}

/// The versions that a draft of a space brings, by their slots.
pub(super) fn drafted(space: SpaceId, draft: &Draft) -> Vec<(Tag, Version)> {
    let leaves = draft.leaves.iter();
    let versions = leaves.filter_map(|(tag, leaf)| {
        let leaf = leaf.as_ref()?.hash;
        Some((*tag, Version { space, leaf }))
    });
    versions.collect()
}

/// The version that a draft of one file brings.
pub(super) fn drafted_one(space: SpaceId, draft: &Draft) -> Option<Version> {
    drafted(space, draft).pop().map(|(_, version)| version)
}
