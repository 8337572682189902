//! Deployments to measure on: a client beside an honest server in its own process, or before
//! one that keeps everything on disk behind a socket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use turncoat_adversary::chooser::{DeviceEntropy, seeded_bytes};
use turncoat_adversary::client::DeviceName;
use turncoat_adversary::codec::Bytes;
use turncoat_adversary::honest::native::{Native, Settings};
use turncoat_adversary::honest::storage::{Batch, Key, Kind, Storage, StorageFault};
use turncoat_adversary::pool;
use turncoat_core::env::{Clock, Entropy};
use turncoat_core::hazmat::hash;
use turncoat_core::id::Realm;
use turncoat_core::remote::{Lost, Remote, Unusable, Vault};
use turncoat_core::{Config, Limits, Password, Ports, Session, danger};
use turncoat_remote::api::Operation;
use turncoat_remote::{HttpRemote, Patience};
use turncoat_server::http::{Bounds, serve};
use turncoat_server::service::Service;
use turncoat_server::store::Durable;

/// Requests under way at a time before a server: as the program has it.
const DEPTH: usize = 4;
/// Iterations of accounts whose login is not what is measured.
const FEW_ITERATIONS: u32 = 1_000;
/// Iterations that the shipped program demands.
pub const REAL_ITERATIONS: u32 = 600_000;

/// Seeded bytes of which none repeats.
#[must_use]
pub fn incompressible(seed: u64, size: usize) -> Vec<u8> {
    seeded_bytes(seed, "a benchmark's content", size)
}

/// Hashes of a counter: the same stream at every run.
#[derive(Clone, Copy, Debug)]
pub struct Counter(pub u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&hash::sha256(&self.0.to_be_bytes())[..chunk.len()]);
        }
    }
}

/// Runs a future whose doors block.
///
/// # Panics
///
/// If it waits for anything else.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("no door of a benchmark waits"),
    }
}

/// What went over a client's wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Those of them that publish a head: each carries one signature of a head.
    pub commits: u64,
    /// Bytes of their bodies.
    pub sent: u64,
    /// Bytes of the replies' bodies.
    pub received: u64,
}

/// Objects in memory, the newest of each name alone.
#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<Key, Bytes>,
    /// Whether packs are dropped, so that no measurement is one of the memory that holds them.
    forgetful: bool,
}

impl Storage for Shelf {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        Ok(self.objects.get(key).cloned())
    }

    fn put(&mut self, key: Key, bytes: &[u8]) -> Result<(), StorageFault> {
        let kept = match self.forgetful && key.kind == Kind::Pack {
            true => &[],
            false => bytes,
        };
        self.objects.insert(key, Bytes::from(kept));
        Ok(())
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        for (key, bytes) in batch.into_changes() {
            match bytes {
                Some(_) if self.forgetful && key.kind == Kind::Pack => {
                    self.objects.insert(key, Bytes::from(Vec::new()));
                }
                Some(bytes) => {
                    self.objects.insert(key, bytes);
                }
                None => {
                    self.objects.remove(&key);
                }
            }
        }
        Ok(())
    }
}

/// A deployment, which ends with this value.
pub struct Bed {
    place: Place,
    iterations: u32,
}

enum Place {
    Process(Rc<RefCell<(Native, Shelf)>>),
    Server(Server),
}

struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in order");
        }
    }
}

fn settings(iterations: u32) -> Settings {
    Settings {
        secret: [7; 32],
        lifetime: [1; 32],
        iterations,
        limits: Limits::standard(),
    }
}

impl Bed {
    /// A server in this process, in memory.
    #[must_use]
    pub fn in_process() -> Self {
        Self::with(FEW_ITERATIONS, false)
    }

    /// The same, which takes packs and keeps none of them.
    #[must_use]
    pub fn forgetful() -> Self {
        Self::with(FEW_ITERATIONS, true)
    }

    /// The same, whose accounts have the iterations that the shipped program demands.
    #[must_use]
    pub fn hardened() -> Self {
        Self::with(REAL_ITERATIONS, false)
    }

    fn with(iterations: u32, forgetful: bool) -> Self {
        let shelf = Shelf {
            forgetful,
            ..Shelf::default()
        };
        let native = Native::new(settings(iterations));
        Self {
            place: Place::Process(Rc::new(RefCell::new((native, shelf)))),
            iterations,
        }
    }

    /// A server with a store in this folder, on a socket of loopback: what `turncoat serve` runs.
    ///
    /// # Panics
    ///
    /// If the folder holds no store and none can be made, or no port is free.
    #[must_use]
    pub fn served(folder: &Path) -> Self {
        let store = Durable::open(folder).expect("the folder is free");
        let service = Service::new(settings(FEW_ITERATIONS), store, Box::new(|_: &str| {}));
        let service = Arc::new(service);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the machine has threads");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a port is free");
                tell.send(listener.local_addr().expect("it is bound"))
                    .expect("somebody waits");
                let until = async {
                    let _ = stopped.await;
                };
                serve(listener, service, Bounds::default(), until)
                    .await
                    .expect("the listener holds");
            });
        });
        Self {
            place: Place::Server(Server {
                address: told.recv().expect("the server starts"),
                stop: Some(stop),
                thread: Some(thread),
            }),
            iterations: FEW_ITERATIONS,
        }
    }

    /// A new user, with the keys of the pool at `number`.
    ///
    /// # Panics
    ///
    /// If the deployment refuses the user.
    #[must_use]
    pub fn user(&self, name: &'static str, number: usize) -> User {
        let pooled = &pool::identities()[number];
        let identity = danger::identity(
            (&pooled.encryption.p, &pooled.encryption.q),
            (&pooled.signing.p, &pooled.signing.q),
        );
        let identity = identity.expect("the pool holds keys of suite 1");
        let user = User {
            name,
            iterations: self.iterations,
            memory: Memory::default(),
            traffic: Rc::default(),
            lives: RefCell::new(0),
            way: match &self.place {
                Place::Process(server) => Way::Process(Rc::clone(server)),
                Place::Server(server) => Way::Server(server.address),
            },
        };
        let password = user.password();
        let signed = danger::sign_up(
            user.ports(),
            user.config(),
            name.as_bytes(),
            &password,
            identity,
        );
        now(signed).expect("an honest server takes a new user");
        user
    }
}

impl fmt::Debug for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bed(..)")
    }
}

/// A user on one device.
pub struct User {
    name: &'static str,
    iterations: u32,
    memory: Memory,
    traffic: Rc<RefCell<Traffic>>,
    lives: RefCell<u32>,
    way: Way,
}

/// A session of a benchmark.
pub type Client = Session<Wire, Memory, DeviceEntropy, Still>;

impl User {
    fn password(&self) -> Password {
        Password::new(format!("password of {}", self.name).as_bytes())
    }

    fn config(&self) -> Config {
        Config {
            realm: Realm([7; 32]),
            policy: danger::policy(self.iterations, 10_000_000),
            limits: Limits::standard(),
        }
    }

    fn ports(&self) -> Ports<Wire, Memory, DeviceEntropy, Still> {
        let device = DeviceName::new(self.name.to_owned(), "first".to_owned());
        let life = self.lives.replace_with(|life| *life + 1);
        let way = match &self.way {
            Way::Process(server) => Line::Process(Rc::clone(server)),
            Way::Server(address) => {
                let address = format!("http://{address}");
                Line::Server(HttpRemote::new(&address, Patience::default()).with_depth(DEPTH))
            }
        };
        Ports {
            remote: Wire {
                way,
                traffic: Rc::clone(&self.traffic),
            },
            vault: self.memory.clone(),
            entropy: DeviceEntropy::new(1, &device, life),
            clock: Still,
        }
    }

    /// Logs in.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    pub fn login(&self) -> Client {
        let (name, password) = (self.name.as_bytes(), self.password());
        let login = Session::login(self.ports(), self.config(), name, &password);
        now(login).expect("an honest server lets its user in")
    }

    /// What went over the wire since the last call.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.take()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

enum Way {
    Process(Rc<RefCell<(Native, Shelf)>>),
    Server(SocketAddr),
}

enum Line {
    Process(Rc<RefCell<(Native, Shelf)>>),
    Server(HttpRemote),
}

/// A client's way to its server, which counts what goes over it.
pub struct Wire {
    way: Line,
    traffic: Rc<RefCell<Traffic>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire(..)")
    }
}

impl Remote for Wire {
    async fn call(&mut self, request: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        let sent = request.len() as u64;
        let commits = Operation::of_encoded(&request) == Some(Operation::Commit);
        let reply = match &mut self.way {
            Line::Process(server) => {
                let (native, shelf) = &mut *server.borrow_mut();
                native.handle(shelf, &request).reply
            }
            Line::Server(remote) => remote.call(request, reply_max).await?,
        };
        let mut traffic = self.traffic.borrow_mut();
        traffic.requests += 1;
        traffic.commits += u64::from(commits);
        traffic.sent += sent;
        traffic.received += reply.len() as u64;
        match reply.len() as u64 <= reply_max {
            true => Ok(reply),
            false => Err(Lost::TooLarge),
        }
    }

    fn ahead(&mut self, request: Vec<u8>, reply_max: u64) {
        if let Line::Server(remote) = &mut self.way {
            remote.ahead(request, reply_max);
        }
    }

    fn reuse(&mut self, spent: Vec<u8>) {
        if let Line::Server(remote) = &mut self.way {
            remote.reuse(spent);
        }
    }
}

/// A device's memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<RefCell<Option<Vec<u8>>>>);

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.borrow().clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        *self.0.borrow_mut() = Some(state);
        Ok(())
    }
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}
