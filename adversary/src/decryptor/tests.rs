//! The decryptor against the record of real sessions: what it opens, and what it must not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use turncoat_core::client::Pick;
use turncoat_core::env::Clock;
use turncoat_core::id::Realm;
use turncoat_core::remote::{Lost, Remote, Unusable, Vault};
use turncoat_core::{Config, Limits, Password, Ports, Session, danger};

use super::{Opened, open};
use crate::chooser::DeviceEntropy;
use crate::client::DeviceName;
use crate::history::{Event, History, ObjectKey};
use crate::honest::native::{Native, Settings};
use crate::honest::storage::Kind;
use crate::honest::store::Versions;
use crate::oracle::judge_keys;
use crate::pool;

const REALM: [u8; 32] = [7; 32];

#[derive(Clone)]
struct World(Rc<RefCell<(Native, Versions, u32)>>, Rc<RefCell<History>>);

struct Wire(World, DeviceName);

struct Memory(Option<Vec<u8>>);

struct Still;

type Client = Session<Wire, Memory, DeviceEntropy, Still>;

impl Remote for Wire {
    async fn call(&mut self, request: Vec<u8>, _: u64) -> Result<Vec<u8>, Lost> {
        self.0.1.borrow_mut().push(Event::Request {
            request: 0,
            device: self.1.clone(),
            operation: 0,
            kind: String::new(),
            bytes: request.clone().into(),
        });
        let mut world = self.0.0.borrow_mut();
        let (native, versions, operation) = &mut *world;
        let mut view = versions.view(&self.1, *operation);
        Ok(native.handle(&mut view, &request).reply)
    }
}

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        self.0 = Some(state);
        Ok(())
    }
}

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1
    }
}

fn now<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value.unwrap(),
        Poll::Pending => panic!("this server answers at once"),
    }
}

impl World {
    fn new() -> Self {
        let native = Native::new(Settings {
            secret: [1; 32],
            lifetime: [0; 32],
            iterations: 4,
            limits: Limits::standard(),
        });
        let world = (native, Versions::new(), 0);
        Self(Rc::new(RefCell::new(world)), Rc::default())
    }

    /// What is written from now on belongs to this operation.
    fn operation(&self, number: u32) {
        self.0.borrow_mut().2 = number;
    }

    fn user(&self, name: &str, number: usize) -> Client {
        let device = DeviceName::first(name);
        let pooled = &pool::identities()[number];
        let identity = danger::identity(
            (&pooled.encryption.p, &pooled.encryption.q),
            (&pooled.signing.p, &pooled.signing.q),
        );
        let ports = Ports {
            entropy: DeviceEntropy::new(1, &device, 0),
            remote: Wire(self.clone(), device),
            vault: Memory(None),
            clock: Still,
        };
        let config = Config {
            realm: Realm(REALM),
            policy: danger::policy(4, 100),
            limits: Limits::standard(),
        };
        let password = Password::new(format!("of {name}").as_bytes());
        let name = name.as_bytes();
        now(danger::sign_up(
            ports,
            config,
            name,
            &password,
            identity.unwrap(),
        ))
    }

    fn opened(&self, user: &str) -> Opened {
        let password = format!("of {user}");
        let history = self.1.borrow();
        open(
            &REALM,
            user,
            password.as_bytes(),
            &self.0.borrow().1,
            &history,
        )
    }

    /// The packs that an operation wrote.
    fn packs(&self, operation: u32) -> BTreeSet<ObjectKey> {
        let written = self.0.borrow().1.wrote(operation);
        let keys = written.iter().map(|object| &object.key);
        keys.filter(|key| key.kind == Kind::Pack)
            .map(ObjectKey::from)
            .collect()
    }
}

/// A file of alice's, shared with bob and carol, from which bob is then excluded.
fn revoked() -> World {
    let world = World::new();
    let mut alice = world.user("alice", 0);
    let mut bob = world.user("bob", 1);
    let mut carol = world.user("carol", 2);
    world.operation(1);
    now(alice.upload_all(b"plan", b"one"));
    world.operation(2);
    now(alice.upload_all(b"diary", b"of nobody's business"));
    world.operation(3);
    for (user, session) in [(&b"bob"[..], &mut bob), (b"carol", &mut carol)] {
        now(alice.share(b"plan", user));
        now(session.receive(b"alice", Pick::Name(b"plan"), b"of alice"));
    }
    world.operation(4);
    now(bob.append(b"of alice", b" two"));
    world.operation(5);
    now(alice.revoke(b"plan", b"bob"));
    world.operation(6);
    now(carol.append(b"of alice", b" three"));
    world.operation(7);
    now(alice.upload_all(b"plan", b"anew"));
    world
}

#[test]
fn an_owner_opens_everything_and_a_stranger_nothing() {
    let world = revoked();
    let alice = world.opened("alice");
    assert!(alice.packs.is_subset(&alice.objects));
    assert_eq!(alice.packs.len(), 6);
    for name in [&b"plan"[..], b"diary"] {
        assert!(alice.names.contains(name));
    }
    let sent = world.1.borrow();
    let wrong = open(&REALM, "alice", b"of bob", &world.0.borrow().1, &sent);
    let nobody = world.opened("nobody");
    for opened in [wrong, nobody] {
        assert_eq!(opened.objects, BTreeSet::new());
        assert_eq!(opened.packs, alice.packs);
        assert!(opened.spaces.is_empty() && opened.names.is_empty());
    }
}

#[test]
fn a_member_opens_what_came_before_the_revocation_and_nothing_after() {
    let world = revoked();
    let bob = world.opened("bob");
    for operation in [1, 4] {
        assert!(
            world.packs(operation).is_subset(&bob.objects),
            "{operation}"
        );
    }
    for operation in [2, 5, 6, 7] {
        assert!(
            world.packs(operation).is_disjoint(&bob.objects),
            "{operation}"
        );
    }
    let carol = world.opened("carol");
    for operation in [1, 4, 6, 7] {
        assert!(
            world.packs(operation).is_subset(&carol.objects),
            "{operation}"
        );
    }
    assert!(world.packs(2).is_disjoint(&carol.objects));
    let reach = bob.reach();
    assert!(reach.opened.is_subset(&reach.known));
    assert!(world.packs(6).is_subset(&reach.known));
}

#[test]
fn keys_of_spaces_are_found_by_those_who_have_them() {
    let world = revoked();
    let (alice, bob, carol) = (
        world.opened("alice"),
        world.opened("bob"),
        world.opened("carol"),
    );
    let shared = |opened: &Opened, epoch| {
        let places = opened
            .spaces
            .iter()
            .filter(|((space, at), _)| *at == epoch && carol.spaces.contains_key(&(*space, 2)));
        places.map(|(_, key)| *key).collect::<Vec<_>>()
    };
    assert_eq!(shared(&bob, 1).len(), 1);
    assert_eq!(shared(&bob, 1), shared(&alice, 1));
    assert_eq!(shared(&carol, 2), shared(&alice, 2));
    assert_eq!(shared(&bob, 2), [[0; 32]; 0]);
}

#[test]
fn honest_clients_use_every_key_and_nonce_once() {
    let world = revoked();
    let mut uses = Vec::new();
    for user in ["alice", "bob", "carol"] {
        uses.extend(world.opened(user).uses);
    }
    for what in ["a key bag", "a leaf", "a chunk", "a note", "a keyring"] {
        let purpose = format!("seals {what}");
        assert!(uses.iter().any(|used| used.purpose == purpose), "{what}");
    }
    assert_eq!(judge_keys(&uses), []);
}

#[test]
fn a_second_message_under_a_key_that_was_found_is_a_breach() {
    let world = World::new();
    let mut alice = world.user("alice", 0);
    world.operation(1);
    now(alice.upload_all(b"plan", b"one"));
    let opened = world.opened("alice");
    let chunk = opened
        .uses
        .iter()
        .find(|used| used.purpose == "seals a chunk");
    let mut again = chunk.unwrap().clone();
    assert_eq!(judge_keys(&opened.uses), []);
    again.message[0] ^= 1;
    let uses = [opened.uses, vec![again]].concat();
    assert_eq!(judge_keys(&uses).len(), 1);
}

#[test]
fn long_names_are_found() {
    let world = World::new();
    let mut alice = world.user("alice", 0);
    let long = vec![b'n'; 3000];
    now(alice.upload_all(&long, b"x"));
    assert!(world.opened("alice").names.contains(&long));
}

#[test]
fn what_was_sent_and_never_stored_is_opened_as_well() {
    let world = revoked();
    let (stored, nothing) = (world.opened("bob"), Versions::new());
    let history = world.1.borrow();
    let sent = open(&REALM, "bob", b"of bob", &nothing, &history);
    assert_eq!(sent.contents, stored.contents);
    assert!(world.packs(4).is_subset(&sent.objects));
    assert_eq!(sent.uses.len(), stored.uses.len());
    let unsent = open(&REALM, "bob", b"of bob", &nothing, &History::new());
    assert_eq!(unsent.objects, BTreeSet::new());
}

#[test]
fn what_a_branch_holds_is_opened_as_well() {
    let world = World::new();
    let mut alice = world.user("alice", 0);
    world
        .0
        .borrow_mut()
        .1
        .fork(&crate::selector::Audience::parse("alice"));
    world.operation(1);
    now(alice.upload_all(b"plan", b"of the fork"));
    world.0.borrow_mut().1.join();
    assert_eq!(world.packs(1).len(), 1);
    assert!(world.packs(1).is_subset(&world.opened("alice").objects));
}
