//! What may follow the newest head of a space, as far as that shows without a key.

use super::roster::{Place, apply_changes};
use super::{Contact, Roster, check_record};
use crate::error::{Error, Violation};
use crate::id::{Digest, Epoch, Fingerprint, Realm, RosterNumber, UserId};
use crate::labels::Label;
use crate::limits::Limits;
use crate::wire::{Commit, Envelope, Frame, Head, RosterAction, SignedEnvelope, SignedRecord};
use alloc::collections::BTreeMap;
use core::fmt;

/// Changes of the roster in one commit. Clients send one; each costs its reader a signature.
const CHANGES_MAX: usize = 64;
/// What an envelope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It invites its recipient to read and write.
    Invitation = 1,
    /// It brings a member the key of a new epoch. It invites nobody: whoever takes the file under
    /// a name of his own does so by the invitation.
    NewEpoch = 2,
}

impl Purpose {
    /// The purpose that an envelope's role names.
    pub(crate) const fn of(role: u8) -> Option<Self> {
        match role {
            1 => Some(Self::Invitation),
            2 => Some(Self::NewEpoch),
            _ => None,
        }
    }
}

/// Why a commit must not be stored: its writer may not say this, or it would not be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// The public record of somebody whom it names is missing, weak, or not signed by its own key.
    Record,
    /// The author is no member, or not with these keys.
    Author,
    /// The head's signature does not verify.
    Signature,
    /// The changes of the roster are not permitted, do not verify, or are not what the head names.
    Roster,
    /// The roster has no room for more.
    Full,
    /// Somebody else than the owner begins an epoch; it is not the next one; within one, the key
    /// changes; or a removal leaves the key as it was.
    Epoch,
    /// An envelope is not its author's, not for a member, or not of the head's epoch.
    Envelope,
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Record => "somebody's public record is missing, weak or not signed",
            Self::Author => "the head's author is no member with these keys",
            Self::Signature => "the head's signature does not verify",
            Self::Roster => "the changes of the roster are not permitted, or do not fit the head",
            Self::Full => "the roster has no room for more",
            Self::Epoch => "the key of the space changes as its author may not change it",
            Self::Envelope => "an envelope is not its author's, for a member, and of this epoch",
        })
    }
}

impl core::error::Error for Unfit {}

/// Whether an honest server may store a commit of `commit.head.head.author`, and the roster after
/// it.
///
/// Clients refuse everything that this refuses, and must then blame the server: a server that wants
/// to be called honest asks here first, or any member could have it accused, and shut everybody
/// out, by writing once what nobody believes. No key is needed.
///
/// `newest` is the head that the commit follows, with the roster that it names; none for the first.
/// `record` gives the public record of a user, for the author of a first commit the one that is
/// being registered. The caller sees to the rest: that the author is who asks; that space, height,
/// previous head, history, directory and count of entries are those that follow; that the space
/// moves where its epoch changes and nowhere else; that envelopes are of this space and their names
/// are free.
///
/// What lies under a key shows to no server: whether leaves, chunks and envelopes open.
///
/// # Errors
///
/// The first reason for which it must not be stored.
pub fn check_commit(
    limits: &Limits,
    newest: Option<(&Head, &Roster)>,
    commit: &Commit,
    record: &mut dyn FnMut(&UserId) -> Option<SignedRecord>,
) -> Result<Roster, Unfit> {
    let head = &commit.head.head;
    let mut people = People {
        realm: record(&head.author).ok_or(Unfit::Record)?.record.realm,
        record,
        known: BTreeMap::new(),
    };
    let roster = check_roster(
        limits,
        newest.map(|(_, roster)| roster),
        commit,
        &mut people,
    )?;
    check_epoch(newest.map(|(head, _)| head), head, &roster)?;
    let member = roster.members.get(&head.author);
    if member.is_none_or(|member| member.fingerprint != head.author_key) {
        return Err(Unfit::Author);
    }
    let realm = people.realm;
    let author = people.contact(&head.author)?;
    if author.fingerprint != head.author_key {
        return Err(Unfit::Author);
    }
    let body = head.encode();
    let signature = &commit.head.signature.0;
    let signed = author.verify(&realm, Label::SignHead, &body, signature);
    signed.map_err(|_| Unfit::Signature)?;
    if commit.envelopes.len() > roster.members.len() {
        return Err(Unfit::Envelope);
    }
    for envelope in &commit.envelopes {
        check_envelope(&realm, head, &roster, author, envelope)?;
    }
    Ok(roster)
}

fn check_roster(
    limits: &Limits,
    before: Option<&Roster>,
    commit: &Commit,
    people: &mut People<'_>,
) -> Result<Roster, Unfit> {
    if commit.roster.len() > CHANGES_MAX {
        return Err(Unfit::Full);
    }
    let head = &commit.head.head;
    let realm = people.realm;
    let place = Place {
        realm: &realm,
        space: &head.space,
        changes_max: limits.roster_changes_max,
    };
    let mut contact = |user: &UserId, key: &Fingerprint| match people.contact(user) {
        Ok(contact) if contact.fingerprint == *key => Ok(contact.clone()),
        _ => Err(Violation::UntrustedKey { user: *user }.into()),
    };
    let after = apply_changes(&place, before, None, &commit.roster, &mut contact);
    let after = match after {
        Ok(after) => after.ok_or(Unfit::Roster)?,
        Err(Error::Violation(Violation::TooLarge)) => return Err(Unfit::Full),
        Err(_) => return Err(Unfit::Roster),
    };
    // Who is added exists, with these keys: nobody has a key to revoke who has none.
    for signed in &commit.roster {
        if let RosterAction::Add { user, fingerprint } = &signed.change.action
            && people.contact(user)?.fingerprint != *fingerprint
        {
            return Err(Unfit::Record);
        }
    }
    let named: (RosterNumber, Digest) = (head.roster, head.roster_hash);
    match named == (after.number, after.hash) {
        true => Ok(after),
        false => Err(Unfit::Roster),
    }
}

/// Only the owner makes a new key. Within an epoch all heads commit to one.
fn check_epoch(newest: Option<&Head>, head: &Head, roster: &Roster) -> Result<(), Unfit> {
    let follows = match newest {
        None => head.epoch == Epoch(1),
        Some(before) if head.epoch == before.epoch => head.commitment == before.commitment,
        Some(before) => head.epoch == before.epoch.next() && head.author == roster.owner,
    };
    match follows && head.epoch.0 > roster.removals {
        true => Ok(()),
        false => Err(Unfit::Epoch),
    }
}

fn check_envelope(
    realm: &Realm,
    head: &Head,
    roster: &Roster,
    author: &Contact,
    signed: &SignedEnvelope,
) -> Result<(), Unfit> {
    let envelope: &Envelope = &signed.envelope;
    let sent = envelope.sender == head.author && envelope.sender_key == head.author_key;
    let recipient = roster.members.get(&envelope.recipient);
    let received = recipient.is_some_and(|member| member.fingerprint == envelope.recipient_key);
    let of_this = envelope.epoch == head.epoch && Purpose::of(envelope.role).is_some();
    if !(sent && received && of_this) {
        return Err(Unfit::Envelope);
    }
    let body = envelope.encode();
    let verified = author.verify(realm, Label::SignEnvelope, &body, &signed.signature.0);
    verified.map_err(|_| Unfit::Envelope)
}

/// Those whose records were asked for, each once.
struct People<'a> {
    realm: Realm,
    record: &'a mut dyn FnMut(&UserId) -> Option<SignedRecord>,
    known: BTreeMap<UserId, Contact>,
}

impl People<'_> {
    fn contact(&mut self, user: &UserId) -> Result<&Contact, Unfit> {
        use alloc::collections::btree_map::Entry;
        match self.known.entry(*user) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let signed = (self.record)(user).ok_or(Unfit::Record)?;
                let contact = check_record(&self.realm, user, &signed);
                Ok(unknown.insert(contact.map_err(|_| Unfit::Record)?))
            }
        }
    }
}
