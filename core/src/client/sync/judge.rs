//! Judges what a server shows of spaces: nothing of a view is believed before all of it holds
//! together, and nothing is asked or remembered here.

use super::{Candidate, Seen, Want};
use crate::client::Session;
use crate::client::space::Warm;
use crate::client::state::mountain;
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Fingerprint, LeafHash, SpaceId, UserId};
use crate::remote::{Remote, Vault};
use crate::tree::{Lookup, directory, leaf_hash};
use crate::verify::{
    Accepted, Contact, Known, Offer, Place, Roster, apply_changes, check_head, check_record,
    fingerprint,
};
use crate::wire::{
    Blob, HistoryNode, PartialTrie, Selection, SignedHead, SignedRecord, SignedRosterChange,
    SpaceState, View,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a view is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
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
pub(super) struct Judged {
    pub(super) space: SpaceId,
    pub(super) state: SpaceState,
    pub(super) roster: Roster,
    pub(super) warm: Warm,
    pub(super) contacts: Vec<Contact>,
    pub(super) candidate: Option<Candidate>,
}

/// What was seen of every space that was asked for, and what is to be accepted.
pub(super) type AllJudged = (Vec<Seen>, Vec<Judged>);

/// What is wrong with a view, and with which space's.
pub(super) struct Offence(pub(super) Box<Offended>);

pub(super) struct Offended {
    pub(super) space: SpaceId,
    pub(super) error: Error,
    /// The head that was shown, where that alone contradicts what was accepted.
    pub(super) head: Option<SignedHead>,
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
    pub(super) fn judge_all(
        &self,
        wants: &[Want],
        views: Vec<View>,
        aim: Aim,
    ) -> Result<AllJudged, Offence> {
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

    fn judge(&self, want: &Want, mut shown: Shown, aim: Aim) -> Result<Judged, Error> {
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
        let leaves = check_directory(&want.select, &mut shown)?;
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

/// Checks the directory against the head, and the leaves, which it takes, against the directory.
fn check_directory(
    select: &Selection,
    shown: &mut Shown,
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
    for (hash, leaf) in wanted.into_iter().zip(core::mem::take(&mut shown.leaves)) {
        defend!(
            Defence::LeafHash,
            leaf_hash(&leaf.0) == hash,
            Violation::Misbound
        );
        leaves.insert(hash, leaf.0);
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
