//! Writes a reply in a frame that no honest server uses.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::message::{Channel, Connection};
use crate::framing::Framing;

/// What has no end ends here all the same: beyond whatever a client may read, within memory.
const ENDLESS: usize = 64 << 20;
/// How long a connection is left open on which nothing more is said.
const OPEN_TIME: Duration = Duration::from_secs(60);
/// Between two looks at whether anybody still waits, and between two bytes of what drips.
const PAUSE: Duration = Duration::from_millis(50);

/// A reply as an honest server writes it, and where it can be had as well.
pub(super) struct Framed<'a> {
    /// Status line and headers, but those that frame the body.
    pub(super) head: &'a str,
    pub(super) frame: &'a [u8],
    /// A path that answers with the frame, and one that leads to itself.
    pub(super) elsewhere: &'a str,
    pub(super) circle: &'a str,
}

/// Writes it. Returns whether the server goes on with the connection, which it ends otherwise.
pub(super) fn write<C: Channel>(
    connection: &mut Connection<C>,
    framing: Framing,
    ended: &AtomicBool,
    reply: &Framed<'_>,
) -> io::Result<bool> {
    let Framed { head, frame, .. } = reply;
    let whole = measured(head, frame.len(), frame);
    let half = whole.len() / 2;
    match framing {
        Framing::Short => connection.write_raw(&measured(head, frame.len() + 1, frame))?,
        Framing::Followed => {
            connection.write_raw(&[whole.clone(), whole].concat())?;
            return Ok(true);
        }
        Framing::Silent => wait(connection, ended),
        Framing::Stalled => {
            connection.write_raw(&whole[..half])?;
            wait(connection, ended);
        }
        Framing::Dripped => drip(connection, ended, &whole)?,
        Framing::Endless => {
            connection.write_raw(format!("{head}{CHUNKED}\r\n").as_bytes())?;
            let piece = [b"10000\r\n".as_slice(), &[0; 0x1_0000], b"\r\n"].concat();
            without_end(connection, &piece)?;
        }
        Framing::Redirected => {
            connection.write_raw(&moved(reply.elsewhere))?;
            return Ok(true);
        }
        Framing::Circled => {
            connection.write_raw(&moved(reply.circle))?;
            return Ok(true);
        }
        Framing::Coded => {
            let codings = "Content-Encoding: gzip\r\n".repeat(50);
            let head = format!("{head}{codings}");
            connection.write_raw(&measured(&head, frame.len(), frame))?;
            return Ok(true);
        }
        Framing::Headed => {
            let headers: String = (0..100_000).map(|n| format!("X-{n}: {n}\r\n")).collect();
            let head = format!("{head}{headers}");
            connection.write_raw(&measured(&head, frame.len(), frame))?;
        }
        Framing::Hinted => {
            without_end(connection, b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")?;
        }
        Framing::Trailed => {
            let size = format!("{head}{CHUNKED}\r\n{:x}\r\n", frame.len());
            connection.write_raw(&[size.as_bytes(), frame, b"\r\n0\r\n"].concat())?;
            without_end(connection, b"X-Trailer: and one more\r\n")?;
        }
        Framing::Unchunked => {
            let size = format!("{head}{CHUNKED}\r\nno length\r\n");
            connection.write_raw(&[size.as_bytes(), frame, b"\r\n0\r\n\r\n"].concat())?;
        }
        Framing::Measured => {
            let head = format!("{head}Content-Length: {}\r\n", frame.len() + 1);
            connection.write_raw(&measured(&head, frame.len(), frame))?;
        }
        Framing::Unmeasured => {
            let head = format!("{head}Connection: close\r\n\r\n");
            connection.write_raw(&[head.as_bytes(), frame].concat())?;
        }
        Framing::Paged => {
            let page = b"<html><h1>Please log in to the network</h1></html>";
            let head = "HTTP/1.1 200 -\r\nContent-Type: text/html\r\n";
            connection.write_raw(&measured(head, page.len(), page))?;
            return Ok(true);
        }
        Framing::Misnumbered => {
            let rest = head.split_once("\r\n").map_or("", |(_, rest)| rest);
            let head = format!("HTTP/1.1 404 -\r\n{rest}");
            connection.write_raw(&measured(&head, frame.len(), frame))?;
            return Ok(true);
        }
    }
    Ok(false)
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// A reply that says how long its body is.
pub(super) fn measured(head: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("{head}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A reply that is elsewhere.
pub(super) fn moved(path: &str) -> Vec<u8> {
    measured(&format!("HTTP/1.1 307 -\r\nLocation: {path}\r\n"), 0, b"")
}

fn wait<C: Channel>(connection: &mut Connection<C>, ended: &AtomicBool) {
    let began = Instant::now();
    while began.elapsed() < OPEN_TIME && !ended.load(Ordering::SeqCst) && connection.is_open() {
        sleep(PAUSE);
    }
}

fn drip<C: Channel>(
    connection: &mut Connection<C>,
    ended: &AtomicBool,
    whole: &[u8],
) -> io::Result<()> {
    let began = Instant::now();
    for byte in whole.chunks(1) {
        if began.elapsed() > OPEN_TIME || ended.load(Ordering::SeqCst) || !connection.is_open() {
            break;
        }
        connection.write_raw(byte)?;
        sleep(PAUSE);
    }
    Ok(())
}

fn without_end<C: Channel>(connection: &mut Connection<C>, piece: &[u8]) -> io::Result<()> {
    let many = piece.repeat((64_usize << 10).div_ceil(piece.len()));
    let mut written = 0;
    while written < ENDLESS {
        connection.write_raw(&many)?;
        written += many.len();
    }
    Ok(())
}
