//! The server over real sockets and a real disk, with the real client.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use turncoat_adversary::chooser::DeviceEntropy;
use turncoat_adversary::client::DeviceName;
use turncoat_adversary::honest::native::Settings;
use turncoat_adversary::pool;
use turncoat_core::env::Clock;
use turncoat_core::id::Realm;
use turncoat_core::remote::{Unusable, Vault};
use turncoat_core::wire::{Frame as _, Pack, Refusal, Reply, Request, RequestBody};
use turncoat_core::{Config, Error, Limits, Password, Ports, Session, Unavailable, danger};
use turncoat_remote::api::{MEDIA_TYPE, Operation};
use turncoat_remote::{HttpRemote, Patience};
use turncoat_server::http::{Bounds, serve};
use turncoat_server::service::Service;
use turncoat_server::store::{Durable, NoStore};

const ITERATIONS: u32 = 1_000;

/// A server of this test's own, which stops with it.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(folder: &Path, bounds: Bounds) -> Self {
        let store = Durable::open(folder).expect("the folder is free");
        let settings = Settings {
            secret: [7; 32],
            lifetime: [1; 32],
            iterations: ITERATIONS,
            limits: Limits::standard(),
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let writer = move |line: &str| lines.lock().expect("no writer died").push(line.to_owned());
        let service = Arc::new(Service::new(settings, store, Box::new(writer)));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("the machine has threads");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a port is free");
                tell.send(listener.local_addr().expect("it is bound"))
                    .expect("the test waits");
                let until = async {
                    let _ = stopped.await;
                };
                serve(listener, service, bounds, until)
                    .await
                    .expect("the listener holds");
            });
        });
        Self {
            address: told.recv().expect("the server starts"),
            stop: Some(stop),
            thread: Some(thread),
            log,
        }
    }

    fn remote(&self) -> HttpRemote {
        HttpRemote::new(&format!("http://{}", self.address), Patience::default())
    }

    fn ask(&self, body: RequestBody) -> Reply {
        let token = turncoat_core::id::Token([0; 32]);
        let request = Request { token, body }.encode();
        let reply = self.remote().send(&request, 1 << 20).expect("an answer");
        Reply::decode(&reply).expect("a frame")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in order");
        }
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Option<Vec<u8>>>>);

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.lock().expect("one thread").clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        *self.0.lock().expect("one thread") = Some(state);
        Ok(())
    }
}

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

/// The client waits nowhere but in its doors, and these block.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("no door of this test waits"),
    }
}

type Device = Session<HttpRemote, Memory, DeviceEntropy, Still>;

fn ports(
    server: &Server,
    memory: &Memory,
    life: u32,
) -> Ports<HttpRemote, Memory, DeviceEntropy, Still> {
    let device = DeviceName::new("alice".to_owned(), "first".to_owned());
    Ports {
        remote: server.remote(),
        vault: memory.clone(),
        entropy: DeviceEntropy::new(1, &device, life),
        clock: Still,
    }
}

fn config() -> Config {
    Config {
        realm: Realm([7; 32]),
        policy: danger::policy(ITERATIONS, 10_000_000),
        limits: Limits::standard(),
    }
}

fn sign_up(server: &Server, memory: &Memory, name: &str, number: usize) -> Device {
    let pooled = &pool::identities()[number];
    let identity = danger::identity(
        (&pooled.encryption.p, &pooled.encryption.q),
        (&pooled.signing.p, &pooled.signing.q),
    );
    let identity = identity.expect("the pool holds keys of suite 1");
    let ports = ports(server, memory, 0);
    let password = Password::new(b"a password");
    let session = danger::sign_up(ports, config(), name.as_bytes(), &password, identity);
    now(session).expect("an honest server takes a new user")
}

fn login(server: &Server, memory: &Memory, life: u32, password: &[u8]) -> Result<Device, Error> {
    let ports = ports(server, memory, life);
    now(Session::login(
        ports,
        config(),
        b"alice",
        &Password::new(password),
    ))
}

#[test]
fn what_is_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Memory::default();
    let content: Vec<u8> = (0..9_000_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[..1].to_vec())
        .collect();
    {
        let server = Server::start(folder.path(), Bounds::default());
        let mut alice = sign_up(&server, &memory, "alice", 0);
        now(alice.upload_all(b"film", &content)).expect("it is stored");
        now(alice.upload_all(b"notes", b"version 1")).expect("it is stored");
    }
    let server = Server::start(folder.path(), Bounds::default());
    let mut alice = login(&server, &memory, 1, b"a password").expect("the account is there");
    assert!(now(alice.download_all(b"film")).expect("it is there").0 == content);
    now(alice.append(b"notes", b", and more")).expect("it is stored");
    let notes = now(alice.download_all(b"notes")).expect("it is there").0;
    assert_eq!(notes, b"version 1, and more");
}

#[test]
fn requests_that_are_under_way_together_come_to_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Memory::default();
    let server = Server::start(folder.path(), Bounds::default());
    let content: Vec<u8> = (0..30_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    drop(sign_up(&server, &memory, "alice", 0));
    let mut ports = ports(&server, &memory, 1);
    ports.remote = ports.remote.with_depth(4);
    let password = Password::new(b"a password");
    let alice = now(Session::login(ports, config(), b"alice", &password));
    let mut alice = alice.expect("the account is there");
    now(alice.upload_all(b"film", &content)).expect("it is stored");
    let small: Vec<Vec<u8>> = (0..300_u16).map(|n| n.to_be_bytes().to_vec()).collect();
    let files: Vec<(&[u8], &[u8])> = small.iter().map(|n| (n.as_slice(), &n[..])).collect();
    now(alice.upload_many(&files)).expect("they are stored");
    assert!(now(alice.download_all(b"film")).expect("it is there").0 == content);
    let mut came = Vec::new();
    let names: Vec<&[u8]> = small.iter().map(Vec::as_slice).collect();
    let many = now(alice.download_many(&names, |_, content| came.push(content)));
    assert!(many.expect("all is in order").rest.is_empty());
    assert_eq!(came, small);
}

#[test]
fn a_pack_that_was_not_taken_is_no_upload() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Memory::default();
    let mut alice = {
        let server = Server::start(folder.path(), Bounds::default());
        drop(sign_up(&server, &memory, "alice", 0));
        let mut ports = ports(&server, &memory, 1);
        ports.remote = ports.remote.with_depth(4);
        let password = Password::new(b"a password");
        let alice = now(Session::login(ports, config(), b"alice", &password));
        alice.expect("the account is there")
    };
    // The server is gone, and every pack is taken for sent until something else is asked.
    let stored = now(alice.upload_all(b"film", &vec![1; 10_000_000]));
    assert!(matches!(stored, Err(Error::Unavailable(_))), "{stored:?}");
    drop(alice);
    let server = Server::start(folder.path(), Bounds::default());
    let mut alice = login(&server, &memory, 2, b"a password").expect("the account is there");
    assert_eq!(
        now(alice.list()).expect("a list").names,
        Vec::<Vec<u8>>::new()
    );
}

#[test]
fn a_server_that_sweeps_all_the_time_serves_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds {
        grace: Duration::from_millis(2),
        ..Bounds::default()
    };
    let server = Server::start(folder.path(), bounds);
    let (ended, ends) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (server, ended) = (&server, ended.clone());
            scope.spawn(move || {
                let name = format!("user {number}");
                let mut user = sign_up(server, &Memory::default(), &name, number);
                for version in 0..20_u8 {
                    now(user.upload_all(b"notes", &[version; 100])).expect("it is stored");
                }
                let read = now(user.download_all(b"notes")).expect("it is there").0;
                assert_eq!(read, [19; 100]);
                let _waits = ended.send(());
            });
        }
        for _ in 0..3 {
            // Who waits for each other waits for ever; nothing else takes so long.
            let ended = ends.recv_timeout(Duration::from_secs(300));
            if ended.is_err() {
                std::process::abort();
            }
        }
    });
    let log = server.log.lock().expect("no writer died").join("\n");
    assert!(
        log.contains("swept: ") && !log.contains("not swept"),
        "{log}"
    );
}

#[test]
fn what_a_server_did_not_write_to_its_end_is_gone_with_the_next() {
    let folder = tempfile::tempdir().expect("there is room");
    drop(Durable::open(folder.path()).expect("the folder is free"));
    let below = folder.path().join("packs/ab");
    std::fs::create_dir(&below).expect("there is room");
    for name in ["abcd", "abce.partial"] {
        std::fs::write(below.join(name), b"a part").expect("there is room");
    }
    drop(Durable::open(folder.path()).expect("the folder is free"));
    let left = std::fs::read_dir(below).expect("it is there");
    let left: Vec<_> = left
        .map(|entry| entry.expect("it is there").file_name())
        .collect();
    assert_eq!(left, ["abcd"]);
}

#[test]
fn one_store_has_one_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let _server = Server::start(folder.path(), Bounds::default());
    assert!(matches!(Durable::open(folder.path()), Err(NoStore::InUse)));
}

#[test]
fn a_guesser_is_slowed_down_and_the_owner_is_not_locked_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), Bounds::default());
    let memory = Memory::default();
    drop(sign_up(&server, &memory, "alice", 0));
    let began = Instant::now();
    for life in 1..=4 {
        let wrong = login(&server, &Memory::default(), life, b"a guess");
        assert!(wrong.is_err());
    }
    // 100, 200 and 400 ms before the second, third and fourth.
    assert!(began.elapsed() >= Duration::from_millis(700));
    login(&server, &memory, 9, b"a password").expect("the owner comes in");
    let log = server.log.lock().expect("no writer died").join("\n");
    assert_eq!(log.lines().count(), 4, "{log}");
    assert!(
        log.lines()
            .all(|line| line == "refused 401 /v1/sessions: unauthenticated")
    );
}

#[test]
fn a_stranger_can_neither_read_nor_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), Bounds::default());
    let pack = Pack {
        id: turncoat_core::id::PackId([1; 16]),
        bytes: turncoat_core::wire::Blob(vec![1; 100]),
    };
    for body in [
        RequestBody::Store { pack },
        RequestBody::Read { views: Vec::new() },
        RequestBody::Fetch { ranges: Vec::new() },
        RequestBody::Inbox {
            sender: turncoat_core::id::UserId([7; 32]),
            space: None,
            before: None,
            count: 9,
        },
    ] {
        assert_eq!(server.ask(body), Reply::Refused(Refusal::Unauthenticated));
    }
}

fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    stream.write_all(request).expect("it reads");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_is_no_request_is_refused_with_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), Bounds::default());
    let first = |request: &str| {
        let request = request.replace("@", "HTTP/1.1\r\nHost: x\r\nConnection: close");
        let answer = raw(&server, request.as_bytes());
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        first("GET /v1/spaces/read @\r\n\r\n"),
        "HTTP/1.1 405 Method Not Allowed"
    );
    assert_eq!(
        first("POST /etc/passwd @\r\nContent-Length: 0\r\n\r\n"),
        "HTTP/1.1 404 Not Found"
    );
    assert_eq!(
        first("POST /v1/packs @\r\nContent-Length: 3\r\n\r\nTCx"),
        "HTTP/1.1 400 Bad Request"
    );
    assert_eq!(
        first("POST /v1/packs @\r\nContent-Length: 99999999\r\n\r\n"),
        "HTTP/1.1 413 Payload Too Large"
    );
    let log = server.log.lock().expect("no writer died");
    assert_eq!(log.len(), 4, "{log:?}");
    assert!(log.iter().all(|line| !line.contains("passwd")));
}

#[test]
fn a_frame_on_another_path_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), Bounds::default());
    let body = RequestBody::Read { views: Vec::new() };
    let token = turncoat_core::id::Token([0; 32]);
    let frame = Request { token, body }.encode();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n\
         Content-Length: {size}\r\n\r\n",
        path = Operation::Lookup.path(),
        size = frame.len()
    )
    .into_bytes();
    request.extend(frame);
    assert!(raw(&server, &request).starts_with("HTTP/1.1 400"));
}

/// Clients that send half of a request and wait, and one that sends nothing.
fn slow_clients(server: &Server) -> Vec<TcpStream> {
    let start = b"POST /v1/packs HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf";
    let connect = || TcpStream::connect(server.address).expect("it listens");
    let mut slow: Vec<TcpStream> = (0..4).map(|_| connect()).collect();
    for stream in &mut slow {
        stream.write_all(start).expect("it reads");
    }
    slow.push(connect());
    slow
}

#[test]
fn a_slow_client_stops_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds {
        requests: 2,
        // Longer than any client waits.
        header_time: Duration::from_secs(600),
        request_time: Duration::from_secs(600),
        stop_time: Duration::ZERO,
        ..Bounds::default()
    };
    let server = Server::start(folder.path(), bounds);
    let slow = slow_clients(&server);
    let mut alice = sign_up(&server, &Memory::default(), "alice", 0);
    now(alice.upload_all(b"notes", b"text")).expect("it is stored");
    drop(slow);
}

#[test]
fn a_slow_client_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = Bounds {
        header_time: Duration::from_secs(1),
        request_time: Duration::from_secs(1),
        ..Bounds::default()
    };
    let server = Server::start(folder.path(), bounds);
    for mut stream in slow_clients(&server) {
        let wait = Some(Duration::from_secs(60));
        stream.set_read_timeout(wait).expect("a time");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server ends it");
    }
}

#[test]
fn a_server_that_is_not_there_accuses_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Memory::default();
    let server = Server::start(folder.path(), Bounds::default());
    let mut alice = sign_up(&server, &memory, "alice", 0);
    drop(server);
    let gone = now(alice.upload_all(b"notes", b"text"));
    assert!(
        matches!(gone, Err(Error::Unavailable(Unavailable::CutOff))),
        "{gone:?}"
    );
}
