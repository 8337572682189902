//! Reads spaces: asks, judges every view, and only then remembers.

use super::space::{Space, Warm};
use super::state::{mountain, put_space};
use super::transport::unexpected;
use super::{Forgotten, Session};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Fingerprint, Height, LeafHash, RosterNumber, SpaceId, UserId};
use crate::remote::{Remote, Vault};
use crate::secret::EpochKey;
use crate::tree::{Lookup, directory, leaf_hash};
use crate::verify::{
    Accepted, Contact, Known, Offer, Place, Roster, apply_changes, check_head, check_record,
    fingerprint,
};
use crate::wire::{
    AtHeight, Blob, HistoryNode, PartialTrie, Reply, RequestBody, Selection, SignedHead,
    SignedRecord, SignedRosterChange, SpaceState, View, ViewRequest,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

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

/// What a view is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// What is under its head.
    Content,
    /// Which head stands in its place, and no more.
    Place,
}

/// A view that was shown, as it came.
struct Shown {
    head: SignedHead,
    records: Vec<SignedRecord>,
    history: Vec<HistoryNode>,
    roster: Vec<SignedRosterChange>,
    directory: PartialTrie,
    leaves: Vec<Blob>,
}

/// A view that was judged, to be remembered together with the others of its reply.
struct Judged {
    space: SpaceId,
    state: SpaceState,
    roster: Roster,
    warm: Warm,
    contacts: Vec<Contact>,
    candidate: Option<Candidate>,
}

/// What was seen of every space that was asked for, and what is to be accepted.
type AllJudged = (Vec<Seen>, Vec<Judged>);

/// What is wrong with a view, and with which space's.
struct Offence(Box<Offended>);

struct Offended {
    space: SpaceId,
    error: Error,
    /// The head that was shown, where that alone contradicts what was accepted.
    head: Option<SignedHead>,
}

impl Offence {
    fn of(space: SpaceId, error: Error) -> Self {
        let head = None;
        Self(Box::new(Offended { space, error, head }))
    }

    /// Heads of which each is authentic, and that cannot both be.
    fn by(space: SpaceId, error: Error, head: SignedHead) -> Self {
        let history = matches!(
            error,
            Error::Violation(Violation::Fork { .. } | Violation::Rollback { .. })
        );
        let head = history.then_some(head);
        Self(Box::new(Offended { space, error, head }))
    }
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

    fn judge_all(&self, wants: &[Want], views: Vec<View>, aim: Aim) -> Result<AllJudged, Offence> {
        let mut seen = Vec::new();
        let mut judged = Vec::new();
        for (want, view) in wants.iter().zip(views) {
            let here = |error| Offence::of(want.space, error);
            match view {
                View::Absent => return Err(here(absent(want))),
                // Nobody moves a private space.
                View::Closed if want.space == self.private => {
                    return Err(here(Violation::Missing.into()));
                }
                View::Closed => seen.push(Seen::Closed),
                View::Same => {
                    let space = self.space(want).map_err(here)?;
                    if want.cold || space.warm_for(&want.select).is_none() {
                        return Err(here(Violation::OutOfTurn.into()));
                    }
                    seen.push(Seen::Shown);
                }
                View::Shown {
                    head,
                    records,
                    history,
                    roster,
                    directory,
                    leaves,
                    padding: _,
                } => {
                    let shown = Shown {
                        head,
                        records,
                        history,
                        roster,
                        directory,
                        leaves,
                    };
                    let offered = shown.head.clone();
                    let good = self.judge(want, shown, aim);
                    judged.push(good.map_err(|error| Offence::by(want.space, error, offered))?);
                    seen.push(Seen::Shown);
                }
            }
        }
        Ok((seen, judged))
    }

    fn judge(&self, want: &Want, shown: Shown, aim: Aim) -> Result<Judged, Error> {
        self.check_counts(&shown)?;
        let space = self.space(want)?;
        let state = self.remembered(&want.space);
        let known_mountain = mountain(&state)?;
        let mut pool = Pool {
            session: self,
            records: &shown.records,
            fresh: Vec::new(),
        };
        let roster = apply_changes(
            &Place {
                realm: &self.config.realm,
                space: &want.space,
                changes_max: self.config.limits.roster_changes_max,
            },
            space.roster.as_ref(),
            state.accepted.map(|_| (state.roster, state.roster_hash)),
            &shown.roster,
            &mut |user, key| pool.contact(user, key),
        )?
        .ok_or(Violation::Misbound)?;
        let author = pool.contact(&shown.head.head.author, &shown.head.head.author_key)?;
        let contacts = pool.fresh;
        let known = Known {
            realm: &self.config.realm,
            limits: &self.config.limits,
            space: want.space,
            epoch: space.epoch,
            key: &space.key,
            passing: aim == Aim::Place,
            accepted: state.accepted,
            roster_min: state.roster,
            mountain: &known_mountain,
        };
        let offer = Offer {
            signed: &shown.head,
            history: &shown.history,
            roster: &roster,
            author: Some(&author),
        };
        let accepted = check_head(&known, &offer)?;
        if let Some(sender) = want.sender {
            let own = (self.account.user, self.account.fingerprint);
            let member = roster.members.get(&own.0);
            let vouched = member.is_some_and(|member| member.fingerprint == own.1)
                && roster.ever.contains(&sender);
            defend!(Defence::EnvelopeMember, vouched, Violation::Misbound);
        }
        let leaves = check_directory(&want.select, &shown)?;
        let warm = Warm {
            hash: accepted.checkpoint.head,
            head: shown.head.head,
            trie: shown.directory,
            leaves,
        };
        let state = advanced(state, &accepted, &warm.head);
        Ok(Judged {
            space: want.space,
            state,
            roster,
            warm,
            contacts,
            candidate: want.candidate.clone(),
        })
    }

    fn check_counts(&self, shown: &Shown) -> Result<(), Error> {
        let limits = &self.config.limits;
        let within = |count: usize, max: u64| u64::try_from(count).is_ok_and(|count| count <= max);
        let bounded = within(shown.roster.len(), limits.roster_changes_max)
            && within(
                shown.records.len(),
                limits.roster_changes_max.saturating_add(1),
            )
            && within(shown.leaves.len(), limits.entries_max)
            && within(shown.history.len(), 128);
        defend!(Defence::ReplyCounts, bounded, Violation::TooLarge);
        Ok(())
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

/// What it means that the server knows no space under the key that was asked with. Where a head was
/// accepted under it, in this session or before this account linked to it, the space is denied; a
/// key that somebody sent may be of no use.
fn absent(want: &Want) -> Error {
    match &want.candidate {
        Some(candidate) if !candidate.proven => Unavailable::Withheld.into(),
        _ => Violation::Missing.into(),
    }
}

/// The first roster change that is not known.
fn next_change(roster: Option<&Roster>) -> RosterNumber {
    roster.map_or(RosterNumber(0), |roster| roster.number.next())
}

/// What is remembered once a head is accepted. A pending head is settled by any head at its height
/// or above: either it is that head, or it lost.
fn advanced(before: SpaceState, accepted: &Accepted, head: &crate::wire::Head) -> SpaceState {
    let settled =
        |pending: &crate::wire::Pending| pending.checkpoint.height <= accepted.checkpoint.height;
    SpaceState {
        space: before.space,
        accepted: Some(accepted.checkpoint),
        roster: head.roster,
        roster_hash: head.roster_hash,
        epoch: head.epoch,
        peaks: accepted.mountain.peaks().to_vec(),
        pending: before.pending.filter(|pending| !settled(pending)),
    }
}

/// Checks the directory against the head, and the leaves against the directory.
fn check_directory(
    select: &Selection,
    shown: &Shown,
) -> Result<BTreeMap<LeafHash, Vec<u8>>, Error> {
    let head = &shown.head.head;
    let bound = directory::root_of(&shown.directory) == head.directory;
    defend!(Defence::DirectoryRoot, bound, Violation::Misbound);
    let wanted: Vec<LeafHash> = match select {
        Selection::Nothing => Vec::new(),
        Selection::Tags(tags) => {
            let mut found = Vec::new();
            for tag in tags {
                match directory::lookup(&shown.directory, tag) {
                    Lookup::Absent => {}
                    Lookup::Found(hash) => found.push(hash),
                    Lookup::Opaque => {
                        defend!(Defence::DirectoryComplete, false, Violation::OutOfTurn);
                    }
                }
            }
            found
        }
        Selection::Page { from, .. } => directory::slots(&shown.directory)
            .filter(|slot| slot.tag >= *from)
            .map(|slot| slot.leaf)
            .collect(),
    };
    if wanted.len() != shown.leaves.len() {
        return Err(Violation::Missing.into());
    }
    let mut leaves = BTreeMap::new();
    for (hash, leaf) in wanted.into_iter().zip(&shown.leaves) {
        defend!(
            Defence::LeafHash,
            leaf_hash(&leaf.0) == hash,
            Violation::Misbound
        );
        leaves.insert(hash, leaf.0.clone());
    }
    Ok(leaves)
}

/// Records that were shown, and those whose checks passed already.
struct Pool<'a, R, V, E, C> {
    session: &'a Session<R, V, E, C>,
    records: &'a [SignedRecord],
    fresh: Vec<Contact>,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Pool<'_, R, V, E, C> {
    fn contact(&mut self, user: &UserId, key: &Fingerprint) -> Result<Contact, Error> {
        let fits = |contact: &&Contact| contact.user == *user && contact.fingerprint == *key;
        let known = self.session.contacts.get(key).filter(fits);
        if let Some(contact) = known.or_else(|| self.fresh.iter().find(fits)) {
            return Ok(contact.clone());
        }
        let shown = self
            .records
            .iter()
            .find(|signed| fingerprint(&signed.record) == *key);
        let signed = shown.ok_or(Violation::UntrustedKey { user: *user })?;
        let contact = check_record(&self.session.config.realm, user, signed)?;
        self.fresh.push(contact.clone());
        Ok(contact)
    }
}
