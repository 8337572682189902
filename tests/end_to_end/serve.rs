//! A real server and real client processes, with a real disk between them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_turncoat");

/// A server process; killed when the test is over, if it is still there.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start(store: &Path) -> Self {
        Self::start_with(store, &[])
    }

    pub(super) fn start_with(store: &Path, words: &[&Path]) -> Self {
        Self::start_as(Self::command(store).args(words))
    }

    pub(super) fn command(store: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--store"])
            .arg(store);
        command
    }

    pub(super) fn start_as(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map(Result::unwrap);
        let address = lines.find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
        let address = address.unwrap();
        Self { child, address }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(id, signal).unwrap();
    }

    /// Ends the server and returns its status.
    pub(super) fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.wait()
    }

    /// Waits until the server ends by itself.
    pub(super) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A device of one user, in a folder of its own.
pub(super) struct Device {
    pub(super) folder: PathBuf,
    user: &'static str,
}

impl Device {
    pub(super) fn new(root: &Path, user: &'static str, name: &str) -> Self {
        let folder = root.join(format!("{user}-{name}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("password"), format!("the password of {user}\n")).unwrap();
        Self { folder, user }
    }

    pub(super) fn command(&self, server: &Server, words: &[&str]) -> Command {
        self.command_at(&server.address, words)
    }

    /// A command for the server at an address.
    pub(super) fn command_at(&self, address: &str, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .args(["--password-file", "password", "--state", "state"])
            .args(["--user", self.user, "--server", address])
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, server: &Server, words: &[&str]) -> Output {
        self.command(server, words).output().unwrap()
    }

    /// What a command that succeeds prints.
    pub(super) fn does(&self, server: &Server, words: &[&str]) -> String {
        let output = self.run(server, words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails with this status says.
    pub(super) fn fails(&self, server: &Server, words: &[&str], status: i32) -> String {
        let output = self.run(server, words);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{words:?}: {errors}");
        errors
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.join(name), content).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

#[test]
fn people_keep_share_and_revoke_files() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = Device::new(root.path(), "alice", "laptop");
    let bob = Device::new(root.path(), "bob", "laptop");
    alice.does(&server, &["sign-up"]);
    bob.does(&server, &["sign-up"]);
    let film: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    alice.write("film", &film);
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "film", "plan"]);
    alice.write("more", b", and B");
    alice.does(&server, &["append", "plan", "more"]);
    assert_eq!(alice.does(&server, &["ls"]), "film\nplan\n");

    let told = alice.does(&server, &["share", "plan", "bob"]);
    assert!(told.contains("turncoat fingerprint bob"), "{told}");
    bob.does(&server, &["receive", "alice", "plan", "--as", "ours"]);
    assert_eq!(
        bob.does(&server, &["get", "ours", "-o", "-"]),
        "plan A, and B"
    );
    let print = bob.does(&server, &["fingerprint"]);
    alice.does(&server, &["fingerprint", "bob", "--verified", print.trim()]);
    alice.fails(
        &server,
        &["fingerprint", "bob", "--verified", &"0 ".repeat(64)],
        6,
    );
    alice.does(&server, &["revoke", "plan", "bob"]);
    bob.fails(&server, &["get", "ours", "-o", "-"], 7);

    let phone = Device::new(root.path(), "alice", "phone");
    phone.does(&server, &["get", "film"]);
    assert!(fs::read(phone.folder.join("film")).unwrap() == film);
    let exists = phone.fails(&server, &["get", "film"], 2);
    assert!(exists.contains("--force"), "{exists}");
    let statement = phone.does(&server, &["compare"]);
    alice.write("statement", statement.as_bytes());
    let compared = alice.does(&server, &["compare", "statement"]);
    assert!(compared.contains("have seen the same"), "{compared}");

    alice.does(&server, &["rm", "film"]);
    alice.fails(&server, &["get", "film"], 2);
    assert_eq!(alice.does(&server, &["ls"]), "plan\n");
    assert_eq!(server.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_folder_comes_back_as_it_was_and_nothing_is_replaced_unasked() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(&root.path().join("store"));
    let alice = Device::new(root.path(), "alice", "laptop");
    alice.does(&server, &["sign-up"]);
    fs::create_dir_all(alice.folder.join("tree/below")).unwrap();
    for number in 0..50_usize {
        alice.write(
            &format!("tree/below/{number}"),
            &vec![number as u8; number * 97],
        );
    }
    alice.write("tree/large", &vec![7; 5 << 20]);
    alice.write("treetop", b"not below it");
    alice.does(&server, &["put", "-r", "tree", "treetop"]);

    let phone = Device::new(root.path(), "alice", "phone");
    phone.does(&server, &["get", "-r", "tree"]);
    for number in 0..50_usize {
        let came = fs::read(phone.folder.join(format!("tree/below/{number}"))).unwrap();
        assert_eq!(came, vec![number as u8; number * 97]);
    }
    assert!(fs::read(phone.folder.join("tree/large")).unwrap() == vec![7; 5 << 20]);
    assert!(!phone.folder.join("treetop").exists());
    let left = fs::read_dir(phone.folder.join("tree/below"))
        .unwrap()
        .count();
    assert_eq!(left, 50, "nothing but the files is there");

    fs::remove_file(phone.folder.join("tree/below/1")).unwrap();
    phone.fails(&server, &["get", "-r", "tree"], 2);
    assert!(!phone.folder.join("tree/below/1").exists());
    phone.does(&server, &["get", "-r", "tree/below", "--force"]);
    assert!(phone.folder.join("tree/below/1").exists());
    let nothing = phone.fails(&server, &["get", "-r", "tre"], 2);
    assert!(nothing.contains("nothing of that name"), "{nothing}");
}

#[test]
fn an_old_store_put_back_is_caught() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let alice = Device::new(root.path(), "alice", "laptop");
    let server = Server::start(&store);
    alice.does(&server, &["sign-up"]);
    alice.write("plan", b"plan A");
    alice.does(&server, &["put", "plan"]);
    server.end(Signal::SIGTERM);
    copy(&store, &root.path().join("old"));
    let server = Server::start(&store);
    alice.write("plan", b"plan B");
    alice.does(&server, &["put", "plan"]);
    server.end(Signal::SIGTERM);

    let server = Server::start(&root.path().join("old"));
    let caught = alice.fails(&server, &["get", "plan", "--force"], 6);
    for said in [
        "rollback",
        "this device trusts",
        "the server shows",
        "older state",
    ] {
        assert!(caught.contains(said), "{caught}");
    }
    let (_, kept) = caught.split_once("evidence: ").unwrap();
    let kept = fs::read_to_string(alice.folder.join(kept.trim())).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["violation"], "rollback");
    for side in ["own_statement", "offered_head"] {
        assert!(kept[side].as_str().unwrap().len() > 500, "{kept}");
    }
    assert_eq!(fs::read(alice.folder.join("plan")).unwrap(), b"plan B");
}

#[test]
fn a_server_that_is_killed_loses_nothing_that_it_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let alice = Device::new(root.path(), "alice", "laptop");
    let mut server = Server::start(&store);
    alice.does(&server, &["sign-up"]);
    let mut acknowledged = Vec::new();
    for round in 0..3_u64 {
        let began = Instant::now();
        let (stored, first) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let server = &server;
            scope.spawn(move || {
                // At some point of one of the writes that come after the first.
                let _ended = first.recv();
                std::thread::sleep(Duration::from_millis(150 + 350 * round));
                server.signal(Signal::SIGKILL);
            });
            for number in 0.. {
                let name = format!("file {round} {number}");
                alice.write(&name, name.as_bytes());
                match alice.run(server, &["put", &name]).status.code() {
                    Some(0) => {
                        acknowledged.push(name);
                        let _told = stored.send(());
                    }
                    Some(7) => break,
                    other => panic!("{other:?}"),
                }
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "nobody killed the server"
                );
            }
        });
        server = Server::start(&store);
        let names = alice.does(&server, &["ls"]);
        for name in &acknowledged {
            assert!(
                names.lines().any(|line| line == name),
                "{name} is lost: {names}"
            );
            assert_eq!(&alice.does(&server, &["get", name, "-o", "-"]), name);
        }
    }
    assert!(acknowledged.len() >= 3);
}

#[test]
fn a_server_says_why_it_does_not_start() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("store");
    let server = Server::start(&store);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let start = |store: &str, listen: &str| {
        let words = ["serve", "--store", store, "--listen", listen];
        let output = Command::new(PROGRAM).args(words).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), errors)
    };
    let (status, errors) = start(store.to_str().unwrap(), "127.0.0.1:0");
    assert_eq!(status, Some(4));
    assert!(
        errors.contains("another server has this store open"),
        "{errors}"
    );
    let other = root.path().join("other");
    let (status, errors) = start(other.to_str().unwrap(), &format!("127.0.0.1:{port}"));
    assert_eq!(status, Some(4));
    assert!(errors.contains("cannot listen"), "{errors}");
    let (status, errors) = start(other.to_str().unwrap(), "0.0.0.0:0");
    assert_eq!(status, Some(2));
    assert!(
        errors.contains("loopback") || errors.contains("127.0.0.1"),
        "{errors}"
    );
    let file = root.path().join("file");
    fs::File::create(&file)
        .unwrap()
        .write_all(b"no folder")
        .unwrap();
    assert_eq!(start(file.to_str().unwrap(), "127.0.0.1:0").0, Some(4));
}
