//! Share, receive and revoke of the client that seals and does not bind.

use crate::client::{Answer, Failure, Outcome};
use crate::front::kv::{Condition, Written};
use crate::strawman::account::Account;
use crate::strawman::aead_only::{AeadOnly, Head, Index, Slot, content_key, head_id};
use crate::strawman::mailbox::{ATTEMPTS, Address, Opened, deliver, read, write};
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive};
use crate::strawman::{unavailable, usage, violation};

/// The slot of an own file under its next key, in its next place.
fn next_of_own(account: &Account, slot: &Slot) -> Slot {
    let epoch = slot.epoch + 1;
    let derived =
        |label: &[u8]| derive(&account.master, &[label, &slot.file, &epoch.to_be_bytes()]);
    let mut place = [0; 16];
    place.copy_from_slice(&derived(b"place")[..16]);
    Slot {
        place,
        key: Some(derived(b"shared content")),
        epoch,
        ..slot.clone()
    }
}

impl AeadOnly {
    /// A user's keys at this moment, against the pin if there is one.
    async fn contact(&self, index: &Index, user: &str) -> Result<PublicKeys, Failure> {
        let keys = self.0.published_keys(user).await?;
        let pin = index.pins.iter().find(|(pinned, _)| pinned == user);
        match (keys, pin) {
            (Some(keys), Some((_, pin))) if keys.fingerprint() != *pin => {
                Err(violation("key-changed"))
            }
            (Some(keys), _) => Ok(keys),
            (None, Some(_)) => Err(unavailable("withheld")),
            (None, None) => Err(usage("no-such-user")),
        }
    }

    async fn head(&self, slot: &Slot) -> Result<Option<Head>, Failure> {
        let account = self.0.account()?;
        let key = content_key(&account, slot);
        let shown = self.open_at(&head_id(&slot.place), &key).await?;
        Ok(shown.map(|(head, _)| head))
    }

    /// Opens the head that a name stands for; where it moved on, finds the next and keeps it.
    pub(super) async fn follow(&self, index: &Index, name: &[u8]) -> Result<(Slot, Head), Failure> {
        let account = self.0.account()?;
        let slot = index.find(name).ok_or_else(|| usage("no-such-file"))?;
        if let Some(head) = self.head(slot).await? {
            return Ok((slot.clone(), head));
        }
        let own = slot.owner == account.user;
        let (next, absent) = if own {
            (next_of_own(&account, slot), "withheld")
        } else {
            (self.next_of_other(index, slot).await?, "closed")
        };
        let head = self.head(&next).await?;
        let head = head.ok_or_else(|| unavailable(absent))?;
        if own {
            // The revocation that moved the file may not have come to its end.
            self.hand_out(index, &next).await?;
        }
        self.keep(&next).await?;
        Ok((next, head))
    }

    async fn next_of_other(&self, index: &Index, slot: &Slot) -> Result<Slot, Failure> {
        let newest = self.envelopes(index, &slot.owner).await?;
        let newest = newest
            .into_iter()
            .filter(|it| it.address.file == slot.file && it.address.epoch > slot.epoch)
            .max_by_key(|it| it.address.epoch);
        let newest = newest.ok_or_else(|| unavailable("closed"))?;
        Ok(Slot {
            place: newest.address.place,
            key: Some(newest.key),
            epoch: newest.address.epoch,
            ..slot.clone()
        })
    }

    async fn envelopes(&self, index: &Index, from: &str) -> Result<Vec<Opened>, Failure> {
        let account = self.0.account()?;
        let keys = self.contact(index, from).await?;
        read(&self.0.store, &self.0.dice, &account, from, &keys).await
    }

    /// Replaces an older slot of the same name and file.
    async fn keep(&self, next: &Slot) -> Result<(), Failure> {
        self.change_index(|index| {
            if let Some(slot) = index.find_mut(&next.name)
                && slot.file == next.file
                && slot.epoch < next.epoch
            {
                slot.place = next.place;
                slot.key = next.key;
                slot.epoch = next.epoch;
                slot.leaving.clear();
            }
            Ok(())
        })
        .await
    }

    async fn send(&self, to: &str, keys: &PublicKeys, slot: &Slot) -> Result<[u8; 16], Failure> {
        let account = self.0.account()?;
        let dice = &self.0.dice;
        let address = Address {
            id: dice.roll(),
            sender: account.user.clone(),
            recipient: to.to_owned(),
            recipient_keys: keys.fingerprint(),
            file: slot.file,
            salt: [0; 16],
            place: slot.place,
            epoch: slot.epoch,
        };
        let id = address.id;
        let key: Bytes32 = content_key(&account, slot);
        let envelope = write(dice, &account, keys, address, &key, &slot.name);
        let envelope = envelope.ok_or_else(|| violation("weak-parameters"))?;
        deliver(&self.0.store, envelope).await?;
        Ok(id)
    }

    async fn hand_out(&self, index: &Index, slot: &Slot) -> Result<(), Failure> {
        for member in &slot.members {
            let keys = self.contact(index, member).await?;
            self.send(member, &keys, slot).await?;
        }
        Ok(())
    }

    /// Seals the whole file anew under the next key, in the next place, then takes the old head
    /// away. Nobody looks for the new one before the old one is gone: no write is lost.
    async fn move_on(&self, slot: &Slot) -> Result<Slot, Failure> {
        let account = self.0.account()?;
        let next = next_of_own(&account, slot);
        let [key, next_key] = [slot, &next].map(|slot| content_key(&account, slot));
        let id = head_id(&slot.place);
        for _ in 0..ATTEMPTS {
            let shown = self.open_at::<Head>(&id, &key).await?;
            let (head, tag) = shown.ok_or_else(|| unavailable("contended"))?;
            let content = self.read_pieces(&key, &head).await?;
            let content = content.ok_or_else(|| unavailable("withheld"))?;
            let pieces = self.write_pieces(&next_key, &content).await?;
            let fresh = Head { pieces };
            let place = head_id(&next.place);
            self.put_at(&place, &next_key, &fresh, Condition::Always)
                .await?;
            let condition = Condition::Matches { tag };
            if self.0.store.delete(&id, condition).await? != Written::Conflict {
                self.drop_pieces(head.pieces).await;
                return Ok(next);
            }
        }
        Err(unavailable("contended"))
    }

    fn own<'a>(account: &Account, index: &'a Index, name: &[u8]) -> Result<&'a Slot, Failure> {
        let slot = index.find(name).ok_or_else(|| usage("no-such-file"))?;
        if slot.owner == account.user {
            Ok(slot)
        } else {
            Err(usage("not-owner"))
        }
    }

    pub(super) async fn share(&self, name: &[u8], with: &str) -> Outcome {
        let account = self.0.account()?;
        let index = self.index().await?;
        Self::own(&account, &index, name)?;
        if with == account.user {
            return Err(usage("oneself"));
        }
        // Asked for once: the key that is pinned is the key that is used.
        let keys = self.contact(&index, with).await?;
        let (mut slot, _) = self.follow(&index, name).await?;
        if slot.key.is_none() {
            slot = self.move_on(&slot).await?;
            self.keep(&slot).await?;
        }
        self.change_index(|index| {
            index.pin(with, &keys);
            let slot = index.find_mut(name);
            let slot = slot.ok_or_else(|| usage("no-such-file"))?;
            if slot.members.iter().all(|member| member != with) {
                slot.members.push(with.to_owned());
            }
            Ok(())
        })
        .await?;
        let pointer = self.send(with, &keys, &slot).await?;
        let mut answer = contact_not_verified();
        answer.pointer = Some(pointer.to_vec());
        Ok(answer)
    }

    pub(super) async fn receive(
        &self,
        from: &str,
        name: Option<Vec<u8>>,
        pointer: Option<Vec<u8>>,
        as_name: Vec<u8>,
    ) -> Outcome {
        let index = self.index().await?;
        if index.find(&as_name).is_some() {
            return Err(usage("name-taken"));
        }
        let keys = self.contact(&index, from).await?;
        let found = self.envelopes(&index, from).await?;
        let found = found
            .into_iter()
            .filter(|it| name.as_ref().is_none_or(|name| it.name == *name))
            .filter(|it| {
                pointer
                    .as_ref()
                    .is_none_or(|id| it.address.id[..] == id[..])
            })
            .max_by_key(|it| it.address.epoch);
        let found = found.ok_or_else(|| usage("no-invitation"))?;
        let slot = Slot {
            name: as_name,
            place: found.address.place,
            key: Some(found.key),
            file: found.address.file,
            epoch: found.address.epoch,
            owner: from.to_owned(),
            members: Vec::new(),
            leaving: Vec::new(),
        };
        let head = self.head(&slot).await?;
        head.ok_or_else(|| unavailable("closed"))?;
        self.change_index(|index| {
            if index.find(&slot.name).is_some() {
                return Err(usage("name-taken"));
            }
            index.slots.push(slot.clone());
            index.pin(from, &keys);
            Ok(())
        })
        .await?;
        Ok(contact_not_verified())
    }

    pub(super) async fn revoke(&self, name: &[u8], from: &str) -> Result<(), Failure> {
        let account = self.0.account()?;
        let index = self.index().await?;
        Self::own(&account, &index, name)?;
        self.change_index(|index| {
            let slot = index.find_mut(name);
            let slot = slot.ok_or_else(|| usage("no-such-file"))?;
            let known = slot.members.iter().chain(&slot.leaving);
            if !known.into_iter().any(|user| user == from) {
                return Err(usage("not-shared"));
            }
            slot.members.retain(|member| member != from);
            if !slot.leaving.iter().any(|user| user == from) {
                slot.leaving.push(from.to_owned());
            }
            Ok(())
        })
        .await?;
        let index = self.index().await?;
        let (slot, _) = self.follow(&index, name).await?;
        let next = self.move_on(&slot).await?;
        self.hand_out(&index, &next).await?;
        self.keep(&next).await
    }
}

fn contact_not_verified() -> Answer {
    let mut answer = Answer::default();
    answer.claims.contact_verified = Some(false);
    answer
}
