//! The plain key-value front over loopback HTTP: who asks is told by the base URL alone.
//!
//! A small server of its own, because an HTTP client under test is no friend: heads, bodies,
//! connections and time have bounds here, nothing is allocated on a stated length alone, and the
//! server ends with its run.

mod framed;
pub mod frames;
mod listen;
mod message;
mod recorded;
mod route;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::listen::{Listener, lock};
pub use self::message::Bounds;
use self::message::{Connection, Message, Reply, Stop};
pub use self::recorded::{reply, requests};
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
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    limits: HttpLimits,
    sink: Sink,
    devices: Mutex<BTreeMap<String, DeviceName>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
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
        let shared = Arc::new(Shared {
            limits,
            sink: Box::new(sink),
            devices: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        let listener = Listener::open(
            limits.bounds,
            limits.connections_max,
            move |stream, ended| serve(stream, ended, &inside),
        )?;
        Ok(Self { listener, shared })
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
        let address = self.listener.address();
        Ok(format!("http://{address}/d/{secret}"))
    }

    /// Forgets the base URLs of `device`: whoever still holds one is refused.
    pub fn forget(&self, device: &DeviceName) {
        lock(&self.shared.devices).retain(|_, known| known != device);
    }
}

fn serve(stream: TcpStream, ended: &AtomicBool, shared: &Shared) {
    let mut connection = Connection::new(stream, shared.limits.bounds);
    while !ended.load(Ordering::SeqCst) {
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
