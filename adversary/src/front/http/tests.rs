//! Holds the front to its promises over real connections.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use turncoat_core::remote::Lost;

use super::{Bounds, HttpFront, HttpLimits};
use crate::client::DeviceName;
use crate::front::kv::{self, Condition, Reply, Request};

/// A key-value store that does what it is told, and remembers who asked for what.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) objects: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) public: BTreeMap<String, Vec<u8>>,
    pub(crate) asked: Vec<(DeviceName, Request)>,
}

impl Shelf {
    pub(crate) fn answer(&mut self, who: &DeviceName, request: Request) -> Reply {
        self.asked.push((who.clone(), request.clone()));
        let found = |bytes: Option<&Vec<u8>>| match bytes {
            Some(bytes) => Reply::Found {
                bytes: bytes.clone(),
                tag: kv::tag(bytes),
            },
            None => Reply::Absent,
        };
        let may = |old: Option<&Vec<u8>>, condition| match condition {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Matches { tag } => old.is_some_and(|old| kv::tag(old) == tag),
        };
        match request {
            Request::Get { id } => found(self.objects.get(&id)),
            Request::GetPublic { user } => found(self.public.get(&user)),
            Request::Put {
                id,
                bytes,
                condition,
            } => {
                if !may(self.objects.get(&id), condition) {
                    return Reply::Conflict;
                }
                self.objects.insert(id, bytes);
                Reply::Done
            }
            Request::Delete { id, condition } => match self.objects.get(&id) {
                None => Reply::Absent,
                old if !may(old, condition) => Reply::Conflict,
                Some(_) => {
                    self.objects.remove(&id);
                    Reply::Done
                }
            },
            Request::PutPublic { user, bytes } => {
                self.public.insert(user, bytes);
                Reply::Done
            }
        }
    }
}

/// Small sizes, and more time and connections than any test here needs on a busy machine: a
/// connection counts until its thread has ended, which is after its client has seen the end.
fn limits() -> HttpLimits {
    HttpLimits {
        bounds: Bounds {
            head_max: 2048,
            body_max: 5000,
            request_time: Duration::from_secs(30),
        },
        connections_max: 64,
        answer_time: Duration::from_secs(30),
    }
}

/// For the tests that wait until a request's time is over.
fn hurried() -> HttpLimits {
    let mut limits = limits();
    limits.bounds.request_time = Duration::from_millis(400);
    limits.answer_time = Duration::from_millis(400);
    limits
}

struct World {
    front: HttpFront,
    shelf: Arc<Mutex<Shelf>>,
    path: String,
}

/// A front whose requests are answered at once.
fn world() -> World {
    world_with(limits())
}

fn world_with(limits: HttpLimits) -> World {
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let inside = Arc::clone(&shelf);
    let front = HttpFront::open(limits, move |asked| {
        let lost = matches!(&asked.request, Request::Get { id } if id == b"lost");
        let reply = inside
            .lock()
            .unwrap()
            .answer(&asked.who, asked.request.clone());
        asked.answer(if lost { Err(Lost::CutOff) } else { Ok(reply) });
        true
    })
    .unwrap();
    let path = path_of(&front, "alice");
    World { front, shelf, path }
}

fn path_of(front: &HttpFront, user: &str) -> String {
    let url = front.base_url(&DeviceName::first(user)).unwrap();
    let authority = format!("http://{}", front.listener.address());
    url.strip_prefix(&authority)
        .expect("the URL leads to the front")
        .to_owned()
}

impl World {
    /// Sends bytes on a new connection and reads until its end.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.front.listener.address()).unwrap();
        let _the_front_may_stop_reading = stream.write_all(bytes);
        let mut reply = Vec::new();
        let _a_reset_is_an_end = stream.read_to_end(&mut reply);
        String::from_utf8(reply).unwrap()
    }

    /// Sends one request; returns status and body.
    fn ask(&self, line: &str, headers: &str, body: &str) -> (u16, String) {
        let (method, name) = line.split_once(' ').unwrap();
        let reply = self.raw(
            format!(
                "{method} {}/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Content-Length: {}\r\n{headers}\r\n{body}",
                self.path,
                body.len(),
            )
            .as_bytes(),
        );
        split(&reply)
    }
}

fn split(reply: &str) -> (u16, String) {
    let (head, body) = reply.split_once("\r\n\r\n").expect("a reply has a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn objects_are_put_got_and_deleted() {
    let world = world();
    assert_eq!(world.ask("GET obj/a", "", "").0, 404);
    assert_eq!(world.ask("PUT obj/a", "", "one").0, 204);
    assert_eq!(world.ask("GET obj/a", "", ""), (200, "one".to_owned()));
    assert_eq!(world.ask("DELETE obj/a", "", "").0, 204);
    assert_eq!(world.ask("DELETE obj/a", "", "").0, 404);
    assert_eq!(world.ask("PUT pub/bob", "", "key").0, 204);
    assert_eq!(world.ask("GET pub/bob", "", ""), (200, "key".to_owned()));
}

#[test]
fn conditions_hold_or_refuse() {
    let world = world();
    let matches = |bytes: &[u8]| {
        let tag = kv::tag(bytes)
            .iter()
            .map(|one| format!("{one:02x}"))
            .collect::<String>();
        format!("If-Match: \"{tag}\"\r\n")
    };
    assert_eq!(world.ask("PUT obj/a", "If-None-Match: *\r\n", "one").0, 204);
    assert_eq!(world.ask("PUT obj/a", "If-None-Match: *\r\n", "two").0, 412);
    assert_eq!(world.ask("PUT obj/a", &matches(b"two"), "three").0, 412);
    assert_eq!(world.ask("PUT obj/a", &matches(b"one"), "four").0, 204);
    assert_eq!(world.ask("DELETE obj/a", &matches(b"one"), "").0, 412);
    assert_eq!(
        world.ask("PUT obj/a", "If-Match: \"v1\"\r\n", "five").0,
        412
    );
    assert_eq!(
        world
            .ask("PUT obj/a", "If-None-Match: \"v1\"\r\n", "five")
            .0,
        400
    );
    assert_eq!(world.ask("GET obj/a", "", ""), (200, "four".to_owned()));
}

#[test]
fn a_version_has_the_tag_that_if_match_takes() {
    let world = world();
    let bytes = format!(
        "PUT {0}/obj/a HTTP/1.1\r\nContent-Length: 3\r\n\r\none\
         GET {0}/obj/a HTTP/1.1\r\nConnection: close\r\n\r\n",
        world.path
    );
    let replies = world.raw(bytes.as_bytes());
    let tag: String = kv::tag(b"one")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        replies.matches(&format!("ETag: \"{tag}\"\r\n")).count(),
        2,
        "{replies}"
    );
    assert!(replies.ends_with("\r\n\r\none"), "{replies}");
}

#[test]
fn the_base_url_tells_who_asks() {
    let world = world();
    let bobs = path_of(&world.front, "bob");
    world.ask("GET obj/a", "", "");
    world.raw(format!("GET {bobs}/obj/b HTTP/1.0\r\n\r\n").as_bytes());
    let asked = std::mem::take(&mut world.shelf.lock().unwrap().asked);
    let expected = [("alice", b"a"), ("bob", b"b")]
        .map(|(user, id)| (DeviceName::first(user), Request::Get { id: id.to_vec() }));
    assert_eq!(asked, expected);
}

#[test]
fn strangers_and_forgotten_devices_are_refused() {
    let world = world();
    for target in ["/", "/obj/a", "/d/0123/obj/a", "/d//obj/a"] {
        let reply = world.raw(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(split(&reply).0, 403, "{target}");
    }
    world.front.forget(&DeviceName::first("alice"));
    assert_eq!(world.ask("GET obj/a", "", "").0, 403);
    assert!(
        world.shelf.lock().unwrap().asked.is_empty(),
        "a stranger reached the store"
    );
}

#[test]
fn names_are_percent_decoded_and_keep_their_slashes() {
    let world = world();
    world.ask("PUT obj/bob%2Fa%20%ff/b", "", "x");
    let shelf = world.shelf.lock().unwrap();
    assert_eq!(shelf.objects.keys().next().unwrap(), b"bob/a \xff/b");
}

#[test]
fn what_is_no_request_of_ours_is_refused() {
    let world = world();
    for (line, status) in [
        ("GET obj/", 400),
        ("GET obj", 400),
        ("GET obj/%", 400),
        ("GET obj/%4", 400),
        ("GET obj/%zz", 400),
        ("GET objects/a", 400),
        ("PUT pub/%ff", 400),
        ("POST obj/a", 405),
        ("DELETE pub/bob", 405),
    ] {
        assert_eq!(world.ask(line, "", "").0, status, "{line}");
    }
    assert!(
        world.shelf.lock().unwrap().asked.is_empty(),
        "a refused request reached the store"
    );
}

#[test]
fn a_body_in_chunks_arrives_whole() {
    let world = world();
    let head = format!("PUT {}/obj/a HTTP/1.1\r\nConnection: close\r\n", world.path);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let good = format!("{chunked}3;x=y\r\none\r\nA\r\n0123456789\r\n0\r\n\r\n");
    assert_eq!(split(&world.raw(good.as_bytes())).0, 204);
    assert_eq!(world.ask("GET obj/a", "", "").1, "one0123456789");
    for bad in [
        "z\r\n",
        "+3\r\none\r\n",
        "3\r\nonetwo\r\n",
        "0\r\nTrailer: x\r\n\r\n",
    ] {
        let reply = world.raw(format!("{chunked}{bad}").as_bytes());
        assert_eq!(split(&reply).0, 400, "{bad:?}");
    }
    let reply = world.raw(format!("{chunked}FFFFFFFFFFFFFFF\r\n").as_bytes());
    assert_eq!(split(&reply).0, 413);
}

#[test]
fn a_sender_that_asks_first_is_told_to_go_on() {
    let world = world();
    let (status, rest) = world.ask("PUT obj/a", "Expect: 100-continue\r\n", "one");
    assert_eq!((status, &rest[..12]), (100, "HTTP/1.1 204"));
    let large = "x".repeat(5001);
    assert_eq!(
        world.ask("PUT obj/a", "Expect: 100-continue\r\n", &large).0,
        413
    );
}

#[test]
fn what_is_too_large_is_refused_and_not_stored() {
    let world = world();
    assert_eq!(world.ask("PUT obj/a", "", &"x".repeat(5000)).0, 204);
    assert_eq!(world.ask("PUT obj/b", "", &"x".repeat(5001)).0, 413);
    let endless = format!("X: {}\r\n", "x".repeat(4000));
    assert_eq!(world.ask("PUT obj/c", &endless, "").0, 431);
    assert_eq!(world.ask("PUT obj/d", &"A: b\r\n".repeat(70), "").0, 431);
    let head = format!("PUT {}/obj/e HTTP/1.1\r\n", world.path);
    for (length, status) in [("18446744073709551615", 413), ("99999999999999999999", 413)] {
        let reply = world.raw(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes());
        assert_eq!(split(&reply).0, status, "{length}");
    }
    assert_eq!(world.shelf.lock().unwrap().objects.len(), 1);
}

#[test]
fn two_framings_of_one_body_are_refused() {
    let world = world();
    let head = format!("PUT {}/obj/a HTTP/1.1\r\n", world.path);
    for headers in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
    ] {
        let reply = world.raw(format!("{head}{headers}\r\nxx").as_bytes());
        assert_eq!(split(&reply).0, 400, "{headers:?}");
    }
}

#[test]
fn a_lost_reply_ends_the_connection_without_a_byte() {
    let world = world();
    let request = format!("GET {}/obj/lost HTTP/1.1\r\n\r\n", world.path);
    assert_eq!(world.raw(request.as_bytes()), "");
}

#[test]
fn a_request_that_drips_is_ended() {
    let world = world_with(hurried());
    let mut stream = TcpStream::connect(world.front.listener.address()).unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(600) {
        let _ended = stream.write_all(b"G");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut reply = String::new();
    let _a_reset_is_an_end = stream.read_to_string(&mut reply);
    assert!(reply.is_empty() || split(&reply).0 == 408, "{reply}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_connection_too_many_is_told_so() {
    let world = world_with(HttpLimits {
        connections_max: 4,
        ..limits()
    });
    let held: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(world.front.listener.address()).unwrap();
            let request = format!("GET {}/obj/a HTTP/1.1\r\n\r\n", world.path);
            stream.write_all(request.as_bytes()).unwrap();
            let mut first = [0];
            stream.read_exact(&mut first).unwrap();
            stream
        })
        .collect();
    assert_eq!(world.ask("GET obj/a", "", "").0, 503);
    drop(held);
    let started = Instant::now();
    let mut status = 503;
    while status == 503 && started.elapsed() < Duration::from_secs(60) {
        status = world.ask("GET obj/a", "", "").0;
    }
    assert_eq!(status, 404);
}

#[test]
fn a_request_that_nobody_answers_is_told_so() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let inside = Arc::clone(&kept);
    let front = HttpFront::open(hurried(), move |asked| {
        inside.lock().unwrap().push(asked);
        true
    })
    .unwrap();
    let path = path_of(&front, "alice");
    let world = World {
        front,
        shelf: Arc::default(),
        path,
    };
    assert_eq!(world.ask("GET obj/a", "", "").0, 503);
}

#[test]
fn the_end_of_the_front_ends_its_connections() {
    let world = world();
    let mut stream = TcpStream::connect(world.front.listener.address()).unwrap();
    let request = format!("GET {}/obj/a HTTP/1.1\r\n\r\n", world.path);
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
    let address = world.front.listener.address();
    drop(world);
    let mut rest = Vec::new();
    let _a_reset_is_an_end = stream.read_to_end(&mut rest);
    assert!(
        TcpStream::connect(address).is_err(),
        "somebody listens still"
    );
}
