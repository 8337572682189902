//! What came over a connection, read once more: requests to the front, and a reply to a client.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::HttpLimits;
use super::message::{Channel, Connection, Message};
use super::route;
use crate::front::kv;
use turncoat_core::id::{Token, UserId};
use turncoat_core::remote::Lost;
use turncoat_core::wire::{Frame as _, Request, RequestBody};
use turncoat_remote::HttpRemote;

/// Headers of a reply at most.
const HEADERS_MAX: usize = 128;

/// A connection of which one side is known and the other is nobody's.
struct Recorded<'a>(&'a [u8]);

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Recorded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Channel for Recorded<'_> {
    fn limit_reads(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) {}

    fn is_open(&mut self) -> bool {
        !self.0.is_empty()
    }
}

/// The requests of the key-value front that came over a connection, whatever their base URL.
///
/// # Panics
///
/// If a message, written in the plainest way, would be another one.
#[must_use]
pub fn requests(bytes: &[u8]) -> Vec<kv::Request> {
    let mut requests = Vec::new();
    let mut connection = Connection::new(Recorded(bytes), HttpLimits::default().bounds);
    while let Ok(message) = connection.read() {
        let plain = plain(&message);
        let mut again = Connection::new(Recorded(&plain), HttpLimits::default().bounds);
        assert_eq!(again.read().as_ref(), Ok(&message));
        let rest = route::split(&message.target).map(|(_, rest)| rest);
        let request = rest.and_then(|rest| route::request(&message, rest));
        requests.extend(request.ok());
        if message.last {
            break;
        }
    }
    requests
}

/// The message with its length stated and nothing else in its head than what is read.
fn plain(message: &Message) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", message.method, message.target).into_bytes();
    for (name, value) in [
        ("if-match", &message.if_match),
        ("if-none-match", &message.if_none_match),
    ] {
        if let Some(value) = value {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
    }
    if message.last {
        bytes.extend(b"connection: close\r\n");
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", message.body.len()).bytes());
    bytes.extend(&message.body);
    bytes
}

/// Bytes of a body that a client reads here.
const REPLY_MAX: u64 = 1 << 16;

/// What a client has of these bytes, if they are all that comes in reply to a request.
///
/// # Errors
///
/// [`Lost`] if it has no whole reply.
///
/// # Panics
///
/// If the client has a reply that another reading of the same bytes does not find.
pub fn reply(bytes: &[u8]) -> Result<Vec<u8>, Lost> {
    let user = UserId([0; 32]);
    let request = Request {
        token: Token([0; 32]),
        body: RequestBody::Lookup { user },
    };
    let reply = HttpRemote::recorded(bytes).send(&request.encode(), REPLY_MAX);
    match &reply {
        Ok(reply) => {
            assert!(reply.len() as u64 <= REPLY_MAX);
            assert_eq!(whole_reply(bytes).as_ref(), Some(reply));
        }
        Err(lost) => assert!(*lost != Lost::Timeout, "nobody waits here"),
    }
    reply
}

/// The body of a reply that says where it ends and has all of it, by a reading of its own.
fn whole_reply(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut reply = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = reply.parse(bytes).ok()? else {
        return None;
    };
    let rest = bytes.get(used..)?;
    if let Some(100..200) = reply.code {
        // An interim answer: the answer itself follows.
        return whole_reply(rest);
    }
    let value = |name: &str| {
        let mut found = reply.headers.iter();
        found
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    match value("content-length") {
        Some(length) => {
            let length = std::str::from_utf8(length).ok()?.parse().ok()?;
            rest.get(..length).map(<[u8]>::to_vec)
        }
        None => chunks(rest),
    }
}

/// The body that chunks make, if there is a last one.
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = chunk_size(rest.get(..end)?)?;
        rest = rest.get(end.checked_add(2)?..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// The size in a chunk's line.
///
/// RFC 9112, section 7.1, has digits alone before the extensions. The client's library takes white
/// space and a plus sign around them as well. Whoever can say such a line can say any body and have
/// it read, and no other request shares the connection: so it is read here too.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let size = line.split(|byte| *byte == b';').next()?;
    usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{reply, whole_reply};

    fn chunked(lines: &str) -> Vec<u8> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.turncoat.frame\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        [head, lines].concat().into_bytes()
    }

    #[test]
    fn chunks_are_read_as_the_client_reads_them() {
        let cases = [
            ("5\r\nframe\r\n0\r\n\r\n", Some("frame")),
            ("5;a=b\r\nframe\r\n0;c\r\n\r\n", Some("frame")),
            (" +5\t\r\nframe\r\n\n0\r\n\r\n", Some("frame")),
            ("3\r\nfra\r\n2\r\nme\r\n00\r\n\r\n", Some("frame")),
            ("0\r\n\r\n", Some("")),
            ("6\r\nframe\r\n0\r\n\r\n", None),
            ("-5\r\nframe\r\n0\r\n\r\n", None),
            ("5\r\nframe", None),
            ("5\nframe\n0\n\n", None),
            ("\r\n", None),
        ];
        for (lines, expected) in cases {
            let bytes = chunked(lines);
            let expected = expected.map(|body| body.as_bytes().to_vec());
            assert_eq!(reply(&bytes).ok(), expected, "{lines:?}");
            assert_eq!(whole_reply(&bytes), expected, "{lines:?}");
        }
    }
}
