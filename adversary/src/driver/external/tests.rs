//! Holds the driver to its promises with real processes, good ones and bad ones.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use turncoat_core::remote::Lost;

use super::groups::Registry;
use super::{
    CommandLine, External, ExternalLimits, HonestStore, NotStarted, Service, State,
    conformance as check_all,
};
use crate::client::{Class, DeviceName, Failure, Operation};
use crate::codec::Code as _;
use crate::front::http::tests::Shelf;
use crate::front::kv;

impl Service for Shelf {
    fn handle(&mut self, who: &DeviceName, request: kv::Request) -> Result<kv::Reply, Lost> {
        Ok(self.answer(who, request))
    }
}

const DECLARES_LIST: &str =
    r#"read hello; echo '{"turncoat":1,"name":"t","operations":["list","download"]}';"#;

/// More time than anything here takes on a busy machine, and less than `sleep 600`.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn limits() -> ExternalLimits {
    ExternalLimits {
        start_time: PATIENCE,
        operation_time: PATIENCE,
        output_max: 100_000,
        ..ExternalLimits::default()
    }
}

/// A client written in shell: `script` as one argument of `sh -c`.
pub(super) fn shell(script: &str) -> CommandLine {
    assert!(!script.contains('\\'), "a backslash would be eaten");
    let quoted = script.replace('\'', r#"'"'"'"#);
    CommandLine::parse(&format!("sh -c '{quoted}'")).unwrap()
}

pub(super) fn alice() -> DeviceName {
    DeviceName::first("alice")
}

fn started(command: CommandLine, limits: ExternalLimits) -> Result<External, NotStarted> {
    let mut external = External::open(command, limits).unwrap();
    external.start(&alice(), "password", &mut Shelf::default())?;
    Ok(external)
}

fn list(external: &mut External) -> Result<Vec<Vec<u8>>, Failure> {
    external
        .perform(&alice(), &Operation::List, &mut Shelf::default())
        .map(|answer| answer.names.unwrap_or_default())
}

/// What a client that declares `list` and then does `script` makes of a list.
fn listing(script: &str, limits: ExternalLimits) -> Failure {
    let mut external = started(shell(&format!("{DECLARES_LIST} {script}")), limits).unwrap();
    list(&mut external).expect_err("the client misbehaves")
}

fn reason(command: CommandLine, limits: ExternalLimits) -> String {
    started(command, limits)
        .expect_err("the client does not start")
        .reason
}

/// Answers each line with its id, which is the second number of the line `{"id":N,"op":"list"}`.
const ANSWERS: &str = r#"while read line; do id=${line#*:}; id=${id%%,*};
    echo '{"id":'$id',"ok":true,"names":["a",{"b64":"/w=="}]}'; done"#;

#[test]
fn a_client_answers_what_it_is_asked() {
    let mut external = started(shell(&format!("{DECLARES_LIST} {ANSWERS}")), limits()).unwrap();
    for _ in 0..3 {
        assert_eq!(list(&mut external), Ok(vec![b"a".to_vec(), vec![0xff]]));
    }
    assert_eq!(external.declared().unwrap().name, "t");
}

#[test]
fn undeclared_operations_are_not_asked_for() {
    let mut external = started(shell(&format!("{DECLARES_LIST} {ANSWERS}")), limits()).unwrap();
    let mut shelf = Shelf::default();
    for operation in [Operation::SignUp, Operation::Login] {
        assert!(external.perform(&alice(), &operation, &mut shelf).is_ok());
    }
    let operation = Operation::Delete {
        name: b"a".to_vec(),
    };
    let refused = external
        .perform(&alice(), &operation, &mut shelf)
        .unwrap_err();
    assert_eq!(refused, Failure::new(Class::Usage, "undeclared"));
    let operation = Operation::Download { name: vec![0xff] };
    let refused = external
        .perform(&alice(), &operation, &mut shelf)
        .unwrap_err();
    assert_eq!(refused, Failure::new(Class::Usage, "name-is-no-text"));
}

#[test]
fn a_command_that_is_no_program_is_told_so() {
    let none = CommandLine::parse("/nowhere/client").unwrap();
    assert_eq!(
        reason(none, limits()),
        "there is no such program; give its path, or check PATH"
    );
    let file = CommandLine::parse("/dev/null").unwrap();
    assert_eq!(
        reason(file, limits()),
        "the program may not be executed; chmod +x it, or name its interpreter"
    );
}

#[test]
fn a_client_that_dies_at_once_is_told_with_its_complaint() {
    assert_eq!(
        reason(shell("echo no module named x >&2; exit 3"), limits()),
        "died: ended with status 3; its last line of complaint: no module named x"
    );
    assert_eq!(
        reason(shell("kill -9 $$"), limits()),
        "died: ended by SIGKILL"
    );
}

#[test]
fn a_first_line_that_declares_wrongly_is_refused() {
    for (line, expected) in [
        ("hello", "a line that is no JSON object: hello"),
        ("[]", "a line that is no JSON object: []"),
        ("{}", r#"its first line has no "turncoat": 1"#),
        (
            r#"{"turncoat":2}"#,
            r#"its first line has no "turncoat": 1"#,
        ),
        (r#"{"turncoat":1}"#, r#"its first line has no "name""#),
        (
            r#"{"turncoat":1,"name":"t"}"#,
            r#"its first line has no list "operations""#,
        ),
        (
            r#"{"turncoat":1,"name":"t","operations":[]}"#,
            "its first line declares no operation",
        ),
        (
            r#"{"turncoat":1,"name":"t","operations":["fly"]}"#,
            r#"unknown in "operations": fly"#,
        ),
        (
            r#"{"turncoat":1,"name":"t","operations":["list"],"claims":["safe"]}"#,
            r#"unknown in "claims": safe"#,
        ),
        (
            r#"{"turncoat":1,"name":"t","operations":["list"],"conditional":1}"#,
            r#""conditional" is true or false"#,
        ),
    ] {
        let command = shell(&format!("read hello; echo '{line}'; sleep 600"));
        assert_eq!(reason(command, limits()), format!("nonsense: {expected}"));
    }
}

#[test]
fn a_client_that_is_silent_at_its_start_is_ended() {
    let limits = ExternalLimits {
        start_time: Duration::from_millis(200),
        ..limits()
    };
    assert_eq!(
        reason(shell("sleep 600"), limits),
        "hung: no answer to its first line within 200 ms"
    );
}

#[test]
fn a_client_that_hangs_is_named_and_ended() {
    let limits = ExternalLimits {
        operation_time: Duration::from_millis(200),
        ..limits()
    };
    let mut external = started(shell(&format!("{DECLARES_LIST} sleep 600")), limits).unwrap();
    let failure = list(&mut external).unwrap_err();
    assert_eq!(failure.name, Failure::EXHAUSTED);
    assert_eq!(failure.text, "hung: no answer to list within 200 ms");
    let failure = list(&mut external).unwrap_err();
    assert_eq!(failure.name, "died");
    assert_eq!(
        failure.text,
        "the process was ended before: hung: no answer to list within 200 ms"
    );
}

#[test]
fn a_client_that_dies_is_named_with_its_status() {
    let failure = listing("read line; echo oh >&2; exit 7", limits());
    assert_eq!(
        (failure.class, failure.name.as_str()),
        (Class::Other, "died")
    );
    assert_eq!(
        failure.text,
        "died: ended with status 7; its last line of complaint: oh"
    );
    let failure = listing("read line; exec >&-; sleep 600", limits());
    assert_eq!(failure.text, "died: closed its output");
}

#[test]
fn a_client_whose_grandchild_holds_its_output_is_dead_all_the_same() {
    // Were it only the time limit that tells, it would say that the client hung.
    let failure = listing("sleep 600 & exit 0", limits());
    assert_eq!(failure.text, "died: ended with status 0");
}

#[test]
fn a_client_that_floods_its_output_is_named_and_ended() {
    for script in [
        "read line; yes",
        "read line; cat /dev/zero",
        "read line; yes ''",
    ] {
        let failure = listing(script, limits());
        assert_eq!(failure.name, Failure::EXHAUSTED, "{script}");
        assert!(
            failure.text.starts_with("flooded: "),
            "{script}: {}",
            failure.text
        );
    }
}

#[test]
fn a_client_that_complains_at_length_is_no_flood() {
    let script = format!("yes complaint | head -c 3000000 >&2; {ANSWERS}");
    let mut external = started(shell(&format!("{DECLARES_LIST} {script}")), limits()).unwrap();
    assert!(list(&mut external).is_ok());
}

#[test]
fn nonsense_is_named_and_ends_the_client() {
    for (line, expected) in [
        ("hello", "a line that is no JSON object: hello"),
        (r#"{"ok":true}"#, r#"an answer without "id": 2"#),
        (r#"{"id":1,"ok":true}"#, r#"an answer without "id": 2"#),
        (r#"{"id":2}"#, r#"an answer without "ok": true or false"#),
        (r#"{"id":2,"ok":true}"#, r#"a list without "names""#),
        (
            r#"{"id":2,"ok":true,"names":[1]}"#,
            r#""names" is text, {"utf8": text} or {"b64": base64}"#,
        ),
        (
            r#"{"id":2,"ok":true,"names":[],"claims":{"monotone":true}}"#,
            "a claim that it did not declare: monotone",
        ),
        (
            r#"{"id":2,"ok":false,"class":"evil"}"#,
            r#""class" is violation, unavailable, usage or other"#,
        ),
        (r#"{"id":2,"ok":false,"error":1}"#, r#""error" is a string"#),
        (
            r#"{"id":2,"ok":false,"error":"crashed"}"#,
            r#""error" is a word that Turncoat keeps for itself: crashed"#,
        ),
        (
            r#"{"id":2,"ok":false,"class":"usage","error":"exhausted"}"#,
            r#""error" is a word that Turncoat keeps for itself: exhausted"#,
        ),
    ] {
        let failure = listing(&format!("read line; echo '{line}'; sleep 600"), limits());
        assert_eq!(failure.name, "nonsense", "{line}");
        assert_eq!(failure.text, format!("nonsense: {expected}"));
    }
}

#[test]
fn a_client_names_its_own_failures() {
    let line = r#"{"id":2,"ok":false,"class":"violation","error":"rollback","text":"old"}"#;
    let failure = listing(&format!("read line; echo '{line}'; sleep 600"), limits());
    let expected = Failure {
        class: Class::Violation,
        name: "rollback".into(),
        text: "old".into(),
    };
    assert_eq!(failure, expected);
}

#[test]
fn a_second_answer_is_nonsense() {
    let script =
        r#"read line; echo '{"id":2,"ok":true,"names":[]}'; echo again; read x; sleep 600"#;
    let mut external = started(shell(&format!("{DECLARES_LIST} {script}")), limits()).unwrap();
    assert_eq!(list(&mut external), Ok(Vec::new()));
    let failure = list(&mut external).unwrap_err();
    assert!(failure.text.contains("nonsense: "), "{}", failure.text);
}

#[test]
fn two_devices_that_declare_different_things_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("second").display().to_string();
    let other = r#"{"turncoat":1,"name":"other","operations":["list"]}"#;
    let script = format!(
        "if test -e {marker}; then read hello; echo '{other}'; sleep 60; fi;
         touch {marker}; {DECLARES_LIST} sleep 600"
    );
    let mut external = started(shell(&script), limits()).unwrap();
    let phone = DeviceName::new("alice", "phone");
    let refused = external
        .start(&phone, "password", &mut Shelf::default())
        .unwrap_err();
    assert_eq!(
        refused.reason,
        "nonsense: two devices declare different things"
    );
}

/// Whether a process is there and no mere zombie, which only its parent could remove.
fn is_running(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_zombie = status
        .rsplit_once(')')
        .is_some_and(|(_, rest)| rest.starts_with(" Z"));
    kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH) && !is_zombie
}

fn ends_soon(pid: i32) -> bool {
    let started = Instant::now();
    while is_running(pid) {
        if started.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn read_pid(path: &Path) -> i32 {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n') {
            return pid.parse().expect("the file holds a process id");
        }
        assert!(started.elapsed() < PATIENCE, "no process id was written");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_grandchild_ends_with_its_device() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let leaves = format!(
        "sleep 600 & echo $! > {}; {DECLARES_LIST} {ANSWERS}",
        file.display()
    );
    for ends in [drop as fn(External), |mut external| {
        external.crash(&alice())
    }] {
        let external = started(shell(&leaves), limits()).unwrap();
        let grandchild = read_pid(&file);
        assert!(is_running(grandchild));
        ends(external);
        assert!(ends_soon(grandchild), "the grandchild outlives its device");
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn the_end_of_all_ends_groups_and_folders_and_lets_none_start() {
    static OWN: Registry = Registry::new();
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("scratch");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("secret"), "state").unwrap();
    OWN.add_folder(&folder);
    let pids = outer.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pids.display());
    let mut leader = OWN.spawn(Command::new("sh").args(["-c", &script])).unwrap();
    let grandchild = read_pid(&pids);

    OWN.end_all();

    assert!(
        ends_soon(grandchild),
        "the grandchild outlives the end of all"
    );
    assert!(!folder.exists(), "the folder outlives the end of all");
    assert!(
        OWN.spawn(&mut Command::new("true")).is_err(),
        "a child starts after the end"
    );
    assert!(leader.end().unwrap().is_some(), "the leader is waited for");
}

#[test]
fn durable_state_survives_a_crash_and_no_wipe() {
    // The state folder is the last field of the first line.
    let script = r#"read hello; folder=${hello#*state"':"'}; folder=${folder%%'"'*};
        echo run >> $folder/runs;
        echo '{"turncoat":1,"name":"t","operations":["list"]}'; sleep 600"#;
    let mut external = started(shell(&script.replace(r#""':"'"#, r#"'":"'"#)), limits()).unwrap();
    let durable = |external: &External| {
        let bytes = external.durable(&alice()).unwrap();
        Vec::<(String, Vec<u8>)>::from_bytes(&bytes).expect("durable state decodes")
    };
    assert_eq!(durable(&external), [("runs".to_owned(), b"run\n".to_vec())]);
    external.crash(&alice());
    let stopped = list(&mut external).unwrap_err();
    assert_eq!(stopped.name, Failure::CRASHED);
    external
        .start(&alice(), "password", &mut Shelf::default())
        .unwrap();
    assert_eq!(
        durable(&external),
        [("runs".to_owned(), b"run\nrun\n".to_vec())]
    );
    external.restore(&alice(), None).unwrap();
    assert_eq!(durable(&external), []);
}

/// The command of a client in `clients/`, or nothing where there is no Python.
pub(super) fn python(client: &str) -> Option<CommandLine> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3 on this machine");
        return None;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(client);
    CommandLine::parse(&format!("python3 '{}'", path.display())).ok()
}

#[test]
fn the_example_clients_conform() {
    for (client, conditional) in [("notes.py", false), ("notes_versions.py", true)] {
        let Some(command) = python(client) else {
            return;
        };
        let all = ExternalLimits::default();
        let found = check_all(&command, all, &mut HonestStore::default()).unwrap();
        assert!(found.holds(), "{client}: {:#?}", found.rows);
        // Beside five operations one of them logs in, and writes conditionally.
        let works: Vec<_> = found
            .rows
            .iter()
            .filter(|row| row.state == State::Works)
            .collect();
        assert_eq!(
            works.len(),
            5 + 2 * usize::from(conditional),
            "{client}: {:#?}",
            found.rows
        );
    }
}

#[test]
fn conformance_tells_what_fails_and_why() {
    let command = shell(&format!("{DECLARES_LIST} {ANSWERS}"));
    let found = check_all(&command, limits(), &mut Shelf::default()).unwrap();
    assert!(!found.holds());
    let row = |name| found.rows.iter().find(|row| row.operation == name).unwrap();
    assert_eq!(row("list").state, State::Fails);
    assert_eq!(row("list").reason, "the list is [a, \u{fffd}], not []");
    assert_eq!(row("download").state, State::Fails);
    assert_eq!(row("download").reason, "cannot be checked: it needs upload");
    assert_eq!(row("share").state, State::Undeclared);
}

/// Uploads twice, shows what `lie` makes of the store, and downloads.
fn lied_to(client: &str, lie: fn(&mut Shelf, Shelf)) -> Option<Result<Vec<u8>, String>> {
    let mut shelf = Shelf::default();
    let mut external = started(python(client)?, ExternalLimits::default()).unwrap();
    let mut before = Shelf::default();
    for (name, content) in [("a", "one"), ("b", "other"), ("a", "two")] {
        before.objects = shelf.objects.clone();
        let (name, content) = (name.into(), content.into());
        external
            .perform(&alice(), &Operation::Upload { name, content }, &mut shelf)
            .unwrap();
    }
    lie(&mut shelf, before);
    let download = Operation::Download {
        name: b"a".to_vec(),
    };
    let outcome = external.perform(&alice(), &download, &mut shelf);
    Some(
        outcome
            .map(|answer| answer.content.unwrap())
            .map_err(|failure| failure.to_string()),
    )
}

#[test]
fn one_defence_more_is_seen() {
    let roll_back = |shelf: &mut Shelf, before: Shelf| shelf.objects = before.objects;
    let swap = |shelf: &mut Shelf, _: Shelf| {
        let other = shelf.objects[&b"alice/b"[..]].clone();
        shelf.objects.insert(b"alice/a".to_vec(), other);
    };
    let flip = |shelf: &mut Shelf, _: Shelf| {
        *shelf
            .objects
            .get_mut(&b"alice/a"[..])
            .unwrap()
            .last_mut()
            .unwrap() ^= 1;
    };
    let hide = |shelf: &mut Shelf, _: Shelf| shelf.objects.clear();
    let violation = |name: &str| Some(Err(format!("violation:{name}")));
    let Some(plain) = lied_to("notes.py", roll_back) else {
        return;
    };
    assert_eq!(plain, Ok(b"one".to_vec()));
    assert_eq!(lied_to("notes.py", swap), Some(Ok(b"other".to_vec())));
    assert_eq!(lied_to("notes.py", flip), violation("inauthentic"));
    assert_eq!(
        lied_to("notes.py", hide),
        Some(Err("usage:no-such-file".to_owned()))
    );
    assert_eq!(
        lied_to("notes_versions.py", roll_back),
        violation("rollback")
    );
    assert_eq!(lied_to("notes_versions.py", swap), violation("inauthentic"));
    assert_eq!(lied_to("notes_versions.py", flip), violation("inauthentic"));
    assert_eq!(
        lied_to("notes_versions.py", hide),
        Some(Err("unavailable:withheld".to_owned()))
    );
}
