//! What no current head reaches goes after its grace and not before, whoever reads meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use turncoat_remote::api::Operation;

use super::between::Between;
use super::faults::user;
use super::files::{awaited, various};
use super::serve::{Device, Server};

/// The longest grace in seconds: nothing goes.
const YEAR: u64 = 31_536_000;

/// How many packs a store has.
fn packs(store: &Path) -> usize {
    let folders = fs::read_dir(store.join("packs")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path());
    folders
        .map(|folder| fs::read_dir(folder).unwrap().count())
        .sum()
}

/// A server that keeps for so many seconds what no head reaches.
fn serve(store: &Path, grace: u64) -> Server {
    Server::start_as(Server::command(store).args(["--grace", &grace.to_string()]))
}

/// A command that waits before one of the times that it asks for content.
struct Waiting {
    child: Child,
    go_on: Sender<()>,
}

impl Waiting {
    fn start(device: &Device, server: &Server, before: usize, words: &[&str]) -> Self {
        let (reached, is_reached) = channel();
        let (go_on, goes_on): (_, Receiver<()>) = channel();
        let mut fetches = 0;
        let between = Between::start(server, move |operation| {
            if operation == Operation::Fetch {
                if fetches == before {
                    reached.send(()).unwrap();
                    // Nobody tells it to where the test is over.
                    let _over = goes_on.recv();
                }
                fetches += 1;
            }
            None
        });
        let mut command = device.command_at(&between.address, words);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        is_reached.recv_timeout(Duration::from_secs(60)).unwrap();
        Self { child, go_on }
    }

    fn goes_on(self) -> Output {
        self.go_on.send(()).unwrap();
        self.child.wait_with_output().unwrap()
    }
}

#[test]
fn what_no_head_reaches_is_kept_for_its_grace_and_no_longer() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let server = serve(&store, YEAR);
    let alice = user(root.path(), &server, "alice");
    let phone = Device::new(root.path(), "alice", "phone");
    let mut film = various(12 << 20);
    let mut put = |server: &Server| {
        let before = film.clone();
        film[5 << 20] ^= 1;
        alice.write("film", &film);
        alice.does(server, &["put", "film"]);
        (before, film.clone())
    };
    put(&server);
    let of_one = packs(&store);
    assert!(of_one > 2, "{of_one} packs");

    // Whoever reads under the head before reads to the end.
    let reading = Waiting::start(&phone, &server, 1, &["get", "film", "-o", "before"]);
    let (before, current) = put(&server);
    assert_eq!(reading.goes_on().status.code(), Some(0));
    assert!(fs::read(phone.folder.join("before")).unwrap() == before);
    assert_eq!(packs(&store), 2 * of_one);

    // The grace begins with the server: the first sweep notes what the second one takes.
    assert_eq!(server.end(Signal::SIGTERM), Some(0));
    let began = Instant::now();
    let server = serve(&store, 3);
    awaited("the grace is over", || packs(&store) < 2 * of_one);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(6), "gone after {waited:?}");
    awaited("all of it is gone", || packs(&store) <= of_one);
    for device in [&alice, &phone] {
        device.does(&server, &["get", "film", "-o", "after", "-f"]);
        assert!(fs::read(device.folder.join("after")).unwrap() == current);
    }
    assert_eq!(packs(&store), of_one);
}

#[test]
fn who_reads_for_longer_than_the_grace_accuses_nobody() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let server = serve(&store, YEAR);
    let alice = user(root.path(), &server, "alice");
    let phone = Device::new(root.path(), "alice", "phone");
    let film = various(12 << 20);
    alice.write("film", &film);
    alice.does(&server, &["put", "film"]);
    let of_one = packs(&store);
    assert!(of_one > 2, "{of_one} packs");
    assert_eq!(server.end(Signal::SIGTERM), Some(0));

    // What it sends now is in one request: an upload has no more time than a reader.
    let server = serve(&store, 1);
    let reading = Waiting::start(&phone, &server, 1, &["get", "film"]);
    alice.write("film", b"short");
    alice.does(&server, &["put", "film"]);
    awaited("the grace is over", || packs(&store) == 1);
    let output = reading.goes_on();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert!(!phone.folder.join("film").exists());
    assert_eq!(phone.does(&server, &["get", "film", "-o", "-"]), "short");
}
