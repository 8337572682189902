//! Finds out whether a head that is said to have lost stands in its place after all.

use super::Session;
use super::state::mountain;
use super::sync::{Seen, Want};
use crate::defence::{Defence, defend, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Checkpoint, SpaceId};
use crate::remote::{Remote, Vault};
use crate::tree::{Mountain, history_leaf};
use crate::verify::checkpoint_of;
use crate::wire::{AtHeight, HistoryNode, LinkEntry, SignedHead, View};
use alloc::vec::Vec;

/// What is in the place of a head that is said to have lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Another head.
    Lost,
    /// That head itself.
    Stands,
    /// That head itself, and the space has moved on to another key.
    StoodBefore,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// What stands in the place of a head that lost, as the server says. The answer is kept as an
    /// accepted head, so that the server cannot say one thing now and another later.
    ///
    /// A space that moved on to another key meanwhile answers under that key. Whoever was not given
    /// it is told so, and does not learn whether this head came before the move.
    pub(super) async fn in_place_of(
        &mut self,
        space: SpaceId,
        own: Checkpoint,
        moved: bool,
        link: Option<&LinkEntry>,
    ) -> Result<Place, Error> {
        let epoch = self.open_space(&space)?.epoch;
        let before = mountain(&self.remembered(&space))?;
        if self.read_at(Want::head(space), own.height).await? == Seen::Shown {
            return Ok(match self.accepted(&space) == Some(own) {
                true if stands(Defence::OwnPlace) => Place::Stands,
                _ => Place::Lost,
            });
        }
        if moved {
            // A space that moved is closed to its old key; another device of this account, or
            // this operation tried again, finds the new key in the inbox.
            return Ok(Place::Lost);
        }
        self.open_link(link.ok_or(Unavailable::Closed)?).await?;
        if self.open_space(&space)?.epoch <= epoch {
            // It was not closed after all, and done twice is worse than not known.
            return Err(Unavailable::Contended.into());
        }
        Ok(match self.stood_before(space, own, before).await? {
            true if stands(Defence::OwnPlace) => Place::StoodBefore,
            _ => Place::Lost,
        })
    }

    /// Whether a head was one of those before the space got its new key. The newest head under that
    /// key says which head stood at this height: no other one completes its history.
    async fn stood_before(
        &mut self,
        space: SpaceId,
        own: Checkpoint,
        mut history: Mountain<HistoryNode>,
    ) -> Result<bool, Error> {
        let newest = self.accepted(&space).ok_or(Violation::OutOfTurn)?;
        if newest.height <= own.height {
            // Another head took the place, and this is it.
            return Ok(newest == own);
        }
        let want = Want::head(space);
        let mut after = self.request(&want)?;
        after.at = AtHeight::Exactly(newest.height);
        after.trusted = Some(own);
        let mut there = self.request(&want)?;
        there.at = AtHeight::Exactly(own.height);
        there.trusted = None;
        let views = self.views(Vec::from([after, there]), 2).await?;
        let [(last, rest), (first, _)] = heads(views)?;
        if checkpoint_of(&last) != newest {
            return Err(Violation::OutOfTurn.into());
        }
        let stood = checkpoint_of(&first);
        let leaf = history_leaf(&stood.head, first.head.roster, first.head.epoch);
        let completed = history.push(leaf).is_ok()
            && history.extend_to(newest.height.0, &rest).is_ok()
            && history.root() == last.head.history;
        defend!(Defence::OwnPlace, completed, Violation::BadProof);
        Ok(stood == own)
    }
}

/// The heads of two views, and the history that each came with.
fn heads(views: Vec<View>) -> Result<[(SignedHead, Vec<HistoryNode>); 2], Error> {
    let shown = views.into_iter().map(|view| match view {
        View::Shown { head, history, .. } => Ok((head, history)),
        View::Absent | View::Closed | View::Same => Err(Error::from(Violation::OutOfTurn)),
    });
    let shown: Vec<_> = shown.collect::<Result<_, _>>()?;
    shown.try_into().map_err(|_| Violation::OutOfTurn.into())
}
