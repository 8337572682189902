//! Whose keys are whose: pins, fingerprints, and what two devices tell each other.

use super::commit::{Draft, Landed, NewLeaf};
use super::space::SlotKind;
use super::sync::Want;
use super::transport::unexpected;
use super::{Session, account::own_contact, state::put_pin};
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Fingerprint, Tag, UserId};
use crate::remote::{Remote, Vault};
use crate::seal::seal_leaf;
use crate::verify::{Contact, check_record, user_id};
use crate::wire::{Entry, PinEntry, Reply, RequestBody};
use alloc::vec::Vec;

/// How far the keys of a contact can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactStanding {
    /// Seen for the first time: the server may have made this key, and then reads what is shared.
    FirstContact,
    /// The same key as always.
    Pinned,
    /// The same key as always, and two people compared it.
    Verified,
}

/// The keys of a user, and how far they can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprinted {
    /// What two people compare.
    pub fingerprint: Fingerprint,
    /// What is known of it.
    pub standing: ContactStanding,
}

/// How two devices' views of a space compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Comparison {
    /// The other device has seen less; all of it is in this device's history.
    Ahead,
    /// The other device has seen more, and the server does not show it here.
    Behind,
    /// Both have accepted the same head.
    Same,
}

/// A contact whose record and pin were checked.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) contact: Contact,
    pub(super) standing: ContactStanding,
    pub(super) pin_tag: Tag,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// The record of a user, well made. Nothing says yet that it is that user's.
    pub(super) async fn look_up(&mut self, user: UserId) -> Result<Contact, Error> {
        match self.ask(RequestBody::Lookup { user }).await? {
            Reply::Record(Some(signed)) => check_record(&self.config.realm, &user, &signed),
            Reply::Record(None) => Err(Unavailable::UnknownUser.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// Looks a user up and compares with what was pinned, by this device and by the account.
    pub(super) async fn meet(&mut self, name: &[u8]) -> Result<Met, Error> {
        let user = user_id(&self.config.realm, name);
        if user == self.account.user {
            return Err(Usage::Oneself.into());
        }
        let contact = self.look_up(user).await?;
        let pin_tag = self.open_space(&self.private)?.tag(SlotKind::Pin, &user.0);
        let want = Want::tags(self.private, Vec::from([pin_tag]));
        self.read_one(want).await?;
        let pinned = self.pin_in(&pin_tag)?;
        let known = [
            pinned.as_ref().map(|pin| pin.fingerprint),
            self.remembered_pin(&user),
        ];
        for trusted in known.into_iter().flatten() {
            same_key(&contact, trusted)?;
        }
        let standing = match &pinned {
            Some(pin) if pin.verified => ContactStanding::Verified,
            Some(_) => ContactStanding::Pinned,
            None if self.remembered_pin(&user).is_some() => ContactStanding::Pinned,
            None => ContactStanding::FirstContact,
        };
        Ok(Met {
            contact,
            standing,
            pin_tag,
        })
    }

    pub(super) fn pin_in(&self, tag: &Tag) -> Result<Option<PinEntry>, Error> {
        match self.entry(&self.private, tag)? {
            Some((_, Entry::Pin(pin))) => Ok(Some(pin)),
            Some(_) => Err(Violation::Misbound.into()),
            None => Ok(None),
        }
    }

    /// The key that is pinned for a user, by this device or by the account.
    pub(super) async fn pin_of(&mut self, user: &UserId) -> Result<Option<Fingerprint>, Error> {
        if let Some(pinned) = self.own_view(user) {
            return Ok(Some(pinned));
        }
        let tag = self.open_space(&self.private)?.tag(SlotKind::Pin, &user.0);
        let want = Want::tags(self.private, Vec::from([tag]));
        self.read_one(want).await?;
        Ok(self.pin_in(&tag)?.map(|pin| pin.fingerprint))
    }

    /// A leaf that pins a contact.
    pub(super) fn pin_leaf(&mut self, met: &Met, verified: bool) -> Result<NewLeaf, Error> {
        let pin = PinEntry {
            user: met.contact.user,
            fingerprint: met.contact.fingerprint,
            verified,
        };
        let space = self.spaces.get(&self.private).ok_or(Violation::OutOfTurn)?;
        let stored = seal_leaf(&mut self.ports.entropy, &space.key, &Entry::Pin(pin))?;
        Ok(NewLeaf::of(stored))
    }

    /// Pins a contact in the private space and on this device, unless it is pinned.
    pub(super) async fn pin(&mut self, met: &Met, verified: bool) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let want = Want::tags(self.private, Vec::from([met.pin_tag]));
            self.read_one(want).await?;
            let done = match self.pin_in(&met.pin_tag)? {
                Some(pin) => {
                    same_key(&met.contact, pin.fingerprint)?;
                    pin.verified || !verified
                }
                None => false,
            };
            if done {
                break;
            }
            let mut draft = Draft::default();
            draft
                .leaves
                .insert(met.pin_tag, Some(self.pin_leaf(met, verified)?));
            if self.commit(self.private, draft, None).await? == Landed::Yes {
                break;
            }
            self.try_again(&mut tries)?;
        }
        self.remember_pin(&met.contact).await
    }

    /// Pins a contact on this device.
    pub(super) async fn remember_pin(&mut self, contact: &Contact) -> Result<(), Error> {
        let mut state = self.state.clone();
        put_pin(&mut state, contact.user, contact.fingerprint);
        self.remember(state).await
    }

    /// The fingerprint of a user, for two people to compare; looking alone pins nothing.
    ///
    /// # Errors
    ///
    /// [`Violation::KeyChanged`] if it is not the pinned one.
    pub async fn fingerprint(&mut self, name: &[u8]) -> Result<Fingerprinted, Error> {
        if user_id(&self.config.realm, name) == self.account.user {
            let own = own_contact(&self.config, &self.account)?.fingerprint;
            return Ok(Fingerprinted {
                fingerprint: own,
                standing: ContactStanding::Verified,
            });
        }
        let met = self.meet(name).await?;
        Ok(Fingerprinted {
            fingerprint: met.contact.fingerprint,
            standing: met.standing,
        })
    }

    /// Records that two people compared this fingerprint, and pins it.
    ///
    /// # Errors
    ///
    /// [`Violation::UntrustedKey`] if the server shows another key for that user.
    pub async fn verify(&mut self, name: &[u8], seen: Fingerprint) -> Result<(), Error> {
        let met = self.meet(name).await?;
        let user = met.contact.user;
        let same = met.contact.fingerprint == seen;
        defend!(Defence::KeyPin, same, Violation::UntrustedKey { user });
        self.pin(&met, true).await
    }
}

/// The keys that were met are those that are trusted already.
pub(super) fn same_key(contact: &Contact, trusted: Fingerprint) -> Result<(), Error> {
    let offered = contact.fingerprint;
    let same = trusted == offered;
    defend!(
        Defence::KeyPin,
        same,
        Violation::KeyChanged {
            user: contact.user,
            trusted,
            offered
        }
    );
    Ok(())
}
