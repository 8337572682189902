//! Whatever a server does to the framing of its replies, the client is back in bounded time with
//! bounded memory, has nothing but whole replies, and has talked to nobody else.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use turncoat_core::id::{Token, UserId};
use turncoat_core::remote::{Lost, Remote as _};
use turncoat_core::wire::{Frame as _, Request, RequestBody};
use turncoat_remote::api::MEDIA_TYPE;
use turncoat_remote::{HttpRemote, Patience};

/// Bytes of a reply that the client may read here.
const REPLY_MAX: u64 = 4096;
/// How long the client waits for all of a reply, longer than any busy machine lets it wait for one
/// that comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same before a server that is slow.
const HURRY: Duration = Duration::from_millis(700);
/// What two sockets of this machine hold between the writer and the reader, generously.
const IN_FLIGHT: u64 = 32 << 20;

/// A server that answers each request by writing whatever a function writes.
struct Hostile {
    address: String,
    requests: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

/// A connection that counts what the other side took.
struct Peer {
    stream: TcpStream,
    written: Arc<AtomicU64>,
}

impl Peer {
    /// False once the client has gone.
    fn say(&mut self, bytes: &[u8]) -> bool {
        let said = self.stream.write_all(bytes).is_ok();
        if said {
            self.written
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        said
    }
}

impl Hostile {
    fn start(answer: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (requests, written) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (counted, counting) = (Arc::clone(&requests), Arc::clone(&written));
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut peer = Peer {
                    stream: stream.unwrap(),
                    written: Arc::clone(&counting),
                };
                let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
                thread::spawn(move || {
                    while read(&mut peer.stream) {
                        counted.fetch_add(1, Ordering::Relaxed);
                        answer(&mut peer);
                    }
                });
            }
        });
        Self {
            address,
            requests,
            written,
        }
    }

    fn remote(&self, request: Duration) -> HttpRemote {
        let patience = Patience {
            connect: PATIENCE,
            request,
        };
        HttpRemote::new(&self.address, patience)
    }

    /// What the client has of one reply.
    fn asked(&self) -> Result<Vec<u8>, Lost> {
        self.asked_within(PATIENCE)
    }

    fn asked_within(&self, patience: Duration) -> Result<Vec<u8>, Lost> {
        let reply = self.remote(patience).send(&lookup(), REPLY_MAX);
        let written = self.written.load(Ordering::Relaxed);
        assert!(written < IN_FLIGHT, "the client took {written} bytes");
        reply
    }
}

fn lookup() -> Vec<u8> {
    let token = Token([3; 32]);
    let user = UserId([2; 32]);
    let body = RequestBody::Lookup { user };
    Request { token, body }.encode()
}

/// Reads one request, and nothing of the next.
fn read(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return false;
        }
        head.push(byte[0]);
    }
    let mut body = vec![0; lookup().len()];
    stream.read_exact(&mut body).is_ok()
}

fn head(more: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {MEDIA_TYPE}\r\n{more}")
}

/// A whole reply, and then whatever comes after it.
fn says(reply: impl Into<Vec<u8>>) -> Hostile {
    let reply = reply.into();
    Hostile::start(move |peer| {
        peer.say(&reply);
        let _ = peer.stream.shutdown(std::net::Shutdown::Both);
    })
}

#[test]
fn a_whole_reply_is_what_it_is() {
    let cases = [
        head("Content-Length: 5\r\n\r\nframe"),
        head("Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nframe"),
        head("Transfer-Encoding: chunked\r\n\r\n2\r\nfr\r\n3\r\name\r\n0\r\n\r\n"),
        head("Content-Length: 5\r\n\r\nframe").replace("200 OK", "404 Not Found"),
    ];
    for reply in cases {
        assert_eq!(
            says(reply.clone()).asked(),
            Ok(b"frame".to_vec()),
            "{reply}"
        );
    }
}

#[test]
fn a_reply_in_another_framing_is_no_reply() {
    let cases = [
        ("short", head("Content-Length: 6\r\n\r\nframe")),
        ("nothing", head("Content-Length: 6\r\n\r\n")),
        ("half a head", head("Content-Len")),
        ("no head", String::new()),
        ("no end", head("\r\nframe")),
        (
            "an end in two ways",
            head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nframe\r\n0\r\n\r\n"),
        ),
        ("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n".to_owned()),
        (
            "two lengths",
            head("Content-Length: 5\r\nContent-Length: 3\r\n\r\nframe"),
        ),
        ("no length", head("Content-Length: -5\r\n\r\nframe")),
        (
            "a short chunk",
            head("Transfer-Encoding: chunked\r\n\r\n9\r\nframe\r\n0\r\n\r\n"),
        ),
        (
            "a long chunk",
            head("Transfer-Encoding: chunked\r\n\r\n3\r\nframe\r\n0\r\n\r\n"),
        ),
        (
            "no chunk",
            head("Transfer-Encoding: chunked\r\n\r\nxyz\r\nframe\r\n0\r\n\r\n"),
        ),
        (
            "no last chunk",
            head("Transfer-Encoding: chunked\r\n\r\n5\r\nframe\r\n"),
        ),
        (
            "compressed",
            head("Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nframe"),
        ),
        (
            "compressed often",
            head("Content-Encoding: gzip, gzip, gzip\r\nContent-Length: 5\r\n\r\nframe"),
        ),
        (
            "compressed on the way",
            head("Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nframe\r\n0\r\n\r\n"),
        ),
        (
            "another medium",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nframe"
                .to_owned(),
        ),
        (
            "part of it",
            head("Content-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nframe")
                .replace("200 OK", "206 Partial Content"),
        ),
    ];
    for (name, reply) in cases {
        assert_eq!(says(reply).asked(), Err(Lost::CutOff), "{name}");
    }
}

#[test]
fn endless_replies_are_left_at_the_limit() {
    let endless = |start: String, piece: Vec<u8>| {
        Hostile::start(move |peer| {
            let mut going = peer.say(start.as_bytes());
            while going && peer.written.load(Ordering::Relaxed) < 2 * IN_FLIGHT {
                going = peer.say(&piece);
            }
        })
    };
    let block = vec![b'x'; 64 << 10];
    let chunk = [b"10000\r\n", &block[..], b"\r\n"].concat();
    let huge = head("Content-Length: 18446744073709551615\r\n\r\n");
    let too_large = [
        ("a huge length", endless(huge, block.clone())),
        (
            "chunks",
            endless(head("Transfer-Encoding: chunked\r\n\r\n"), chunk),
        ),
    ];
    for (name, server) in too_large {
        assert_eq!(server.asked(), Err(Lost::TooLarge), "{name}");
    }
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100);
    let last = head("Transfer-Encoding: chunked\r\n\r\n5\r\nframe\r\n0\r\n");
    let lost = [
        ("no length", endless(head("\r\n"), block.clone())),
        ("headers", endless(head(""), b"X-A: b\r\n".repeat(1000))),
        ("a header", endless(head("X-A: "), block.clone())),
        ("hints", endless(String::new(), hints)),
        ("trailers", endless(last, b"X-A: b\r\n".repeat(1000))),
        (
            "a chunk's line",
            endless(head("Transfer-Encoding: chunked\r\n\r\n5;"), block),
        ),
    ];
    for (name, server) in lost {
        let reply = server.asked();
        let is_lost = matches!(reply, Err(Lost::CutOff | Lost::TooLarge));
        assert!(is_lost, "{name}: {reply:?}");
    }
}

#[test]
fn slow_replies_are_left_in_time() {
    let drips = |whole: String| {
        Hostile::start(move |peer| {
            for byte in whole.as_bytes() {
                if !peer.say(&[*byte]) {
                    return;
                }
                thread::sleep(Duration::from_millis(60));
            }
        })
    };
    let body = "x".repeat(100);
    let whole = head(&format!("Content-Length: 100\r\n\r\n{body}"));
    let stalls = |start: String| {
        Hostile::start(move |peer| {
            peer.say(start.as_bytes());
            thread::sleep(Duration::from_secs(20));
        })
    };
    let cases = [
        ("it drips", drips(whole)),
        ("it says nothing", stalls(String::new())),
        ("it stops in its head", stalls(head("Content-"))),
        (
            "it stops in its body",
            stalls(head("Content-Length: 9\r\n\r\nframe")),
        ),
        (
            "it stops in a chunk",
            stalls(head("Transfer-Encoding: chunked\r\n\r\n9\r\nframe")),
        ),
    ];
    for (name, server) in cases {
        // Who waits for the server's end instead finds that it cut the reply off.
        assert_eq!(server.asked_within(HURRY), Err(Lost::Timeout), "{name}");
    }
}

#[test]
fn nobody_is_asked_but_the_server_and_once_each_time() {
    let other = says(head("Content-Length: 5\r\n\r\nother"));
    for status in ["301", "302", "303", "307", "308"] {
        for target in [
            &*other.address,
            "file:///etc/passwd",
            "//127.0.0.1:1/",
            "/again",
        ] {
            let reply = format!(
                "HTTP/1.1 {status} Elsewhere\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            );
            let server = says(reply);
            assert_eq!(server.asked(), Err(Lost::CutOff), "{status} to {target}");
            assert_eq!(server.requests.load(Ordering::Relaxed), 1, "{status}");
        }
    }
    assert_eq!(other.requests.load(Ordering::Relaxed), 0);
    // A request whose reply is lost may have taken effect: only the caller may send it again.
    let silent = says("");
    assert_eq!(silent.asked(), Err(Lost::CutOff));
    assert_eq!(silent.requests.load(Ordering::Relaxed), 1);
}

#[test]
fn what_follows_a_reply_is_not_the_next_one() {
    let first = head("Content-Length: 5\r\n\r\nframe");
    let planted = head("Content-Length: 7\r\n\r\nplanted");
    let said = [first.as_bytes(), planted.as_bytes()].concat();
    let late = planted.clone();
    let cases = [
        (
            "at once",
            Hostile::start(move |peer| {
                peer.say(&said);
            }),
        ),
        (
            "a little later",
            Hostile::start(move |peer| {
                peer.say(first.as_bytes());
                thread::sleep(Duration::from_millis(100));
                peer.say(late.as_bytes());
            }),
        ),
    ];
    for (name, server) in cases {
        let remote = server.remote(PATIENCE);
        for _ in 0..3 {
            let reply = remote.send(&lookup(), REPLY_MAX);
            assert_ne!(reply, Ok(b"planted".to_vec()), "{name}");
            thread::sleep(Duration::from_millis(250));
        }
    }
}

#[test]
fn memory_of_an_earlier_reply_holds_nothing_of_it() {
    const LARGE: usize = 100 << 10;
    let asked = AtomicU64::new(0);
    // A large reply; a shorter one; and one that is cut.
    let server = Hostile::start(move |peer| {
        let (said, size, byte) = match asked.fetch_add(1, Ordering::Relaxed) {
            0 => (LARGE, LARGE, b'a'),
            1 => (LARGE - 9999, LARGE - 9999, b'b'),
            _ => (LARGE, LARGE - 1, b'c'),
        };
        let length = head(&format!("Content-Length: {said}\r\n\r\n"));
        peer.say(length.as_bytes());
        peer.say(&vec![byte; size]);
        if said > size {
            let _ = peer.stream.shutdown(std::net::Shutdown::Both);
        }
    });
    let mut remote = server.remote(PATIENCE);
    let mut ask = |spent| {
        remote.reuse(spent);
        remote.send(&lookup(), 2 * LARGE as u64)
    };
    let first = ask(Vec::new()).unwrap();
    assert_eq!(first, vec![b'a'; LARGE]);
    let place = first.as_ptr();
    let second = ask(first).unwrap();
    assert_eq!(second, vec![b'b'; LARGE - 9999]);
    assert_eq!(second.as_ptr(), place, "the memory is used again");
    assert_eq!(ask(second), Err(Lost::CutOff));
}
