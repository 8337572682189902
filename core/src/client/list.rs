//! Lists a directory: all of it, at one head, or nothing.

use super::sync::Want;
use super::{Freshness, Session};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{HeadHash, Tag};
use crate::remote::{Remote, Vault};
use crate::seal::open_name;
use crate::secret::KeyBytes;
use crate::tree::directory;
use crate::wire::{Entry, NameRef, Region, Selection};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Leaves that one page asks for.
const PAGE: u32 = 2048;

/// The names of one head, and how current it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Every name, in the order of bytes.
    pub names: Vec<Vec<u8>>,
    /// What is known of how current this is.
    pub freshness: Freshness,
}

/// What of a listing stays at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Its last page.
    Nothing,
    /// All of it, unless it is large.
    Leaves,
}

/// A name of which only the place is known.
struct Long {
    name: NameRef,
    key: KeyBytes,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Lists all names: exactly the directory at one accepted head.
    ///
    /// Names of received files are listed even if their owner has deleted the file since.
    ///
    /// # Errors
    ///
    /// A [`Violation`] if anything is left out or added; then nothing is listed.
    pub async fn list(&mut self) -> Result<Listing, Error> {
        self.list_and(Keep::Nothing).await
    }

    /// [`list`](Self::list) for a caller who reads the files next: all that was shown of a
    /// directory of at most 16,384 entries is kept, so that it need not be shown again.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub async fn list_to_read(&mut self) -> Result<Listing, Error> {
        self.list_and(Keep::Leaves).await
    }

    async fn list_and(&mut self, keep: Keep) -> Result<Listing, Error> {
        let monotone = self.accepted(&self.private).is_some();
        let mut tries = 0;
        let entries = loop {
            match self.entries_keeping(keep).await? {
                Some(entries) => break entries,
                None => self.try_again(&mut tries)?,
            }
        };
        let mut names = BTreeSet::new();
        for Long { name, key } in entries.into_iter().filter_map(named) {
            let name = match name {
                NameRef::Inline(name) => name,
                NameRef::Object(region) => {
                    let sealed = match self.fetch_object(&region).await {
                        Err(Error::Unavailable(Unavailable::Withheld)) => {
                            return Err(self.name_denied(&region).await);
                        }
                        other => other?,
                    };
                    open_name(&key, &region, sealed)?
                }
            };
            if !names.insert(name) {
                return Err(Violation::Malformed.into());
            }
        }
        let freshness = Freshness::alone(monotone);
        Ok(Listing {
            names: names.into_iter().collect(),
            freshness,
        })
    }

    /// The server denies a name that a verified leaf promises: does the newest head promise it
    /// still?
    async fn name_denied(&mut self, denied: &Region) -> Error {
        let promised = |one: Long| matches!(&one.name, NameRef::Object(region) if region == denied);
        match self.entries_once().await {
            Ok(Some(entries)) => match entries.into_iter().filter_map(named).any(promised) {
                true => Violation::Missing.into(),
                false => Unavailable::Contended.into(),
            },
            Ok(None) => Unavailable::Contended.into(),
            Err(error @ Error::Violation(_)) => error,
            Err(_) => Unavailable::Withheld.into(),
        }
    }

    /// All entries of the own directory, or nothing if it changed meanwhile.
    pub(super) async fn entries_once(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        self.entries_keeping(Keep::Nothing).await
    }

    async fn entries_keeping(&mut self, mut keep: Keep) -> Result<Option<Vec<Entry>>, Error> {
        let mut entries = Vec::new();
        let mut leaves = 0_u64;
        let mut head: Option<HeadHash> = None;
        let mut from = Tag([0; 32]);
        for _ in 0..self.config.limits.pages_max {
            let select = Selection::Page { from, count: PAGE };
            let want = Want {
                select,
                ..Want::head(self.private)
            };
            let earlier = match (keep, head) {
                (Keep::Leaves, Some(_)) => {
                    let space = self.spaces.get_mut(&self.private);
                    space.and_then(|space| space.warm.take())
                }
                _ => None,
            };
            self.read_one(want).await?;
            if let Some(earlier) = earlier {
                let space = self.spaces.get_mut(&self.private);
                let latest = space.and_then(|space| space.warm.as_mut());
                if !latest.is_some_and(|latest| latest.add(earlier)) {
                    keep = Keep::Nothing;
                }
            }
            let space = self.open_space(&self.private)?;
            let warm = space.warm.as_ref().ok_or(Violation::OutOfTurn)?;
            if head.is_some_and(|head| head != warm.hash) {
                return Ok(None);
            }
            head = Some(warm.hash);
            let end = directory::first_opaque_at_or_after(&warm.trie, &from);
            for slot in directory::slots(&warm.trie) {
                if slot.tag < from || end.is_some_and(|end| slot.tag >= end) {
                    continue;
                }
                leaves = leaves.saturating_add(1);
                let stored = warm.leaves.get(&slot.leaf).ok_or(Violation::Missing)?;
                entries.push(space.open(stored)?);
            }
            match end {
                None => {
                    let complete = leaves == warm.head.entries;
                    defend!(Defence::DirectoryComplete, complete, Violation::Truncated);
                    return Ok(Some(entries));
                }
                Some(next) => {
                    // What is not shown right at the beginning of the page is withheld.
                    defend!(
                        Defence::DirectoryComplete,
                        next > from,
                        Violation::OutOfTurn
                    );
                    if next <= from {
                        return Ok(Some(entries));
                    }
                    from = next;
                }
            }
        }
        Err(Unavailable::Contended.into())
    }
}

fn named(entry: Entry) -> Option<Long> {
    match entry {
        Entry::File(file) => Some(Long {
            name: file.name,
            key: file.content_key,
        }),
        Entry::Link(link) => Some(Long {
            name: link.name,
            key: link.name_key,
        }),
        Entry::Pin(_) | Entry::Received(_) => None,
    }
}
