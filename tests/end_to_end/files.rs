//! What people do with files, and what goes wrong with names, places, terminals and signals.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{Pid, mkfifo};
use serde_json::{Value, json};

use super::serve::{Device, Server};

/// What any wait of these tests is allowed.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn awaited(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(super) fn signed_up(root: &Path) -> (Server, Device) {
    let server = Server::start(&root.join("store"));
    let alice = Device::new(root, "alice", "laptop");
    alice.does(&server, &["sign-up"]);
    (server, alice)
}

/// The document of a command with `--json`, and its status.
pub(super) fn document(device: &Device, server: &Server, words: &[&str]) -> (Value, i32) {
    let output = device.run(server, words);
    let text = String::from_utf8(output.stdout).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{words:?}: {error}: {text} {errors}")
    });
    let status = output.status.code().unwrap();
    assert_eq!(document["status"], status, "{document}");
    (document, status)
}

#[test]
fn what_is_no_plain_file_is_written_into_or_refused_and_never_replaced() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    alice.does(&server, &["get", "plan", "-o", "/dev/null", "-f"]);
    let null = fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());

    let pipe = alice.folder.join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    std::thread::scope(|scope| {
        let read = scope.spawn(|| fs::read(&pipe).unwrap());
        alice.does(&server, &["get", "plan", "-o", "pipe"]);
        assert_eq!(read.join().unwrap(), b"plan A");
    });
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

    alice.write("old", b"old");
    symlink("old", alice.folder.join("link")).unwrap();
    alice.fails(&server, &["get", "plan", "-o", "link"], 2);
    alice.does(&server, &["get", "plan", "-o", "link", "-f"]);
    let link = alice.folder.join("link");
    assert!(fs::symlink_metadata(link).unwrap().is_symlink());
    assert_eq!(fs::read(alice.folder.join("old")).unwrap(), b"plan A");

    fs::remove_file(alice.folder.join("plan")).unwrap();
    symlink("old", alice.folder.join("plan")).unwrap();
    let refused = alice.fails(&server, &["get", "plan", "-f"], 2);
    assert!(refused.contains("not replaced"), "{refused}");
    fs::create_dir(alice.folder.join("folder")).unwrap();
    alice.fails(&server, &["get", "plan", "-o", "folder", "-f"], 2);
}

#[test]
fn a_name_is_bytes_and_comes_back_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let tree = alice.folder.join("tree");
    fs::create_dir(&tree).unwrap();
    let names: [&[u8]; 6] = [
        b"\xff\xfe",
        b"a\nb",
        b"A",
        b"a",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
    ];
    for name in names {
        fs::write(tree.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    alice.does(&server, &["put", "-r", "tree"]);
    let (listed, _) = document(&alice, &server, &["ls", "--json"]);
    let listed = listed["result"]["names"].as_array().unwrap().clone();
    assert_eq!(listed.len(), names.len());
    assert!(listed.contains(&json!("tree/a\nb")), "{listed:?}");
    assert!(
        listed.contains(&json!({ "hex": "747265652ffffe" })),
        "{listed:?}"
    );
    assert!(alice.does(&server, &["ls"]).contains("tree/\\xff\\xfe\n"));

    let again = Device::new(root.path(), "alice", "phone");
    again.does(&server, &["get", "-r", "tree"]);
    for name in names {
        let path = again.folder.join("tree").join(OsStr::from_bytes(name));
        assert_eq!(fs::read(path).unwrap(), name);
    }
    let odd = OsStr::from_bytes(b"tree/\xff\xfe");
    let mut remove = alice.command(&server, &["rm"]);
    assert_eq!(remove.arg(odd).output().unwrap().status.code(), Some(0));

    let long = "x".repeat(10 << 10);
    for name in ["../up", "/top", &long] {
        alice.does(&server, &["put", "password", "--name", name]);
        let refused = alice.fails(&server, &["get", name], 2);
        assert!(refused.contains("--output"), "{refused}");
        let place = out.path().join("out");
        alice.does(&server, &["get", name, "-f", "-o", place.to_str().unwrap()]);
    }
    let longer = "x".repeat(17 << 10);
    let refused = alice.fails(&server, &["put", "password", "--name", &longer], 2);
    assert!(refused.contains("16384 at most"), "{refused}");
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        3,
        "nothing went up"
    );
}

#[test]
fn a_file_and_a_folder_of_one_name_are_told_and_the_rest_comes() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    for name in ["t/a", "t/a/b", "t/c"] {
        alice.does(&server, &["put", "password", "--name", name]);
    }
    let (told, status) = document(&alice, &server, &["get", "-r", "t", "--json"]);
    assert_eq!(status, 2);
    assert_eq!(told["result"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["failed"][0]["name"], "t/a/b", "{told}");
    assert!(alice.folder.join("t/a").is_file() && alice.folder.join("t/c").is_file());
}

#[test]
fn a_failure_is_a_document_as_well() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let (told, status) = document(&alice, &server, &["get", "nothing", "--json"]);
    assert_eq!((status, &told["error"]["kind"]), (2, &json!("usage")));
    assert_eq!(told["error"]["name"], "no-such-file");
    assert!(
        told["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nothing")
    );
    let (told, status) = document(&alice, &server, &["rm", "--json", "--no-such-flag"]);
    assert_eq!((status, &told["error"]["kind"]), (2, &json!("usage")));
    alice.write("password", b"another\n");
    let (told, status) = document(&alice, &server, &["ls", "--json"]);
    assert_eq!((status, &told["error"]["name"]), (7, &json!("refused")));
    let mixed = alice.fails(&server, &["get", "x", "-o", "-", "--json"], 2);
    assert!(mixed.contains("leave --json out"), "{mixed}");
    server.signal(Signal::SIGKILL);
    let (told, status) = document(&alice, &server, &["ls", "--json"]);
    assert_eq!((status, &told["error"]["kind"]), (7, &json!("unavailable")));
}

#[test]
fn of_several_files_all_are_done_or_each_is_told() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    alice.write("a", b"a");
    alice.write("b", b"b");
    alice.fails(&server, &["put", "a", "missing", "b"], 2);
    assert_eq!(alice.does(&server, &["ls"]), "");
    // A file that is not what its size says has changed while it was read.
    let put = ["put", "--json", "a", "/proc/self/status", "b"];
    let (told, status) = document(&alice, &server, &put);
    assert_eq!(status, 2);
    assert_eq!(told["failed"][0]["name"], "status", "{told}");
    assert_eq!(told["result"][1]["name"], "b", "{told}");
    assert_eq!(alice.does(&server, &["ls"]), "a\nb\n");

    let told = alice.fails(&server, &["rm", "a", "missing", "b"], 2);
    assert!(told.contains("nothing was done to the others"), "{told}");
    assert_eq!(alice.does(&server, &["ls"]), "a\nb\n");
    fs::remove_file(alice.folder.join("a")).unwrap();
    fs::remove_file(alice.folder.join("b")).unwrap();
    let (told, status) = document(&alice, &server, &["get", "--json", "a", "missing", "b"]);
    assert_eq!((status, &told["failed"][0]["name"]), (2, &json!("missing")));
    assert!(!alice.folder.join("a").exists());
    alice.does(&server, &["get", "a", "b"]);
    assert_eq!(
        alice.does(&server, &["rm", "a", "b", "a"]),
        "deleted a\ndeleted b\n"
    );
    assert_eq!(alice.does(&server, &["ls"]), "");
}

#[test]
fn a_folder_is_stored_by_any_path_and_what_is_no_file_is_told() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let tree = alice.folder.join("tree");
    fs::create_dir_all(tree.join("empty")).unwrap();
    alice.write("tree/a", b"a");
    symlink("a", tree.join("link")).unwrap();
    let (told, status) = document(&alice, &server, &["put", "--json", "-r", "tree/."]);
    assert_eq!(status, 0, "{told}");
    let notes = told["notes"].to_string();
    assert!(
        notes.contains("tree/./link") || notes.contains("tree/link"),
        "{notes}"
    );
    assert!(notes.contains("empty"), "{notes}");
    assert_eq!(alice.does(&server, &["ls"]), "tree/a\n");
    alice.does(&server, &["put", "-r", "tree/empty/.."]);
    assert_eq!(alice.does(&server, &["ls"]), "a\ntree/a\n");
    // A folder that the working folder is has no other name: all below it is stored.
    alice.does(&server, &["put", "-r", "."]);
    let names = alice.does(&server, &["ls"]);
    assert!(
        names.contains("password\n") && names.contains("tree/a\n"),
        "{names}"
    );
}

#[test]
fn a_revoked_file_gives_its_name_back() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let bob = Device::new(root.path(), "bob", "laptop");
    bob.does(&server, &["sign-up"]);
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    for round in 0..2 {
        alice.does(&server, &["share", "plan", "bob"]);
        bob.does(&server, &["receive", "alice", "plan"]);
        alice.does(&server, &["revoke", "plan", "bob"]);
        let closed = bob.fails(&server, &["put", "password", "--name", "plan"], 7);
        assert!(closed.contains("turncoat rm"), "round {round}: {closed}");
        bob.does(&server, &["rm", "plan"]);
        assert_eq!(bob.does(&server, &["ls"]), "");
    }
    bob.write("plan", b"my own");
    bob.does(&server, &["put", "plan"]);
    assert_eq!(bob.does(&server, &["get", "plan", "-o", "-"]), "my own");
    assert_eq!(alice.does(&server, &["get", "plan", "-o", "-"]), "plan A");
}

#[test]
fn an_append_of_any_length_is_one_change() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    alice.write("log", b"begin");
    alice.does(&server, &["put", "log"]);
    let mut whole = b"begin".to_vec();
    for size in [1 << 20, 4 << 20, (9 << 20) + 17] {
        let more: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
        let mut append = alice.command(&server, &["append", "log"]);
        let mut child = append
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&more).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        whole.extend_from_slice(&more);
    }
    alice.does(&server, &["get", "log", "-o", "out"]);
    assert!(fs::read(alice.folder.join("out")).unwrap() == whole);
    alice.fails(&server, &["append", "nothing", "log"], 2);
}

fn partials(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".partial")).count()
}

#[test]
fn a_termination_leaves_no_half_a_file() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    fs::create_dir(alice.folder.join("tree")).unwrap();
    for number in 0..3000_u32 {
        alice.write(&format!("tree/{number}"), &number.to_be_bytes());
    }
    alice.does(&server, &["put", "-r", "tree"]);
    let phone = Device::new(root.path(), "alice", "phone");
    let mut get = phone.command(&server, &["get", "--json", "-r", "tree"]);
    let mut child = get.stdout(Stdio::piped()).spawn().unwrap();
    let tree = phone.folder.join("tree");
    awaited("files are written", || tree.is_dir() && partials(&tree) > 0);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(partials(&tree), 0);
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["error"]["kind"], "interrupted", "{told}");
}

#[test]
fn an_interrupt_at_the_prompt_leaves_the_terminal_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let pty = openpty(None, None).unwrap();
    let echoes = || {
        let settings = tcgetattr(&pty.slave).unwrap();
        settings.local_flags.contains(LocalFlags::ECHO)
    };
    assert!(echoes());
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_turncoat"), "ls"])
        .args(["--user", "alice", "--state", "state"])
        .current_dir(root.path())
        .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
        .stdout(Stdio::from(pty.slave.try_clone().unwrap()))
        .stderr(Stdio::from(pty.slave.try_clone().unwrap()));
    let mut child = command.spawn().unwrap();
    drop(command);
    awaited("the prompt", || !echoes());
    let mut master = fs::File::from(pty.master.try_clone().unwrap());
    master.write_all(b"se\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(echoes(), "the terminal has no echo any more");
}

/// The content of a file that no chunk of it is like another.
pub(super) fn various(size: usize) -> Vec<u8> {
    let words = (0_u64..).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bytes = words.flat_map(u64::to_be_bytes);
    bytes.take(size).collect()
}

/// Kills a command once something holds.
fn cut(device: &Device, server: &Server, words: &[&str], holds: impl Fn() -> bool) {
    let mut command = device.command(server, words);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    awaited("some of it", || {
        let early = child.try_wait().unwrap();
        assert_eq!(early, None, "it ended before it was cut");
        holds()
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

pub(super) fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The one file of a folder whose name ends like this, wherever below it is.
pub(super) fn found(folder: &Path, holds: &dyn Fn(&Path) -> bool) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(folder).ok()?.map_while(Result::ok);
    entries
        .map(|entry| entry.path())
        .find_map(|path| match path.is_dir() {
            true => found(&path, holds),
            false => holds(&path).then_some(path),
        })
}

const LARGE: usize = 96 << 20;

#[test]
fn a_put_that_was_killed_sends_only_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let mut content = various(LARGE);
    alice.write("film", &content);
    let folder = alice.folder.clone();
    let noted = || {
        found(&folder.join("state"), &|path| {
            path.parent().unwrap().ends_with("uploads")
        })
    };
    let some = || noted().is_some_and(|notes| size_of(&notes) > 1500);
    cut(&alice, &server, &["put", "film"], some);
    assert_eq!(alice.does(&server, &["ls"]), "");
    let (told, status) = document(&alice, &server, &["put", "--json", "film"]);
    assert_eq!(status, 0, "{told}");
    assert!(
        told["result"][0]["resumed"].as_u64().unwrap() >= 8 << 20,
        "{told}"
    );
    assert!(noted().is_none());
    alice.does(&server, &["get", "film", "-o", "out"]);
    assert!(fs::read(alice.folder.join("out")).unwrap() == content);

    // Of a file that is another one by now nothing is used; what a server lost is sent again.
    for lost in [false, true] {
        cut(&alice, &server, &["put", "film"], some);
        if !lost {
            content[5 << 20] ^= 1;
            alice.write("film", &content);
        } else {
            let packs = root.path().join("store/packs");
            let text = fs::read_to_string(noted().unwrap()).unwrap();
            let first: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
            let first = first["pack"].as_str().unwrap().to_owned();
            let pack = found(&packs, &|path| {
                path.to_string_lossy().replace('/', "").ends_with(&first)
            });
            fs::remove_file(pack.unwrap()).unwrap();
        }
        let (told, status) = document(&alice, &server, &["put", "--json", "film"]);
        assert_eq!(status, 0, "{told}");
        let resumed = told["result"][0]["resumed"].as_u64().unwrap_or(0);
        match lost {
            true => assert!(resumed >= 4 << 20, "{told}"),
            false => assert_eq!(resumed, 0, "{told}"),
        }
        alice.does(&server, &["get", "film", "-f", "-o", "out"]);
        assert!(fs::read(alice.folder.join("out")).unwrap() == content);
    }
}

#[test]
fn a_put_of_what_is_there_sends_what_changed() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let mut content = various(24 << 20);
    alice.write("film", &content);
    let said = alice.does(&server, &["put", "film"]);
    assert_eq!(said, format!("stored film ({} bytes)\n", content.len()));
    let phone = Device::new(root.path(), "alice", "phone");
    let mut put = |words: &[&str], at: usize| {
        content[at] ^= 1;
        alice.write("film", &content);
        let (told, status) = document(&alice, &server, words);
        assert_eq!(status, 0, "{told}");
        phone.does(&server, &["get", "film", "-f"]);
        let read = fs::read(phone.folder.join("film")).unwrap();
        assert!(read == content, "another content");
        told
    };
    for at in [0, 9 << 20, (24 << 20) - 1] {
        let told = put(&["put", "--json", "--changes", "film"], at);
        let sent = told["result"][0]["sent"].as_u64().unwrap();
        let kept = told["result"][0]["kept"].as_u64().unwrap();
        assert!(sent <= 65_532 && sent + kept == 24 << 20, "{told}");
    }
    let told = put(&["put", "--json", "film"], 1);
    assert_eq!(told["result"][0]["kept"], Value::Null, "{told}");

    // What the server has lost is found before the new version is published.
    let packs = root.path().join("store/packs");
    let mut lost = 0;
    while let Some(pack) = found(&packs, &|path| size_of(path) > 4 << 20) {
        fs::remove_file(pack).unwrap();
        lost += 1;
    }
    assert!(lost >= 5, "{lost} packs");
    content[2] ^= 1;
    alice.write("film", &content);
    alice.fails(&server, &["put", "--changes", "film"], 6);
    alice.does(&server, &["put", "film"]);
    let said = alice.does(&server, &["put", "--changes", "film"]);
    assert!(said.contains("0 of them sent"), "{said}");
    phone.does(&server, &["get", "film", "-f"]);
    assert!(fs::read(phone.folder.join("film")).unwrap() == content);
}

#[test]
fn a_get_that_was_killed_fetches_only_the_rest_and_believes_no_disk() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let content = various(LARGE);
    alice.write("film", &content);
    alice.does(&server, &["put", "film"]);
    let phone = Device::new(root.path(), "alice", "phone");
    let folder = phone.folder.clone();
    let left = || {
        found(&folder, &|path| {
            path.extension().is_some_and(|end| end == "partial")
        })
    };
    let some = || left().is_some_and(|left| size_of(&left) > 24 << 20);
    for spoiled in [false, true] {
        cut(&phone, &server, &["get", "film", "-f"], some);
        if spoiled {
            let mut bytes = fs::read(left().unwrap()).unwrap();
            bytes[13 << 20] ^= 1;
            fs::write(left().unwrap(), bytes).unwrap();
        }
        let (told, status) = document(&phone, &server, &["get", "--json", "film", "-f"]);
        assert_eq!(status, 0, "{told}");
        let resumed = told["result"][0]["resumed"].as_u64().unwrap();
        match spoiled {
            false => assert!(resumed >= 16 << 20, "{told}"),
            true => assert!((8 << 20..13 << 20).contains(&resumed), "{told}"),
        }
        assert!(fs::read(phone.folder.join("film")).unwrap() == content);
        assert!(left().is_none());
    }
    // A signal says what it leaves, and what it is good for.
    let mut get = phone.command(&server, &["get", "film", "-f"]);
    let mut child = get.stderr(Stdio::piped()).spawn().unwrap();
    awaited("some of it", some);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    let mut errors = child.stderr.take().unwrap();
    errors.read_to_string(&mut told).unwrap();
    let name = left().unwrap().file_name().unwrap().to_owned();
    assert!(told.contains(name.to_str().unwrap()), "{told}");
}

#[test]
fn a_state_that_was_put_back_is_told_where_its_device_has_written_since() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    let state = found(&alice.folder.join("state"), &|path| path.ends_with("state")).unwrap();
    let old = fs::read(&state).unwrap();
    alice.does(&server, &["put", "plan"]);
    let (told, _) = document(&alice, &server, &["ls", "--json"]);
    assert_eq!(told["forgotten"], Value::Null, "{told}");
    fs::write(&state, old).unwrap();
    let (told, status) = document(&alice, &server, &["ls", "--json"]);
    assert_eq!(status, 0);
    let forgotten = &told["forgotten"][0];
    assert_eq!(forgotten["height"].as_u64(), Some(2), "{told}");
    assert_eq!(forgotten["remembered_height"].as_u64(), Some(1), "{told}");
    assert!(
        told["notes"]
            .to_string()
            .contains("put back from an older copy")
    );
    // What it knows by now, it does not tell again; another device's writing is no such thing.
    let phone = Device::new(root.path(), "alice", "phone");
    phone.does(&server, &["put", "password", "--name", "other"]);
    let (told, _) = document(&alice, &server, &["ls", "--json"]);
    assert_eq!(told["forgotten"], Value::Null, "{told}");
}
