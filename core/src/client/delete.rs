//! Deletes a name; the owner of a shared file deletes it for everybody.

use super::Session;
use super::commit::{Draft, Landed};
use super::locate::Located;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Usage};
use crate::id::{SpaceId, Tag};
use crate::remote::{Remote, Vault};

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Deletes a name. The file of a shared space goes for all members if its owner deletes it;
    /// another member deletes the own name only.
    ///
    /// The server may keep what it stored: what was uploaded cannot be unsent.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`].
    pub async fn delete(&mut self, name: &[u8]) -> Result<(), Error> {
        let tag = self.name_tag(name)?;
        let mut tries = 0;
        loop {
            let shared = match self.locate(name, &[]).await? {
                Located::Nothing => return Err(Usage::NoSuchFile.into()),
                Located::File(found, Some(link)) if link.owner == self.account.user => {
                    Some((found.space, found.tag))
                }
                Located::File(..) | Located::Gone => None,
            };
            let emptied = match shared {
                Some((space, tag)) => self.empty_slot(space, tag).await? == Landed::Yes,
                None => true,
            };
            if emptied && self.empty_slot(self.private, tag).await? == Landed::Yes {
                self.links.remove(&tag);
                return Ok(());
            }
            self.try_again(&mut tries)?;
        }
    }

    async fn empty_slot(&mut self, space: SpaceId, tag: Tag) -> Result<Landed, Error> {
        let mut draft = Draft::default();
        draft.leaves.insert(tag, None);
        self.commit(space, draft).await
    }
}
