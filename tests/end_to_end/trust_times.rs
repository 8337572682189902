//! Files that are passed over unread because they look as they did, and when they are not.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::files::{document, found, signed_up, various};
use super::serve::{Device, Server};

/// A file that was changed less long ago is not believed to be as it looks.
const SETTLED: Duration = Duration::from_millis(2100);

fn settle() {
    std::thread::sleep(SETTLED);
}

/// Stores files once they are believed to be as they look; from then on they are skipped.
fn note(device: &Device, server: &Server, files: &[&str]) {
    settle();
    put(device, server, &[&["--trust-times"], files].concat());
    skips(device, server, files, files);
}

/// Stores files with these words, and says which of them were skipped and which were stored.
fn put(device: &Device, server: &Server, words: &[&str]) -> (Vec<String>, Vec<String>) {
    let words = [&["put", "--json"], words].concat();
    let (told, status) = document(device, server, &words);
    assert_eq!(status, 0, "{told}");
    let results = told["result"].as_array().unwrap();
    let (skipped, stored): (Vec<&Value>, Vec<&Value>) =
        results.iter().partition(|one| one["skipped"] == true);
    let names = |these: Vec<&Value>| {
        let names = these.iter().map(|one| one["name"].as_str().unwrap());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    (names(skipped), names(stored))
}

/// Asserts that `--trust-times` skips these of the files and stores the others.
fn skips(device: &Device, server: &Server, files: &[&str], skipped: &[&str]) {
    let words = [&["--trust-times"], files].concat();
    let (passed, stored) = put(device, server, &words);
    assert_eq!(passed, skipped, "of {files:?}");
    assert_eq!(passed.len() + stored.len(), files.len(), "{stored:?}");
}

fn record(device: &Device) -> PathBuf {
    found(&device.folder.join("state"), &|path| {
        path.ends_with("times")
    })
    .unwrap()
}

/// What a device without the record of another one has under a name.
fn content(device: &Device, server: &Server, name: &str) -> String {
    device.does(server, &["get", name, "-o", "-"])
}

/// Says when a file was written, as its owner may.
fn modify(device: &Device, name: &str, when: SystemTime) {
    let path = device.folder.join(name);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(when).unwrap();
}

/// Writes another content of the same size over a file, and has its time of writing stay.
fn write_unseen(device: &Device, name: &str, content: &[u8]) {
    let path = device.folder.join(name);
    let before = fs::metadata(&path).unwrap();
    fs::write(&path, content).unwrap();
    modify(device, name, before.modified().unwrap());
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    assert_eq!(after.len(), before.len());
}

#[test]
fn a_file_that_looks_as_it_did_is_skipped_where_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let phone = Device::new(root.path(), "alice", "phone");
    let film = various(5 << 20);
    alice.write("film", &film);
    alice.write("plan", b"plan A");
    // What was just written, or will have been, may be written once more and look no different.
    let soon = SystemTime::now() + Duration::from_secs(3600);
    for name in ["film", "plan"] {
        modify(&alice, name, soon);
    }
    settle();
    skips(&alice, &server, &["film", "plan"], &[]);
    skips(&alice, &server, &["film", "plan"], &[]);
    for name in ["film", "plan"] {
        modify(&alice, name, SystemTime::UNIX_EPOCH);
    }
    note(&alice, &server, &["film", "plan"]);
    let mode = fs::metadata(record(&alice)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = alice.does(&server, &["put", "--trust-times", "--changes", "film"]);
    let size = film.len();
    assert_eq!(
        said,
        format!("skipped film ({size} bytes): size and times are those of what is stored\n")
    );

    // Without the word all is read, and what was noted is of an older version then.
    let (skipped, stored) = put(&alice, &server, &["film", "plan"]);
    assert_eq!((skipped.len(), stored.len()), (0, 2));
    skips(&alice, &server, &["film", "plan"], &[]);

    // Another content, with another time, or with another size alone.
    alice.write("plan", b"plan B");
    skips(&alice, &server, &["film", "plan"], &["film"]);
    assert_eq!(content(&phone, &server, "plan"), "plan B");
    note(&alice, &server, &["plan"]);
    alice.write("plan", b"plan B and C");
    skips(&alice, &server, &["film", "plan"], &["film"]);
    assert_eq!(content(&phone, &server, "plan"), "plan B and C");

    // Another file under the name, and another name for the file.
    alice.write("other", b"plan Z");
    note(&alice, &server, &["other", "plan"]);
    let words = ["--trust-times", "other", "--name", "plan"];
    assert_eq!(
        put(&alice, &server, &words),
        (vec![], vec!["plan".to_owned()])
    );
    assert_eq!(content(&phone, &server, "plan"), "plan Z");
    skips(&alice, &server, &["plan"], &[]);
    assert_eq!(content(&phone, &server, "plan"), "plan B and C");
}

#[test]
fn a_file_that_is_another_one_in_the_store_by_now_is_not_skipped() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let phone = Device::new(root.path(), "alice", "phone");
    let bob = Device::new(root.path(), "bob", "laptop");
    bob.does(&server, &["sign-up"]);
    let film = various(5 << 20);
    for device in [&alice, &phone, &bob] {
        device.write("film", &film);
        device.write("plan", b"plan A");
    }
    let both = ["film", "plan"];
    settle();
    skips(&alice, &server, &both, &[]);
    skips(&alice, &server, &both, &both);

    // What another device wrote since is written over, the same content as well.
    type Meanwhile<'a> = (&'a Device, &'a [&'a str]);
    let meanwhile: [Meanwhile<'_>; 4] = [
        (&phone, &["put", "film", "plan"]),
        (&phone, &["append", "plan", "plan"]),
        (&phone, &["put", "plan", "--name", "film"]),
        (&phone, &["rm", "film", "plan"]),
    ];
    for (device, words) in meanwhile {
        device.does(&server, words);
        let untouched: &[&str] = match words[0] {
            "append" => &["film"],
            "put" if words.contains(&"--name") => &["plan"],
            _ => &[],
        };
        skips(&alice, &server, &both, untouched);
        assert_eq!(content(&phone, &server, "plan"), "plan A", "{words:?}");
        phone.does(&server, &["get", "film", "-f"]);
        assert!(
            fs::read(phone.folder.join("film")).unwrap() == film,
            "{words:?}"
        );
        skips(&alice, &server, &both, &both);
    }

    // A file that is shared has another place from then on, and a member may write to it.
    alice.does(&server, &["share", "plan", "bob"]);
    bob.does(&server, &["receive", "alice", "plan"]);
    skips(&alice, &server, &both, &["film"]);
    skips(&alice, &server, &both, &both);
    bob.write("plan", b"plan Z");
    settle();
    skips(&bob, &server, &["plan"], &[]);
    skips(&bob, &server, &["plan"], &["plan"]);
    skips(&alice, &server, &both, &["film"]);
    assert_eq!(content(&bob, &server, "plan"), "plan A");
    skips(&alice, &server, &both, &both);
    alice.does(&server, &["revoke", "plan", "bob"]);
    skips(&alice, &server, &both, &["film"]);
    skips(&alice, &server, &both, &both);
    // Whoever lost access is told so, as ever, whatever was noted.
    let closed = bob.fails(&server, &["put", "--trust-times", "plan"], 7);
    assert!(closed.contains("turncoat rm"), "{closed}");
}

#[test]
fn of_two_names_of_one_file_the_one_given_last_is_stored_each_time() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let bob = Device::new(root.path(), "bob", "laptop");
    let carol = Device::new(root.path(), "carol", "laptop");
    for device in [&bob, &carol] {
        device.does(&server, &["sign-up"]);
    }
    alice.write("plan", b"of alice");
    alice.does(&server, &["put", "plan"]);
    alice.does(&server, &["share", "plan", "bob"]);
    bob.does(&server, &["receive", "alice", "plan"]);
    // Whoever is invited by two has two names of it.
    alice.does(&server, &["share", "plan", "carol"]);
    bob.does(&server, &["share", "plan", "carol"]);
    carol.does(&server, &["receive", "alice", "plan", "--as", "a"]);
    carol.does(&server, &["receive", "bob", "plan", "--as", "z"]);
    for name in ["a", "z", "other"] {
        carol.write(name, format!("file {name}").as_bytes());
    }
    settle();
    let mut skipped: &[&str] = &[];
    for files in [["other", "z", "a"], ["other", "a", "z"]] {
        for round in 0..3 {
            skips(&carol, &server, &files, skipped);
            skipped = &["other"];
            let last = files.last().unwrap();
            let stored = content(&alice, &server, "plan");
            assert_eq!(stored, format!("file {last}"), "{files:?} {round}");
        }
    }
}

#[test]
fn a_change_that_keeps_size_and_all_times_is_missed_and_no_other() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    let phone = Device::new(root.path(), "alice", "phone");
    alice.write("plan", b"plan A");
    settle();
    skips(&alice, &server, &["plan"], &[]);
    skips(&alice, &server, &["plan"], &["plan"]);
    write_unseen(&alice, "plan", b"plan B");
    skips(&alice, &server, &["plan"], &[]);
    assert_eq!(content(&phone, &server, "plan"), "plan B");
    note(&alice, &server, &["plan"]);

    // No program can set the time of the change itself; a file system that keeps none, or a clock
    // that is set back, comes to this.
    write_unseen(&alice, "plan", b"plan C");
    let metadata = fs::metadata(alice.folder.join("plan")).unwrap();
    let path = record(&alice);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let first = lines.next().unwrap();
    let mut noted: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&noted["name"], lines.next()), (&json!("plan"), None));
    noted["changed"] = json!([metadata.ctime(), metadata.ctime_nsec()]);
    fs::write(&path, format!("{first}\n{noted}\n")).unwrap();
    skips(&alice, &server, &["plan"], &["plan"]);
    assert_eq!(content(&phone, &server, "plan"), "plan B", "it is missed");
    alice.does(&server, &["put", "plan"]);
    assert_eq!(content(&phone, &server, "plan"), "plan C");
}

#[test]
fn of_a_record_that_is_torn_or_of_an_older_device_nothing_is_used() {
    let root = tempfile::tempdir().unwrap();
    let (server, alice) = signed_up(root.path());
    alice.write("plan", b"plan A");
    alice.write("other", b"other");
    settle();
    skips(&alice, &server, &["plan"], &[]);
    let path = record(&alice);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let words = ["put", "--json", "--trust-times", "plan"];
    let (told, status) = document(&alice, &server, &words);
    assert_eq!(status, 0, "{told}");
    assert!(
        told["notes"][0]
            .as_str()
            .unwrap()
            .contains("no whole record"),
        "{told}"
    );
    assert_eq!(told["result"][0]["skipped"], Value::Null, "{told}");
    skips(&alice, &server, &["plan"], &["plan"]);

    // A device whose memory was put back forgets what it noted of files as well.
    let state = path.with_file_name("state");
    let old = fs::read(&state).unwrap();
    alice.does(&server, &["put", "other"]);
    fs::write(&state, old).unwrap();
    let (told, status) = document(&alice, &server, &words);
    assert_eq!(status, 0, "{told}");
    assert_ne!(told["forgotten"], Value::Null, "{told}");
    assert_eq!(told["result"][0]["skipped"], Value::Null, "{told}");
    skips(&alice, &server, &["plan"], &["plan"]);

    // So does one that lost its memory: an old state of the account may be what fits its notes.
    fs::remove_file(&state).unwrap();
    skips(&alice, &server, &["plan"], &[]);
    skips(&alice, &server, &["plan"], &["plan"]);
}
