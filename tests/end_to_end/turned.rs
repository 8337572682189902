//! A server that a script turns, and the real client that meets it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::serve::{Device, Server};

/// The script that the first document shows.
const FORGETFUL: &str = include_str!("../../adversary/examples/forgetful.rhai");

fn script(root: &Path, text: &str) -> PathBuf {
    let path = root.join("script.rhai");
    fs::write(&path, text).unwrap();
    path
}

fn turned(root: &Path, text: &str) -> Server {
    let path = script(root, text);
    Server::start_with(&root.join("vault"), &[Path::new("--script"), &path])
}

#[test]
fn a_server_that_is_turned_between_two_commands_is_caught() {
    let root = tempfile::tempdir().unwrap();
    let server = turned(root.path(), FORGETFUL);
    let alice = Device::new(root.path(), "alice", "laptop");
    alice.does(&server, &["sign-up"]);
    alice.write("notes.txt", b"version 1");
    alice.does(&server, &["put", "notes.txt"]);
    alice.write("notes.txt", b"version 2");
    alice.does(&server, &["put", "notes.txt"]);
    let told = alice.fails(&server, &["get", "notes.txt", "-o", "-"], 6);
    assert!(told.contains("rollback"), "{told}");
    // Whoever has seen nothing newer cannot know, and is told so elsewhere.
    let phone = Device::new(root.path(), "alice", "phone");
    let content = phone.does(&server, &["get", "notes.txt", "-o", "-"]);
    assert_eq!(content, "version 1");
    // The acts change what is shown and not what is stored: an honest server has it all.
    assert_eq!(server.end(Signal::SIGTERM), Some(0));
    let server = Server::start(&root.path().join("vault"));
    let content = alice.does(&server, &["get", "notes.txt", "-o", "-"]);
    assert_eq!(content, "version 2");
}

#[test]
fn acts_reach_what_was_stored_before_and_the_sessions_that_they_name() {
    let root = tempfile::tempdir().unwrap();
    let alice = Device::new(root.path(), "alice", "laptop");
    let server = Server::start(&root.path().join("vault"));
    alice.does(&server, &["sign-up"]);
    alice.write("notes.txt", b"version 1");
    alice.does(&server, &["put", "notes.txt"]);
    assert_eq!(server.end(Signal::SIGTERM), Some(0));
    let text = "// denial: the second session finds no pack, the third no answer.
server.on_request(\"alice/2:*#1\", |m| {
    for pack in server.objects(\"pack\") { server.hide(pack, \"alice/2\"); }
});
server.on_reply(\"alice/3:login\", |m| m.drop());
";
    let server = turned(root.path(), text);
    let get = ["get", "notes.txt", "-o", "-"];
    assert_eq!(alice.does(&server, &get), "version 1");
    alice.fails(&server, &get, 6);
    alice.fails(&server, &get, 7);
    assert_eq!(alice.does(&server, &get), "version 1");
}

#[test]
fn acts_happen_at_their_times() {
    let root = tempfile::tempdir().unwrap();
    let text = "// deadline: from soon on nothing is there any more.
server.after(1, || server.on_request(\"kdf\", |m| m.refuse(\"busy\")));
";
    let server = turned(root.path(), text);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let alice = Device::new(root.path(), "alice", "laptop");
    let bob = Device::new(root.path(), "bob", "laptop");
    alice.does(&server, &["sign-up"]);
    alice.fails(&server, &["ls"], 7);
    bob.fails(&server, &["ls"], 7);
}

#[test]
fn a_workload_in_the_script_of_a_server_is_refused_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let text = "// a: it plays its own clients.\nlet alice = user(\"alice\");\n";
    let path = script(root.path(), text);
    let output = Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args(["serve", "--listen", "127.0.0.1:0", "--store"])
        .arg(root.path().join("vault"))
        .arg("--script")
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("line 2, column 13: `user`"), "{told}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_fault_in_a_handler_ends_the_server() {
    let root = tempfile::tempdir().unwrap();
    let text = "// a: a handler that fails.\nserver.on_request(\"kdf\", |m| m.set(7, 7));\n";
    let mut server = turned(root.path(), text);
    let alice = Device::new(root.path(), "alice", "laptop");
    alice.does(&server, &["sign-up"]);
    alice.fails(&server, &["ls"], 7);
    assert_eq!(server.wait(), Some(2));
}
