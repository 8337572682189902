//! Revokes a member: a new key for the space, a new key for what is written from now on.

use super::Session;
use super::commit::{Draft, Landed, RosterDraft};
use super::upload::fresh_content_key;
use crate::defence::{Defence, construct, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Usage, Violation};
use crate::id::{Fingerprint, SpaceId, UserId};
use crate::remote::{Remote, Vault};
use crate::seal::{fresh_id, seal_keyring, seal_leaf};
use crate::secret::{ContentKey, EpochKey, KeyBytes};
use crate::verify::{Contact, Purpose, Roster, user_id};
use crate::wire::{Blob, Entry, FileEntry, Pack, RosterAction, SegmentRecord, SignedEnvelope};
use alloc::vec::Vec;

/// A file's entry under a new content key, and the pack that keeps the older ones.
struct Rekeyed {
    file: FileEntry,
    pack: Pack,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Takes a member's access away, and that of everybody whom the member invited. The others keep
    /// theirs without doing anything. What was read before cannot be unread.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`], [`Usage::NotOwner`], [`Usage::NotShared`], [`Usage::Oneself`].
    pub async fn revoke(&mut self, name: &[u8], from: &[u8]) -> Result<(), Error> {
        let user = user_id(&self.config.realm, from);
        let mut tries = 0;
        loop {
            let (found, link) = self.file(name, &[]).await?;
            let Some(link) = link else {
                return Err(Usage::NotShared.into());
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
                    _ => Ok(()),
                };
            }
            let records = self.records_of(&found).await?;
            let keys = self.content_keys(&found).await?;
            let rekeyed = self.new_content_key(found.file, &keys)?;
            let draft = self
                .revocation(link.space, &roster, user, rekeyed, records)
                .await?;
            if self.commit(link.space, draft, Some(&link)).await? == Landed::Yes {
                return Ok(());
            }
            self.try_again(&mut tries)?;
        }
    }

    /// What is appended from now on is sealed under a key that no revoked member has; the older
    /// keys stay with those who stay.
    fn new_content_key(&mut self, file: FileEntry, keys: &[ContentKey]) -> Result<Rekeyed, Error> {
        let entropy = &mut self.ports.entropy;
        let key = construct!(
            Defence::RevocationContentKey,
            fresh_content_key(entropy),
            kept_content_key(entropy, keys)
        );
        let older: Vec<KeyBytes> = keys.iter().map(|key| KeyBytes::new(key.expose())).collect();
        let id = crate::id::PackId(fresh_id(entropy));
        let (region, sealed) = seal_keyring(&key, id, &older);
        let key_index = u16::try_from(older.len()).map_err(|_| Usage::Full)?;
        let file = FileEntry {
            content_key: KeyBytes::new(key.expose()),
            key_index,
            keyring: Some(region),
            ..file
        };
        Ok(Rekeyed {
            file,
            pack: Pack {
                id,
                bytes: Blob(sealed),
            },
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
        rekeyed: Rekeyed,
        records: Vec<SegmentRecord>,
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
            if let Some(contact) = self.stays(*user, member.fingerprint).await? {
                let newer = Purpose::NewEpoch;
                // What the owner calls the file is nobody's business.
                envelopes.push(self.seal_envelope(newer, (id, epoch), &key, &contact, b"")?);
            }
        }
        let moved = super::space::Space::new(id, epoch, EpochKey::copy_from(key.expose()));
        let segments = u32::try_from(rekeyed.file.segments).map_err(|_| Usage::Full)?;
        let entry = Entry::File(rekeyed.file);
        let stored = seal_leaf(&mut self.ports.entropy, &moved.key, &entry, segments);
        let leaf = super::commit::NewLeaf {
            stored,
            keep: 0,
            add: records,
        };
        let mut draft = Draft {
            roster: Some(RosterDraft {
                changes: Vec::from([removed]),
                roster,
            }),
            envelopes,
            pack: Some(rekeyed.pack),
            rekey: Some((epoch, key)),
            ..Draft::default()
        };
        draft.leaves.insert(moved.only_tag(), Some(leaf));
        Ok(draft)
    }
}
