//! Deletes files.

use super::Session;
use super::commit::{Draft, Landed};
use super::sync::Want;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Usage};
use crate::id::Tag;
use crate::remote::{Remote, Vault};
use crate::wire::{Entry, LinkEntry};
use alloc::vec::Vec;

/// Names of which one view tells: their leaves fit into one reply.
pub(super) const VIEW_MAX: usize = 2048;

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Which of these names the directory does not have, by their place among them.
    ///
    /// # Errors
    ///
    /// [`Usage::TooLong`] for a name; none else that an honest server causes.
    pub async fn missing(&mut self, names: &[&[u8]]) -> Result<Vec<usize>, Error> {
        let mut missing = Vec::new();
        let mut place = 0_usize;
        for names in names.chunks(VIEW_MAX) {
            for tag in self.directory_slots(names).await? {
                if self.entry(&self.private, &tag)?.is_none() {
                    missing.push(place);
                }
                place = place.saturating_add(1);
            }
        }
        Ok(missing)
    }

    /// Deletes a name. The file of a shared space goes for all members if its owner deletes it;
    /// another member deletes the own name only, whether or not the space is still open to it.
    ///
    /// The server may keep what it stored: what was uploaded cannot be unsent.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`].
    pub async fn delete(&mut self, name: &[u8]) -> Result<(), Error> {
        self.delete_many(&[name]).await
    }

    /// Deletes names, thousands of them under one head. What this account shares goes first, each
    /// file under a head of its own space.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`] if one of the names is not there; nothing was deleted then, unless the
    /// names do not fit under one head.
    pub async fn delete_many(&mut self, names: &[&[u8]]) -> Result<(), Error> {
        for names in names.chunks(VIEW_MAX) {
            let mut tries = 0;
            while self.delete_once(names).await? == Landed::Raced {
                self.try_again(&mut tries)?;
            }
        }
        Ok(())
    }

    async fn delete_once(&mut self, names: &[&[u8]]) -> Result<Landed, Error> {
        let private = self.private;
        let tags = self.directory_slots(names).await?;
        let mut draft = Draft::default();
        let mut owned = Vec::new();
        for tag in &tags {
            match self.entry(&private, tag)? {
                None => return Err(Usage::NoSuchFile.into()),
                Some((_, Entry::Link(link))) if link.owner == self.account.user => owned.push(link),
                Some(_) => {}
            }
            draft.leaves.insert(*tag, None);
        }
        for link in owned {
            if self.empty(&link).await? == Landed::Raced {
                return Ok(Landed::Raced);
            }
        }
        let landed = self.commit(private, draft, None).await?;
        if landed == Landed::Yes {
            for tag in &tags {
                self.links.remove(tag);
            }
        }
        Ok(landed)
    }

    /// Deletes the one file of a shared space, unless that was done before.
    async fn empty(&mut self, link: &LinkEntry) -> Result<Landed, Error> {
        self.open_link(link).await?;
        let tag = self.open_space(&link.space)?.only_tag();
        // Whatever is in the slot goes, and need not open for that.
        if self.open_space(&link.space)?.leaf(&tag).is_none() {
            return Ok(Landed::Yes);
        }
        let mut draft = Draft::default();
        draft.leaves.insert(tag, None);
        self.commit(link.space, draft, Some(link)).await
    }

    /// The slots of names, as the newest head of the directory has them.
    pub(super) async fn directory_slots(&mut self, names: &[&[u8]]) -> Result<Vec<Tag>, Error> {
        let tags: Vec<Tag> = names
            .iter()
            .map(|name| self.name_tag(name))
            .collect::<Result<_, _>>()?;
        let want = Want::tags(self.private, tags.clone());
        self.read_one(want).await?;
        Ok(tags)
    }
}
