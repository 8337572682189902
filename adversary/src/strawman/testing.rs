//! An honest key-value store in memory, and people with devices on it, for this folder's tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sha2::{Digest as _, Sha256};
use turncoat_core::env::Entropy;
use turncoat_core::remote::Lost;

use super::{Device, Environment, Kind, Person, Policy};
use crate::client::{Answer, Failure, Operation, Outcome};
use crate::codec::Code as _;
use crate::front::kv::{Condition, Door, LocalFuture, Memory, Reply, Request, Store, tag};
use crate::pool::identities;

/// Runs a future whose every await point is ready at once.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory never makes anybody wait"),
    }
}

/// The objects of one server, by `obj/` or `pub/` and id.
pub(crate) type Objects = BTreeMap<Vec<u8>, Vec<u8>>;

/// An honest server whose objects a test may look at, keep and change.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) objects: RefCell<Objects>,
}

impl Server {
    fn read(&self, place: &[u8]) -> Reply {
        match self.objects.borrow().get(place) {
            Some(bytes) => Reply::Found {
                bytes: bytes.clone(),
                tag: tag(bytes),
            },
            None => Reply::Absent,
        }
    }

    fn holds(&self, place: &[u8], condition: Condition) -> bool {
        let objects = self.objects.borrow();
        match condition {
            Condition::Always => true,
            Condition::Absent => !objects.contains_key(place),
            Condition::Matches { tag: wanted } => {
                objects.get(place).is_some_and(|bytes| tag(bytes) == wanted)
            }
        }
    }

    fn write(&self, place: Vec<u8>, bytes: Vec<u8>) -> Reply {
        self.objects.borrow_mut().insert(place, bytes);
        Reply::Done
    }

    fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Get { id } => self.read(&object(&id)),
            Request::GetPublic { user } => self.read(&public(&user)),
            Request::PutPublic { user, bytes } => self.write(public(&user), bytes),
            Request::Put { id, condition, .. } | Request::Delete { id, condition }
                if !self.holds(&object(&id), condition) =>
            {
                Reply::Conflict
            }
            Request::Put { id, bytes, .. } => self.write(object(&id), bytes),
            Request::Delete { id, .. } => match self.objects.borrow_mut().remove(&object(&id)) {
                Some(_) => Reply::Done,
                None => Reply::Absent,
            },
        }
    }
}

/// The place of an object in [`Objects`].
pub(crate) fn object(id: &[u8]) -> Vec<u8> {
    [b"obj/", id].concat()
}

/// The place of a public object in [`Objects`].
pub(crate) fn public(user: &str) -> Vec<u8> {
    format!("pub/{user}").into_bytes()
}

impl Door for Server {
    fn exchange(&self, request: Vec<u8>) -> LocalFuture<'_, Result<Vec<u8>, Lost>> {
        let request = Request::from_bytes(&request).expect("a client encodes its requests");
        Box::pin(std::future::ready(Ok(self.answer(request).to_bytes())))
    }
}

#[derive(Default)]
struct Kept(RefCell<Option<Vec<u8>>>);

impl Memory for Kept {
    fn load(&self) -> LocalFuture<'_, Option<Vec<u8>>> {
        Box::pin(std::future::ready(self.0.borrow().clone()))
    }

    fn save(&self, bytes: Vec<u8>) -> LocalFuture<'_, bool> {
        *self.0.borrow_mut() = Some(bytes);
        Box::pin(std::future::ready(true))
    }
}

/// SHA-256 in counter mode: enough for tests.
struct Counter {
    seed: u64,
    next: u64,
}

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let input = [self.seed.to_be_bytes(), self.next.to_be_bytes()].concat();
            self.next += 1;
            chunk.copy_from_slice(&Sha256::digest(input)[..chunk.len()]);
        }
    }
}

/// A server with people and their devices on it, all of one kind of client.
pub(crate) struct World {
    kind: &'static Kind,
    pub(crate) server: Rc<Server>,
    people: Vec<String>,
    started: RefCell<u64>,
}

/// A device that stays, and what it remembers.
pub(crate) struct Rig {
    device: Rc<dyn Device>,
    memory: Rc<Kept>,
}

impl World {
    pub(crate) fn new(kind: &'static Kind, people: &[&str]) -> Self {
        Self {
            kind,
            server: Rc::default(),
            people: people.iter().map(|&name| name.to_owned()).collect(),
            started: RefCell::new(0),
        }
    }

    fn start(&self, user: &str, password: &str, memory: Rc<Kept>) -> Rig {
        let number = self.people.iter().position(|name| name == user);
        let number = number.expect("the test declares its people");
        *self.started.borrow_mut() += 1;
        let device = (self.kind.start)(Environment {
            person: Person {
                user: user.to_owned(),
                password: password.as_bytes().to_vec(),
                identity: identities()[number].clone(),
            },
            store: Store::new(self.server.clone()),
            memory: memory.clone(),
            entropy: Box::new(Counter {
                seed: *self.started.borrow(),
                next: 0,
            }),
            policy: Policy::RUNS,
        });
        Rig { device, memory }
    }

    /// A device on which nothing was done yet.
    pub(crate) fn blank(&self, user: &str, password: &str) -> Rig {
        self.start(user, password, Rc::default())
    }

    /// The device on which the user signs up and logs in.
    pub(crate) fn first(&self, user: &str) -> Rig {
        let rig = self.blank(user, &password(user));
        rig.does(Operation::SignUp);
        rig.does(Operation::Login);
        rig
    }

    /// Another device of a user who signed up.
    pub(crate) fn another(&self, user: &str) -> Rig {
        let rig = self.blank(user, &password(user));
        rig.does(Operation::Login);
        rig
    }

    /// The same device after its process ended.
    pub(crate) fn restarted(&self, user: &str, rig: &Rig) -> Rig {
        let rig = self.start(user, &password(user), rig.memory.clone());
        rig.does(Operation::Login);
        rig
    }

    /// All objects as they are now.
    pub(crate) fn snapshot(&self) -> Objects {
        self.server.objects.borrow().clone()
    }

    /// The places of all pieces of content.
    pub(crate) fn pieces(&self) -> Vec<Vec<u8>> {
        self.places(b"obj/piece/")
    }

    /// The places of all slots, in the client that has them.
    pub(crate) fn slots(&self) -> Vec<Vec<u8>> {
        self.places(b"obj/file/")
    }

    fn places(&self, beginning: &[u8]) -> Vec<Vec<u8>> {
        let objects = self.server.objects.borrow();
        let places = objects.keys().filter(|place| place.starts_with(beginning));
        places.cloned().collect()
    }

    /// Shows each of two objects in the place of the other.
    pub(crate) fn swap(&self, one: &[u8], other: &[u8]) {
        let mut objects = self.server.objects.borrow_mut();
        let [a, b] = [one, other].map(|place| objects[place].clone());
        objects.insert(one.to_vec(), b);
        objects.insert(other.to_vec(), a);
    }

    /// Changes one bit in the middle of an object.
    pub(crate) fn flip(&self, place: &[u8]) {
        let mut objects = self.server.objects.borrow_mut();
        let bytes = objects.get_mut(place).expect("the object is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }

    /// Shows an earlier state.
    pub(crate) fn roll_back_to(&self, objects: &Objects) {
        *self.server.objects.borrow_mut() = objects.clone();
    }
}

fn password(user: &str) -> String {
    format!("password of {user}")
}

impl Rig {
    pub(crate) fn tries(&self, operation: Operation) -> Outcome {
        block_on(self.device.perform(operation))
    }

    pub(crate) fn does(&self, operation: Operation) -> Answer {
        let name = operation.name();
        self.tries(operation)
            .unwrap_or_else(|failure| panic!("{name} failed: {failure}"))
    }

    /// The failure as `class:name`.
    pub(crate) fn fails(&self, operation: Operation) -> String {
        let name = operation.name();
        match self.tries(operation) {
            Ok(_) => panic!("{name} succeeded"),
            Err(failure) => Failure::to_string(&failure),
        }
    }

    pub(crate) fn reads(&self, name: &str) -> Vec<u8> {
        self.does(download(name))
            .content
            .expect("a download has content")
    }

    pub(crate) fn lists(&self) -> Vec<Vec<u8>> {
        self.does(Operation::List).names.expect("a list has names")
    }
}

pub(crate) fn upload(name: &str, content: &[u8]) -> Operation {
    Operation::Upload {
        name: name.into(),
        content: content.to_vec(),
    }
}

pub(crate) fn append(name: &str, content: &[u8]) -> Operation {
    Operation::Append {
        name: name.into(),
        content: content.to_vec(),
    }
}

pub(crate) fn download(name: &str) -> Operation {
    Operation::Download { name: name.into() }
}

pub(crate) fn delete(name: &str) -> Operation {
    Operation::Delete { name: name.into() }
}

pub(crate) fn share(name: &str, with: &str) -> Operation {
    Operation::Share {
        name: name.into(),
        with: with.to_owned(),
    }
}

pub(crate) fn revoke(name: &str, from: &str) -> Operation {
    Operation::Revoke {
        name: name.into(),
        from: from.to_owned(),
    }
}

pub(crate) fn receive(from: &str, name: &str, as_name: &str) -> Operation {
    Operation::Receive {
        from: from.to_owned(),
        name: Some(name.into()),
        pointer: None,
        as_name: as_name.into(),
    }
}

pub(crate) fn receive_pointer(from: &str, pointer: Vec<u8>, as_name: &str) -> Operation {
    Operation::Receive {
        from: from.to_owned(),
        name: None,
        pointer: Some(pointer),
        as_name: as_name.into(),
    }
}
