//! A signal ends the program and every process that it started, and loses nothing finished.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A client that forks a child, notes both processes, and never answers an operation.
const CLIENT: &str = r#"sleep 600 &
echo "$! $$" >> pids
read hello
echo '{"turncoat":1,"name":"slow","operations":["upload","download","list"]}'
read line
sleep 600
"#;

/// What any wait of these tests is allowed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
fn awaited<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the program if a test fails before it ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_waited_for = self.0.wait();
    }
}

/// Starts the program against the client, in a directory that is also its place for scratch.
fn started(directory: &Path, words: &[&str]) -> Running {
    fs::write(directory.join("client.sh"), CLIENT).unwrap();
    fs::create_dir(directory.join("scratch")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args(words)
        .args(["--client", "exec:sh client.sh", "--jobs", "1"])
        .env("TMPDIR", directory.join("scratch"))
        .current_dir(directory)
        .stdout(Stdio::from(
            fs::File::create(directory.join("stdout")).unwrap(),
        ))
        .stderr(Stdio::from(
            fs::File::create(directory.join("stderr")).unwrap(),
        ))
        .spawn()
        .unwrap();
    Running(child)
}

/// All processes that were noted, once the second client process has noted its own: the first one
/// is only asked what it declares.
fn noted(directory: &Path) -> Vec<i32> {
    awaited("the client starts", || {
        let text = fs::read_to_string(directory.join("pids")).unwrap_or_default();
        let whole = text.ends_with('\n') && text.lines().count() >= 2;
        whole.then(|| {
            let words = text.split_whitespace();
            words.map(|word| word.parse().unwrap()).collect()
        })
    })
}

/// Whether the process is there and no mere zombie.
fn is_running(process: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let is_zombie = status
        .rsplit_once(')')
        .is_some_and(|(_, rest)| rest.starts_with(" Z"));
    kill(Pid::from_raw(process), None).is_ok() && !is_zombie
}

/// Sends the signal while the client works, and returns the status that the program ends with.
fn ended_by(signal: Signal, directory: &Path, words: &[&str]) -> Option<i32> {
    let mut running = started(directory, words);
    let processes = noted(directory);
    let last = processes.last().copied().unwrap();
    assert!(is_running(last), "the client ended by itself");
    kill(Pid::from_raw(running.0.id().cast_signed()), signal).unwrap();
    let status = awaited("the program ends", || running.0.try_wait().unwrap());
    for process in processes {
        awaited("every process of the client ends", || {
            (!is_running(process)).then_some(())
        });
    }
    let left = fs::read_dir(directory.join("scratch")).unwrap().count();
    assert_eq!(left, 0, "scratch folders are left behind");
    status.code()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

#[test]
fn a_termination_ends_the_clients_process_group() {
    let scratch = tempfile::tempdir().unwrap();
    let words = ["attack", "head-rollback"];
    let status = ended_by(Signal::SIGTERM, scratch.path(), &words);
    let errors = read(scratch.path(), "stderr");
    assert_eq!(status, Some(130), "{errors}");
    assert!(errors.contains("before anything was finished"), "{errors}");
}

#[test]
fn an_interrupt_loses_nothing_that_was_finished() {
    let scratch = tempfile::tempdir().unwrap();
    // The first script speaks the native protocol and is done at once; the second one hangs.
    let words = [
        "attack",
        "fast-forward",
        "head-rollback",
        "--report",
        "report",
    ];
    let status = ended_by(Signal::SIGINT, scratch.path(), &words);
    assert_eq!(status, Some(130), "{}", read(scratch.path(), "stderr"));
    let report = read(scratch.path(), "report/turncoat-report.json");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let results = &report["results"];
    assert_eq!(results["scripts"][0]["id"], "fast-forward");
    assert_eq!(results["scripts"][0]["verdict"], "inapplicable");
    assert_eq!(results["scripts"][1], serde_json::Value::Null);
    assert_eq!(results["run"]["not_run"][0], "head-rollback");
    let output = read(scratch.path(), "stdout");
    assert!(output.contains("interrupted: 1 script"), "{output}");
    let again = output.lines().last().unwrap();
    assert!(again.contains(" attack fast-forward "), "{again}");
}
