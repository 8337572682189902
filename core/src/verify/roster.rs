//! Who belongs to a space: a log of signed changes, verified one by one.

use super::{Contact, signable};
use crate::defence::{Defence, defend};
use crate::error::{Error, Violation};
use crate::id::{Digest, Fingerprint, Realm, RosterNumber, SpaceId, UserId};
use crate::labels::Label;
use crate::primitive::Opaque;
use crate::primitive::hash::Hasher;
use crate::secret::SigningKey;
use crate::tree::roster_hash;
use crate::wire::{Blob, Frame, RosterAction, RosterChange, SignedRosterChange};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// `SHA-256(realm, owner, owner's fingerprint, salt)`.
pub(crate) fn space_id(
    realm: &Realm,
    owner: &UserId,
    key: &Fingerprint,
    salt: &[u8; 32],
) -> SpaceId {
    SpaceId(
        Hasher::new(Label::Space)
            .part(&realm.0)
            .part(&owner.0)
            .part(&key.0)
            .part(salt)
            .finish(),
    )
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's keys.
    pub fingerprint: Fingerprint,
    /// Who invited the member; the owner has nobody above.
    pub inviter: Option<UserId>,
}

/// The members of a space after one change of its roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The number of that change.
    pub number: RosterNumber,
    /// Its hash, which chains to all before.
    pub hash: Digest,
    /// Who founded the space.
    pub owner: UserId,
    /// Everybody who is a member, the owner too.
    pub members: BTreeMap<UserId, Member>,
    /// Everybody who ever was a member, with all their keys: an old head is recognised by them.
    pub ever: BTreeSet<(UserId, Fingerprint)>,
    /// How many changes removed somebody; each of them makes a new key.
    pub removals: u64,
}

impl Roster {
    /// Everybody below `user`, and `user`.
    pub(crate) fn subtree(&self, user: &UserId) -> Vec<UserId> {
        let mut below: BTreeMap<UserId, Vec<UserId>> = BTreeMap::new();
        for (id, member) in &self.members {
            if let Some(inviter) = member.inviter {
                below.entry(inviter).or_default().push(*id);
            }
        }
        let mut found: Vec<UserId> = Vec::from([*user]);
        let mut next = 0;
        while let Some(above) = found.get(next) {
            // Taken out, so that nobody is met twice.
            found.extend(below.remove(above).unwrap_or_default());
            next += 1;
        }
        found
    }

    /// Whether the log of changes has room for one more member below `signer`.
    ///
    /// A log of `max` changes is all that anybody reads. Each member beside the owner holds the
    /// place of the change that may remove him, so that a removal always finds one; and members
    /// fill half of it at most, so that the owner can go on inviting.
    #[must_use]
    pub fn has_room(&self, signer: &UserId, max: u64) -> bool {
        let max = if *signer == self.owner { max } else { max / 2 };
        // Numbers begin at zero. Those who could be removed then are as many as all are now.
        let changes = self.number.0.saturating_add(2);
        let removals = u64::try_from(self.members.len()).unwrap_or(u64::MAX);
        changes.saturating_add(removals) <= max
    }

    /// The change that follows this roster.
    pub(crate) fn change(
        &self,
        space: SpaceId,
        signer: UserId,
        action: RosterAction,
    ) -> RosterChange {
        RosterChange {
            space,
            number: self.number.next(),
            previous: self.hash,
            signer,
            action,
        }
    }

    /// The roster after `signed`, which `apply_changes` has verified or this device has made.
    pub(crate) fn after(&self, signed: &SignedRosterChange) -> Self {
        let mut roster = self.clone();
        roster.apply(signed);
        roster
    }

    /// Goes on to what the roster is after `signed`. Nothing is verified: whether it may follow is
    /// for [`check_commit`](super::check_commit) to say, before it is ever stored.
    pub fn apply(&mut self, signed: &SignedRosterChange) {
        match &signed.change.action {
            RosterAction::Add { user, fingerprint } => {
                let member = Member {
                    fingerprint: *fingerprint,
                    inviter: Some(signed.change.signer),
                };
                self.members.insert(*user, member);
                self.ever.insert((*user, *fingerprint));
            }
            RosterAction::Remove { user } => {
                for gone in self.subtree(user) {
                    self.members.remove(&gone);
                }
                self.removals = self.removals.saturating_add(1);
            }
            RosterAction::Genesis { .. } => {}
        }
        self.number = signed.change.number;
        self.hash = roster_hash(signed);
    }

    /// The roster of a new space, whose first change is `signed`. Nothing is verified.
    #[must_use]
    pub fn founded(signed: &SignedRosterChange, fingerprint: Fingerprint) -> Self {
        let owner = signed.change.signer;
        Self {
            number: signed.change.number,
            hash: roster_hash(signed),
            owner,
            members: BTreeMap::from([(
                owner,
                Member {
                    fingerprint,
                    inviter: None,
                },
            )]),
            ever: BTreeSet::from([(owner, fingerprint)]),
            removals: 0,
        }
    }
}

/// Signs a change.
pub(crate) fn sign_change(
    realm: &Realm,
    key: &SigningKey,
    entropy: &mut dyn crate::env::Entropy,
    change: RosterChange,
) -> Result<SignedRosterChange, Opaque> {
    let message = signable(Label::SignRoster, realm, &change.signer, &change.encode());
    let signature = Blob(key.sign(entropy, &message)?);
    Ok(SignedRosterChange { change, signature })
}

/// The deployment and the space whose roster is verified, and the longest log that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) realm: &'a Realm,
    pub(crate) space: &'a SpaceId,
    pub(crate) changes_max: u64,
}

/// Applies changes in order, each verified against the roster before it.
///
/// `contact` returns the verified keys of a user with a given fingerprint. `remembered` is the
/// change that the trusted head named: a log that has another one in its place is another log, in
/// which whoever was removed may still be a member.
///
/// # Errors
///
/// [`Violation::Misbound`] for a change of another space or place, [`Violation::RevokedAuthor`]
/// for a signer who is no member, [`Violation::TooLarge`] for one who fills the log,
/// [`Violation::Inauthentic`] for a signature that does not verify, [`Violation::UntrustedKey`] for
/// a founder whom the space's id does not name.
pub(crate) fn apply_changes(
    place: &Place<'_>,
    known: Option<&Roster>,
    remembered: Option<(RosterNumber, Digest)>,
    changes: &[SignedRosterChange],
    contact: &mut dyn FnMut(&UserId, &Fingerprint) -> Result<Contact, Error>,
) -> Result<Option<Roster>, Error> {
    let mut roster = known.cloned();
    for signed in changes {
        let change = &signed.change;
        let (number, previous) = match &roster {
            Some(before) => (before.number.next(), before.hash),
            None => (RosterNumber(0), Digest([0; 32])),
        };
        let in_place =
            change.space == *place.space && change.number == number && change.previous == previous;
        defend!(Defence::RosterChain, in_place, Violation::Misbound);
        match &mut roster {
            None => roster = Some(found(place, signed, contact)?),
            Some(before) => {
                check_follows(place, before, signed, contact)?;
                before.apply(signed);
            }
        }
        let same = remembered.is_none_or(|(number, hash)| {
            number != change.number || roster.as_ref().is_some_and(|after| after.hash == hash)
        });
        defend!(Defence::RosterMemory, same, Violation::Misbound);
    }
    Ok(roster)
}

fn found(
    place: &Place<'_>,
    signed: &SignedRosterChange,
    contact: &mut dyn FnMut(&UserId, &Fingerprint) -> Result<Contact, Error>,
) -> Result<Roster, Error> {
    let change = &signed.change;
    let RosterAction::Genesis { fingerprint, salt } = &change.action else {
        return Err(Violation::Misbound.into());
    };
    let anchored = space_id(place.realm, &change.signer, fingerprint, salt) == *place.space;
    defend!(
        Defence::RosterAnchor,
        anchored,
        Violation::UntrustedKey {
            user: change.signer
        }
    );
    check_signature(place.realm, signed, &contact(&change.signer, fingerprint)?)?;
    Ok(Roster::founded(signed, *fingerprint))
}

fn check_follows(
    place: &Place<'_>,
    before: &Roster,
    signed: &SignedRosterChange,
    contact: &mut dyn FnMut(&UserId, &Fingerprint) -> Result<Contact, Error>,
) -> Result<(), Error> {
    let change = &signed.change;
    let member = before.members.get(&change.signer);
    let permitted = match &change.action {
        RosterAction::Genesis { .. } => false,
        RosterAction::Add { user, .. } => member.is_some() && !before.members.contains_key(user),
        RosterAction::Remove { user } => change.signer == before.owner && *user != before.owner,
    };
    defend!(
        Defence::RosterPermission,
        permitted,
        Violation::RevokedAuthor {
            author: change.signer
        }
    );
    let adds = matches!(change.action, RosterAction::Add { .. });
    let fits = !adds || before.has_room(&change.signer, place.changes_max);
    defend!(Defence::ReplyCounts, fits, Violation::TooLarge);
    if let Some(member) = member {
        check_signature(
            place.realm,
            signed,
            &contact(&change.signer, &member.fingerprint)?,
        )?;
    }
    Ok(())
}

fn check_signature(
    realm: &Realm,
    signed: &SignedRosterChange,
    signer: &Contact,
) -> Result<(), Error> {
    let body = signed.change.encode();
    let valid = signer
        .verify(realm, Label::SignRoster, &body, &signed.signature.0)
        .is_ok();
    defend!(Defence::RosterSignature, valid, Violation::Inauthentic);
    Ok(())
}
