//! A client that seals everything with AES-256-GCM and takes a tag that verifies for the truth.
//!
//! One content key seals all of an account's files, as in many a backup tool; a shared file has a
//! key of its own. A slot, whose id is an HMAC of the file's name, holds the file's beginning and
//! lists its other pieces, or says where a shared file is; an index lists names. Every object is
//! authenticated, names are hidden, invitations are signed, contacts are pinned. The weakness:
//! nothing says *what* an object is. No associated data binds it to a name, a file, a position or a
//! version, so any object of the account passes for any other, and any old one for the new one.

mod sharing;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::client::{Answer, Operation, Outcome};
use crate::codec::{Code, coded};
use crate::front::kv::{Condition, LocalFuture, Tag, Written};
use crate::strawman::account::Account;
use crate::strawman::mailbox::ATTEMPTS;
use crate::strawman::session::{PIECE_SIZE, Session};
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive, hex, open, seal};
use crate::strawman::tree::OPERATIONS;
use crate::strawman::{
    Device, Failure, Kind, accepted_nothing, unavailable, unsupported, usage, violation,
};

/// The client whose objects are authentic and nothing more.
pub const KIND: Kind = Kind {
    name: "aead-only",
    operations: OPERATIONS,
    claims: &["contact_verified"],
    accepted: accepted_nothing,
    conditional: true,
    start: |environment| Rc::new(AeadOnly(Session::new(environment))),
};

/// Names a piece of content.
type PieceId = [u8; 16];

coded! {
    /// What a name stands for.
    pub enum Slot {
        /// A file under the account's content key.
        0 => Own {
            /// Its content.
            body: Body,
        },
        /// A file that is or was shared.
        1 => Shared {
            /// Where it is, and who has it.
            group: Group,
        },
    }
}

coded! {
    /// A shared file, as one of those who have it knows it.
    pub struct Group {
        /// The file, through all its keys.
        pub file: Bytes32,
        /// Where its head lies.
        pub place: [u8; 16],
        /// Seals head and pieces.
        pub key: Bytes32,
        /// Counts keys.
        pub epoch: u64,
        /// Whose it is.
        pub owner: String,
        /// Whom the owner invited.
        pub members: Vec<String>,
        /// Whom the owner is about to exclude.
        pub leaving: Vec<String>,
    }
}

coded! {
    /// A file's content: what fits one object is there, and the rest is in pieces.
    pub struct Body {
        /// The beginning.
        pub start: Vec<u8>,
        /// The names of the pieces that follow, in order.
        pub pieces: Vec<PieceId>,
    }
}

coded! {
    /// The names of an account's files, and the fingerprints of its contacts.
    #[derive(Default)]
    pub struct Index {
        /// Its files.
        pub names: Vec<Vec<u8>>,
        /// Its contacts.
        pub pins: Vec<(String, Bytes32)>,
    }
}

impl Index {
    fn add(&mut self, name: &[u8]) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_vec());
        }
    }

    fn pin(&mut self, user: &str, keys: &PublicKeys) {
        if self.pins.iter().all(|(pinned, _)| pinned != user) {
            self.pins.push((user.to_owned(), keys.fingerprint()));
        }
    }
}

fn slot_id(account: &Account, name: &[u8]) -> Vec<u8> {
    let name = derive(&account.master, &[b"name", name]);
    format!("file/{}", hex(&name)).into_bytes()
}

fn head_id(place: &[u8; 16]) -> Vec<u8> {
    format!("shared/{}", hex(place)).into_bytes()
}

fn piece_id(piece: &PieceId) -> Vec<u8> {
    format!("piece/{}", hex(piece)).into_bytes()
}

fn index_id(account: &Account) -> Vec<u8> {
    format!("index/{}", account.user).into_bytes()
}

fn index_key(account: &Account) -> Bytes32 {
    derive(&account.master, &[b"index"])
}

fn content_key(account: &Account) -> Bytes32 {
    derive(&account.master, &[b"content"])
}

struct AeadOnly(Session);

/// Sealed objects.
impl AeadOnly {
    async fn open_at<T: Code>(
        &self,
        id: &[u8],
        key: &Bytes32,
    ) -> Result<Option<(T, Tag)>, Failure> {
        let Some(shown) = self.0.store.get(id).await? else {
            return Ok(None);
        };
        let opened = open(key, b"", &shown.bytes).ok_or_else(|| violation("inauthentic"))?;
        let value = T::from_bytes(&opened).ok_or_else(|| violation("malformed"))?;
        Ok(Some((value, shown.tag)))
    }

    async fn put_at<T: Code>(
        &self,
        id: &[u8],
        key: &Bytes32,
        value: &T,
        condition: Condition,
    ) -> Result<Written, Failure> {
        let sealed = seal(&self.0.dice, key, b"", &value.to_bytes());
        Ok(self.0.store.put(id, sealed, condition).await?)
    }

    /// Changes the object at `id`, a value under `key`; begins again if somebody was faster.
    async fn change_at<T: Code + PartialEq, R>(
        &self,
        id: &[u8],
        key: &Bytes32,
        absent: &str,
        mut edit: impl FnMut(&mut T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let mut tried = None;
        for _ in 0..ATTEMPTS {
            let shown = self.open_at::<T>(id, key).await?;
            let (mut value, tag) = shown.ok_or_else(|| unavailable(absent))?;
            // A write that was refused may have taken effect all the same.
            match tried {
                Some((written, result)) if written == value => return Ok(result),
                _ => {}
            }
            let result = edit(&mut value)?;
            let condition = Condition::Matches { tag };
            if self.put_at(id, key, &value, condition).await? == Written::Done {
                return Ok(result);
            }
            tried = Some((value, result));
        }
        Err(unavailable("contended"))
    }

    async fn index(&self) -> Result<Index, Failure> {
        let account = self.0.account()?;
        let (id, key) = (index_id(&account), index_key(&account));
        let shown = self.open_at(&id, &key).await?;
        let (index, _) = shown.ok_or_else(|| unavailable("withheld"))?;
        Ok(index)
    }

    async fn change_index(
        &self,
        edit: impl FnMut(&mut Index) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let account = self.0.account()?;
        let (id, key) = (index_id(&account), index_key(&account));
        self.change_at(&id, &key, "withheld", edit).await
    }

    async fn find(&self, name: &[u8]) -> Result<Option<Slot>, Failure> {
        let account = self.0.account()?;
        let (id, key) = (slot_id(&account, name), content_key(&account));
        let shown = self.open_at(&id, &key).await?;
        Ok(shown.map(|(slot, _)| slot))
    }

    /// The slot of a file that the caller believes to exist.
    async fn slot(&self, name: &[u8]) -> Result<Slot, Failure> {
        if let Some(slot) = self.find(name).await? {
            return Ok(slot);
        }
        let listed = self.index().await?.names.iter().any(|known| known == name);
        Err(if listed {
            unavailable("withheld")
        } else {
            usage("no-such-file")
        })
    }

    async fn change_slot<R>(
        &self,
        name: &[u8],
        edit: impl FnMut(&mut Slot) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let account = self.0.account()?;
        let (id, key) = (slot_id(&account, name), content_key(&account));
        self.change_at(&id, &key, "withheld", edit).await
    }

    async fn write_pieces(&self, key: &Bytes32, content: &[u8]) -> Result<Vec<PieceId>, Failure> {
        let mut pieces = Vec::new();
        for part in content.chunks(PIECE_SIZE) {
            let piece = self.0.dice.roll();
            let sealed = seal(&self.0.dice, key, b"", part);
            let id = piece_id(&piece);
            self.0.store.put(&id, sealed, Condition::Always).await?;
            pieces.push(piece);
        }
        Ok(pieces)
    }

    async fn write_body(&self, key: &Bytes32, content: &[u8]) -> Result<Body, Failure> {
        let (start, rest) = content.split_at(content.len().min(PIECE_SIZE));
        Ok(Body {
            start: start.to_vec(),
            pieces: self.write_pieces(key, rest).await?,
        })
    }

    async fn read_body(&self, key: &Bytes32, body: &Body) -> Result<Vec<u8>, Failure> {
        let mut content = body.start.clone();
        for piece in &body.pieces {
            let shown = self.0.store.get(&piece_id(piece)).await?;
            let shown = shown.ok_or_else(|| unavailable("withheld"))?;
            let part = open(key, b"", &shown.bytes);
            content.extend(part.ok_or_else(|| violation("inauthentic"))?);
        }
        Ok(content)
    }
}

/// The files. What no slot or head reaches any more stays: taking it away is a command of its own
/// in a client like this.
impl AeadOnly {
    async fn sign_up(&self) -> Result<(), Failure> {
        let account = self.0.sign_up().await?;
        let (id, key) = (index_id(&account), index_key(&account));
        let index = Index::default();
        self.put_at(&id, &key, &index, Condition::Always).await?;
        Ok(())
    }

    /// Where a file's body lies, and under which key: the slot's object or the shared head.
    async fn body_of(&self, name: &[u8]) -> Result<(Option<Group>, Body), Failure> {
        match self.slot(name).await? {
            Slot::Own { body } => Ok((None, body)),
            Slot::Shared { group } => {
                let (group, body) = self.follow(name, group).await?;
                Ok((Some(group), body))
            }
        }
    }

    async fn change_body(
        &self,
        name: &[u8],
        group: Option<Group>,
        edit: impl Fn(&mut Body),
    ) -> Result<(), Failure> {
        let Some(group) = group else {
            let edit = |slot: &mut Slot| match slot {
                Slot::Own { body } => {
                    edit(body);
                    Ok(())
                }
                Slot::Shared { .. } => Err(unavailable("contended")),
            };
            return self.change_slot(name, edit).await;
        };
        let id = head_id(&group.place);
        let edit = |body: &mut Body| {
            edit(body);
            Ok(())
        };
        self.change_at(&id, &group.key, "closed", edit).await
    }

    async fn upload(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let own_key = content_key(&account);
        // First the index: a store that shows none is not one to begin anew in.
        let listed = self.index().await?.names.iter().any(|known| known == name);
        let found = self.find(name).await?;
        if found.is_none() {
            let body = self.write_body(&own_key, content).await?;
            let slot = Slot::Own { body };
            if self.take_slot(name, slot).await? {
                return self.list_name(name, |_| {}).await;
            }
        }
        let (group, _) = self.body_of(name).await?;
        let key = group.as_ref().map_or(own_key, |group| group.key);
        let new = self.write_body(&key, content).await?;
        self.change_body(name, group, |body| body.clone_from(&new))
            .await?;
        if listed {
            return Ok(());
        }
        // An earlier upload may not have come to its end.
        self.list_name(name, |_| {}).await
    }

    async fn list_name(&self, name: &[u8], also: impl Fn(&mut Index)) -> Result<(), Failure> {
        self.change_index(|index| {
            index.add(name);
            also(index);
            Ok(())
        })
        .await
    }

    /// Gives a name its first meaning; `false` if it has one.
    async fn take_slot(&self, name: &[u8], slot: Slot) -> Result<bool, Failure> {
        let account = self.0.account()?;
        let (id, key) = (slot_id(&account, name), content_key(&account));
        match self.put_at(&id, &key, &slot, Condition::Absent).await? {
            Written::Done => Ok(true),
            // A write that was refused may have taken effect all the same.
            _ => Ok(self.find(name).await? == Some(slot)),
        }
    }

    async fn append(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let (group, _) = self.body_of(name).await?;
        let own_key = content_key(&account);
        let key = group.as_ref().map_or(own_key, |group| group.key);
        let more = self.write_pieces(&key, content).await?;
        let extend = |body: &mut Body| body.pieces.extend_from_slice(&more);
        self.change_body(name, group, extend).await
    }

    async fn download(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
        let account = self.0.account()?;
        let (group, body) = self.body_of(name).await?;
        let key = group.map_or_else(|| content_key(&account), |group| group.key);
        self.read_body(&key, &body).await
    }

    async fn delete(&self, name: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let slot = self.find(name).await?;
        let listed = self.index().await?.names.iter().any(|known| known == name);
        if slot.is_none() && !listed {
            return Err(usage("no-such-file"));
        }
        if let Some(Slot::Shared { group }) = slot
            && group.owner == account.user
            && let Ok((group, _)) = self.follow(name, group).await
        {
            // An own shared file is taken away from everybody.
            let id = head_id(&group.place);
            self.0.store.delete(&id, Condition::Always).await?;
        }
        let id = slot_id(&account, name);
        self.0.store.delete(&id, Condition::Always).await?;
        self.change_index(|index| {
            index.names.retain(|known| known != name);
            Ok(())
        })
        .await
    }

    async fn dispatch(&self, operation: Operation) -> Outcome {
        let mut answer = Answer::default();
        match operation {
            Operation::SignUp => self.sign_up().await?,
            Operation::Login => drop(self.0.log_in().await?),
            Operation::Upload { name, content } => self.upload(&name, &content).await?,
            Operation::UploadMany { files } => {
                for (name, content) in files {
                    self.upload(&name, &content).await?;
                }
            }
            Operation::Append { name, content } => self.append(&name, &content).await?,
            Operation::Delete { name } => self.delete(&name).await?,
            Operation::Download { name } => answer.content = Some(self.download(&name).await?),
            Operation::List => answer.names = Some(self.index().await?.names),
            Operation::Share { name, with } => return self.share(&name, &with).await,
            Operation::Receive {
                from,
                name,
                pointer,
                as_name,
            } => {
                if name.is_none() && pointer.is_none() {
                    return Err(unavailable("no-invitation"));
                }
                return self.receive(&from, name, pointer, &as_name).await;
            }
            Operation::Revoke { name, from } => self.revoke(&name, &from).await?,
            other => return Err(unsupported(&other)),
        }
        Ok(answer)
    }
}

impl Device for AeadOnly {
    fn perform(&self, operation: Operation) -> LocalFuture<'_, Outcome> {
        Box::pin(self.dispatch(operation))
    }
}
