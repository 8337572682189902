//! Clients that are killed at any exchange with their server go on, and accuse nobody.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use super::faults::{Fault, Network, user};
use super::files::{document, found, various};
use super::serve::{Device, Server};

/// Before a request arrives, and after it was answered: what a client did not live to send or to
/// read is all that it can miss.
const KILLINGS: [Fault; 2] = [Fault::KilledBefore, Fault::KilledAfter];

/// Exchanges of a command at most.
const EXCHANGES_MAX: usize = 40;

/// Whether a command was killed by its network. One that was not must have succeeded.
fn killed(device: &Device, server: &Server, fault: Fault, at: usize, words: &[&str]) -> bool {
    let network = Network::before(server, fault, Some(at));
    let mut command = device.command_at(&network.address, words);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = Pid::from_raw(child.id().cast_signed());
    network.victim.send(id).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected = match network.reached(at) {
        true => (None, Some(Signal::SIGKILL as i32)),
        false => (Some(0), None),
    };
    let ended = (output.status.code(), output.status.signal());
    assert_eq!(ended, expected, "{words:?} {fault:?} {at}: {errors}");
    network.reached(at)
}

/// What a device reads under a name. It remembers all that it wrote itself.
fn content(device: &Device, server: &Server, name: &str) -> Vec<u8> {
    let words = ["get", name, "--json", "-f", "-o", "out"];
    let (told, status) = document(device, server, &words);
    assert_eq!((status, &told["forgotten"]), (0, &Value::Null), "{told}");
    fs::read(device.folder.join("out")).unwrap()
}

/// Stores a file for each exchange of a command and each killing.
fn plans(device: &Device, server: &Server) -> [Vec<String>; 2] {
    let plans = KILLINGS.map(|fault| {
        let names = (0..EXCHANGES_MAX).map(|at| format!("plan {fault:?} {at}"));
        names.collect::<Vec<String>>()
    });
    let names: Vec<&str> = plans.iter().flatten().map(String::as_str).collect();
    for name in &names {
        device.write(name, b"plan A");
    }
    device.does(server, &[&["put"], &names[..]].concat());
    plans
}

fn accuses_nobody(device: &Device) {
    let evidence = found(&device.folder.join("state"), &|path| {
        path.to_string_lossy().contains("evidence")
    });
    assert_eq!(evidence, None);
}

#[test]
fn an_append_whose_client_is_killed_is_made_once_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    let phone = Device::new(root.path(), "alice", "phone");
    alice.write("first", b"begin");
    // By itself in one request, and in packs that are sent ahead.
    for more in [b", and more".to_vec(), various(5 << 20)] {
        alice.write("more", &more);
        let once = [b"begin", &more[..]].concat();
        let (mut made, mut not_made) = (0, 0);
        for fault in KILLINGS {
            for at in 0.. {
                alice.does(&server, &["put", "first", "--name", "log"]);
                let was_killed = killed(&alice, &server, fault, at, &["append", "log", "more"]);
                let stored = content(&alice, &server, "log");
                let is_made = stored == once;
                assert!(
                    is_made || (was_killed && stored == b"begin"),
                    "{} bytes after {fault:?} {at}",
                    stored.len()
                );
                if !was_killed {
                    break;
                }
                *(if is_made { &mut made } else { &mut not_made }) += 1;
                // And so it is for who remembers nothing of it, and after one more.
                alice.does(&server, &["append", "log", "first"]);
                let read = content(&phone, &server, "log");
                assert!(read == [&stored[..], b"begin"].concat(), "{fault:?} {at}");
            }
        }
        assert!(made > 0 && not_made > 3, "{made} made, {not_made} not");
    }
    accuses_nobody(&alice);
    accuses_nobody(&phone);
}

#[test]
fn a_share_whose_client_is_killed_is_received_or_made_again() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    let bob = user(root.path(), &server, "bob");
    bob.write("more", b", and B");
    let plans = plans(&alice, &server);
    let (mut received, mut not_received) = (0, 0);
    for (fault, plans) in KILLINGS.iter().zip(&plans) {
        let mut whole = false;
        for (at, name) in plans.iter().enumerate() {
            let share = ["share", name, "bob"];
            let receive = ["receive", "alice", name];
            let was_killed = killed(&alice, &server, *fault, at, &share);
            let first = bob.run(&server, &receive);
            let errors = String::from_utf8_lossy(&first.stderr);
            match first.status.code() {
                Some(0) => received += usize::from(was_killed),
                Some(7) if was_killed => {
                    not_received += 1;
                    alice.does(&server, &share);
                    bob.does(&server, &receive);
                }
                other => panic!("{other:?} after {fault:?} {at}: {errors}"),
            }
            // It is one file, and not one for each.
            bob.does(&server, &["append", name, "more"]);
            assert_eq!(content(&alice, &server, name), b"plan A, and B");
            whole = !was_killed;
            if whole {
                break;
            }
        }
        assert!(whole, "{fault:?} at more than {EXCHANGES_MAX} exchanges");
    }
    assert!(
        received > 0 && not_received > 3,
        "{received} received, {not_received} not"
    );
    accuses_nobody(&alice);
    accuses_nobody(&bob);
}

#[test]
fn a_receipt_whose_client_is_killed_is_made_or_made_again() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = user(root.path(), &server, "alice");
    let bob = user(root.path(), &server, "bob");
    let plans = plans(&alice, &server);
    let (mut made, mut not_made) = (0, 0);
    for (fault, plans) in KILLINGS.iter().zip(&plans) {
        let mut whole = false;
        for (at, name) in plans.iter().enumerate() {
            alice.does(&server, &["share", name, "bob"]);
            let receive = ["receive", "alice", name];
            let was_killed = killed(&bob, &server, *fault, at, &receive);
            let names = bob.does(&server, &["ls"]);
            match names.lines().any(|line| line == name) {
                true => made += usize::from(was_killed),
                false => {
                    assert!(was_killed, "{names}");
                    not_made += 1;
                    bob.does(&server, &receive);
                }
            }
            let again = bob.fails(&server, &receive, 2);
            assert!(again.contains("received before"), "{again}");
            assert_eq!(content(&bob, &server, name), b"plan A");
            whole = !was_killed;
            if whole {
                break;
            }
        }
        assert!(whole, "{fault:?} at more than {EXCHANGES_MAX} exchanges");
    }
    assert!(made > 0 && not_made > 3, "{made} made, {not_made} not");
    accuses_nobody(&bob);
}
