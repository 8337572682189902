//! Revokes a member: a new key for the space, a new key for what is written from now on.

use super::Session;
use super::commit::{Draft, Landed, NewLeaf, RosterDraft};
use super::locate::{Found, Located};
use super::space::Space;
use super::upload::fresh_content_key;
use crate::defence::{Defence, construct, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Fingerprint, SpaceId, UserId};
use crate::remote::{Remote, Vault};
use crate::seal::{fresh_id, seal_keyring, seal_leaf};
use crate::secret::{EpochKey, KeyBytes};
use crate::verify::{Contact, Purpose, Roster, user_id};
use crate::wire::{Blob, Entry, FileEntry, Pack, RosterAction, SegmentRecord, SignedEnvelope};
use alloc::vec::Vec;

/// A file's entry under a new content key, its records, and the pack that keeps the older keys.
struct Rekeyed {
    file: FileEntry,
    pack: Pack,
    records: Vec<SegmentRecord>,
}

/// What a revocation came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Members who were not given the new key: nobody has the keys that the list of members names,
    /// or they are not those that this account knows. Sharing with them anew lets them in again.
    pub passed_over: Vec<UserId>,
    /// Who left nothing in the file that opens. It is empty now, and can be written anew.
    pub spoilt: Option<UserId>,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Takes a member's access away, and that of everybody whom the member invited. The others keep
    /// theirs without doing anything. What was read before cannot be unread.
    ///
    /// A member who left something in the file that does not open is revoked all the same.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`], [`Usage::NotOwner`], [`Usage::NotShared`], [`Usage::Oneself`].
    pub async fn revoke(&mut self, name: &[u8], from: &[u8]) -> Result<Revoked, Error> {
        let user = user_id(&self.config.realm, from);
        let mut tries = 0;
        let mut revoked = Revoked::default();
        loop {
            let (found, link) = match self.locate(name, &[]).await? {
                Located::Nothing => return Err(Usage::NoSuchFile.into()),
                Located::File(_, None) => return Err(Usage::NotShared.into()),
                Located::File(found, Some(link)) => (Ok(found), link),
                // A member may have emptied the file.
                Located::Gone(link) => (Err(None), link),
                Located::Spoilt(link) => {
                    let spoilt = self.open_space(&link.space)?.spoilt();
                    (Err(Some(spoilt)), link)
                }
            };
            if link.owner != self.account.user {
                return Err(Usage::NotOwner.into());
            }
            if user == self.account.user {
                return Err(Usage::Oneself.into());
            }
            let space = self.open_space(&link.space)?;
            let roster = space.roster.clone().ok_or(Violation::OutOfTurn)?;
            if !roster.members.contains_key(&user) {
                // A try that was said to have lost may have been the one that did it.
                return match tries {
                    0 => Err(Usage::NotShared.into()),
                    _ => Ok(revoked),
                };
            }
            revoked = Revoked::default();
            let rekeyed = match found {
                Ok(found) => self.rekeyed(found).await.map(Some),
                Err(Some(spoilt)) => Err(spoilt),
                Err(None) => Ok(None),
            };
            let rekeyed = match rekeyed {
                Err(Error::Unavailable(Unavailable::Spoilt { author })) => {
                    revoked.spoilt = Some(author);
                    None
                }
                other => other?,
            };
            let draft = self
                .revocation(link.space, &roster, user, rekeyed, &mut revoked.passed_over)
                .await?;
            if self.commit(link.space, draft, Some(&link)).await? == Landed::Yes {
                return Ok(revoked);
            }
            self.try_again(&mut tries)?;
        }
    }

    /// What is appended from now on is sealed under a key that no revoked member has; the older
    /// keys stay with those who stay.
    async fn rekeyed(&mut self, found: Found) -> Result<Rekeyed, Error> {
        let records = self.records_of(&found).await?;
        let keys = self.content_keys(&found).await?;
        let entropy = &mut self.ports.entropy;
        let key = construct!(
            Defence::RevocationContentKey,
            fresh_content_key(entropy),
            kept_content_key(entropy, &keys)
        );
        let older: Vec<KeyBytes> = keys.iter().map(|key| KeyBytes::new(key.expose())).collect();
        let id = crate::id::PackId(fresh_id(entropy));
        let (region, sealed) = seal_keyring(&key, id, 0, &older);
        let key_index = u16::try_from(older.len()).map_err(|_| Usage::Full)?;
        let file = FileEntry {
            content_key: KeyBytes::new(key.expose()),
            key_index,
            keyring: Some(region),
            ..found.file
        };
        Ok(Rekeyed {
            file,
            pack: Pack {
                id,
                bytes: Blob(sealed),
            },
            records,
        })
    }

    /// The keys of a member, unless nobody has them or they are not those that this account pinned
    /// for that user. Whoever invited such a member must not keep others from being revoked. A
    /// member whom this account knows has keys, whatever the server says: he is not passed over.
    async fn stays(&mut self, user: UserId, key: Fingerprint) -> Result<Option<Contact>, Error> {
        let pin = self.pin_of(&user).await?;
        if stands(Defence::RosterPin) && pin.is_some_and(|pinned| pinned != key) {
            return Ok(None);
        }
        match self.with_key(user, key).await {
            Ok(contact) => Ok(Some(contact)),
            Err(
                Error::Unavailable(Unavailable::UnknownUser)
                | Error::Violation(Violation::KeyChanged { .. }),
            ) if pin.is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn revocation(
        &mut self,
        id: SpaceId,
        before: &Roster,
        gone: UserId,
        rekeyed: Option<Rekeyed>,
        passed_over: &mut Vec<UserId>,
    ) -> Result<Draft, Error> {
        let change = before.change(id, self.account.user, RosterAction::Remove { user: gone });
        let removed = self.signed_change(change)?;
        let roster = before.after(&removed);
        let space = self.spaces.get(&id).ok_or(Violation::OutOfTurn)?;
        let epoch = space.epoch.next();
        let key = construct!(
            Defence::RevocationRekeys,
            EpochKey::random(&mut self.ports.entropy),
            kept_epoch_key(&mut self.ports.entropy, &space.key)
        );
        let mut envelopes: Vec<SignedEnvelope> = Vec::new();
        for (user, member) in &roster.members {
            let Some(contact) = self.stays(*user, member.fingerprint).await? else {
                passed_over.push(*user);
                continue;
            };
            let newer = Purpose::NewEpoch;
            // What the owner calls the file is nobody's business.
            envelopes.push(self.seal_envelope(newer, (id, epoch), &key, &contact, b"")?);
        }
        let moved = Space::new(id, epoch, EpochKey::copy_from(key.expose()));
        let mut draft = Draft {
            roster: Some(RosterDraft {
                changes: Vec::from([removed]),
                roster,
            }),
            envelopes,
            rekey: Some((epoch, key)),
            ..Draft::default()
        };
        if let Some(rekeyed) = rekeyed {
            let entry = Entry::File(rekeyed.file);
            let stored = seal_leaf(&mut self.ports.entropy, &moved.key, &entry)?;
            let leaf = NewLeaf {
                add: rekeyed.records,
                ..NewLeaf::of(stored)
            };
            draft.leaves.insert(moved.only_tag(), Some(leaf));
            draft.pack = Some(rekeyed.pack);
        }
        Ok(draft)
    }
}
