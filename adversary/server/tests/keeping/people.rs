//! Alice, her devices, and what she does, over a store without a socket between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use turncoat_adversary::chooser::DeviceEntropy;
use turncoat_adversary::client::DeviceName;
use turncoat_adversary::honest::native::{Native, Settings};
use turncoat_adversary::pool;
use turncoat_core::env::Clock;
use turncoat_core::id::Realm;
use turncoat_core::remote::{Lost, Remote, Unusable, Vault};
use turncoat_core::{Config, Error, Limits, Password, Ports, Session, danger};
use turncoat_server::store::Durable;

use super::disk::Forgetful;

const ITERATIONS: u32 = 1_000;

/// The rules over a store, without a socket between.
#[derive(Clone)]
pub(super) struct Server(Rc<RefCell<(Native, Durable)>>);

impl Server {
    pub(super) fn over(store: Durable) -> Self {
        let native = Native::new(Settings {
            secret: [7; 32],
            lifetime: [1; 32],
            iterations: ITERATIONS,
            limits: Limits::standard(),
        });
        Self(Rc::new(RefCell::new((native, store))))
    }
}

impl Remote for Server {
    async fn call(&mut self, request: Vec<u8>, _: u64) -> Result<Vec<u8>, Lost> {
        let (native, store) = &mut *self.0.borrow_mut();
        Ok(native.handle(store, &request).reply)
    }
}

#[derive(Clone, Default)]
pub(super) struct Memory(Rc<RefCell<Option<Vec<u8>>>>);

impl Memory {
    /// What a device of its own remembers that was copied from this one.
    pub(super) fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }
}

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.borrow().clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        *self.0.borrow_mut() = Some(state);
        Ok(())
    }
}

pub(super) struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

/// The client waits nowhere but in its doors, and these block.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("no door of this test waits"),
    }
}

pub(super) type Device = Session<Server, Memory, DeviceEntropy, Still>;

fn ports(
    server: &Server,
    memory: &Memory,
    life: u32,
) -> Ports<Server, Memory, DeviceEntropy, Still> {
    let device = DeviceName::new("alice".to_owned(), "first".to_owned());
    Ports {
        remote: server.clone(),
        vault: memory.clone(),
        entropy: DeviceEntropy::new(1, &device, life),
        clock: Still,
    }
}

fn config() -> Config {
    Config {
        realm: Realm([7; 32]),
        policy: danger::policy(ITERATIONS, 10_000_000),
        limits: Limits::standard(),
    }
}

fn password() -> Password {
    Password::new(b"a password")
}

pub(super) fn sign_up(server: &Server, memory: &Memory) -> Result<Device, Error> {
    let pooled = &pool::identities()[0];
    let identity = danger::identity(
        (&pooled.encryption.p, &pooled.encryption.q),
        (&pooled.signing.p, &pooled.signing.q),
    );
    let identity = identity.expect("the pool holds keys of suite 1");
    let ports = ports(server, memory, 0);
    now(danger::sign_up(
        ports,
        config(),
        b"alice",
        &password(),
        identity,
    ))
}

pub(super) fn login(server: &Server, memory: &Memory, life: u32) -> Result<Device, Error> {
    now(Session::login(
        ports(server, memory, life),
        config(),
        b"alice",
        &password(),
    ))
}

/// Content that fills more than a segment, so that packs are sent ahead of the commit.
pub(super) fn film() -> Vec<u8> {
    let words = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761));
    words.flat_map(u32::to_be_bytes).take(5 << 20).collect()
}

/// What alice does, one after the other; each is acknowledged before the next.
pub(super) fn acts() -> Vec<(&'static [u8], Vec<u8>)> {
    vec![
        (b"film", film()),
        (b"notes", b"version 1".to_vec()),
        (b"notes", b"version 2".to_vec()),
    ]
}

/// The files that there should be after so many acts.
pub(super) fn files(acts: &[(&'static [u8], Vec<u8>)]) -> BTreeMap<&'static [u8], Vec<u8>> {
    acts.iter().cloned().collect()
}

/// Whether a device finds these files and no others.
pub(super) fn holds(
    disk: &Forgetful,
    memory: &Memory,
    files: &BTreeMap<&'static [u8], Vec<u8>>,
) -> bool {
    let Some(store) = disk.store() else {
        return false;
    };
    let Ok(mut alice) = login(&Server::over(store), memory, 9) else {
        return false;
    };
    let listed = now(alice.list()).map(|listing| listing.names.len());
    listed == Ok(files.len())
        && files.iter().all(|(name, content)| {
            now(alice.download_all(name)).is_ok_and(|(read, _)| read == *content)
        })
}

/// A disk on which alice did the first acts, and her device's memory.
pub(super) fn prepared(count: usize) -> (Forgetful, Memory) {
    let (disk, memory) = (Forgetful::default(), Memory::default());
    let server = Server::over(disk.store().expect("a new store"));
    let mut alice = sign_up(&server, &memory).expect("a new user");
    for (name, content) in &acts()[..count] {
        now(alice.upload_all(name, content)).expect("it is stored");
    }
    (disk, memory)
}
