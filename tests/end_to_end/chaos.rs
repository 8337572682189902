//! Honest workloads over a bad network: what is counted, and what is no order for one.

use std::process::Command;

use crate::{fails, turncoat};

#[test]
fn honest_runs_are_counted_and_nothing_falls() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |jobs: &str| {
        let words = ["chaos", "--runs", "6", "--seed", "7", "--jobs", jobs];
        let output = turncoat(scratch.path(), &words);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(output.stderr.is_empty());
        shown
    };
    let (one, two) = (run("1"), run("2"));
    assert!(
        one.starts_with("chaos: core with seeds 0x7 to 0xc\n"),
        "{one}"
    );
    let last = one.lines().last().unwrap();
    assert!(last.starts_with("6 of 6 runs: nothing fell, in "), "{one}");
    assert!(last.ends_with(" runs/s"), "{one}");
    assert!(one.contains("\noperations   append "), "{one}");
    // All but the last line is a function of the seeds.
    let counts = |shown: &str| shown.rsplit_once("\n6 of 6").unwrap().0.to_owned();
    assert_eq!(counts(&one), counts(&two));
}

#[test]
fn a_run_that_falls_is_told_and_the_last_line_repeats_it() {
    let scratch = tempfile::tempdir().unwrap();
    // Who hashes names without a key shows them to an honest server too.
    let client = ["--client", "weakened:name-hiding"];
    let words = [&["chaos", "--runs", "3", "--seed", "7"], &client[..]].concat();
    let output = turncoat(scratch.path(), &words);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(output.stderr.is_empty());
    let of_seed = |shown: &str, seed: &str| -> Vec<String> {
        let lines = shown.lines().filter(|line| line.starts_with(seed));
        lines.map(str::to_owned).collect()
    };
    for seed in ["0x7: ", "0x8: ", "0x9: "] {
        let fell = of_seed(&shown, seed);
        let names = |line: &String| line.contains("breach: G6 confidentiality: ");
        assert!(!fell.is_empty() && fell.iter().all(names), "{shown}");
    }
    assert!(
        shown.contains("\n3 of 3 runs: something fell in 3, in "),
        "{shown}"
    );
    assert!(!shown.contains("sign_up();"), "{shown}");

    let last = shown.lines().last().unwrap();
    let repeats = " chaos --client weakened:name-hiding --seed 0x7 --runs 1";
    assert!(last.ends_with(repeats), "{last}");
    let again = Command::new("sh").args(["-c", last]).output().unwrap();
    let again = (
        again.status.code(),
        String::from_utf8(again.stdout).unwrap(),
    );
    assert_eq!(again.0, Some(1), "{}", again.1);
    assert_eq!(of_seed(&again.1, "0x7: "), of_seed(&shown, "0x7: "));
    let script = "\n// chaos-0x7: what fell over a bad network.\n";
    assert!(again.1.contains(script), "{}", again.1);
    assert!(
        again.1.contains("\ndevice(\"alice/first\").sign_up();\n"),
        "{}",
        again.1
    );
    assert_eq!(again.1.lines().last(), Some(last));
}

#[test]
fn mistakes_are_usage() {
    let scratch = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["--runs", "0"], "--runs"),
        (&["--runs", "many"], "--runs"),
        (&["--seed", "x"], "0x and up to 16"),
        (&["--jobs", "0"], "--jobs"),
        (&["--client", "naive"], "--client core or weakened"),
        (&["--client", "exec:true"], "--client core or weakened"),
        (
            &["--client", "weakened:own-plaice"],
            "did you mean 'own-place'?",
        ),
    ];
    for (more, part) in cases {
        let words = [&["chaos"], more].concat();
        let errors = fails(scratch.path(), &words, 2);
        assert!(errors.contains(part), "{words:?}: {errors}");
    }
}
