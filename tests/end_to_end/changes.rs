//! What comes of `put --changes` where it cannot keep what is there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use turncoat_core::wire::Refusal;
use turncoat_remote::api::Operation;

use super::between::Between;
use super::files::{signed_up, various};
use super::serve::{Device, Server};

/// Of this size on, something is kept; of `RESUMED` on, an upload is gone on with after a cut.
const SIZE: usize = 5 << 20;
const RESUMED: usize = 8 << 20;

/// A server that has a film of alice's, her two devices, and the film.
fn with_film(root: &Path, size: usize) -> (Server, Device, Device, Vec<u8>) {
    let (server, alice) = signed_up(root);
    let film = various(size);
    alice.write("film", &film);
    alice.does(&server, &["put", "film"]);
    let phone = Device::new(root, "alice", "phone");
    (server, alice, phone, film)
}

/// What `put --changes` through somebody says, and its status.
fn put(device: &Device, between: &Between) -> (Value, i32) {
    let words = ["put", "--json", "--changes", "film"];
    let output = device
        .command_at(&between.address, &words)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = serde_json::from_str(&text).unwrap_or_else(|error| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {text} {errors}")
    });
    (told, output.status.code().unwrap())
}

fn has(device: &Device, server: &Server, film: &[u8]) -> bool {
    device.does(server, &["get", "film", "-f"]);
    fs::read(device.folder.join("film")).unwrap() == film
}

/// Asserts that all of the film was sent, and why.
fn sent_anew(told: &Value, status: i32, why: &str) {
    assert_eq!(status, 0, "{told}");
    let note = told["notes"][0].as_str().unwrap();
    assert!(note.starts_with("film: ") && note.contains(why), "{told}");
    assert!(note.ends_with("all of the file was sent anew"), "{told}");
    let result = &told["result"][0];
    assert_eq!(
        (&result["kept"], &result["sent"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(result["bytes"].as_u64(), Some(SIZE as u64), "{told}");
}

#[test]
fn what_another_device_wrote_in_between_is_written_over_as_a_whole() {
    let meanwhile: [&[&str]; 4] = [
        &["put", "other", "--name", "film"],
        &["put", "film"],
        &["append", "film", "other"],
        &["rm", "film"],
    ];
    for words in meanwhile {
        let root = tempfile::tempdir().unwrap();
        let (server, alice, phone, mut film) = with_film(root.path(), SIZE);
        phone.write("film", &film);
        phone.write("other", b"other");
        film[9] ^= 1;
        alice.write("film", &film);
        let mut first = Some(phone.command(&server, words));
        let between = Between::start(&server, move |operation| {
            if operation == Operation::Commit
                && let Some(mut writes) = first.take()
            {
                assert!(writes.output().unwrap().status.success());
            }
            None
        });
        let (told, status) = put(&alice, &between);
        sent_anew(&told, status, "somebody else wrote to it meanwhile");
        assert!(has(&phone, &server, &film), "{words:?}");
    }
}

#[test]
fn what_a_server_refuses_to_show_is_sent_anew() {
    // Which chunks are alike is asked first, if not all of a segment is; and in the end whether it
    // has what is kept.
    for change in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let (server, alice, phone, mut film) = with_film(root.path(), SIZE);
        film[9] ^= u8::from(change);
        alice.write("film", &film);
        let refused = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&refused);
        let between = Between::start(&server, move |operation| {
            let fetch = operation == Operation::Fetch;
            counts.fetch_add(usize::from(fetch), Ordering::SeqCst);
            fetch.then_some(Refusal::Invalid)
        });
        let (told, status) = put(&alice, &between);
        sent_anew(&told, status, "does not show what was there before");
        assert_eq!(refused.load(Ordering::SeqCst), 1, "it is asked once");
        assert!(has(&phone, &server, &film), "{change}");
    }
}

#[test]
fn what_ends_an_update_publishes_nothing() {
    let cases = [
        (Refusal::NotFound, SIZE, 6, "missing"),
        (Refusal::Busy, SIZE, 7, "busy"),
        // All of it is sent, and then the server does not say whether it has that.
        (Refusal::Invalid, RESUMED, 7, "refused"),
    ];
    for (refusal, size, status, name) in cases {
        let root = tempfile::tempdir().unwrap();
        let (server, alice, phone, film) = with_film(root.path(), size);
        let mut changed = film.clone();
        changed[9] ^= 1;
        alice.write("film", &changed);
        let between = Between::start(&server, move |operation| {
            (operation == Operation::Fetch).then_some(refusal)
        });
        let (told, ended) = put(&alice, &between);
        assert_eq!(
            (ended, &told["error"]["name"]),
            (status, &Value::from(name)),
            "{told}"
        );
        assert_eq!(told["result"].as_array().unwrap().len(), 0, "{told}");
        assert!(has(&phone, &server, &film), "{refusal:?}");
        // It can be put all the same.
        alice.does(&server, &["put", "--changes", "film"]);
        assert!(has(&phone, &server, &changed), "{refusal:?}");
    }
}
