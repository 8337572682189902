//! Makes and opens envelopes: one epoch's key of a space for one recipient.

use super::Session;
use super::contact::same_key;
use super::sync::Candidate;
use super::transport::unexpected;
use crate::defence::{Defence, defend, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{EnvelopeId, Epoch, Fingerprint, SpaceId, UserId};
use crate::labels::Label;
use crate::remote::{Remote, Vault};
use crate::seal::{fresh_id, open_note, seal_note};
use crate::secret::EpochKey;
use crate::verify::{Contact, Purpose, signable};
use crate::wire::{Blob, Envelope, Frame, LinkEntry, Reply, RequestBody, SignedEnvelope};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// What an envelope holds, once everything about it was checked.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) purpose: Purpose,
    pub(super) id: EnvelopeId,
    pub(super) space: SpaceId,
    pub(super) epoch: Epoch,
    pub(super) key: EpochKey,
    pub(super) name: Vec<u8>,
}

/// The label of the wrapped key: everything else that the envelope says.
fn wrap_label(envelope: &Envelope) -> Vec<u8> {
    let bare = Envelope {
        wrapped: Blob::default(),
        note: Blob::default(),
        ..envelope.clone()
    };
    bare.encode()
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// An envelope from this account.
    pub(super) fn seal_envelope(
        &mut self,
        purpose: Purpose,
        (space, epoch): (SpaceId, Epoch),
        key: &EpochKey,
        recipient: &Contact,
        name: &[u8],
    ) -> Result<SignedEnvelope, Error> {
        let entropy = &mut self.ports.entropy;
        let id = EnvelopeId(fresh_id(entropy));
        let mut envelope = Envelope {
            id,
            space,
            epoch,
            role: purpose as u8,
            sender: self.account.user,
            sender_key: self.account.fingerprint,
            recipient: recipient.user,
            recipient_key: recipient.fingerprint,
            wrapped: Blob::default(),
            note: Blob(seal_note(key, &id.0, name)),
        };
        let label = wrap_label(&envelope);
        let wrapped = recipient.encryption.encrypt(entropy, &label, key.expose());
        envelope.wrapped = Blob(wrapped.map_err(|_| Violation::WeakParameters)?);
        let realm = &self.config.realm;
        let message = signable(
            Label::SignEnvelope,
            realm,
            &self.account.user,
            &envelope.encode(),
        );
        let signature = self.account.signing.sign(entropy, &message);
        let signature = Blob(signature.map_err(|_| Violation::Inauthentic)?);
        Ok(SignedEnvelope {
            envelope,
            signature,
        })
    }

    /// Opens an envelope from `sender`. The private key is used only once the sender's signature
    /// is verified, and every failure of it is one failure.
    pub(super) fn open_envelope(
        &mut self,
        sender: &Contact,
        signed: &SignedEnvelope,
    ) -> Result<Opened, Error> {
        let envelope = &signed.envelope;
        let named = envelope.sender == sender.user && envelope.sender_key == sender.fingerprint;
        defend!(
            Defence::EnvelopeSender,
            named,
            Violation::UntrustedKey {
                user: envelope.sender
            }
        );
        let realm = self.config.realm;
        let body = envelope.encode();
        let valid = sender
            .verify(&realm, Label::SignEnvelope, &body, &signed.signature.0)
            .is_ok();
        defend!(Defence::EnvelopeSignature, valid, Violation::Inauthentic);
        let mine = envelope.recipient == self.account.user
            && envelope.recipient_key == self.account.fingerprint;
        let purpose = Purpose::of(envelope.role);
        let fits = mine && purpose.is_some();
        defend!(Defence::EnvelopeRecipient, fits, Violation::Misbound);
        let label = wrap_label(envelope);
        let entropy = &mut self.ports.entropy;
        let unwrapped = self
            .account
            .decryption
            .decrypt(entropy, &label, &envelope.wrapped.0);
        // What the sender signed and does not open is the sender's doing, and looks alike always.
        let author = envelope.sender;
        let spoilt = Unavailable::Spoilt { author };
        let unwrapped = unwrapped.map_err(|_| spoilt)?;
        let bytes: &[u8; 32] = unwrapped.as_slice().try_into().map_err(|_| spoilt)?;
        let key = EpochKey::copy_from(bytes);
        let name = open_note(&key, &envelope.id.0, &envelope.note.0).map_err(|_| spoilt)?;
        let Envelope {
            id, space, epoch, ..
        } = *envelope;
        Ok(Opened {
            // Whoever does not look takes what comes for an invitation.
            purpose: purpose.unwrap_or(Purpose::Invitation),
            id,
            space,
            epoch,
            key,
            name,
        })
    }

    /// The newest envelopes of one sender for this account, newest first, of one space or of all.
    ///
    /// That there are more than the limit is nobody's fault: what is older is out of reach.
    pub(super) async fn inbox(
        &mut self,
        sender: UserId,
        space: Option<SpaceId>,
    ) -> Result<Vec<SignedEnvelope>, Error> {
        let max = self.config.limits.envelopes_max;
        let mut envelopes: Vec<SignedEnvelope> = Vec::new();
        let mut met = BTreeSet::new();
        let mut pages = 0;
        loop {
            let held = u64::try_from(envelopes.len()).unwrap_or(u64::MAX);
            let count = u32::try_from(max.saturating_sub(held)).unwrap_or(u32::MAX);
            let enough = count == 0 || pages == self.config.limits.inbox_pages_max;
            if enough && stands(Defence::ReplyCounts) {
                return Ok(envelopes);
            }
            let body = RequestBody::Inbox {
                sender,
                space,
                before: envelopes.last().map(|signed| signed.envelope.id),
                count,
            };
            let mut page = match self.ask(body).await? {
                Reply::Inbox(page) => page,
                other => return Err(unexpected(&other)),
            };
            let as_asked = u32::try_from(page.len()).is_ok_and(|shown| shown <= count);
            defend!(Defence::ReplyCounts, as_asked, Violation::TooLarge);
            // What is shown again says nothing, and leads no further.
            page.retain(|signed| met.insert(signed.envelope.id) || !stands(Defence::ReplyCounts));
            if page.is_empty() {
                return Ok(envelopes);
            }
            envelopes.extend(page);
            pages += 1;
        }
    }

    /// Finds the key of a space that moved on: its owner sent it to everybody who stays.
    pub(super) async fn newer_key(
        &mut self,
        link: &LinkEntry,
        epoch: Epoch,
    ) -> Result<Candidate, Error> {
        let mut newer: Vec<SignedEnvelope> = self.inbox(link.owner, Some(link.space)).await?;
        // The server may show others than it was asked for, with any number on them: those say
        // nothing here, and one that does not open hides none that does.
        newer.retain(|SignedEnvelope { envelope, .. }| {
            envelope.space == link.space
                && envelope.epoch > epoch
                && envelope.sender == link.owner
                && envelope.sender_key == link.owner_key
        });
        newer.sort_by_key(|signed| signed.envelope.epoch);
        if newer.is_empty() {
            return Err(Unavailable::Closed.into());
        }
        let owner = self.with_key(link.owner, link.owner_key).await?;
        let mut fault = None;
        for signed in newer.iter().rev() {
            match self.open_envelope(&owner, signed) {
                Ok(Opened { epoch, key, .. }) => {
                    return Ok(Candidate {
                        space: self.under(link.space, epoch, key),
                        proven: false,
                    });
                }
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        Err(fault.unwrap_or_else(|| Unavailable::Closed.into()))
    }

    /// The keys of a user that have this fingerprint, from what was seen or from the server.
    pub(super) async fn with_key(
        &mut self,
        user: UserId,
        key: Fingerprint,
    ) -> Result<Contact, Error> {
        if user == self.account.user && key == self.account.fingerprint {
            return super::account::own_contact(&self.config, &self.account);
        }
        if let Some(contact) = self
            .contacts
            .get(&key)
            .filter(|contact| contact.user == user)
        {
            return Ok(contact.clone());
        }
        let contact = self.look_up(user).await?;
        same_key(&contact, key)?;
        self.contacts.insert(contact.fingerprint, contact.clone());
        Ok(contact)
    }
}
