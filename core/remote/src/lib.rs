//! The client's door to a server, over HTTP.
//!
//! The transport is trusted with nothing: whatever goes wrong in it - no answer, a cut one, one in
//! another framing, a redirect, a page of a proxy's - is a lost reply and accuses nobody. A frame
//! that arrived whole is the server's word.

mod ahead;
pub mod api;
mod bounded;
mod recorded;
mod resolved;

use std::fmt;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use turncoat_core::remote::{Lost, Remote};
use turncoat_core::wire::{Frame as _, Reply};
use ureq::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING,
};
use ureq::http::{HeaderMap, Version};
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body};

use self::ahead::Ahead;
use self::api::{MEDIA_TYPE, Operation};
use self::bounded::Bounded;
use self::recorded::Recorded;
use self::resolved::Resolved;

/// Connections that are kept at most.
const CONNECTIONS: usize = 16;
/// Bytes of a reply whose memory is worth keeping. Read on one thread and let go on another, it
/// would go back to the kernel, which takes long to hand it out again.
const LARGE: usize = 1 << 16;

/// How long the client waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the whole of one request and its reply.
    pub request: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
        }
    }
}

/// A server at an address. Connections are kept and used again.
pub struct HttpRemote {
    line: Line,
    /// Requests that may be under way at a time while the client goes on.
    depth: usize,
    ahead: Ahead,
}

/// Where requests go, and by which connections.
#[derive(Clone)]
struct Line {
    agent: Agent,
    /// Without a slash at its end.
    address: String,
    /// Memory of large replies that are done with.
    spent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl HttpRemote {
    /// A server at `http://host:port`. Nothing is sent yet.
    #[must_use]
    pub fn new(address: &str, patience: Patience) -> Self {
        let connector = Bounded(DefaultConnector::default());
        Self::through(address, patience, connector)
    }

    /// A server whose whole side of each connection is known beforehand: these bytes, and the end.
    ///
    /// Nothing is listened to and nothing is sent. It shows what a client makes of a reply.
    #[must_use]
    pub fn recorded(reply: &[u8]) -> Self {
        let connector = Bounded(Recorded::new(reply));
        // Everything is there: only a machine that stands still could make it late.
        let for_ever = Duration::from_secs(1 << 30);
        let patience = Patience {
            connect: for_ever,
            request: for_ever,
        };
        Self::through("http://127.0.0.1:80", patience, connector)
    }

    fn through(address: &str, patience: Patience, connector: impl Connector) -> Self {
        let config = Agent::config_builder()
            // A refusal is a frame as well. A redirect would send the token to whoever is named.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .timeout_connect(Some(patience.connect))
            .timeout_global(Some(patience.request))
            .build();
        Self {
            line: Line {
                agent: Agent::with_parts(config, connector, Resolved::default()),
                address: address.trim_end_matches('/').to_owned(),
                spent: Arc::default(),
            },
            depth: 0,
            ahead: Ahead::default(),
        }
    }

    /// Lets so many requests be under way while the client goes on: packs are taken as
    /// acknowledged at once, but nothing else is sent before they are; and what the client will
    /// ask for is fetched ahead. Each takes the memory of a pack.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    ///
    /// [`Lost`].
    pub fn send(&self, request: &[u8], reply_max: u64) -> Result<Vec<u8>, Lost> {
        self.line.send(request, reply_max)
    }
}

impl Line {
    fn send(&self, request: &[u8], reply_max: u64) -> Result<Vec<u8>, Lost> {
        let operation = Operation::of_encoded(request).ok_or(Lost::CutOff)?;
        let url = format!("{}{}", self.address, operation.path());
        let call = self.agent.post(url).header(CONTENT_TYPE, MEDIA_TYPE);
        let mut reply = call.send(request).map_err(|error| lost(&error))?;
        let media = reply.headers().get(CONTENT_TYPE);
        if media.is_none_or(|media| media.as_bytes() != MEDIA_TYPE.as_bytes()) {
            return Err(Lost::CutOff);
        }
        // Of such a status there is no body, whatever the headers say; no server of ours sends it.
        if matches!(reply.status().as_u16(), 100..=199 | 204 | 205 | 304) {
            return Err(Lost::CutOff);
        }
        // Before HTTP/1.1 a reply in chunks may be read to the end of its connection.
        if reply.version() != Version::HTTP_11 || !is_framed(reply.headers()) {
            return Err(Lost::CutOff);
        }
        let size = reply.body().content_length();
        if size.is_some_and(|size| size > reply_max) {
            return Err(Lost::TooLarge);
        }
        let memory = match size {
            Some(size) if size >= LARGE as u64 => self.with_spent(Vec::pop),
            _ => None,
        };
        read(
            reply.body_mut(),
            size,
            reply_max,
            memory.unwrap_or_default(),
        )
    }

    fn with_spent<T>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        work(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the body is a frame in no coding, all of it, and says where it ends. One that ends with
/// its connection may have been cut by anybody, and what was cut would look like the server's word.
fn is_framed(headers: &HeaderMap) -> bool {
    let is = |coding: &[u8], one: &[u8]| coding.eq_ignore_ascii_case(one);
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let ends = match (lengths.next(), codings.next()) {
        (Some(length), None) => length.as_bytes().iter().all(u8::is_ascii_digit),
        (None, Some(coding)) => is(coding.as_bytes(), b"chunked"),
        _ => false,
    };
    let once = lengths.next().is_none() && codings.next().is_none();
    let mut contents = headers.get_all(CONTENT_ENCODING).iter();
    let plain = contents.all(|coding| is(coding.as_bytes(), b"identity"));
    ends && once && plain && !headers.contains_key(CONTENT_RANGE)
}

/// Reads a body into memory that is empty and may have room.
fn read(body: &mut Body, size: Option<u64>, max: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, Lost> {
    let mut reader = body.as_reader().take(max.saturating_add(1));
    // A size that was checked, or nothing.
    let expected = usize::try_from(size.unwrap_or(0)).unwrap_or(0);
    bytes.reserve_exact(expected);
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| lost(&error.into()))?;
    let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if got > max {
        return Err(Lost::TooLarge);
    }
    if size.is_some_and(|size| size != got) {
        return Err(Lost::CutOff);
    }
    Ok(bytes)
}

fn lost(error: &ureq::Error) -> Lost {
    match error {
        ureq::Error::Timeout(_) => Lost::Timeout,
        ureq::Error::BodyExceedsLimit(_) => Lost::TooLarge,
        _ => Lost::CutOff,
    }
}

impl Remote for HttpRemote {
    async fn call(&mut self, request: Vec<u8>, reply_max: u64) -> Result<Vec<u8>, Lost> {
        if self.depth == 0 {
            return self.send(&request, reply_max);
        }
        let done = Reply::Done.encode();
        if Operation::of_encoded(&request) == Some(Operation::Store) {
            let line = self.line.clone();
            let call = move || line.send(&request, reply_max);
            return self.ahead.send(self.depth, done, call);
        }
        if let Err(earlier) = self.ahead.settle(&done) {
            return earlier;
        }
        match self.ahead.take(&request) {
            Some(answer) => answer,
            None => self.send(&request, reply_max),
        }
    }

    fn ahead(&mut self, request: Vec<u8>, reply_max: u64) {
        if self.depth == 0 {
            return;
        }
        let line = self.line.clone();
        let begun = request.clone();
        let call = move || line.send(&begun, reply_max);
        self.ahead.fetch(self.depth, request, call);
    }

    fn reuse(&mut self, mut spent: Vec<u8>) {
        if spent.capacity() < LARGE {
            return;
        }
        // A reply is read behind what is there.
        spent.clear();
        let most = self.depth + 1;
        self.line.with_spent(|all| {
            if all.len() < most {
                all.push(spent);
            }
        });
    }
}

impl fmt::Debug for HttpRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRemote")
            .field("address", &self.line.address)
            .finish_non_exhaustive()
    }
}
