//! Reads one HTTP/1.1 request within stated bounds, and writes one reply.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How many bytes are read from a connection at once.
const READ_SIZE: usize = 16 * 1024;

/// How long, and for how many reads, the end of a connection waits for the other side's.
const LINGER_TIME: Duration = Duration::from_millis(500);
const LINGER_READS: usize = 64;

/// How many header lines one request may have.
const HEADERS_MAX: usize = 64;

/// How long a chunk-size line or a trailer section may be.
const CHUNK_LINE_MAX: usize = 256;

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of request line and headers.
    pub head_max: usize,
    /// Bytes of the body.
    pub body_max: usize,
    /// Time from a request's first byte to its last one.
    pub request_time: Duration,
}

/// A two-way stream whose reads can be limited in time.
pub(super) trait Channel: Read + Write {
    /// Sets how long a read may wait; `None` waits for as long as the connection lives.
    fn limit_reads(&mut self, time: Option<Duration>) -> io::Result<()>;

    /// Whether the other side may still read.
    fn is_open(&mut self) -> bool;

    /// Ends both directions.
    fn end(&mut self);
}

impl Channel for TcpStream {
    fn limit_reads(&mut self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)
    }

    fn is_open(&mut self) -> bool {
        let looked = self
            .set_nonblocking(true)
            .and_then(|()| self.peek(&mut [0]));
        let restored = self.set_nonblocking(false);
        restored.is_ok()
            && match looked {
                Ok(count) => count > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
    }

    fn end(&mut self) {
        // Unread bytes would turn the end into a reset, and the reply before it would be lost.
        let _already_ended = self.shutdown(Shutdown::Write);
        let _already_ended = self.set_read_timeout(Some(LINGER_TIME));
        let mut piece = [0; READ_SIZE];
        for _ in 0..LINGER_READS {
            if !matches!(Read::read(self, &mut piece), Ok(1..)) {
                break;
            }
        }
        let _already_ended = self.shutdown(Shutdown::Both);
    }
}

/// One request as it stood on the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) body: Vec<u8>,
    /// Whether the sender ends the connection after this request.
    pub(super) last: bool,
}

/// Why no request could be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The connection ended between two requests, or in the middle of one.
    Closed,
    /// The request is refused with this status, and the connection ends.
    Refused(u16, &'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Refused(408, "request too slow"),
            _ => Self::Closed,
        }
    }
}

/// A connection and the bytes of it that are read but not used.
#[derive(Debug)]
pub(super) struct Connection<C> {
    channel: C,
    unread: Vec<u8>,
    bounds: Bounds,
    deadline: Option<Instant>,
}

/// What the headers say about the body.
struct Framing {
    length: Option<usize>,
    chunked: bool,
    asks_first: bool,
}

impl<C: Channel> Connection<C> {
    pub(super) fn new(channel: C, bounds: Bounds) -> Self {
        Self {
            channel,
            unread: Vec::new(),
            bounds,
            deadline: None,
        }
    }

    /// Reads the next request.
    pub(super) fn read(&mut self) -> Result<Message, Stop> {
        self.deadline = None;
        if self.unread.is_empty() {
            self.channel.limit_reads(None)?;
            self.fill()?;
        }
        self.channel.limit_reads(Some(self.bounds.request_time))?;
        self.deadline = Instant::now().checked_add(self.bounds.request_time);
        let (mut message, framing) = self.read_head()?;
        if framing
            .length
            .is_some_and(|length| length > self.bounds.body_max)
        {
            return Err(Stop::Refused(413, "body too large"));
        }
        if framing.asks_first {
            self.channel.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.channel.flush()?;
        }
        message.body = if framing.chunked {
            self.read_chunks()?
        } else {
            self.take(framing.length.unwrap_or(0))?
        };
        Ok(message)
    }

    fn read_head(&mut self) -> Result<(Message, Framing), Stop> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut headers);
            let used = match request.parse(&self.unread) {
                Ok(httparse::Status::Complete(used)) => used,
                Ok(httparse::Status::Partial) if self.unread.len() < self.bounds.head_max => {
                    self.fill()?;
                    continue;
                }
                Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                    return Err(Stop::Refused(431, "headers too large"));
                }
                Err(_) => return Err(Stop::Refused(400, "not an HTTP/1.1 request")),
            };
            if used > self.bounds.head_max {
                return Err(Stop::Refused(431, "headers too large"));
            }
            let read = (message(&request), framing(&request)?);
            self.unread.drain(..used);
            return Ok(read);
        }
    }

    /// Takes exactly `length` bytes, which the caller has compared with its bound.
    fn take(&mut self, length: usize) -> Result<Vec<u8>, Stop> {
        while self.unread.len() < length {
            self.fill()?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            // `from_str_radix` takes a sign, which a chunk size has not.
            let is_hexadecimal = size.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = usize::from_str_radix(size, 16)
                .ok()
                .filter(|_| is_hexadecimal)
                .ok_or(Stop::Refused(400, "bad chunk size"))?;
            if size > self.bounds.body_max.saturating_sub(body.len()) {
                return Err(Stop::Refused(413, "body too large"));
            }
            if size == 0 {
                // Trailers are not read: a request that has some is not one of ours.
                return match self.take_line()?.as_str() {
                    "" => Ok(body),
                    _ => Err(Stop::Refused(400, "trailers are not taken")),
                };
            }
            body.append(&mut self.take(size)?);
            if !self.take_line()?.is_empty() {
                return Err(Stop::Refused(400, "chunk longer than stated"));
            }
        }
    }

    fn take_line(&mut self) -> Result<String, Stop> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end)?;
                self.take(2)?;
                return String::from_utf8(line).map_err(|_| Stop::Refused(400, "bad chunk line"));
            }
            if self.unread.len() > CHUNK_LINE_MAX {
                return Err(Stop::Refused(400, "chunk line too long"));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Stop> {
        let mut piece = [0; READ_SIZE];
        let count = self.channel.read(&mut piece)?;
        if count == 0 {
            return Err(Stop::Closed);
        }
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            return Err(Stop::Refused(408, "request too slow"));
        }
        self.unread
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Whether the other side may still read.
    pub(super) fn is_open(&mut self) -> bool {
        self.channel.is_open()
    }

    /// Ends both directions.
    pub(super) fn end(&mut self) {
        self.channel.end();
    }

    /// Writes bytes as they are.
    pub(super) fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.write_all(bytes)?;
        self.channel.flush()
    }

    /// Writes one reply with its length stated.
    pub(super) fn write(&mut self, reply: &Reply) -> io::Result<()> {
        self.channel.write_all(&reply.encode())?;
        self.channel.flush()
    }
}

fn header<'h>(request: &httparse::Request<'h, '_>, name: &str) -> Option<&'h [u8]> {
    request
        .headers
        .iter()
        .find(|one| one.name.eq_ignore_ascii_case(name))
        .map(|one| one.value)
}

fn text(request: &httparse::Request<'_, '_>, name: &str) -> Option<String> {
    header(request, name).map(|value| String::from_utf8_lossy(value).trim().to_owned())
}

fn message(request: &httparse::Request<'_, '_>) -> Message {
    let connection = text(request, "connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let kept = if request.version == Some(0) {
        connection.contains("keep-alive")
    } else {
        !connection.contains("close")
    };
    Message {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        if_match: text(request, "if-match"),
        if_none_match: text(request, "if-none-match"),
        body: Vec::new(),
        last: !kept,
    }
}

fn framing(request: &httparse::Request<'_, '_>) -> Result<Framing, Stop> {
    let coding = text(request, "transfer-encoding");
    let length = text(request, "content-length");
    let counted = |name: &str| {
        request
            .headers
            .iter()
            .filter(|one| one.name.eq_ignore_ascii_case(name))
            .count()
    };
    // Two framings of one body are read differently by different readers.
    if counted("content-length") + counted("transfer-encoding") > 1 {
        return Err(Stop::Refused(400, "two framings"));
    }
    if coding
        .as_deref()
        .is_some_and(|coding| !coding.eq_ignore_ascii_case("chunked"))
    {
        return Err(Stop::Refused(501, "only the chunked coding is taken"));
    }
    let length = match length {
        None => None,
        Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => Some(
            length
                .parse()
                .map_err(|_| Stop::Refused(413, "body too large"))?,
        ),
        Some(_) => return Err(Stop::Refused(400, "bad content length")),
    };
    let asks_first =
        text(request, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    Ok(Framing {
        length,
        chunked: coding.is_some(),
        asks_first,
    })
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) tag: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) last: bool,
}

impl Reply {
    /// A reply whose body is a sentence for a person.
    pub(super) fn plain(status: u16, sentence: &str) -> Self {
        Self {
            status,
            tag: None,
            body: sentence.as_bytes().to_vec(),
            last: false,
        }
    }

    /// The same reply as the last one of its connection.
    pub(super) fn closing(mut self) -> Self {
        self.last = true;
        self
    }

    fn encode(&self) -> Vec<u8> {
        let has_body = !matches!(self.status, 100..=199 | 204 | 304);
        let reason = match self.status {
            200 => "OK",
            201 => "Created",
            204 => "No Content",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            _ => "Service Unavailable",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        if let Some(tag) = &self.tag {
            head.push_str(&format!("ETag: \"{tag}\"\r\n"));
        }
        // A reply without content has no length either.
        if has_body {
            head.push_str("Content-Type: application/octet-stream\r\n");
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str(if self.last {
            "Connection: close\r\n\r\n"
        } else {
            "\r\n"
        });
        let mut bytes = head.into_bytes();
        if has_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}
