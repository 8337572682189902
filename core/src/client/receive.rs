//! Receives a share under a name of one's own.

use super::Session;
use super::commit::{Draft, Landed, NewLeaf};
use super::contact::{ContactStanding, Met, same_key};
use super::envelope::Opened;
use super::space::SlotKind;
use super::sync::{Candidate, Seen, Want};
use super::upload::Packer;
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{EnvelopeId, Epoch, Fingerprint, SpaceId, Tag, UserId};
use crate::remote::{Remote, Vault};
use crate::seal::seal_leaf;
use crate::secret::EpochKey;
use crate::verify::Purpose;
use crate::wire::{Entry, SignedEnvelope};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Which invitation of a sender is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick<'a> {
    /// The newest one for the file that the sender calls by this name.
    Name(&'a [u8]),
    /// This one.
    Pointer(EnvelopeId),
}

impl Pick<'_> {
    fn means(&self, opened: &Opened) -> bool {
        match self {
            Pick::Name(name) => opened.name == *name,
            Pick::Pointer(pointer) => opened.id == *pointer,
        }
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Receives a share. The sender's key is pinned; how far it can be trusted is returned.
    ///
    /// # Errors
    ///
    /// [`Usage::NameTaken`], [`Usage::AlreadyReceived`]; [`Unavailable::NoInvitation`] if the
    /// server delivers none; [`Unavailable::Closed`] if it was revoked meanwhile.
    pub async fn receive(
        &mut self,
        sender: &[u8],
        pick: Pick<'_>,
        name: &[u8],
    ) -> Result<ContactStanding, Error> {
        let tag = self.name_tag(name)?;
        let met = self.meet(sender).await?;
        let opened = self.invitation(&met, pick).await?;
        let marker = self
            .open_space(&self.private)?
            .tag(SlotKind::Received, &opened.id.0);
        self.check_free(tag, marker, met.pin_tag).await?;
        let owner = self.enter(&met, &opened).await?;
        let mut tries = 0;
        loop {
            let draft = self.received(&met, &opened, owner, (tag, marker), name)?;
            if self.commit(self.private, draft, None).await? == Landed::Yes {
                break;
            }
            self.try_again(&mut tries)?;
            self.check_free(tag, marker, met.pin_tag).await?;
        }
        self.links.insert(tag, opened.space);
        self.remember_pin(&met.contact).await?;
        Ok(met.standing)
    }

    /// The newest invitation that fits. One that is forged does not hide a genuine one, and is
    /// reported if there is no other.
    async fn invitation(&mut self, met: &Met, pick: Pick<'_>) -> Result<Opened, Error> {
        let mut fault = None;
        // Newer keys of a space come before the invitation into it.
        let mut newer: BTreeMap<SpaceId, (Epoch, EpochKey)> = BTreeMap::new();
        let inbox: Vec<SignedEnvelope> = self.inbox(met.contact.user, None).await?;
        for signed in &inbox {
            let envelope = &signed.envelope;
            let named = matches!(pick, Pick::Pointer(pointer) if envelope.id == pointer);
            if envelope.sender != met.contact.user && !named {
                continue;
            }
            match self.open_envelope(&met.contact, signed) {
                Ok(Opened {
                    purpose: Purpose::NewEpoch,
                    space,
                    epoch,
                    key,
                    ..
                }) => {
                    newer.entry(space).or_insert((epoch, key));
                }
                Ok(mut opened) if pick.means(&opened) => {
                    let later = newer.remove(&opened.space);
                    if let Some((epoch, key)) = later.filter(|(epoch, _)| *epoch > opened.epoch) {
                        (opened.epoch, opened.key) = (epoch, key);
                    }
                    return Ok(opened);
                }
                Ok(_) => {}
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        Err(fault.unwrap_or_else(|| Unavailable::NoInvitation.into()))
    }

    /// The name is free, and the invitation was not received before.
    async fn check_free(&mut self, tag: Tag, marker: Tag, pin: Tag) -> Result<(), Error> {
        let want = Want::tags(self.private, Vec::from([tag, marker, pin]));
        self.read_one(want).await?;
        let private = self.open_space(&self.private)?;
        if private.leaf(&marker).is_some() {
            return Err(Usage::AlreadyReceived.into());
        }
        match private.leaf(&tag) {
            Some(_) => Err(Usage::NameTaken.into()),
            None => Ok(()),
        }
    }

    /// Reads the space behind an invitation: its head must commit to the key, and its roster name
    /// both sender and recipient.
    async fn enter(&mut self, met: &Met, opened: &Opened) -> Result<(UserId, Fingerprint), Error> {
        if opened.space == self.private {
            return Err(Violation::Misbound.into());
        }
        let open = self.spaces.get(&opened.space).map(|space| space.epoch);
        let candidate = match open.is_none_or(|epoch| epoch < opened.epoch) {
            true => Some(Candidate {
                space: self.under(
                    opened.space,
                    opened.epoch,
                    EpochKey::copy_from(opened.key.expose()),
                ),
                proven: false,
            }),
            false => None,
        };
        let want = Want {
            candidate,
            sender: Some((met.contact.user, met.contact.fingerprint)),
            ..Want::head(opened.space)
        };
        if self.read_one(want).await? == Seen::Closed {
            return Err(Unavailable::Closed.into());
        }
        let roster = self.open_space(&opened.space)?.roster.as_ref();
        let roster = roster.ok_or(Violation::OutOfTurn)?;
        let owner = roster.members.get(&roster.owner);
        let owner = owner.ok_or(Violation::Misbound)?;
        Ok((roster.owner, owner.fingerprint))
    }

    fn received(
        &mut self,
        met: &Met,
        opened: &Opened,
        owner: (UserId, Fingerprint),
        slots: (Tag, Tag),
        name: &[u8],
    ) -> Result<Draft, Error> {
        let mut draft = Draft::default();
        let mut packer = Packer::new(&mut self.ports.entropy);
        // The key that a head committed to, which an old invitation need not hold.
        let open = self.open_space(&opened.space)?;
        let (epoch, key) = (open.epoch, EpochKey::copy_from(open.key.expose()));
        let link = self.link(&mut packer, opened.space, owner, (epoch, &key), name)?;
        let private = self.spaces.get(&self.private).ok_or(Violation::OutOfTurn)?;
        let entropy = &mut self.ports.entropy;
        let stored = seal_leaf(entropy, &private.key, &Entry::Received(opened.id))?;
        draft.leaves.insert(slots.0, Some(link));
        draft.leaves.insert(slots.1, Some(NewLeaf::of(stored)));
        match self.pin_in(&met.pin_tag)? {
            Some(pin) => same_key(&met.contact, pin.fingerprint)?,
            None => {
                let pin = self.pin_leaf(met, false)?;
                draft.leaves.insert(met.pin_tag, Some(pin));
            }
        }
        draft.pack = packer.finish();
        Ok(draft)
    }
}
