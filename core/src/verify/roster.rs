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
pub(crate) struct Member {
    /// The member's keys.
    pub(crate) fingerprint: Fingerprint,
    /// Who invited the member; the owner has nobody above.
    pub(crate) inviter: Option<UserId>,
}

/// The members of a space after one change of its roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) number: RosterNumber,
    pub(crate) hash: Digest,
    pub(crate) owner: UserId,
    pub(crate) members: BTreeMap<UserId, Member>,
    /// Everybody who ever was a member, with all their keys: an old head is recognised by them.
    pub(crate) ever: BTreeSet<(UserId, Fingerprint)>,
    /// How many changes removed somebody; each of them makes a new key.
    pub(crate) removals: u64,
}

impl Roster {
    /// Everybody below `user`, and `user`.
    pub(crate) fn subtree(&self, user: &UserId) -> Vec<UserId> {
        let mut found: Vec<UserId> = Vec::from([*user]);
        let mut next = 0;
        while let Some(&above) = found.get(next) {
            let below = |member: &Member| member.inviter == Some(above);
            found.extend(
                self.members
                    .iter()
                    .filter(|(_, m)| below(m))
                    .map(|(id, _)| *id),
            );
            next += 1;
        }
        found
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

    /// The roster after `signed`, which `check_change` has verified or this device has made.
    pub(crate) fn after(&self, signed: &SignedRosterChange) -> Self {
        let mut members = self.members.clone();
        let mut ever = self.ever.clone();
        let mut removals = self.removals;
        match &signed.change.action {
            RosterAction::Add { user, fingerprint } => {
                let inviter = Some(signed.change.signer);
                members.insert(
                    *user,
                    Member {
                        fingerprint: *fingerprint,
                        inviter,
                    },
                );
                ever.insert((*user, *fingerprint));
            }
            RosterAction::Remove { user } => {
                for gone in self.subtree(user) {
                    members.remove(&gone);
                }
                removals = removals.saturating_add(1);
            }
            RosterAction::Genesis { .. } => {}
        }
        Self {
            number: signed.change.number,
            hash: roster_hash(signed),
            owner: self.owner,
            members,
            ever,
            removals,
        }
    }

    /// The roster of a new space.
    pub(crate) fn founded(signed: &SignedRosterChange, fingerprint: Fingerprint) -> Self {
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

/// Applies changes in order, each verified against the roster before it.
///
/// `contact` returns the verified keys of a user with a given fingerprint. `remembered` is the
/// change that the trusted head named: a log that has another one in its place is another log, in
/// which whoever was removed may still be a member.
///
/// # Errors
///
/// [`Violation::Misbound`] for a change of another space or place, [`Violation::RevokedAuthor`]
/// for a signer who is no member, [`Violation::Inauthentic`] for a signature that does not verify,
/// [`Violation::UntrustedKey`] for a founder whom the space's id does not name.
pub(crate) fn apply_changes(
    realm: &Realm,
    space: &SpaceId,
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
            change.space == *space && change.number == number && change.previous == previous;
        defend!(Defence::RosterChain, in_place, Violation::Misbound);
        let after = match &roster {
            None => found(realm, space, signed, contact)?,
            Some(before) => follow(realm, before, signed, contact)?,
        };
        let same =
            remembered.is_none_or(|(number, hash)| number != after.number || hash == after.hash);
        defend!(Defence::RosterMemory, same, Violation::Misbound);
        roster = Some(after);
    }
    Ok(roster)
}

fn found(
    realm: &Realm,
    space: &SpaceId,
    signed: &SignedRosterChange,
    contact: &mut dyn FnMut(&UserId, &Fingerprint) -> Result<Contact, Error>,
) -> Result<Roster, Error> {
    let change = &signed.change;
    let RosterAction::Genesis { fingerprint, salt } = &change.action else {
        return Err(Violation::Misbound.into());
    };
    let anchored = space_id(realm, &change.signer, fingerprint, salt) == *space;
    defend!(
        Defence::RosterAnchor,
        anchored,
        Violation::UntrustedKey {
            user: change.signer
        }
    );
    check_signature(realm, signed, &contact(&change.signer, fingerprint)?)?;
    Ok(Roster::founded(signed, *fingerprint))
}

fn follow(
    realm: &Realm,
    before: &Roster,
    signed: &SignedRosterChange,
    contact: &mut dyn FnMut(&UserId, &Fingerprint) -> Result<Contact, Error>,
) -> Result<Roster, Error> {
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
    if let Some(member) = member {
        check_signature(
            realm,
            signed,
            &contact(&change.signer, &member.fingerprint)?,
        )?;
    }
    Ok(before.after(signed))
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
