//! Shares a file: gives it a space of its own, or the space a member more. No content moves.

use super::Session;
use super::account::genesis;
use super::commit::{Draft, Landed, NewLeaf, RosterDraft};
use super::contact::{ContactStanding, Met};
use super::locate::Found;
use super::space::Space;
use super::upload::Packer;
use crate::defence::{Defence, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Usage, Violation};
use crate::id::{EnvelopeId, Epoch, SpaceId};
use crate::remote::{Remote, Vault};
use crate::seal::seal_leaf;
use crate::secret::{ContentKey, EpochKey, KeyBytes};
use crate::verify::{Purpose, Roster, sign_change, space_id};
use crate::wire::{
    Entry, FileEntry, LinkEntry, NameRef, RosterAction, RosterChange, SignedRosterChange,
};
use alloc::vec::Vec;

/// An invitation that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its name; handed over by other means, it says which invitation is meant.
    pub pointer: EnvelopeId,
    /// How far the recipient's keys can be trusted. On first contact, the server may read along.
    pub standing: ContactStanding,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Shares a file with another user, who may read, write and share it. A member is sent the
    /// invitation once more.
    ///
    /// # Errors
    ///
    /// [`Usage::NoSuchFile`], [`Usage::Oneself`]; [`Usage::Full`] if the file's list of members has
    /// room for nobody more;
    /// [`Unavailable::UnknownUser`](crate::Unavailable::UnknownUser) if the server knows no such
    /// user; [`Violation::KeyChanged`] if the user's key is not the pinned one.
    pub async fn share(&mut self, name: &[u8], with: &[u8]) -> Result<Invitation, Error> {
        self.file(name, &[]).await?;
        let met = self.meet(with).await?;
        // The key is remembered before anything is wrapped for it, by the account as well as by
        // this device: whatever becomes of the rest, the server can show none of the user's devices
        // another one next time.
        self.remember_pin(&met.contact).await?;
        self.pin(&met, false).await?;
        let mut tries = 0;
        loop {
            let (found, link) = self.file(name, &[met.pin_tag]).await?;
            let space = match &link {
                Some(link) => Some(link.space),
                None => self.found_space(name, found).await?,
            };
            let pointer = match space {
                Some(space) => self.invite(name, space, link.as_ref(), &met).await?,
                None => None,
            };
            if let Some(pointer) = pointer {
                return Ok(Invitation {
                    pointer,
                    standing: met.standing,
                });
            }
            self.try_again(&mut tries)?;
        }
    }

    /// Adds a member to a space that exists. Who is one already is sent the current key once more:
    /// the invitation may have been overtaken by a revocation, or may have passed the member over.
    async fn invite(
        &mut self,
        name: &[u8],
        space: SpaceId,
        link: Option<&LinkEntry>,
        met: &Met,
    ) -> Result<Option<EnvelopeId>, Error> {
        let to = &met.contact;
        let open = self.open_space(&space)?;
        let roster = open.roster.clone().ok_or(Violation::OutOfTurn)?;
        let (epoch, key) = (open.epoch, EpochKey::copy_from(open.key.expose()));
        let mut draft = Draft::default();
        if let Some(member) = roster.members.get(&to.user) {
            let same = member.fingerprint == to.fingerprint;
            defend!(
                Defence::RosterPin,
                same,
                Violation::Equivocation {
                    user: to.user,
                    trusted: to.fingerprint,
                    offered: member.fingerprint
                }
            );
        } else {
            let changes_max = self.config.limits.roster_changes_max;
            if !roster.has_room(&self.account.user, changes_max) {
                return Err(Usage::Full.into());
            }
            let added = self.add_member(space, &roster, met)?;
            draft.roster = Some(RosterDraft {
                roster: roster.after(&added),
                changes: Vec::from([added]),
            });
        }
        let envelope = self.seal_envelope(Purpose::Invitation, (space, epoch), &key, to, name)?;
        let pointer = envelope.envelope.id;
        draft.envelopes.push(envelope);
        Ok(match self.commit(space, draft, link).await? {
            Landed::Yes => Some(pointer),
            Landed::Raced => None,
        })
    }

    fn add_member(
        &mut self,
        space: SpaceId,
        roster: &Roster,
        met: &Met,
    ) -> Result<SignedRosterChange, Error> {
        let action = RosterAction::Add {
            user: met.contact.user,
            fingerprint: met.contact.fingerprint,
        };
        let change = roster.change(space, self.account.user, action);
        self.signed_change(change)
    }

    /// A roster change by this account.
    pub(super) fn signed_change(
        &mut self,
        change: RosterChange,
    ) -> Result<SignedRosterChange, Error> {
        let entropy = &mut self.ports.entropy;
        sign_change(&self.config.realm, &self.account.signing, entropy, change)
            .map_err(|_| Violation::Inauthentic.into())
    }

    /// Moves a private file into a space of its own and links it. Packs stay where they are: keys
    /// and hashes move.
    ///
    /// Nobody is invited before the link is there: an invitation into a space that another try
    /// replaced would lead its recipient, whom the server may show no other one, to a second
    /// instance of the file.
    async fn found_space(&mut self, name: &[u8], found: Found) -> Result<Option<SpaceId>, Error> {
        let records = self.records_of(&found).await?;
        let newest = ContentKey::copy_from(found.file.content_key.expose());
        let mut keys = self.content_keys(&found).await?;
        keys.pop();
        let older: Vec<KeyBytes> = keys.iter().map(|key| KeyBytes::new(key.expose())).collect();
        let mut packer = Packer::new(&mut self.ports.entropy);
        // What the space needs, it reaches by itself.
        let keyring = (!older.is_empty()).then(|| packer.keyring(&newest, &older));
        let mut salt = [0; 32];
        self.ports.entropy.fill(&mut salt);
        let own = self.account.fingerprint;
        let id = space_id(&self.config.realm, &self.account.user, &own, &salt);
        let key = EpochKey::random(&mut self.ports.entropy);
        let copy = EpochKey::copy_from(key.expose());
        let entropy = &mut self.ports.entropy;
        let founder = genesis(entropy, &self.config, &self.account, id, salt)?;
        let roster = Roster::founded(&founder, own);
        self.spaces.insert(id, Space::new(id, Epoch(1), key));
        let file = FileEntry {
            name: NameRef::Inline(Vec::new()),
            keyring,
            ..found.file
        };
        let leaf = self.sealed_file(&id, file, 0, records)?;
        let mut draft = Draft {
            roster: Some(RosterDraft {
                changes: Vec::from([founder]),
                roster,
            }),
            pack: packer.finish(),
            ..Draft::default()
        };
        draft
            .leaves
            .insert(self.open_space(&id)?.only_tag(), Some(leaf));
        if self.commit(id, draft, None).await? == Landed::Raced {
            return Ok(None);
        }
        let mut draft = Draft::default();
        let mut packer = Packer::new(&mut self.ports.entropy);
        let link = self.link(
            &mut packer,
            id,
            (self.account.user, own),
            (Epoch(1), &copy),
            name,
        )?;
        draft.leaves.insert(found.tag, Some(link));
        draft.pack = packer.finish();
        Ok(match self.commit(self.private, draft, None).await? {
            Landed::Yes => {
                self.links.insert(found.tag, id);
                Some(id)
            }
            // The new space is nobody's but ours; the next try makes another.
            Landed::Raced => {
                self.spaces.remove(&id);
                None
            }
        })
    }

    /// A leaf of the private space that links to a shared one.
    pub(super) fn link(
        &mut self,
        packer: &mut Packer,
        space: SpaceId,
        owner: (crate::id::UserId, crate::id::Fingerprint),
        epoch: (Epoch, &EpochKey),
        name: &[u8],
    ) -> Result<NewLeaf, Error> {
        let private = self.spaces.get(&self.private).ok_or(Violation::OutOfTurn)?;
        let mut name_key = [0; 32];
        self.ports.entropy.fill(&mut name_key);
        let name_key = KeyBytes::new(&name_key);
        let link = LinkEntry {
            space,
            owner: owner.0,
            owner_key: owner.1,
            epoch: epoch.0,
            epoch_key: KeyBytes::new(epoch.1.expose()),
            name: packer.name(&name_key, name),
            name_key,
        };
        let entropy = &mut self.ports.entropy;
        let stored = seal_leaf(entropy, &private.key, &Entry::Link(link))?;
        Ok(NewLeaf::of(stored))
    }
}
