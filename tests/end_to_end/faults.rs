//! Networks that cut, delay and repeat, and disks without room, under real processes.

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::between::message;
use super::files::{found, size_of};
use super::serve::{Device, Server};

/// What a network does to one exchange of a request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Half of the request arrives, and the connection ends.
    HalfRequest,
    /// The request arrives, and the connection ends before the reply.
    NoReply,
    /// The request arrives, and the connection ends within the reply.
    HalfReply,
    /// The request arrives twice, and the second reply comes back.
    Twice,
    /// Both ways take their time, in pieces.
    Slow,
    /// The client is killed, and the request never arrives.
    KilledBefore,
    /// The request is answered, and the client is killed before the reply.
    KilledAfter,
}

/// A network between a client and the server, for as long as the test runs.
pub(super) struct Network {
    pub(super) address: String,
    exchanges: Arc<AtomicUsize>,
    /// Takes the client that is to be killed.
    pub(super) victim: Sender<Pid>,
}

impl Network {
    /// `at` counts exchanges from zero; without it, all of them suffer.
    pub(super) fn before(server: &Server, fault: Fault, at: Option<usize>) -> Self {
        let far = server.address.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let exchanges = Arc::new(AtomicUsize::new(0));
        let (victim, condemned) = channel();
        let trouble = Arc::new(Trouble {
            fault,
            at,
            exchanges: Arc::clone(&exchanges),
            condemned: Mutex::new(condemned),
        });
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(&far).unwrap());
                let trouble = Arc::clone(&trouble);
                // A connection that ends in the middle is what this is for.
                std::thread::spawn(move || {
                    let _ended = serve(&near, &far, &trouble);
                    let _ended = near.shutdown(Shutdown::Both);
                });
            }
        });
        Self {
            address,
            exchanges,
            victim,
        }
    }

    pub(super) fn reached(&self, at: usize) -> bool {
        self.exchanges.load(Ordering::SeqCst) > at
    }
}

/// What a network does, and when.
struct Trouble {
    fault: Fault,
    at: Option<usize>,
    exchanges: Arc<AtomicUsize>,
    condemned: Mutex<Receiver<Pid>>,
}

impl Trouble {
    /// Kills the client, and returns once nothing of it reads or writes any more.
    fn kill(&self, mut near: &TcpStream) -> io::Result<()> {
        let victim = self.condemned.lock().unwrap().recv().unwrap();
        kill(victim, Signal::SIGKILL).unwrap();
        io::copy(&mut near, &mut io::sink()).map(drop)
    }
}

fn serve(mut near: &TcpStream, mut far: &TcpStream, trouble: &Trouble) -> io::Result<()> {
    let (mut requests, mut replies) = (BufReader::new(near), BufReader::new(far));
    loop {
        let (request, _) = message(&mut requests)?;
        let number = trouble.exchanges.fetch_add(1, Ordering::SeqCst);
        let felt = trouble.at.is_none() || trouble.at == Some(number);
        let fault = felt.then_some(trouble.fault);
        match fault {
            Some(Fault::KilledBefore) => return trouble.kill(near),
            Some(Fault::HalfRequest) => return far.write_all(&request[..request.len() / 2]),
            Some(Fault::Slow) => drip(far, &request)?,
            _ => far.write_all(&request)?,
        }
        let (mut reply, _) = message(&mut replies)?;
        match fault {
            Some(Fault::NoReply) => return Ok(()),
            Some(Fault::KilledAfter) => return trouble.kill(near),
            Some(Fault::HalfReply) => return near.write_all(&reply[..reply.len() / 2]),
            Some(Fault::Slow) => {
                drip(near, &reply)?;
                continue;
            }
            Some(Fault::Twice) => {
                far.write_all(&request)?;
                (reply, _) = message(&mut replies)?;
            }
            _ => {}
        }
        near.write_all(&reply)?;
    }
}

/// Sends a message in eight pieces.
fn drip(mut to: &TcpStream, message: &[u8]) -> io::Result<()> {
    for piece in message.chunks(message.len().div_ceil(8)) {
        std::thread::sleep(Duration::from_millis(5));
        to.write_all(piece)?;
    }
    Ok(())
}

/// The status of a command over a network, and what it said.
fn over(device: &Device, network: &Network, words: &[&str]) -> (i32, String) {
    let output = device.command_at(&network.address, words).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), errors)
}

pub(super) fn user(root: &Path, server: &Server, name: &'static str) -> Device {
    let device = Device::new(root, name, "laptop");
    device.does(server, &["sign-up"]);
    device
}

#[test]
fn an_append_over_a_network_that_cuts_or_repeats_is_made_once_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    let mut log = "begin".to_owned();
    alice.write("log", log.as_bytes());
    alice.does(&server, &["put", "log"]);
    for fault in [
        Fault::HalfRequest,
        Fault::NoReply,
        Fault::HalfReply,
        Fault::Twice,
        Fault::Slow,
    ] {
        let mut cut = 0;
        for at in 0.. {
            let once = (fault != Fault::Twice && fault != Fault::Slow).then_some(at);
            let network = Network::before(&server, fault, once);
            let more = format!(", {fault:?} {at}");
            alice.write("more", more.as_bytes());
            let (status, errors) = over(&alice, &network, &["append", "log", "more"]);
            let stored = alice.does(&server, &["get", "log", "-o", "-"]);
            let made = stored == format!("{log}{more}");
            match status {
                0 => assert!(made, "{more} is lost: {stored}"),
                7 if network.reached(at) && once.is_some() => {
                    assert!(made || stored == log, "{stored}");
                    // Whoever tried again without a look could have it there twice.
                    let warned = errors.contains("may have been done all the same");
                    assert!(warned || !made, "{errors}");
                }
                other => panic!("{other} after {more}: {errors}"),
            }
            log = stored;
            cut += usize::from(status == 7);
            if once.is_none() || !network.reached(at) {
                assert!(network.reached(0), "nothing came over the network");
                assert!(cut > 0 || once.is_none(), "{fault:?} was never felt");
                break;
            }
        }
    }
}

#[test]
fn sharing_over_a_network_that_cuts_can_be_repeated_until_it_is_done() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    let bob = user(root.path(), &server, "bob");
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    for (at, fault) in (0..).flat_map(|at| [(at, Fault::HalfRequest), (at, Fault::NoReply)]) {
        let mut reached = false;
        // What a command did is the same whether it was cut and repeated or not.
        let mut until_done = |device: &Device, words: &[&str]| {
            let network = Network::before(&server, fault, Some(at));
            let (status, errors) = over(device, &network, words);
            let felt = network.reached(at);
            assert!(
                status == 0 || (status == 7 && felt),
                "{words:?} {at}: {errors}"
            );
            reached |= felt;
            if status == 7 {
                let again = device.run(&server, words);
                let errors = String::from_utf8_lossy(&again.stderr);
                // Or it had been done, and there is nothing to do any more.
                let done = again.status.code() == Some(2)
                    && [
                        "already",
                        "received before",
                        "not shared with",
                        "no file named",
                    ]
                    .iter()
                    .any(|said| errors.contains(said));
                assert!(done || again.status.success(), "{words:?} {at}: {errors}");
            }
        };
        until_done(&alice, &["share", "plan", "bob"]);
        until_done(&bob, &["receive", "alice", "plan"]);
        assert_eq!(bob.does(&server, &["get", "plan", "-o", "-"]), "plan A");
        until_done(&alice, &["revoke", "plan", "bob"]);
        bob.fails(&server, &["get", "plan", "-o", "-"], 7);
        until_done(&bob, &["rm", "plan"]);
        assert_eq!(bob.does(&server, &["ls"]), "");
        if !reached {
            assert!(at > 4, "a share is more than {at} exchanges");
            break;
        }
    }
}

/// The command on a disk that has room for `kib` KiB in any one file, and no more.
fn without_room(command: &Command, kib: u32) -> Command {
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\""])
        .arg(kib.to_string())
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

#[test]
fn a_client_without_room_says_so_and_keeps_what_there_was() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    alice.write("film", &vec![7; 12 << 20]);
    alice.does(&server, &["put", "film"]);
    alice.write("film", b"what was there");
    for words in [
        &["get", "-f", "film"] as &[&str],
        &["get", "film", "-o", "new"],
    ] {
        let output = without_room(&alice.command(&server, words), 1024)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{errors}");
        assert!(
            errors.contains("large") || errors.contains("room"),
            "{errors}"
        );
    }
    let kept = fs::read(alice.folder.join("film")).unwrap();
    assert_eq!(kept, b"what was there");
    assert!(!alice.folder.join("new").exists());

    // Without room for the device's own state nothing is believed that it could not remember.
    alice.write("plan", b"plan A");
    let state = || found(&alice.folder.join("state"), &|path| path.ends_with("state"));
    let remembered = fs::read(state().unwrap()).unwrap();
    let output = without_room(&alice.command(&server, &["put", "plan"]), 0)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert_eq!(fs::read(state().unwrap()).unwrap(), remembered);
    alice.does(&server, &["put", "plan"]);
    assert_eq!(alice.does(&server, &["get", "plan", "-o", "-"]), "plan A");
}

#[test]
fn a_server_without_room_acknowledges_nothing_that_it_does_not_have() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let server = Server::start(&store);
    let alice = user(root.path(), &server, "alice");
    assert_eq!(server.end(Signal::SIGTERM), Some(0));

    // Packs of large files have no room, and what is noted of small ones has little.
    let database = found(&store, &|path| size_of(path) > 64 << 10).unwrap();
    let room = u32::try_from(size_of(&database).div_ceil(1 << 10)).unwrap();
    let mut full = without_room(&Server::command(&store), room);
    let server = Server::start_as(&mut full);
    alice.write("film", &vec![7; 12 << 20]);
    alice.fails(&server, &["put", "film"], 7);
    let (mut stored, mut refused) = (Vec::new(), false);
    for number in 0..20 {
        let tree = format!("tree {number}");
        fs::create_dir(alice.folder.join(&tree)).unwrap();
        let names: Vec<String> = (0..300).map(|number| format!("{tree}/{number}")).collect();
        for name in &names {
            alice.write(name, name.as_bytes());
        }
        match alice.run(&server, &["put", "-r", &tree]).status.code() {
            Some(0) => stored.extend(names),
            Some(7) => refused = true,
            other => panic!("{other:?}"),
        }
        if refused {
            break;
        }
    }
    assert!(!stored.is_empty() && refused, "{} files", stored.len());
    // It goes on with what there is room for.
    let names = |server: &Server| alice.does(server, &["ls"]);
    let had = names(&server);
    alice.does(&server, &["get", &stored[0], "-o", "-"]);
    assert!(!had.contains("film"), "{had}");
    for name in &stored {
        assert!(
            had.lines().any(|line| line == name),
            "{name} is lost: {had}"
        );
    }
    assert_eq!(server.end(Signal::SIGTERM), Some(0));

    let server = Server::start(&store);
    assert_eq!(names(&server), had);
    let phone = Device::new(root.path(), "alice", "phone");
    for tree in 0..stored.len() / 300 {
        phone.does(&server, &["get", "-r", &format!("tree {tree}")]);
    }
    for name in &stored {
        assert_eq!(fs::read(phone.folder.join(name)).unwrap(), name.as_bytes());
    }
    alice.does(&server, &["put", "film"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    // Nobody writes there, not even who may write everywhere.
    let refused = alice.fails(&server, &["get", "plan", "-o", "/proc/plan"], 4);
    assert!(refused.contains("/proc"), "{refused}");
    // A device that cannot remember asks nobody.
    let network = Network::before(&server, Fault::Slow, None);
    let command = alice.command_at(&network.address, &["ls"]);
    let mut elsewhere = Command::new(command.get_program());
    for word in command.get_args() {
        elsewhere.arg(if word == "state" {
            "/proc/state".as_ref()
        } else {
            word
        });
    }
    let output = elsewhere.current_dir(&alice.folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(errors.contains("/proc/state"), "{errors}");
    assert!(!network.reached(0), "{errors}");
}
