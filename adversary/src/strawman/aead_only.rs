//! A client that seals everything with AES-256-GCM and takes a tag that verifies for the truth.
//!
//! One content key seals all of an account's files, as in many a backup tool; a shared file has a
//! key of its own. A file is a head, which lists its pieces, and the pieces; an index maps names to
//! heads. Every object is authenticated, names are hidden, invitations are signed, contacts are
//! pinned. The weakness: nothing says *what* an object is. No associated data binds it to a name, a
//! file, a position or a version, so any object of the account passes for any other, and any old
//! one for the new one.

mod sharing;

use std::rc::Rc;

use crate::client::{Answer, Operation, Outcome};
use crate::codec::{Code, coded};
use crate::front::kv::{Condition, LocalFuture, Tag, Written};
use crate::strawman::account::Account;
use crate::strawman::mailbox::ATTEMPTS;
use crate::strawman::session::{PIECE_SIZE, Session};
use crate::strawman::toolkit::{Bytes32, PublicKeys, derive, hex, open, seal};
use crate::strawman::tree::OPERATIONS;
use crate::strawman::{Device, Failure, Kind, unavailable, unsupported, usage, violation};

/// The client whose objects are authentic and nothing more.
pub const KIND: Kind = Kind {
    name: "aead-only",
    operations: OPERATIONS,
    claims: &["contact_verified"],
    conditional: true,
    start: |environment| Rc::new(AeadOnly(Session::new(environment))),
};

coded! {
    /// A line of the index.
    pub struct Slot {
        /// The file's name.
        pub name: Vec<u8>,
        /// Where its head lies.
        pub place: [u8; 16],
        /// The key of a file that is or was shared; others are under the account's.
        pub key: Option<Bytes32>,
        /// The file, through all its keys.
        pub file: Bytes32,
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
    /// All that an account knows of its files and contacts.
    #[derive(Default)]
    pub struct Index {
        /// Its files.
        pub slots: Vec<Slot>,
        /// The fingerprints of its contacts.
        pub pins: Vec<(String, Bytes32)>,
    }
}

coded! {
    /// The pieces of a file, in order.
    #[derive(Default)]
    pub struct Head {
        /// Names of objects.
        pub pieces: Vec<[u8; 16]>,
    }
}

impl Index {
    fn find(&self, name: &[u8]) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    fn find_mut(&mut self, name: &[u8]) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.name == name)
    }

    fn pin(&mut self, user: &str, keys: &PublicKeys) {
        if self.pins.iter().all(|(pinned, _)| pinned != user) {
            self.pins.push((user.to_owned(), keys.fingerprint()));
        }
    }
}

fn head_id(place: &[u8; 16]) -> Vec<u8> {
    format!("file/{}", hex(place)).into_bytes()
}

fn piece_id(piece: &[u8; 16]) -> Vec<u8> {
    format!("piece/{}", hex(piece)).into_bytes()
}

fn index_id(account: &Account) -> Vec<u8> {
    format!("index/{}", account.user).into_bytes()
}

fn index_key(account: &Account) -> Bytes32 {
    derive(&account.master, &[b"index"])
}

fn content_key(account: &Account, slot: &Slot) -> Bytes32 {
    slot.key
        .unwrap_or_else(|| derive(&account.master, &[b"content"]))
}

struct AeadOnly(Session);

/// The files.
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
    async fn change_at<T: Code, R>(
        &self,
        id: &[u8],
        key: &Bytes32,
        absent: &str,
        mut edit: impl FnMut(&mut T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        for _ in 0..ATTEMPTS {
            let shown = self.open_at::<T>(id, key).await?;
            let (mut value, tag) = shown.ok_or_else(|| unavailable(absent))?;
            let result = edit(&mut value)?;
            let condition = Condition::Matches { tag };
            if self.put_at(id, key, &value, condition).await? == Written::Done {
                return Ok(result);
            }
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

    async fn change_index<R>(
        &self,
        edit: impl FnMut(&mut Index) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let account = self.0.account()?;
        let (id, key) = (index_id(&account), index_key(&account));
        self.change_at(&id, &key, "withheld", edit).await
    }

    async fn sign_up(&self) -> Result<(), Failure> {
        let account = self.0.sign_up().await?;
        let (id, key) = (index_id(&account), index_key(&account));
        let index = Index::default();
        match self.put_at(&id, &key, &index, Condition::Absent).await? {
            Written::Done => Ok(()),
            _ => Err(violation("out-of-turn")),
        }
    }

    async fn write_pieces(&self, key: &Bytes32, content: &[u8]) -> Result<Vec<[u8; 16]>, Failure> {
        let mut pieces = Vec::new();
        for part in content.chunks(PIECE_SIZE) {
            let piece = self.0.dice.roll();
            let sealed = seal(&self.0.dice, key, b"", part);
            let store = &self.0.store;
            store
                .put(&piece_id(&piece), sealed, Condition::Always)
                .await?;
            pieces.push(piece);
        }
        Ok(pieces)
    }

    async fn drop_pieces(&self, pieces: Vec<[u8; 16]>) {
        for piece in pieces {
            let store = &self.0.store;
            let _ = store.delete(&piece_id(&piece), Condition::Always).await;
        }
    }

    async fn upload(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let index = self.index().await?;
        if index.find(name).is_some() {
            let (slot, _) = self.follow(&index, name).await?;
            let key = content_key(&account, &slot);
            let pieces = self.write_pieces(&key, content).await?;
            let edit = |head: &mut Head| Ok(std::mem::replace(&mut head.pieces, pieces.clone()));
            let id = head_id(&slot.place);
            let mut replaced = self.change_at(&id, &key, "closed", edit).await?;
            replaced.retain(|piece| !pieces.contains(piece));
            self.drop_pieces(replaced).await;
            return Ok(());
        }
        let slot = Slot {
            name: name.to_vec(),
            place: self.0.dice.roll(),
            key: None,
            file: self.0.dice.roll(),
            epoch: 0,
            owner: account.user.clone(),
            members: Vec::new(),
            leaving: Vec::new(),
        };
        let key = content_key(&account, &slot);
        let pieces = self.write_pieces(&key, content).await?;
        let head = Head { pieces };
        let id = head_id(&slot.place);
        self.put_at(&id, &key, &head, Condition::Absent).await?;
        self.change_index(|index| match index.find(name) {
            Some(found) if *found != slot => Err(unavailable("contended")),
            Some(_) => Ok(()),
            None => {
                index.slots.push(slot.clone());
                Ok(())
            }
        })
        .await
    }

    async fn append(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let index = self.index().await?;
        let (slot, _) = self.follow(&index, name).await?;
        let key = content_key(&account, &slot);
        let more = self.write_pieces(&key, content).await?;
        let id = head_id(&slot.place);
        self.change_at(&id, &key, "closed", |head: &mut Head| {
            // A write that was refused may have taken effect all the same.
            if !head.pieces.ends_with(&more) {
                head.pieces.extend_from_slice(&more);
            }
            Ok(())
        })
        .await
    }

    async fn read_pieces(&self, key: &Bytes32, head: &Head) -> Result<Option<Vec<u8>>, Failure> {
        let mut content = Vec::new();
        for piece in &head.pieces {
            let Some(shown) = self.0.store.get(&piece_id(piece)).await? else {
                return Ok(None);
            };
            let part = open(key, b"", &shown.bytes);
            content.extend(part.ok_or_else(|| violation("inauthentic"))?);
        }
        Ok(Some(content))
    }

    async fn download(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
        let account = self.0.account()?;
        for _ in 0..ATTEMPTS {
            let index = self.index().await?;
            let (slot, head) = self.follow(&index, name).await?;
            let key = content_key(&account, &slot);
            if let Some(content) = self.read_pieces(&key, &head).await? {
                return Ok(content);
            }
        }
        Err(unavailable("withheld"))
    }

    async fn delete(&self, name: &[u8]) -> Result<(), Failure> {
        let account = self.0.account()?;
        let index = self.index().await?;
        let slot = index.find(name).ok_or_else(|| usage("no-such-file"))?;
        let own = if slot.owner == account.user {
            self.follow(&index, name).await.ok()
        } else {
            None
        };
        self.change_index(|index| {
            index.slots.retain(|slot| slot.name != name);
            Ok(())
        })
        .await?;
        if let Some((slot, head)) = own {
            let id = head_id(&slot.place);
            let _ = self.0.store.delete(&id, Condition::Always).await;
            self.drop_pieces(head.pieces).await;
        }
        Ok(())
    }
}

impl AeadOnly {
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
            Operation::List => {
                let slots = self.index().await?.slots.into_iter();
                answer.names = Some(slots.map(|slot| slot.name).collect());
            }
            Operation::Share { name, with } => return self.share(&name, &with).await,
            Operation::Receive {
                from,
                name,
                pointer,
                as_name,
            } => {
                if name.is_none() && pointer.is_none() {
                    return Err(usage("no-invitation"));
                }
                return self.receive(&from, name, pointer, as_name).await;
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

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::strawman::testing::{World, append, download, upload};

    #[test]
    fn pieces_change_places_unnoticed() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("log", b"one "));
        let before = world.pieces();
        alice.does(append("log", b"two"));
        let [first] = &before[..] else {
            panic!("a short file is one piece");
        };
        let second = world.pieces().into_iter().find(|piece| piece != first);
        world.swap(first, &second.expect("an append adds a piece"));
        assert_eq!(alice.reads("log"), b"twoone ");
    }

    #[test]
    fn old_objects_pass_for_new_ones() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("notes", b"one"));
        let before = world.snapshot();
        alice.does(upload("notes", b"two"));
        world.roll_back_to(&before);
        assert_eq!(alice.reads("notes"), b"one");
    }

    #[test]
    fn a_flipped_bit_is_caught() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("notes", b"one"));
        world.flip(&world.pieces()[0]);
        assert_eq!(alice.fails(download("notes")), "violation:inauthentic");
    }
}
