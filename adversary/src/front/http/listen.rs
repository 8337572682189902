//! Accepts connections on a loopback port: a thread for each, a bound on their number, and an end.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::message::{Bounds, Connection, Reply};

/// What is done with a connection, in a thread of its own. The flag says that the listener ended.
type Serve = Box<dyn Fn(TcpStream, &AtomicBool) + Send + Sync>;

/// An open port. Dropping it ends all its connections.
pub(super) struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    bounds: Bounds,
    connections_max: usize,
    serve: Serve,
    ended: AtomicBool,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    next: u64,
    streams: BTreeMap<u64, TcpStream>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Locks although another holder panicked: the maps here are whole after every statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    /// Listens on a free loopback port.
    pub(super) fn open(
        bounds: Bounds,
        connections_max: usize,
        serve: impl Fn(TcpStream, &AtomicBool) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            bounds,
            connections_max,
            serve: Box::new(serve),
            ended: AtomicBool::new(false),
            live: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        let accepting = std::thread::Builder::new()
            .name("front".to_owned())
            .spawn(move || accept(&listener, &inside))?;
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
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
    let _unimportant = stream.set_write_timeout(Some(shared.bounds.request_time));
    let Ok(handle) = stream.try_clone() else {
        return;
    };
    let number = {
        let mut live = lock(&shared.live);
        if live.streams.len() >= shared.connections_max {
            drop(live);
            let busy = Reply::plain(503, "too many connections").closing();
            let _gone = Connection::new(stream, shared.bounds).write(&busy);
            return;
        }
        live.next = live.next.wrapping_add(1);
        let number = live.next;
        live.streams.insert(number, handle);
        number
    };
    let inside = Arc::clone(shared);
    let started = std::thread::Builder::new()
        .name("connection".to_owned())
        .spawn(move || {
            (inside.serve)(stream, &inside.ended);
            lock(&inside.live).streams.remove(&number);
        });
    if started.is_err() {
        lock(&shared.live).streams.remove(&number);
    }
}
