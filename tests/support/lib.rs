//! A deployment in memory for tests of the client alone: an honest server that answers at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use turncoat_adversary::chooser::DeviceEntropy;
use turncoat_adversary::client::DeviceName;
use turncoat_adversary::honest::native::{Native, Settings};
use turncoat_adversary::honest::reach::unreached;
use turncoat_adversary::honest::storage::{Batch, Storage as _};
use turncoat_adversary::honest::store::Versions;
use turncoat_adversary::pool;
use turncoat_core::env::Clock;
use turncoat_core::hazmat::hash::sha256;
use turncoat_core::id::{Height, Realm, SpaceId};
use turncoat_core::remote::{Lost, Remote, Unusable, Vault};
use turncoat_core::wire::{Blob, Frame, Pack, Request, RequestBody, SpaceState, TrustedState};
use turncoat_core::{Config, Error, Limits, Password, Policy, Ports, Session, danger};

/// Iterations of test accounts. The floor of real ones is the subject of scripts.
pub const ITERATIONS: u32 = 16;

/// Runs a future that never waits for anything but this thread.
///
/// # Panics
///
/// If it waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the server of these tests answers at once"),
    }
}

/// Where a process ends. Points where it waits are counted from zero, requests and saves alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Crash {
    /// Nowhere.
    #[default]
    Never,
    /// At this point, before the request or the save takes effect.
    Before(u32),
    /// At this point, after it took effect and before the process hears of it.
    After(u32),
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Waits<T> {
    /// The process ended where it was told to.
    Crashed,
    /// It came to its end.
    Finished(T),
}

/// A point at which a process ends unwinds up to here; nothing of it runs on.
struct Ended;

/// Runs something that may end at a point where it waits.
///
/// # Panics
///
/// If it panics for another reason.
pub fn until_crash<T>(run: impl FnOnce() -> T) -> Waits<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(value) => Waits::Finished(value),
        Err(payload) if payload.is::<Ended>() => Waits::Crashed,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// Counts the points where a device waits, and ends its process at one of them.
#[derive(Clone, Debug, Default)]
struct Points(Rc<Cell<(u32, Crash)>>);

impl Points {
    /// Lets `effect` happen, unless the process ends before.
    fn pass<T>(&self, effect: impl FnOnce() -> T) -> T {
        let (count, crash) = self.0.get();
        self.0.set((count + 1, crash));
        if crash == Crash::Before(count) {
            std::panic::resume_unwind(Box::new(Ended));
        }
        let value = effect();
        if crash == Crash::After(count) {
            std::panic::resume_unwind(Box::new(Ended));
        }
        value
    }
}

/// Bytes and requests that went over one device's wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Bytes of their bodies.
    pub sent: u64,
    /// Bytes of the replies' bodies.
    pub received: u64,
}

impl Traffic {
    /// Bytes in both directions.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.sent + self.received
    }
}

/// Turns a byte over in one of six replies; zero leaves all as they are.
#[derive(Clone, Debug, Default)]
struct Noise(Rc<Cell<u64>>);

impl Noise {
    fn next(&self) -> u64 {
        // A xorshift generator: what matters is that the same seed makes the same noise.
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        state
    }

    fn over(&self, reply: &mut [u8]) {
        if self.0.get() == 0 || !self.next().is_multiple_of(6) || reply.is_empty() {
            return;
        }
        let at = self.next() % reply.len() as u64;
        let change = self.next() % 255 + 1;
        reply[at as usize] ^= change.to_be_bytes()[7];
    }
}

/// An honest server and its store.
#[derive(Clone, Debug)]
pub struct Deployment {
    server: Rc<RefCell<(Native, Versions)>>,
    seed: u64,
    forgetful: bool,
    noise: Noise,
    faults: Faults,
}

/// What makes another reply of one.
type Rewrite = Box<dyn FnMut(Vec<u8>) -> Vec<u8>>;

/// What goes wrong next, on every device.
#[derive(Clone, Default)]
struct Faults {
    /// What is told instead of the truth.
    lie: Rc<RefCell<Option<Rewrite>>>,
    /// The reply to the next pack that is sent ahead is lost.
    store: Rc<Cell<bool>>,
    /// So many saves succeed, and the one after them fails.
    save: Rc<Cell<Option<u32>>>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults(..)")
    }
}

/// One device's way to the server.
#[derive(Debug)]
pub struct Wire {
    server: Rc<RefCell<(Native, Versions)>>,
    device: DeviceName,
    traffic: Rc<Cell<Traffic>>,
    forgetful: bool,
    points: Points,
    noise: Noise,
    faults: Faults,
    heard: Rc<Cell<[u8; 32]>>,
}

/// What a store keeps that has no room for content: of a pack that is sent ahead, its hash.
fn forget(request: Vec<u8>) -> Vec<u8> {
    match Request::decode(&request) {
        Ok(Request {
            token,
            body: RequestBody::Store { pack },
        }) => {
            let bytes = Blob(sha256(&pack.bytes.0).to_vec());
            Request {
                token,
                body: RequestBody::Store {
                    pack: Pack { bytes, ..pack },
                },
            }
            .encode()
        }
        _ => request,
    }
}

impl Remote for Wire {
    async fn call(&mut self, request: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        let points = self.points.clone();
        points.pass(|| self.answer(request, reply_max))
    }

    /// What was opened where a reply lay is not the transport's to see.
    fn reuse(&mut self, spent: Vec<u8>) {
        assert!(
            spent.is_empty(),
            "the server's side is shown {} bytes",
            spent.len()
        );
    }
}

impl Wire {
    fn answer(&mut self, request: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        let mut server = self.server.borrow_mut();
        let (native, versions) = &mut *server;
        let size = request.len() as u64;
        let request = if self.forgetful {
            forget(request)
        } else {
            request
        };
        let mut handled = native.handle(&mut versions.view(&self.device, 0), &request);
        if let Some(lie) = self.faults.lie.borrow_mut().as_mut() {
            handled.reply = lie(handled.reply);
        }
        self.noise.over(&mut handled.reply);
        let stores = matches!(Request::decode(&request), Ok(Request { body, .. })
            if matches!(body, RequestBody::Store { .. }));
        if stores && self.faults.store.replace(false) {
            return Err(Lost::CutOff);
        }
        let heard = [self.heard.get().as_slice(), &handled.reply].concat();
        self.heard.set(sha256(&heard));
        let mut traffic = self.traffic.get();
        traffic.requests += 1;
        traffic.sent += size;
        traffic.received += handled.reply.len() as u64;
        self.traffic.set(traffic);
        match handled.reply.len() as u64 <= reply_max {
            true => Ok(handled.reply),
            false => Err(Lost::TooLarge),
        }
    }
}

/// A device's durable memory, which outlives its sessions.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    bytes: Rc<RefCell<Option<Vec<u8>>>>,
    points: Points,
    faults: Faults,
}

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.bytes.borrow().clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        let Self { bytes, points, .. } = self;
        let left = self.faults.save.get();
        self.faults
            .save
            .set(left.and_then(|left| left.checked_sub(1)));
        if left == Some(0) {
            return Err(Unusable);
        }
        points.pass(|| *bytes.borrow_mut() = Some(state));
        Ok(())
    }
}

/// A clock that jumps whenever it is read, for a device needs none that is right.
#[derive(Clone, Debug, Default)]
pub struct Jumping(Cell<usize>);

impl Clock for Jumping {
    fn now_ms(&self) -> u64 {
        const TIMES: [u64; 5] = [1_700_000_000_000, 0, u64::MAX, 1, 1_600_000_000_000];
        let read = self.0.get();
        self.0.set(read + 1);
        TIMES[read % TIMES.len()]
    }
}

/// A session of these tests.
pub type TestSession = Session<Wire, Memory, DeviceEntropy, Jumping>;

/// A device of a deployment: what it remembers, and what it sent.
#[derive(Clone, Debug)]
pub struct Device {
    deployment: Deployment,
    user: String,
    device: String,
    memory: Memory,
    traffic: Rc<Cell<Traffic>>,
    lives: Rc<Cell<u32>>,
    heard: Rc<Cell<[u8; 32]>>,
}

/// What the tests' devices accept.
#[must_use]
pub fn config() -> Config {
    Config {
        realm: Realm([7; 32]),
        policy: danger::policy(ITERATIONS, 10_000_000),
        limits: Limits::standard(),
    }
}

impl Deployment {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let native = Native::new(Settings {
            secret: sha256(&seed.to_be_bytes()),
            lifetime: [0; 32],
            iterations: ITERATIONS,
            limits: Limits::standard(),
        });
        Self {
            server: Rc::new(RefCell::new((native, Versions::new()))),
            seed,
            forgetful: false,
            noise: Noise::default(),
            faults: Faults::default(),
        }
    }

    /// From now on a byte of one reply in six is another one; with zero, none is.
    pub fn disturb(&self, seed: u64) {
        self.noise.0.set(seed);
    }

    /// Loses the reply to the next pack that is sent ahead, after the server took it.
    pub fn lose_store(&self) {
        self.faults.store.set(true);
    }

    /// Fails one save, after so many that succeed.
    pub fn fail_save(&self, after: u32) {
        self.faults.save.set(Some(after));
    }

    /// From now on each reply is what this makes of it.
    pub fn lie(&self, lie: impl FnMut(Vec<u8>) -> Vec<u8> + 'static) {
        *self.faults.lie.borrow_mut() = Some(Box::new(lie));
    }

    /// Every version of every object that the server was given, in order.
    #[must_use]
    pub fn stored(&self) -> Vec<(String, Vec<u8>)> {
        let server = self.server.borrow();
        let objects = server.1.everything();
        objects
            .map(|(key, bytes)| (format!("{key:?}"), bytes.to_vec()))
            .collect()
    }

    /// Forgets at once what no newest head reaches, as an honest server does after a while.
    ///
    /// # Panics
    ///
    /// If a head reaches what is not there.
    pub fn sweep(&self) -> usize {
        let mut server = self.server.borrow_mut();
        let unreached = unreached(&server.1.rehearsal()).expect("what heads reach is there");
        let mut batch = Batch::new();
        let swept = unreached.len();
        unreached.into_iter().for_each(|key| batch.delete(key));
        let mut view = server.1.view(&DeviceName::parse("nobody"), 0);
        view.apply(batch).expect("it is in memory");
        swept
    }

    /// An empty one whose store keeps the hash of a pack instead of the pack. Files that take
    /// several packs cannot be read back from it.
    #[must_use]
    pub fn forgetful(seed: u64) -> Self {
        Self {
            forgetful: true,
            ..Self::new(seed)
        }
    }

    /// A device that remembers nothing.
    #[must_use]
    pub fn device(&self, user: &str, device: &str) -> Device {
        Device {
            deployment: self.clone(),
            user: user.to_owned(),
            device: device.to_owned(),
            memory: Memory {
                faults: self.faults.clone(),
                ..Memory::default()
            },
            traffic: Rc::default(),
            lives: Rc::default(),
            heard: Rc::default(),
        }
    }

    /// A user on a first device; the keys are those of the pool at `number`.
    ///
    /// # Panics
    ///
    /// If an honest deployment refuses the user.
    #[must_use]
    pub fn user(&self, name: &str, number: usize) -> (Device, TestSession) {
        let device = self.device(name, "first");
        let session = device
            .sign_up(number)
            .expect("an honest server takes a new user");
        (device, session)
    }
}

impl Device {
    fn ports(&self) -> Ports<Wire, Memory, DeviceEntropy, Jumping> {
        let device = DeviceName::new(self.user.clone(), self.device.clone());
        let life = self.lives.get();
        self.lives.set(life + 1);
        Ports {
            entropy: DeviceEntropy::new(self.deployment.seed, &device, life),
            remote: Wire {
                server: Rc::clone(&self.deployment.server),
                device,
                traffic: Rc::clone(&self.traffic),
                forgetful: self.deployment.forgetful,
                points: self.memory.points.clone(),
                noise: self.deployment.noise.clone(),
                faults: self.deployment.faults.clone(),
                heard: Rc::clone(&self.heard),
            },
            vault: self.memory.clone(),
            clock: Jumping(Cell::new(self.lives.get() as usize)),
        }
    }

    fn password(&self) -> Password {
        Password::new(format!("password of {}", self.user).as_bytes())
    }

    /// Signs up with the keys of the pool at `number`.
    ///
    /// # Errors
    ///
    /// Those of the client.
    ///
    /// # Panics
    ///
    /// If the pool has no such identity.
    pub fn sign_up(&self, number: usize) -> Result<TestSession, Error> {
        self.sign_up_as(number, &self.password())
    }

    /// Signs up with another password.
    ///
    /// # Errors
    ///
    /// Those of the client.
    ///
    /// # Panics
    ///
    /// If the pool has no such identity.
    pub fn sign_up_as(&self, number: usize, password: &Password) -> Result<TestSession, Error> {
        let pooled = &pool::identities()[number % pool::identities().len()];
        let identity = danger::identity(
            (&pooled.encryption.p, &pooled.encryption.q),
            (&pooled.signing.p, &pooled.signing.q),
        )
        .expect("the pool holds keys of suite 1");
        let name = self.user.as_bytes();
        now(danger::sign_up(
            self.ports(),
            config(),
            name,
            password,
            identity,
        ))
    }

    /// Signs up with fresh keys, as the policy says.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub fn sign_up_with_policy(&self, policy: Policy) -> Result<TestSession, Error> {
        let config = Config { policy, ..config() };
        let name = self.user.as_bytes();
        now(Session::sign_up(
            self.ports(),
            config,
            name,
            &self.password(),
        ))
    }

    /// Logs in; what the device remembers stays.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub fn login(&self) -> Result<TestSession, Error> {
        self.login_with(&self.password())
    }

    /// Logs in with another password.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub fn login_with(&self, password: &Password) -> Result<TestSession, Error> {
        let name = self.user.as_bytes();
        now(Session::login(self.ports(), config(), name, password))
    }

    /// Logs in with other limits.
    ///
    /// # Errors
    ///
    /// Those of the client.
    pub fn login_within(&self, limits: Limits) -> Result<TestSession, Error> {
        let config = Config { limits, ..config() };
        let name = self.user.as_bytes();
        now(Session::login(self.ports(), config, name, &self.password()))
    }

    /// Ends the device's process at a point that is counted from here on.
    pub fn crash_at(&self, crash: Crash) {
        self.memory.points.0.set((0, crash));
    }

    /// The heights of the heads that the device accepted.
    ///
    /// # Panics
    ///
    /// If what it remembers does not decode.
    #[must_use]
    pub fn remembered_heights(&self) -> BTreeMap<SpaceId, Height> {
        let bytes = self.memory.bytes.borrow();
        let saved = bytes.as_ref().and_then(|saved| saved.get(32..));
        let saved = saved.expect("a device that signed up remembers");
        let state = TrustedState::decode(saved).expect("what was saved is whole");
        let accepted = |known: &SpaceState| Some((known.space, known.accepted?.height));
        state.spaces.iter().filter_map(accepted).collect()
    }

    /// Puts other bytes in place of what the device remembers.
    pub fn replace_memory(&self, bytes: Option<Vec<u8>>) {
        *self.memory.bytes.borrow_mut() = bytes;
    }

    /// What the device remembers.
    #[must_use]
    pub fn saved(&self) -> Option<Vec<u8>> {
        self.memory.bytes.borrow().clone()
    }

    /// A hash of every byte that the server ever answered to this device, in order.
    #[must_use]
    pub fn heard(&self) -> [u8; 32] {
        self.heard.get()
    }

    /// What went over the wire since the last call.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.take()
    }
}
