//! The native front over loopback HTTP: each frame comes under the path of the API that is its own,
//! behind a number that says who sends it.
//!
//! What is answered is decided elsewhere; here it is only carried.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use turncoat_core::wire::{Frame as _, Refusal, Reply};
use turncoat_remote::api::{MEDIA_TYPE, Operation, refusal, status};

use super::framed::{self, Framed, measured};
use super::listen::{Listener, lock};
use super::message::{Bounds, Connection, Message, Stop};
use crate::codec::Bytes;
use crate::driver::Shown;
use crate::framing::Framing;

/// What requests may cost. Those who send them here are under test, and no strangers.
const BOUNDS: Bounds = Bounds {
    head_max: 16 << 10,
    body_max: 32 << 20,
    request_time: Duration::from_secs(60),
};

/// Connections open at one time.
const CONNECTIONS_MAX: usize = 1024;

/// A frame that arrived whole, and the connection that waits for its answer.
#[derive(Debug)]
pub struct Arrived {
    /// The frame.
    pub frame: Vec<u8>,
    answer: SyncSender<Answer>,
}

/// The answer to a frame; without bytes, the connection ends without one.
type Answer = Shown;

impl Arrived {
    /// Has the answer written. Unanswered, the connection ends without a byte.
    pub(crate) fn answer(self, answer: Answer) {
        // A connection that has gone meanwhile gets nothing.
        let _gone = self.answer.try_send(answer);
    }
}

/// Where the frames of one sender go.
type Sink = Box<dyn Fn(Arrived) + Send>;

/// The server. Its clones are one server; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct FrameServer(Arc<Inner>);

struct Inner {
    listener: Listener,
    doors: Arc<Doors>,
    count: AtomicU64,
    answered: Arc<AtomicU64>,
}

type Doors = Mutex<Open>;

#[derive(Default)]
struct Open {
    sinks: BTreeMap<u64, Sink>,
    /// What a client was last told to look for elsewhere.
    elsewhere: Option<Bytes>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inner")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// An address that stands for one sender, until it is dropped.
#[derive(Debug)]
pub struct Door {
    server: FrameServer,
    number: u64,
}

impl FrameServer {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    ///
    /// The machine has no free port or no thread for it.
    pub fn open() -> io::Result<Self> {
        let doors = Arc::new(Doors::default());
        let inside = Arc::clone(&doors);
        let answered = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&answered);
        let serve = move |stream, ended: &AtomicBool| serve(stream, ended, &inside, &counted);
        Ok(Self(Arc::new(Inner {
            listener: Listener::open(BOUNDS, CONNECTIONS_MAX, serve)?,
            doors,
            count: AtomicU64::new(0),
            answered,
        })))
    }

    /// How many frames were answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// Makes an address whose frames go to `sink`.
    #[must_use]
    pub fn door(&self, sink: impl Fn(Arrived) + Send + 'static) -> Door {
        let number = self.0.count.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.doors).sinks.insert(number, Box::new(sink));
        Door {
            server: self.clone(),
            number,
        }
    }
}

impl Door {
    /// The server's address, as a client takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "http://{}/{}",
            self.server.0.listener.address(),
            self.number
        )
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        lock(&self.server.0.doors).sinks.remove(&self.number);
    }
}

fn serve(stream: TcpStream, ended: &AtomicBool, doors: &Doors, answered: &AtomicU64) {
    let mut connection = Connection::new(stream, BOUNDS);
    while !ended.load(Ordering::SeqCst) {
        let (answer, last) = match connection.read() {
            Ok(message) => (ask(&message, doors), message.last),
            Err(Stop::Refused(..)) => (refused(Refusal::Invalid), true),
            Err(Stop::Closed) => break,
        };
        let Some(frame) = answer.bytes else {
            break;
        };
        answered.fetch_add(1, Ordering::Relaxed);
        let written = match answer.framing {
            None => connection.write_raw(&whole(&frame)).map(|()| true),
            Some(framing) => in_frame(&mut connection, framing, ended, doors, &frame),
        };
        if last || !matches!(written, Ok(true)) {
            break;
        }
    }
    connection.end();
}

fn refused(refusal: Refusal) -> Answer {
    Shown {
        bytes: Some(Bytes::from(Reply::Refused(refusal).encode())),
        framing: None,
    }
}

/// Where a redirected client finds what it was promised, and where it finds itself again.
const ELSEWHERE: &str = "/elsewhere";
const CIRCLE: &str = "/circle";

fn in_frame(
    connection: &mut Connection<TcpStream>,
    framing: Framing,
    ended: &AtomicBool,
    doors: &Doors,
    frame: &Bytes,
) -> io::Result<bool> {
    if framing == Framing::Redirected {
        lock(doors).elsewhere = Some(frame.clone());
    }
    let reply = Framed {
        head: &head(frame),
        frame,
        elsewhere: ELSEWHERE,
        circle: CIRCLE,
    };
    framed::write(connection, framing, ended, &reply)
}

/// Hands the frame of a message to its sender's sink, and waits for the answer.
fn ask(message: &Message, doors: &Doors) -> Answer {
    let here = |framing: Option<Framing>, bytes| Shown { bytes, framing };
    match message.target.as_str() {
        ELSEWHERE => return here(None, lock(doors).elsewhere.clone()),
        CIRCLE => return here(Some(Framing::Circled), Some(Bytes::from(Vec::new()))),
        _ => {}
    }
    let numbered = message.target.strip_prefix('/');
    let split = numbered.and_then(|rest| rest.split_at_checked(rest.find('/')?));
    let Some((number, path)) = split else {
        return refused(Refusal::NotFound);
    };
    let right = Operation::of_encoded(&message.body).map(Operation::path) == Some(path);
    if message.method != "POST" || !right {
        return refused(Refusal::Invalid);
    }
    let (answer, waiting) = sync_channel(1);
    {
        let doors = lock(doors);
        let Some(sink) = number
            .parse()
            .ok()
            .and_then(|number: u64| doors.sinks.get(&number))
        else {
            return refused(Refusal::NotFound);
        };
        sink(Arrived {
            frame: message.body.clone(),
            answer,
        });
    }
    // Nobody answers whose process has ended.
    waiting.recv().unwrap_or_default()
}

/// A reply in full, as the server's API says it.
fn whole(frame: &[u8]) -> Vec<u8> {
    measured(&head(frame), frame.len(), frame)
}

fn head(frame: &[u8]) -> String {
    let status = status(refusal(frame));
    format!("HTTP/1.1 {status} -\r\nContent-Type: {MEDIA_TYPE}\r\n")
}

#[cfg(test)]
mod tests {
    use turncoat_core::id::{Token, UserId};
    use turncoat_core::remote::Lost;
    use turncoat_core::wire::{Frame as _, Refusal, Reply, Request, RequestBody};
    use turncoat_remote::{HttpRemote, Patience};

    use super::{FrameServer, Shown};
    use crate::codec::Bytes;
    use crate::framing::Framing;

    fn lookup() -> Vec<u8> {
        let user = UserId([2; 32]);
        let token = Token([3; 32]);
        let body = RequestBody::Lookup { user };
        Request { token, body }.encode()
    }

    #[test]
    fn frames_go_to_their_senders_sink_and_answers_come_back() {
        let server = FrameServer::open().unwrap();
        let refusal = Reply::Refused(Refusal::NotFound).encode();
        let answers = [
            (Some(refusal.clone()), Ok(refusal)),
            (Some(b"no frame".to_vec()), Ok(b"no frame".to_vec())),
            (Some(vec![7; 101]), Err(Lost::TooLarge)),
            (None, Err(Lost::CutOff)),
        ];
        let doors = answers.map(|(answer, seen)| {
            let door = server.door(move |arrived| {
                assert_eq!(arrived.frame, lookup());
                let bytes = answer.clone().map(Bytes::from);
                arrived.answer(Shown {
                    bytes,
                    framing: None,
                });
            });
            (door, seen)
        });
        for (door, seen) in &doors {
            let remote = HttpRemote::new(&door.url(), Patience::default());
            for _ in 0..2 {
                assert_eq!(remote.send(&lookup(), 100), *seen);
            }
        }
        assert_eq!(server.answered(), 6);
    }

    #[test]
    fn a_client_has_of_every_frame_what_it_must_have() {
        let server = FrameServer::open().unwrap();
        let refusal = Reply::Refused(Refusal::NotFound).encode();
        let patience = Patience {
            request: std::time::Duration::from_secs(2),
            ..Patience::default()
        };
        for framing in Framing::names().filter_map(Framing::parse) {
            let bytes = Bytes::from(refusal.clone());
            let framed = std::sync::atomic::AtomicBool::new(true);
            let door = server.door(move |arrived| {
                let first = framed.swap(false, std::sync::atomic::Ordering::SeqCst);
                arrived.answer(Shown {
                    bytes: Some(bytes.clone()),
                    framing: Some(framing).filter(|_| first),
                });
            });
            let remote = HttpRemote::new(&door.url(), patience);
            let seen = framing.lost().map_or(Ok(refusal.clone()), Err);
            assert_eq!(remote.send(&lookup(), 100), seen, "{framing:?}");
            assert_eq!(
                remote.send(&lookup(), 100),
                Ok(refusal.clone()),
                "after {framing:?}"
            );
        }
    }

    #[test]
    fn a_sender_who_is_gone_is_refused() {
        let server = FrameServer::open().unwrap();
        let door = server.door(|arrived| drop(arrived.frame));
        let remote = HttpRemote::new(&door.url(), Patience::default());
        drop(door);
        let refused = Reply::Refused(Refusal::NotFound).encode();
        assert_eq!(remote.send(&lookup(), 100), Ok(refused));
    }
}
