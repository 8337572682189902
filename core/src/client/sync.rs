//! Reads spaces: asks, has every view judged, and only then remembers.

mod judge;

use super::space::Space;
use super::state::put_space;
use super::transport::unexpected;
use super::{Forgotten, Session};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Fingerprint, Height, RosterNumber, SpaceId, UserId};
use crate::remote::{Remote, Vault};
use crate::secret::EpochKey;
use crate::verify::Roster;
use crate::wire::{AtHeight, Reply, RequestBody, Selection, View, ViewRequest};
use alloc::sync::Arc;
use alloc::vec::Vec;
use judge::{Aim, Judged, Offence, Offended};

/// What one read wants of one space.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) space: SpaceId,
    pub(super) select: Selection,
    /// Ask anew even if everything is at hand: something did not fit.
    pub(super) cold: bool,
    /// The key to ask under, if not that of the open space.
    pub(super) candidate: Option<Candidate>,
    /// Who invited this account, and must be or have been a member as the account is one now.
    pub(super) sender: Option<(UserId, Fingerprint)>,
}

/// A space under a key that no head was seen to commit to in this session. It becomes the open one
/// with the first head that is accepted under it, and is nothing before.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) space: Arc<Space>,
    /// This account has read the space under that key, so that the server cannot deny it.
    pub(super) proven: bool,
}

impl Want {
    /// The newest head of a space, and nothing under it.
    pub(super) fn head(space: SpaceId) -> Self {
        Self {
            space,
            select: Selection::Nothing,
            cold: true,
            candidate: None,
            sender: None,
        }
    }

    /// The given slots of a space.
    pub(super) fn tags(space: SpaceId, mut tags: Vec<crate::id::Tag>) -> Self {
        tags.sort_unstable();
        tags.dedup();
        Self {
            select: Selection::Tags(tags),
            cold: false,
            ..Self::head(space)
        }
    }
}

/// How a space was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its newest head, and what was asked for, is in [`Space::warm`](super::space::Space).
    Shown,
    /// It moved on to a key that this session does not have.
    Closed,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Reads spaces, all at one moment. What is remembered changes only if every view is good.
    pub(super) async fn read(&mut self, wants: &[Want]) -> Result<Vec<Seen>, Error> {
        let mut walked = 0;
        loop {
            let requests = wants
                .iter()
                .map(|want| self.request(want))
                .collect::<Result<_, _>>()?;
            let views = self.views(requests, wants.len()).await?;
            if let Some(want) = self.further_than_one_step(wants, &views) {
                // Each step was verified, and stays: the next try goes on from here.
                walked += 1;
                if walked > self.config.limits.walk_max {
                    return Err(Unavailable::Contended.into());
                }
                self.step(want).await?;
                continue;
            }
            match self.judge_all(wants, views, Aim::Content) {
                Ok((seen, judged)) => {
                    self.accept(judged).await?;
                    return Ok(seen);
                }
                Err(offence) => {
                    let of = |want: &&Want| want.space == offence.0.space;
                    let want = wants.iter().find(of);
                    return Err(match (self.held_against(offence), want) {
                        (Error::Violation(Violation::BadProof), Some(want)) => {
                            self.diagnose(want).await
                        }
                        (error, _) => error,
                    });
                }
            }
        }
    }

    /// Reads one space.
    pub(super) async fn read_one(&mut self, want: Want) -> Result<Seen, Error> {
        let seen = self.read(core::slice::from_ref(&want)).await?;
        seen.first()
            .copied()
            .ok_or_else(|| Violation::OutOfTurn.into())
    }

    pub(super) async fn views(
        &mut self,
        requests: Vec<ViewRequest>,
        count: usize,
    ) -> Result<Vec<View>, Error> {
        match self.ask(RequestBody::Read { views: requests }).await? {
            Reply::Views(views) if views.len() == count => Ok(views),
            Reply::Views(_) => Err(Violation::OutOfTurn.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// The space that is asked for, under the key that it is asked under.
    fn space<'a>(&'a self, want: &'a Want) -> Result<&'a Space, Error> {
        match &want.candidate {
            Some(candidate) => Ok(&candidate.space),
            None => self.open_space(&want.space),
        }
    }

    fn trusted_height(&self, space: &SpaceId) -> Height {
        self.accepted(space)
            .map_or(Height(0), |accepted| accepted.height)
    }

    pub(super) fn request(&self, want: &Want) -> Result<ViewRequest, Error> {
        let space = self.space(want)?;
        Ok(ViewRequest {
            locator: space.locator,
            at: AtHeight::Newest,
            trusted: self.accepted(&want.space),
            warm: if want.cold {
                None
            } else {
                space.warm_for(&want.select)
            },
            roster_from: next_change(space.roster.as_ref()),
            select: want.select.clone(),
        })
    }

    /// A shown head that is further ahead than one proof may skip.
    fn further_than_one_step<'a>(&self, wants: &'a [Want], views: &[View]) -> Option<&'a Want> {
        let limits = &self.config.limits;
        wants.iter().zip(views).find_map(|(want, view)| {
            let View::Shown { head, .. } = view else {
                return None;
            };
            let offered = head.head.height;
            let trusted = self.accepted(&want.space)?.height;
            let far = offered.0 > trusted.0.saturating_add(limits.skip_max);
            (far && offered.0 <= limits.counter_max).then_some(want)
        })
    }

    /// Walks as far as one proof goes.
    async fn step(&mut self, towards: &Want) -> Result<(), Error> {
        let height = Height(
            self.trusted_height(&towards.space)
                .0
                .saturating_add(self.config.limits.skip_max),
        );
        match self.read_at(place_of(towards), height).await? {
            Seen::Shown => Ok(()),
            Seen::Closed => Err(Violation::OutOfTurn.into()),
        }
    }

    /// Reads the head of one height, and nothing under it. Whatever stands there from then on is
    /// in the history of every head that is accepted later.
    pub(super) async fn read_at(&mut self, want: Want, height: Height) -> Result<Seen, Error> {
        let mut request = self.request(&want)?;
        request.at = AtHeight::Exactly(height);
        let views = self.views(Vec::from([request]), 1).await?;
        let in_place = match views.first() {
            Some(View::Shown { head, .. }) => head.head.height == height,
            Some(View::Closed) => true,
            _ => false,
        };
        defend!(Defence::ViewHeight, in_place, Violation::OutOfTurn);
        let (seen, judged) = self
            .judge_all(core::slice::from_ref(&want), views, Aim::Place)
            .map_err(|offence| self.held_against(offence))?;
        self.accept(judged).await?;
        seen.first()
            .copied()
            .ok_or_else(|| Violation::OutOfTurn.into())
    }

    /// Remembers what was judged, durably before anything else.
    async fn accept(&mut self, judged: Vec<Judged>) -> Result<(), Error> {
        let mut state = self.state.clone();
        let mut forgotten = Vec::new();
        for one in &judged {
            forgotten.extend(self.forgotten_in(one));
            put_space(&mut state, one.state.clone());
        }
        self.remember(state).await?;
        self.forgotten.extend(forgotten);
        for one in judged {
            for contact in one.contacts {
                self.contacts.insert(contact.fingerprint, contact);
            }
            let candidate = one.candidate.map(|candidate| candidate.space);
            // A head that was passed on the way to a newer one may be of an earlier key.
            if let Some(space) = candidate.filter(|space| space.epoch == one.state.epoch) {
                let key = EpochKey::copy_from(space.key.expose());
                self.spaces
                    .insert(space.id, Space::new(space.id, space.epoch, key));
            }
            if let Some(space) = self.spaces.get_mut(&one.space) {
                space.roster = Some(one.roster);
                space.warm = Some(one.warm);
            }
        }
        Ok(())
    }

    /// A head of this device's own above all that it remembers to have written.
    fn forgotten_in(&self, judged: &Judged) -> Option<Forgotten> {
        let head = &judged.warm.head;
        let before = self.remembered(&judged.space);
        let written = judged.state.accepted?;
        let own = head.author == self.account.user && head.device == self.state.device;
        let above = before
            .accepted
            .is_none_or(|known| known.height < written.height);
        let known = before
            .pending
            .is_some_and(|pending| pending.checkpoint == written);
        (own && above && !known).then_some(Forgotten {
            space: judged.space,
            remembered: before.accepted,
            written,
            written_ms: head.written_ms,
        })
    }

    /// The history of an offered head does not contain the trusted head. If the server shows
    /// another head in the trusted one's place, the two are a fork; otherwise the proof is bad.
    async fn diagnose(&mut self, offended: &Want) -> Error {
        match self.head_in_place(offended).await {
            Err(fork @ Error::Violation(Violation::Fork { .. })) => fork,
            _ => Violation::BadProof.into(),
        }
    }

    async fn head_in_place(&mut self, offended: &Want) -> Result<(), Error> {
        let trusted = self.accepted(&offended.space).ok_or(Violation::BadProof)?;
        let want = place_of(offended);
        let mut request = self.request(&want)?;
        request.at = AtHeight::Exactly(trusted.height);
        let views = self.views(Vec::from([request]), 1).await?;
        self.judge_all(&[want], views, Aim::Place)
            .map(|_| ())
            .map_err(|offence| self.held_against(offence))
    }

    /// What an offence comes to, once its head is kept.
    fn held_against(&mut self, offence: Offence) -> Error {
        let Offended { error, head, .. } = *offence.0;
        if let Some(head) = head {
            // A machine that cannot sign says what it saw all the same.
            let _ = self.keep_contradiction(head);
        }
        error
    }
}

/// The same space under the same key, and nothing under its head.
fn place_of(want: &Want) -> Want {
    Want {
        candidate: want.candidate.clone(),
        ..Want::head(want.space)
    }
}

/// The first roster change that is not known.
fn next_change(roster: Option<&Roster>) -> RosterNumber {
    roster.map_or(RosterNumber(0), |roster| roster.number.next())
}
