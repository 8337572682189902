//! The client that the seed describes, flaw by flaw, and nothing that the seed does not describe.
//!
//! Upload seals the file under a random key, the key under PBKDF2(password, user name), signs the
//! *ciphertext alone*, and stores the three under the bare file name. Share wraps the file key for
//! whatever the key server calls the recipient's key and stores it unsigned as
//! `recipient/filename`. Receive opens that and checks nothing. Append is download and upload.
//! Revoke deletes the pointer. Register overwrites.
//!
//! Two things had to be settled. The description's receive reads `sender/filename`, which no
//! upload writes; here it reads what upload writes, so that sharing works at all. And the private
//! keys live in the description's client object; here a user copies them to each of their devices.
//! A received file has no place of its own: the device keeps a note of where it came from, and a
//! download of it is a receive again. There is no list and no delete.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::client::{Answer, Operation, Outcome};
use crate::codec::{Code as _, coded};
use crate::front::kv::{Condition, LocalFuture, Memory, Store};
use crate::strawman::toolkit::{Bytes32, Dice, Keys, PublicKeys};
use crate::strawman::toolkit::{open_long, seal_long, stretch};
use crate::strawman::{
    Device, Environment, Failure, Kind, Person, accepted_nothing, unavailable, unsupported, usage,
    violation,
};

/// The naive client.
pub const KIND: Kind = Kind {
    name: "naive",
    operations: &[
        "sign_up",
        "login",
        "upload",
        "upload_many",
        "download",
        "append",
        "share",
        "receive",
        "revoke",
    ],
    claims: &[],
    accepted: accepted_nothing,
    conditional: false,
    start: |environment| Rc::new(Naive::new(environment)),
};

coded! {
    /// What the server holds of a file.
    pub struct Stored {
        /// Under the file's key.
        pub ciphertext: Vec<u8>,
        /// The file's key under the password's.
        pub encrypted_key: Vec<u8>,
        /// Of the ciphertext alone.
        pub signature: Vec<u8>,
    }
}

struct Naive {
    person: Person,
    store: Store,
    memory: Rc<dyn Memory>,
    dice: Dice,
    keys: Keys,
    /// PBKDF2 of the password, salted with the user name.
    password_key: Bytes32,
    /// Local name to the sender's name of a received file.
    received: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Naive {
    fn new(environment: Environment) -> Self {
        let person = environment.person;
        let iterations = environment.policy.iterations();
        Self {
            store: environment.store,
            memory: environment.memory,
            dice: Dice::new(environment.entropy),
            keys: Keys::new(&person.identity).expect("an identity of the pool is two keys"),
            password_key: stretch(&person.password, person.user.as_bytes(), iterations),
            received: RefCell::new(BTreeMap::new()),
            person,
        }
    }

    async fn register(&self) -> Result<(), Failure> {
        let public = self.keys.public().to_bytes();
        self.store.put_public(&self.person.user, public).await?;
        Ok(())
    }

    /// There is nothing to log in to: a wrong password shows at the first download.
    async fn login(&self) -> Result<(), Failure> {
        let Some(notes) = self.memory.load().await else {
            return Ok(());
        };
        let notes = Vec::from_bytes(&notes).ok_or_else(|| unavailable("state-torn"))?;
        *self.received.borrow_mut() = notes.into_iter().collect();
        Ok(())
    }

    async fn upload(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let file_key: Bytes32 = self.dice.roll();
        let ciphertext = seal_long(&self.dice, &file_key, content);
        let stored = Stored {
            encrypted_key: seal_long(&self.dice, &self.password_key, &file_key),
            signature: self.keys.sign(&self.dice, &ciphertext),
            ciphertext,
        };
        self.put(name.to_vec(), stored.to_bytes()).await?;
        // What was received under this name is an own file from here.
        if self.received.borrow_mut().remove(name).is_some() {
            self.save().await?;
        }
        Ok(())
    }

    async fn download(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
        let origin = self.received.borrow().get(name).cloned();
        if let Some(origin) = origin {
            return self.receive_share(&origin).await;
        }
        let (ciphertext, file_key) = self.own_file(name).await?;
        open_long(&file_key, &ciphertext).ok_or_else(|| violation("inauthentic"))
    }

    async fn own_file(&self, name: &[u8]) -> Result<(Vec<u8>, Bytes32), Failure> {
        let stored = self.get(name).await?;
        let signer = self.keys.public().signing;
        if !signer.verifies(&stored.ciphertext, &stored.signature) {
            return Err(violation("inauthentic"));
        }
        let file_key = self.own_file_key(&stored.encrypted_key)?;
        Ok((stored.ciphertext, file_key))
    }

    fn own_file_key(&self, encrypted_key: &[u8]) -> Result<Bytes32, Failure> {
        let file_key = open_long(&self.password_key, encrypted_key);
        let file_key = file_key.ok_or_else(|| violation("inauthentic"))?;
        file_key.try_into().map_err(|_| violation("malformed"))
    }

    async fn share(&self, name: &[u8], with: &str) -> Result<(), Failure> {
        let stored = self.get(name).await?;
        let file_key = self.own_file_key(&stored.encrypted_key)?;
        let shown = self.store.get_public(with).await?;
        let shown = shown.ok_or_else(|| unavailable("unknown-user"))?;
        let keys = PublicKeys::from_bytes(&shown.bytes).ok_or_else(|| violation("malformed"))?;
        let wrapped = keys.encryption.wrap(&self.dice, b"", &file_key);
        let wrapped = wrapped.ok_or_else(|| violation("malformed"))?;
        self.put(pointer_id(with, name), wrapped).await
    }

    async fn receive_share(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
        let pointer = pointer_id(&self.person.user, name);
        let wrapped = self.store.get(&pointer).await?;
        let wrapped = wrapped.ok_or_else(|| unavailable("no-invitation"))?;
        let file_key = self.keys.unwrap(&self.dice, b"", &wrapped.bytes);
        let file_key = file_key.and_then(|key| key.try_into().ok());
        let file_key: Bytes32 = file_key.ok_or_else(|| violation("inauthentic"))?;
        let stored = self.get(name).await?;
        open_long(&file_key, &stored.ciphertext).ok_or_else(|| violation("inauthentic"))
    }

    async fn receive(&self, name: &[u8], as_name: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let content = self.receive_share(name).await?;
        self.received.borrow_mut().insert(as_name, name.to_vec());
        self.save().await?;
        Ok(content)
    }

    async fn save(&self) -> Result<(), Failure> {
        let received = self.received.borrow().clone();
        let notes: Vec<_> = received.into_iter().collect();
        let saved = self.memory.save(notes.to_bytes()).await;
        saved
            .then_some(())
            .ok_or_else(|| unavailable("state-unwritable"))
    }

    async fn append(&self, name: &[u8], more: &[u8]) -> Result<(), Failure> {
        let mut content = self.download(name).await?;
        content.extend_from_slice(more);
        self.upload(name, &content).await
    }

    async fn revoke(&self, name: &[u8], from: &str) -> Result<(), Failure> {
        let pointer = pointer_id(from, name);
        self.store.delete(&pointer, Condition::Always).await?;
        Ok(())
    }

    async fn get(&self, name: &[u8]) -> Result<Stored, Failure> {
        let shown = self.store.get(name).await?;
        let shown = shown.ok_or_else(|| usage("no-such-file"))?;
        Stored::from_bytes(&shown.bytes).ok_or_else(|| violation("inauthentic"))
    }

    async fn put(&self, id: Vec<u8>, bytes: Vec<u8>) -> Result<(), Failure> {
        self.store.put(&id, bytes, Condition::Always).await?;
        Ok(())
    }

    async fn dispatch(&self, operation: Operation) -> Outcome {
        let mut answer = Answer::default();
        match operation {
            Operation::SignUp => self.register().await?,
            Operation::Login => self.login().await?,
            Operation::Upload { name, content } => self.upload(&name, &content).await?,
            Operation::UploadMany { files } => {
                for (name, content) in files {
                    self.upload(&name, &content).await?;
                }
            }
            Operation::Download { name } => answer.content = Some(self.download(&name).await?),
            Operation::Append { name, content } => self.append(&name, &content).await?,
            Operation::Share { name, with } => self.share(&name, &with).await?,
            Operation::Receive {
                name: Some(name),
                as_name,
                ..
            } => answer.content = Some(self.receive(&name, as_name).await?),
            Operation::Revoke { name, from } => self.revoke(&name, &from).await?,
            other => return Err(unsupported(&other)),
        }
        Ok(answer)
    }
}

impl Device for Naive {
    fn perform(&self, operation: Operation) -> LocalFuture<'_, Outcome> {
        Box::pin(self.dispatch(operation))
    }
}

fn pointer_id(recipient: &str, name: &[u8]) -> Vec<u8> {
    [recipient.as_bytes(), b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::strawman::testing::{
        World, append, download, object, receive, revoke, share, upload,
    };

    #[test]
    fn what_is_uploaded_and_appended_is_read_on_every_device_of_the_user() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("notes", b"one"));
        alice.does(append("notes", b" two"));
        let phone = world.another("alice");
        assert_eq!(phone.reads("notes"), b"one two");
        phone.does(upload("notes", b""));
        assert_eq!(alice.reads("notes"), b"");
        assert_eq!(alice.fails(download("other")), "usage:no-such-file");
    }

    #[test]
    fn a_share_is_read_until_it_is_revoked() {
        let world = World::new(&KIND, &["alice", "bob", "carol"]);
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| world.first(user));
        alice.does(upload("plan", b"secret"));
        let nobody = alice.fails(share("plan", "dave"));
        assert_eq!(nobody, "unavailable:unknown-user");
        alice.does(share("plan", "bob"));
        alice.does(share("plan", "carol"));
        assert_eq!(
            carol.does(receive("alice", "plan", "p")).content,
            Some(b"secret".to_vec())
        );
        bob.does(receive("alice", "plan", "his plan"));
        assert_eq!(bob.reads("his plan"), b"secret");
        let bob = world.restarted("bob", &bob);
        assert_eq!(bob.reads("his plan"), b"secret");
        alice.does(revoke("plan", "bob"));
        assert_eq!(bob.fails(download("his plan")), "unavailable:no-invitation");
        assert_eq!(carol.reads("p"), b"secret");
        let uninvited = bob.fails(receive("alice", "plan", "again"));
        assert_eq!(uninvited, "unavailable:no-invitation");
    }

    #[test]
    fn no_flipped_bit_in_an_own_file_is_returned() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("notes", b"content"));
        let before = world.snapshot();
        let place = object(b"notes");
        for at in 0..before[&place].len() {
            world.roll_back_to(&before);
            world
                .server
                .objects
                .borrow_mut()
                .get_mut(&place)
                .expect("it is there")[at] ^= 1;
            assert_eq!(alice.fails(download("notes")), "violation:inauthentic");
        }
    }

    #[test]
    fn one_file_passes_for_another_because_the_signature_covers_no_name() {
        let world = World::new(&KIND, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("a", b"content of a"));
        alice.does(upload("b", b"content of b"));
        {
            let mut objects = world.server.objects.borrow_mut();
            let b = objects[&object(b"b")].clone();
            objects.insert(object(b"a"), b);
        }
        assert_eq!(alice.reads("a"), b"content of b");
    }
}
