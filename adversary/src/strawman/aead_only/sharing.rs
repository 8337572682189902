//! Share, receive and revoke of the client that seals and does not bind.

use crate::client::{Answer, Failure, Outcome};
use crate::front::kv::{Condition, Written};
use crate::strawman::account::Account;
use crate::strawman::aead_only::{AeadOnly, Body, Group, Index, Slot};
use crate::strawman::aead_only::{content_key, head_id};
use crate::strawman::mailbox::{ATTEMPTS, Address, Opened, deliver, is_delivered, read, write};
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive};
use crate::strawman::{unavailable, usage, violation};

/// An own shared file under the key and in the place of an epoch: both follow from the account, so
/// that an owner whose device stopped half-way finds them again.
fn at_epoch(account: &Account, file: Bytes32, epoch: u64) -> Group {
    let derived = |label: &[u8]| derive(&account.master, &[label, &file, &epoch.to_be_bytes()]);
    let mut place = [0; 16];
    place.copy_from_slice(&derived(b"place")[..16]);
    Group {
        file,
        place,
        key: derived(b"shared content"),
        epoch,
        owner: account.user.clone(),
        members: Vec::new(),
        leaving: Vec::new(),
    }
}

fn next_of_own(account: &Account, group: &Group) -> Group {
    Group {
        members: group.members.clone(),
        ..at_epoch(account, group.file, group.epoch + 1)
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
            (None, None) => Err(unavailable("unknown-user")),
        }
    }

    async fn head(&self, group: &Group) -> Result<Option<Body>, Failure> {
        let shown = self.open_at(&head_id(&group.place), &group.key).await?;
        Ok(shown.map(|(head, _)| head))
    }

    /// Opens the head of a shared file; where it moved on, finds the next and keeps it.
    pub(super) async fn follow(&self, name: &[u8], group: Group) -> Result<(Group, Body), Failure> {
        let account = self.0.account()?;
        if let Some(head) = self.head(&group).await? {
            return Ok((group, head));
        }
        let own = group.owner == account.user;
        let (next, absent) = if own {
            (next_of_own(&account, &group), "withheld")
        } else {
            (self.next_of_other(&group).await?, "closed")
        };
        let head = self.head(&next).await?;
        let head = head.ok_or_else(|| unavailable(absent))?;
        if own {
            // The revocation that moved the file may not have come to its end.
            self.hand_out(name, &next).await?;
        }
        self.keep(name, &next).await?;
        Ok((next, head))
    }

    async fn next_of_other(&self, group: &Group) -> Result<Group, Failure> {
        let index = self.index().await?;
        let keys = self.contact(&index, &group.owner).await?;
        let newest = self.envelopes(&group.owner, &keys).await?;
        let newest = newest
            .into_iter()
            .filter(|it| it.address.file == group.file && it.address.epoch > group.epoch)
            .max_by_key(|it| it.address.epoch);
        let newest = newest.ok_or_else(|| unavailable("closed"))?;
        Ok(Group {
            place: newest.address.place,
            key: newest.key,
            epoch: newest.address.epoch,
            ..group.clone()
        })
    }

    async fn envelopes(&self, from: &str, keys: &PublicKeys) -> Result<Vec<Opened>, Failure> {
        let account = self.0.account()?;
        read(&self.0.store, &self.0.dice, &account, from, keys).await
    }

    /// Replaces an older key and place of the same file.
    async fn keep(&self, name: &[u8], next: &Group) -> Result<(), Failure> {
        self.change_slot(name, |slot| {
            if let Slot::Shared { group } = slot
                && group.file == next.file
                && group.epoch < next.epoch
            {
                group.place = next.place;
                group.key = next.key;
                group.epoch = next.epoch;
                group.leaving.clear();
            }
            Ok(())
        })
        .await
    }

    async fn send(
        &self,
        to: &str,
        keys: &PublicKeys,
        group: &Group,
        name: &[u8],
    ) -> Result<[u8; 16], Failure> {
        let account = self.0.account()?;
        let dice = &self.0.dice;
        let address = Address {
            id: dice.roll(),
            sender: account.user.clone(),
            recipient: to.to_owned(),
            recipient_keys: keys.fingerprint(),
            file: group.file,
            salt: [0; 16],
            place: group.place,
            epoch: group.epoch,
        };
        let id = address.id;
        let envelope = write(dice, &account, keys, address, &group.key, name);
        let envelope = envelope.ok_or_else(|| violation("weak-parameters"))?;
        deliver(&self.0.store, envelope).await?;
        Ok(id)
    }

    async fn hand_out(&self, name: &[u8], group: &Group) -> Result<(), Failure> {
        let index = self.index().await?;
        for member in &group.members {
            let keys = self.contact(&index, member).await?;
            self.send(member, &keys, group, name).await?;
        }
        Ok(())
    }

    /// Seals content anew for a group.
    async fn reseal(&self, key: &Bytes32, body: &Body, group: &Group) -> Result<(), Failure> {
        let content = self.read_body(key, body).await?;
        let body = self.write_body(&group.key, &content).await?;
        let place = head_id(&group.place);
        self.put_at(&place, &group.key, &body, Condition::Always)
            .await?;
        Ok(())
    }

    /// Seals a shared file anew under the next key, in the next place, then takes the old head
    /// away. Nobody looks for the new one before the old one is gone: no write is lost.
    async fn move_on(&self, group: &Group) -> Result<Group, Failure> {
        let account = self.0.account()?;
        let next = next_of_own(&account, group);
        let id = head_id(&group.place);
        for attempt in 0..ATTEMPTS {
            let Some((body, tag)) = self.open_at::<Body>(&id, &group.key).await? else {
                // A deletion that was refused may have taken effect all the same.
                return if attempt > 0 {
                    Ok(next)
                } else {
                    Err(unavailable("contended"))
                };
            };
            self.reseal(&group.key, &body, &next).await?;
            let condition = Condition::Matches { tag };
            if self.0.store.delete(&id, condition).await? != Written::Conflict {
                return Ok(next);
            }
        }
        Err(unavailable("contended"))
    }

    /// The group of an own file, which is made if the file was never shared.
    async fn group(&self, name: &[u8], slot: Slot) -> Result<Group, Failure> {
        let account = self.0.account()?;
        let body = match slot {
            Slot::Shared { group } if group.owner == account.user => {
                return Ok(self.follow(name, group).await?.0);
            }
            Slot::Shared { .. } => return Err(usage("not-owner")),
            Slot::Own { body } => body,
        };
        let group = at_epoch(&account, self.0.dice.roll(), 0);
        self.reseal(&content_key(&account), &body, &group).await?;
        self.change_slot(name, |slot| {
            let unchanged = matches!(slot, Slot::Own { body: now } if *now == body);
            if !unchanged {
                return Err(unavailable("contended"));
            }
            let group = group.clone();
            *slot = Slot::Shared { group };
            Ok(())
        })
        .await?;
        Ok(group)
    }

    pub(super) async fn share(&self, name: &[u8], with: &str) -> Outcome {
        let account = self.0.account()?;
        let slot = self.slot(name).await?;
        if with == account.user {
            return Err(usage("oneself"));
        }
        let index = self.index().await?;
        // Asked for once: the key that is pinned is the key that is used.
        let keys = self.contact(&index, with).await?;
        let group = self.group(name, slot).await?;
        let known = group.members.iter().any(|member| member == with);
        let (file, epoch) = (group.file, group.epoch);
        let store = &self.0.store;
        if known && is_delivered(store, &account.user, with, &file, epoch).await? {
            return Err(usage("already-shared"));
        }
        self.change_index(|index| {
            index.pin(with, &keys);
            Ok(())
        })
        .await?;
        self.change_slot(name, |slot| match slot {
            Slot::Shared { group } if group.epoch == epoch => {
                if group.members.iter().all(|member| member != with) {
                    group.members.push(with.to_owned());
                }
                Ok(())
            }
            _ => Err(unavailable("contended")),
        })
        .await?;
        let pointer = self.send(with, &keys, &group, name).await?;
        let mut answer = contact_not_verified();
        answer.pointer = Some(pointer.to_vec());
        Ok(answer)
    }

    pub(super) async fn receive(
        &self,
        from: &str,
        name: Option<Vec<u8>>,
        pointer: Option<Vec<u8>>,
        as_name: &[u8],
    ) -> Outcome {
        if self.find(as_name).await?.is_some() {
            return Err(usage("name-taken"));
        }
        let index = self.index().await?;
        let keys = self.contact(&index, from).await?;
        let found = self.envelopes(from, &keys).await?;
        let found = found
            .into_iter()
            .filter(|it| name.as_ref().is_none_or(|name| it.name == *name))
            .filter(|it| {
                pointer
                    .as_ref()
                    .is_none_or(|id| it.address.id[..] == id[..])
            })
            .max_by_key(|it| it.address.epoch);
        let found = found.ok_or_else(|| unavailable("no-invitation"))?;
        let group = Group {
            file: found.address.file,
            place: found.address.place,
            key: found.key,
            epoch: found.address.epoch,
            owner: from.to_owned(),
            members: Vec::new(),
            leaving: Vec::new(),
        };
        let head = self.head(&group).await?;
        head.ok_or_else(|| unavailable("closed"))?;
        if !self.take_slot(as_name, Slot::Shared { group }).await? {
            return Err(usage("name-taken"));
        }
        self.list_name(as_name, |index| index.pin(from, &keys))
            .await?;
        Ok(contact_not_verified())
    }

    pub(super) async fn revoke(&self, name: &[u8], from: &str) -> Result<(), Failure> {
        let account = self.0.account()?;
        let group = match self.slot(name).await? {
            Slot::Own { .. } => return Err(usage("not-shared")),
            Slot::Shared { group } if group.owner == account.user => group,
            Slot::Shared { .. } => return Err(usage("not-owner")),
        };
        self.follow(name, group).await?;
        let group = self
            .change_slot(name, |slot| match slot {
                Slot::Shared { group } => {
                    let mut known = group.members.iter().chain(&group.leaving);
                    if !known.any(|user| user == from) {
                        return Err(usage("not-shared"));
                    }
                    group.members.retain(|member| member != from);
                    if !group.leaving.iter().any(|user| user == from) {
                        group.leaving.push(from.to_owned());
                    }
                    Ok(group.clone())
                }
                Slot::Own { .. } => Err(unavailable("contended")),
            })
            .await?;
        let next = self.move_on(&group).await?;
        self.hand_out(name, &next).await?;
        self.keep(name, &next).await
    }
}

fn contact_not_verified() -> Answer {
    let mut answer = Answer::default();
    answer.claims.contact_verified = Some(false);
    answer
}
