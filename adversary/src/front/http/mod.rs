//! The plain key-value front over loopback HTTP: who asks is told by the base URL alone.
//!
//! A small server of its own, because an HTTP client under test is no friend: heads, bodies,
//! connections and time have bounds here, nothing is allocated on a stated length alone, and the
//! server ends with its run.

mod message;
mod route;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::message::Bounds;
use self::message::{Connection, Message, Reply, Stop};
use crate::client::DeviceName;
use crate::front::kv;
use turncoat_core::remote::Lost;

/// Bytes of a device's secret path component, before they are written as hexadecimal digits.
const SECRET_SIZE: usize = 16;

/// How much the front spends on its clients.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Bounds of each request.
    pub bounds: Bounds,
    /// Connections open at one time.
    pub connections_max: usize,
    /// How long a request waits for an answer, so also for the next operation of the run.
    pub answer_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            bounds: Bounds {
                head_max: 16 * 1024,
                body_max: 32 * 1024 * 1024,
                request_time: Duration::from_secs(30),
            },
            connections_max: 32,
            answer_time: Duration::from_secs(30),
        }
    }
}

/// One request of a known device, waiting for its answer.
#[derive(Debug)]
pub struct Asked {
    /// The device whose base URL was used.
    pub who: DeviceName,
    /// What it asks.
    pub request: kv::Request,
    answer: SyncSender<Result<kv::Reply, Lost>>,
}

impl Asked {
    /// Hands the answer to the waiting connection.
    ///
    /// A lost reply ends the connection without a byte. A client that has gone meanwhile gets
    /// nothing, and that is its own affair.
    pub fn answer(self, reply: Result<kv::Reply, Lost>) {
        let _gone = self.answer.try_send(reply);
    }
}

/// Where requests go: false when nobody takes them any more.
type Sink = Box<dyn Fn(Asked) -> bool + Send + Sync>;

/// A loopback server for the devices of one run.
#[derive(Debug)]
pub struct HttpFront {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    limits: HttpLimits,
    sink: Sink,
    ended: AtomicBool,
    devices: Mutex<BTreeMap<String, DeviceName>>,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    next: u64,
    streams: BTreeMap<u64, TcpStream>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Locks although another holder panicked: the maps here are whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpFront {
    /// Listens on a free loopback port, and hands every request to `sink`.
    ///
    /// # Errors
    ///
    /// The machine has no free port or no thread for it.
    pub fn open(
        limits: HttpLimits,
        sink: impl Fn(Asked) -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            limits,
            sink: Box::new(sink),
            ended: AtomicBool::new(false),
            devices: Mutex::default(),
            live: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        let accepting = std::thread::Builder::new()
            .name("kv-front".to_owned())
            .spawn(move || accept(&listener, &inside))?;
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Makes a base URL that stands for `device` alone. It ends without a slash.
    ///
    /// # Errors
    ///
    /// The machine gives no randomness.
    pub fn base_url(&self, device: &DeviceName) -> io::Result<String> {
        let mut secret = [0; SECRET_SIZE];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        lock(&self.shared.devices).insert(secret.clone(), device.clone());
        Ok(format!("http://{}/d/{secret}", self.address))
    }

    /// Forgets the base URLs of `device`: whoever still holds one is refused.
    pub fn forget(&self, device: &DeviceName) {
        lock(&self.shared.devices).retain(|_, known| known != device);
    }
}

impl Drop for HttpFront {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.live).streams.values() {
            let _gone = stream.shutdown(Shutdown::Both);
        }
        // The accepting thread waits for a connection: this is the last one.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _panicked = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        match accepted {
            Ok((stream, _)) => admit(stream, shared),
            // Out of descriptors, or a connection that ended while it waited: neither lasts.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Serves the stream in a thread of its own, unless there are too many already.
fn admit(stream: TcpStream, shared: &Arc<Shared>) {
    let _unimportant = stream.set_nodelay(true);
    let _unimportant = stream.set_write_timeout(Some(shared.limits.bounds.request_time));
    let Ok(handle) = stream.try_clone() else {
        return;
    };
    let number = {
        let mut live = lock(&shared.live);
        if live.streams.len() >= shared.limits.connections_max {
            drop(live);
            let busy = Reply::plain(503, "too many connections").closing();
            let _gone = Connection::new(stream, shared.limits.bounds).write(&busy);
            return;
        }
        live.next = live.next.wrapping_add(1);
        let number = live.next;
        live.streams.insert(number, handle);
        number
    };
    let inside = Arc::clone(shared);
    let started = std::thread::Builder::new()
        .name("kv-connection".to_owned())
        .spawn(move || {
            serve(stream, &inside);
            lock(&inside.live).streams.remove(&number);
        });
    if started.is_err() {
        lock(&shared.live).streams.remove(&number);
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let mut connection = Connection::new(stream, shared.limits.bounds);
    while !shared.ended.load(Ordering::SeqCst) {
        let reply = match connection.read() {
            Ok(message) => match answer(&message, shared) {
                Some(reply) if message.last => reply.closing(),
                Some(reply) => reply,
                None => break,
            },
            Err(Stop::Refused(status, sentence)) => Reply::plain(status, sentence).closing(),
            Err(Stop::Closed) => break,
        };
        if connection.write(&reply).is_err() || reply.last {
            break;
        }
    }
    connection.end();
}

/// The reply to one message; none where the connection is to end without one.
fn answer(message: &Message, shared: &Shared) -> Option<Reply> {
    let (secret, rest) = match route::split(&message.target) {
        Ok(parts) => parts,
        Err(reply) => return Some(reply),
    };
    let Some(who) = lock(&shared.devices).get(secret).cloned() else {
        return Some(Reply::plain(403, "no device has this base URL"));
    };
    let request = match route::request(message, rest) {
        Ok(request) => request,
        Err(reply) => return Some(reply),
    };
    let (answer, waiting) = sync_channel(1);
    let asked = Asked {
        who,
        request: request.clone(),
        answer,
    };
    if !(shared.sink)(asked) {
        return Some(Reply::plain(503, "the run has ended").closing());
    }
    match waiting.recv_timeout(shared.limits.answer_time) {
        Ok(Ok(reply)) => Some(route::reply(&request, reply)),
        Ok(Err(_lost)) => None,
        Err(RecvTimeoutError::Timeout) => Some(Reply::plain(503, "no operation is running")),
        Err(RecvTimeoutError::Disconnected) => {
            Some(Reply::plain(503, "the run has ended").closing())
        }
    }
}
