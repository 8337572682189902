//! A run is a function of script, seed and commit: another process, another number of threads and
//! another order of the scripts change no byte of any history.

use std::fmt::Write as _;
use std::process::Command;

use turncoat_adversary::run::{Report, Run, parallel, run};

use super::library;

/// Says to a process of this test that it is a child, and how it is to run: seed, threads, order.
const TOLD: &str = "TURNCOAT_TEST_HISTORIES";

/// Marks the lines that a child hands back.
const MARK: &str = "history ";

const SEED: u64 = 7;

/// Scripts of many classes: honest and attacked, races, crashes, forks, colluders, generated acts.
const SCRIPTS: [&str; 16] = [
    "honest-races",
    "honest-reorder",
    "honest-delays",
    "honest-crash-append",
    "honest-sharing",
    "fork-two-users",
    "fork-compare",
    "head-rollback",
    "stale-append",
    "chunk-reorder",
    "name-swap",
    "keybag-account-swap",
    "revoke-rollback",
    "member-ghost-user",
    "error-oracle",
    "number-edge",
];

/// The first bytes of a hash, in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    let hash = turncoat_core::hazmat::hash::sha256(bytes);
    hash[..16].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// What a run left: its whole history, and the value that was recorded of it.
fn line(name: &str, run: &Run) -> String {
    let (history, attack) = (run.history.encode(), run.attack.encode());
    let (one, other) = (digest(&history), digest(&attack));
    format!("{MARK}{name} {} bytes {one} {other}\n", history.len())
}

/// The histories of all runs of these scripts, in the order of the list whatever order they ran in.
fn histories(seed: u64, jobs: usize, backwards: bool) -> String {
    let place = |at: usize| match backwards {
        true => SCRIPTS.len() - 1 - at,
        false => at,
    };
    let work = |at: usize| {
        let report: Report = run(&library::script(SCRIPTS[place(at)]), &library::ours(), seed);
        let mut text = format!("{MARK}{} {:?}\n", report.id, report.verdict);
        for (name, run) in [("honest", &report.honest), ("attacked", &report.attacked)] {
            let run = run.as_ref().expect("our client runs every script");
            text.push_str(&line(name, run));
        }
        (place(at), text)
    };
    let mut found = parallel(SCRIPTS.len(), jobs, work, |_, _| ());
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

/// The same in a process of its own.
fn in_another_process(seed: u64, jobs: usize, backwards: bool) -> String {
    let own = std::env::current_exe().expect("a test knows its own path");
    let output = Command::new(own)
        .args([
            "--exact",
            "histories::a_child_tells_its_histories",
            "--nocapture",
        ])
        .env(TOLD, format!("{seed} {jobs} {backwards}"))
        .output()
        .expect("the test starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let lines = text.lines().filter(|line| line.starts_with(MARK));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Does nothing unless another test of this file starts it.
#[test]
fn a_child_tells_its_histories() {
    let Ok(told) = std::env::var(TOLD) else {
        return;
    };
    let words: Vec<&str> = told.split(' ').collect();
    let [seed, jobs, backwards] = words[..] else {
        panic!("{TOLD} is three words");
    };
    let number = |word: &str| word.parse().expect("a number");
    // The harness writes the name of the test without an end of line.
    println!();
    print!(
        "{}",
        histories(number(seed), number(jobs) as usize, backwards == "true")
    );
}

#[test]
fn a_seed_twice_gives_the_same_bytes_in_any_process_with_any_jobs_in_any_order() {
    let one = histories(SEED, 1, false);
    assert_eq!(one.lines().count(), 3 * SCRIPTS.len());
    // On one thread, the worlds that other scripts left behind are other ones in another order.
    assert_eq!(one, histories(SEED, 1, true), "another order");
    assert_eq!(one, in_another_process(SEED, 2, true), "another process");
    // What is compared depends on the seed: equal texts do not come from empty histories.
    let other = histories(SEED + 1, 2, false);
    let same = one.lines().zip(other.lines());
    let same = same.filter(|(one, other)| one == other && one.split(' ').count() > 3);
    assert_eq!(same.count(), 0, "another seed gives other histories");
}
