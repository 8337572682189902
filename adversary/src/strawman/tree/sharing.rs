//! Share, receive and revoke of the tree clients.

use std::rc::Rc;

use crate::client::{Failure, Outcome};
use crate::front::kv::{Condition, Written};
use crate::strawman::account::Account;
use crate::strawman::mailbox::{ATTEMPTS, Address, Opened, deliver, is_delivered, read, write};
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive, hash};
use crate::strawman::tree::format::{Link, Member, Record, Root};
use crate::strawman::tree::space::Loaded;
use crate::strawman::tree::{TreeClient, Trust};
use crate::strawman::{unavailable, usage, violation};

/// The id of a space that commits to its owner, as far as the client knows them.
fn space_id(owner: &str, owner_keys: &Bytes32, salt: &[u8; 16]) -> Bytes32 {
    hash(&[b"space", owner.as_bytes(), owner_keys, salt])
}

/// The key of a space of one's own.
fn space_key(account: &Account, space: &Bytes32, epoch: u64) -> Bytes32 {
    derive(
        &account.master,
        &[b"space key", space, &epoch.to_be_bytes()],
    )
}

impl TreeClient {
    /// A user's keys at this moment, against the pin if there is one.
    async fn contact(&self, private: &Root, user: &str) -> Result<PublicKeys, Failure> {
        let keys = self.session.published_keys(user).await?;
        let pin = private.pins.iter().find(|pin| pin.user == user);
        match (keys, pin) {
            (Some(keys), Some(pin)) if keys.fingerprint() != pin.keys => {
                Err(violation("key-changed"))
            }
            (Some(keys), _) => Ok(keys),
            (None, Some(_)) => Err(unavailable("withheld")),
            (None, None) => Err(unavailable("unknown-user")),
        }
    }

    fn pin(&self, private: &mut Root, user: &str, keys: &PublicKeys) {
        let known = private.pins.iter().any(|pin| pin.user == user);
        if self.design.trust == Trust::Pinned && !known {
            private.pins.push(self.member(user, keys));
        }
    }

    fn member(&self, user: &str, keys: &PublicKeys) -> Member {
        Member {
            user: user.to_owned(),
            keys: self.fingerprint_to_keep(keys),
        }
    }

    fn own(&self, link: &Link) -> Result<Rc<Account>, Failure> {
        let account = self.session.account()?;
        if link.owner == account.user {
            Ok(account)
        } else {
            Err(usage("not-owner"))
        }
    }

    /// Opens the space that a name stands for; where it moved on, finds the next key and keeps it.
    pub(crate) async fn follow(
        &self,
        name: &[u8],
        private: &Root,
    ) -> Result<(Link, Loaded), Failure> {
        let Some(Record::Elsewhere { link }) = private.find(name) else {
            return Err(usage("not-shared"));
        };
        if let Some(loaded) = self.load(link).await? {
            return Ok((link.clone(), loaded));
        }
        let next = if self.own(link).is_ok() {
            self.next_of_own(link)?
        } else {
            self.next_of_other(private, link).await?
        };
        let absent = if self.own(&next).is_ok() {
            "withheld"
        } else {
            "closed"
        };
        let loaded = self.load(&next).await?;
        let loaded = loaded.ok_or_else(|| unavailable(absent))?;
        if self.own(&next).is_ok() {
            // The revocation that moved the space may not have come to its end.
            self.hand_out(private, name, &next, &loaded.root).await?;
        }
        self.relink(name, &next).await?;
        Ok((next, loaded))
    }

    fn next_of_own(&self, link: &Link) -> Result<Link, Failure> {
        let account = self.own(link)?;
        let mut next = link.clone();
        next.epoch += 1;
        next.key = space_key(&account, &next.space, next.epoch);
        Ok(next)
    }

    async fn next_of_other(&self, private: &Root, link: &Link) -> Result<Link, Failure> {
        let keys = self.contact(private, &link.owner).await?;
        let envelopes = self.envelopes(&link.owner, &keys).await?;
        let newest = envelopes
            .into_iter()
            .filter(|it| it.address.file == link.space && it.address.epoch > link.epoch)
            .max_by_key(|it| it.address.epoch);
        let newest = newest.ok_or_else(|| unavailable("closed"))?;
        let mut next = link.clone();
        next.epoch = newest.address.epoch;
        next.key = newest.key;
        Ok(next)
    }

    async fn envelopes(&self, from: &str, keys: &PublicKeys) -> Result<Vec<Opened>, Failure> {
        let account = self.session.account()?;
        let session = &self.session;
        read(&session.store, &session.dice, &account, from, keys).await
    }

    async fn relink(&self, name: &[u8], next: &Link) -> Result<(), Failure> {
        let private = self.private_link()?;
        self.change(&private, |root| {
            if let Some(Record::Elsewhere { link }) = root.find_mut(name)
                && link.space == next.space
                && link.epoch < next.epoch
            {
                link.clone_from(next);
            }
            Ok(())
        })
        .await
    }

    async fn send(
        &self,
        to: &str,
        keys: &PublicKeys,
        link: &Link,
        name: &[u8],
    ) -> Result<[u8; 16], Failure> {
        let account = self.session.account()?;
        let dice = &self.session.dice;
        let address = Address {
            id: dice.roll(),
            sender: account.user.clone(),
            recipient: to.to_owned(),
            recipient_keys: keys.fingerprint(),
            file: link.space,
            salt: link.salt,
            place: [0; 16],
            epoch: link.epoch,
        };
        let id = address.id;
        let envelope = write(dice, &account, keys, address, &link.key, name);
        let envelope = envelope.ok_or_else(|| violation("weak-parameters"))?;
        deliver(&self.session.store, envelope).await?;
        Ok(id)
    }

    /// Sends the current key to all members but the owner.
    async fn hand_out(
        &self,
        private: &Root,
        name: &[u8],
        link: &Link,
        root: &Root,
    ) -> Result<(), Failure> {
        for member in &root.roster.roster.members {
            if member.user != link.owner {
                let keys = self.contact(private, &member.user).await?;
                self.send(&member.user, &keys, link, name).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn share(&self, name: &[u8], with: &str) -> Outcome {
        let account = self.session.account()?;
        let (private_link, private) = self.private().await?;
        let record = private.root.find(name);
        let record = record.cloned().ok_or_else(|| usage("no-such-file"))?;
        if with == account.user {
            return Err(usage("oneself"));
        }
        // Asked for once: the key that is pinned is the key that is used.
        let keys = self.contact(&private.root, with).await?;
        let link = match &record {
            Record::Elsewhere { link } => {
                self.own(link)?;
                let (link, loaded) = self.follow(name, &private.root).await?;
                if loaded.root.roster.roster.member(with).is_some()
                    && self.is_invited(with, &link).await?
                {
                    return Err(usage("already-shared"));
                }
                self.admit(&link, with, &keys).await?;
                self.change(&private_link, |root| {
                    self.pin(root, with, &keys);
                    Ok(())
                })
                .await?;
                link
            }
            Record::File { .. } => {
                let link = self.found_space(&account, &record, with, &keys).await?;
                self.change(&private_link, |root| {
                    if root.find(name) != Some(&record) {
                        return Err(unavailable("contended"));
                    }
                    let link = link.clone();
                    root.set(name, Record::Elsewhere { link });
                    self.pin(root, with, &keys);
                    Ok(())
                })
                .await?;
                link
            }
        };
        let pointer = self.send(with, &keys, &link, name).await?;
        let mut answer = self.answer_of_contact();
        answer.pointer = Some(pointer.to_vec());
        Ok(answer)
    }

    /// A space of its own for a file that was in the private one.
    async fn found_space(
        &self,
        account: &Account,
        record: &Record,
        with: &str,
        keys: &PublicKeys,
    ) -> Result<Link, Failure> {
        let owner_keys = self.fingerprint_to_keep(&account.keys.public());
        let salt = self.session.dice.roll();
        let space = space_id(&account.user, &owner_keys, &salt);
        let link = Link {
            space,
            owner: account.user.clone(),
            owner_keys,
            salt,
            key: space_key(account, &space, 0),
            epoch: 0,
        };
        let mut root = self.first_root(&link, vec![self.member(with, keys)])?;
        root.set(b"", record.clone());
        self.publish_first(&link, &root).await?;
        Ok(link)
    }

    /// A member may not have been told, if the device stopped in between.
    async fn is_invited(&self, user: &str, link: &Link) -> Result<bool, Failure> {
        let store = &self.session.store;
        is_delivered(store, &link.owner, user, &link.space, link.epoch).await
    }

    /// Adds somebody to the roster; nothing changes for who is there already.
    async fn admit(&self, link: &Link, with: &str, keys: &PublicKeys) -> Result<(), Failure> {
        self.change(link, |root| {
            let mut roster = root.roster.roster.clone();
            if roster.member(with).is_none() {
                roster.number += 1;
                roster.members.push(self.member(with, keys));
                root.roster = self.sign_roster(roster)?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn receive(
        &self,
        from: &str,
        name: Option<Vec<u8>>,
        pointer: Option<Vec<u8>>,
        as_name: &[u8],
    ) -> Outcome {
        let (private_link, private) = self.private().await?;
        if private.root.find(as_name).is_some() {
            return Err(usage("name-taken"));
        }
        let keys = self.contact(&private.root, from).await?;
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
        let owner_keys = self.fingerprint_to_keep(&keys);
        if found.address.file != space_id(from, &owner_keys, &found.address.salt) {
            return Err(violation("misbound"));
        }
        let link = Link {
            space: found.address.file,
            owner: from.to_owned(),
            owner_keys,
            salt: found.address.salt,
            key: found.key,
            epoch: found.address.epoch,
        };
        let loaded = self.load(&link).await?;
        let loaded = loaded.ok_or_else(|| unavailable("closed"))?;
        let account = self.session.account()?;
        if loaded.root.roster.roster.member(&account.user).is_none() {
            return Err(violation("misbound"));
        }
        self.change(&private_link, |root| {
            if root.find(as_name).is_some() {
                return Err(usage("name-taken"));
            }
            let link = link.clone();
            root.set(as_name, Record::Elsewhere { link });
            self.pin(root, from, &keys);
            Ok(())
        })
        .await?;
        Ok(self.answer_of_contact())
    }

    pub(crate) async fn revoke(&self, name: &[u8], from: &str) -> Result<(), Failure> {
        let (_, private) = self.private().await?;
        match private.root.find(name) {
            None => return Err(usage("no-such-file")),
            Some(Record::File { .. }) => return Err(usage("not-shared")),
            Some(Record::Elsewhere { link }) => self.own(link)?,
        };
        let (link, _) = self.follow(name, &private.root).await?;
        if from == link.owner {
            return Err(usage("oneself"));
        }
        let next = self.next_of_own(&link)?;
        let root = self.move_on(&link, &next, from).await?;
        self.hand_out(&private.root, name, &next, &root).await?;
        self.relink(name, &next).await
    }

    /// Writes the space anew under the next key, then takes the old root away. Nobody looks for the
    /// new root before the old one is gone, so a write in between is never lost.
    async fn move_on(&self, link: &Link, next: &Link, without: &str) -> Result<Root, Failure> {
        let mut tried = None;
        for _ in 0..ATTEMPTS {
            let Some(before) = self.load(link).await? else {
                // A deletion that was refused may have taken effect all the same.
                return tried.ok_or_else(|| unavailable("contended"));
            };
            let mut root = self.successor(&before)?;
            let mut roster = root.roster.roster.clone();
            if roster.member(without).is_none() {
                return Err(usage("not-shared"));
            }
            roster.number += 1;
            roster.epoch = next.epoch;
            roster.members.retain(|member| member.user != without);
            root.roster = self.sign_roster(roster)?;
            let (_, hash) = self.write_root(next, &root, Condition::Always).await?;
            let place = link.location();
            let condition = Condition::Matches { tag: before.tag };
            let store = &self.session.store;
            if store.delete(&place, condition).await? != Written::Conflict {
                self.remember(&root, hash).await?;
                return Ok(root);
            }
            tried = Some(root);
        }
        Err(unavailable("contended"))
    }
}
