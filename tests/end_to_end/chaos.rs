//! Honest workloads over a bad network: what is counted, and what is no order for one.

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
