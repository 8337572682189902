//! Scripts of anybody's: what is wrong with one is said with its place, and ends nothing else.

use std::fs;

use crate::{fails, turncoat};

/// A script's text, what `check` must say of it, and the status of `attack`: 2 where it does not
/// parse, 3 where it only fails when it runs.
const WRONG: [(&str, &str, i32); 11] = [
    ("let a = user(\"alice\"", ":1:1: the script does not say", 2),
    ("// x: a lie.\nlet a = user(\"al\"", ":2:", 2),
    (
        "// x: a lie.\nlet al = user(\"al\");\nal.dowload(\"n\");",
        ":3:4: there is no verb `dowload`; did you mean `download`?",
        2,
    ),
    (
        "// x: a lie.\nlet al = user(\"al\");\nexpect_violation(\"rolback\", || al.list());",
        ":3:18: there is no violation `rolback`; did you mean `rollback`?",
        2,
    ),
    (
        "// x: a lie.\nloop { }",
        ":2:6: the script takes too many steps",
        3,
    ),
    (
        "// x: a lie.\nfn f(n) { f(n + 1) }\nf(0);",
        ":3:1: calls within calls",
        3,
    ),
    (
        "// x: a lie.\nlet s = \"x\";\nloop { s += s; }",
        ":3:10: too large: length of string",
        3,
    ),
    (
        "// x: a lie.\nlet s = bytes(9000000000);",
        ":2:9: the script takes more memory than it may",
        3,
    ),
    (
        "// x: a lie.\nlet al = user(\"al\");\nal.upload(\"n\", 7);",
        ":3:4: argument 2 of `upload` must be a string or bytes",
        3,
    ),
    (
        "// x: a lie.\nlet al = user(\"al\");\nal.download(\"n\");",
        ":3:4: operation 1 failed: usage: no-such-file",
        3,
    ),
    (
        "// x: a lie.\nthrow \"a fit\";",
        ":2:1: the script threw a fit",
        3,
    ),
];

#[test]
fn what_is_wrong_with_a_script_is_said_with_its_place() {
    let scratch = tempfile::tempdir().unwrap();
    for (script, part, status) in WRONG {
        fs::write(scratch.path().join("x.rhai"), script).unwrap();
        let output = turncoat(scratch.path(), &["check", "x.rhai"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{script}: {shown}");
        assert!(
            shown.contains(&format!("x.rhai{part}")),
            "{script}: {shown}"
        );
        assert!(
            shown.lines().count() == 3 && shown.ends_with("^\n"),
            "{shown}"
        );
        let output = turncoat(scratch.path(), &["attack", "x.rhai"]);
        assert_eq!(output.status.code(), Some(status), "{script}");
    }
}

#[test]
fn brackets_without_end_do_not_end_the_program() {
    let scratch = tempfile::tempdir().unwrap();
    let deep = format!(
        "// x: a lie.\nlet a = {}1{};\n",
        "(".repeat(30_000),
        ")".repeat(30_000)
    );
    fs::write(scratch.path().join("x.rhai"), deep).unwrap();
    let errors = fails(scratch.path(), &["attack", "x.rhai"], 2);
    assert!(errors.contains("brackets within brackets"), "{errors}");
}

#[test]
fn a_script_that_fails_keeps_no_other_from_its_verdict() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("x.rhai"), "// x: a lie.\nthrow 1;\n").unwrap();
    let words = ["attack", "x.rhai", "head-rollback", "--report", "out"];
    let output = turncoat(scratch.path(), &words);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("\ncaught       head-rollback"), "{shown}");
    assert!(shown.ends_with("attack x.rhai --seed 0x1\n"), "{shown}");
    let report = fs::read_to_string(scratch.path().join("out/report.md")).unwrap();
    assert!(report.contains("head-rollback"), "{report}");
}

#[test]
fn a_script_that_shows_nothing_dishonest_is_told_how_to_run_it_again() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("idle.rhai"), "// idle: nothing.\n").unwrap();
    let output = turncoat(scratch.path(), &["attack", "idle.rhai"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("inert        idle"), "{shown}");
    assert!(shown.ends_with("attack idle.rhai --seed 0x1\n"), "{shown}");
}

#[test]
fn files_that_are_no_scripts_are_usage_for_attack_too() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("binary.rhai"), [0xff, 0xfe]).unwrap();
    fs::create_dir(scratch.path().join("folder.rhai")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", scratch.path().join("endless.rhai")).unwrap();
    let cases = [
        ("none.rhai", "Check its name"),
        ("binary.rhai", "not UTF-8"),
        ("folder.rhai", "could not be read"),
        ("endless.rhai", "longer than"),
    ];
    for (file, part) in cases {
        let errors = fails(scratch.path(), &["attack", file], 2);
        assert!(errors.contains(part) && errors.contains(file), "{errors}");
    }
}

#[test]
fn words_that_are_no_text_are_no_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let scratch = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xff.rhai");
    fs::write(scratch.path().join(odd), "// idle: nothing.\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args([std::ffi::OsStr::new("check"), odd])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn everything_that_has_a_name_is_explained() {
    let scratch = tempfile::tempdir().unwrap();
    let cases = [
        ("head-rollback", "(attack)"),
        ("leaf-hash", "(defence)"),
        ("G3", "(guarantee)"),
        ("inert", "(verdict)"),
    ];
    for (name, part) in cases {
        let output = turncoat(scratch.path(), &["explain", name]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(shown.contains(part), "{shown}");
    }
    let errors = fails(scratch.path(), &["explain", "head-rolback"], 2);
    assert!(errors.contains("did you mean 'head-rollback'?"), "{errors}");
}

#[test]
fn a_timeline_shows_both_runs_and_marks_what_was_tampered_with() {
    let scratch = tempfile::tempdir().unwrap();
    let output = turncoat(scratch.path(), &["attack", "head-rollback", "--timeline"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let (honest, attacked) = shown.split_once("head-rollback, attacked").unwrap();
    assert!(!honest.contains("TAMPERED"), "{honest}");
    for part in ["TAMPERED", "* server.roll_back_to", "believed", "held"] {
        assert!(attacked.contains(part), "{part}: {attacked}");
    }
    assert!(attacked.contains("caught"), "{attacked}");
    let naive = ["attack", "head-rollback", "--client", "naive", "--timeline"];
    let output = turncoat(scratch.path(), &naive);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let (_, verdict) = shown.split_once("held").unwrap();
    assert!(verdict.contains("broken"), "{verdict}");
}

#[test]
fn a_client_to_which_no_script_applies_has_withstood_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let naive = ["attack", "list-omit", "--client", "naive"];
    let output = turncoat(scratch.path(), &naive);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("nothing was tested"), "{shown}");
}

#[test]
fn a_new_attack_runs_as_it_stands() {
    let scratch = tempfile::tempdir().unwrap();
    let output = turncoat(scratch.path(), &["new-attack", "mine"]);
    assert_eq!(output.status.code(), Some(0));
    for words in [["check", "mine.rhai"], ["attack", "mine.rhai"]] {
        let output = turncoat(scratch.path(), &words);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shown}");
    }
}

/// The header of a script that says what the whole library says.
const HEAD: &str = "class: object\n// guarantee: G1\n// source: by hand\n// defences: none\n\
    // control: none: it is a trial\n// verdict: ";

#[test]
fn a_script_that_can_only_fail_is_not_said_to_be_fine() {
    let scratch = tempfile::tempdir().unwrap();
    let rolls_back = "let s = server.snapshot(); a.upload(\"n\", \"2\"); server.roll_back_to(s);\n\
        expect_violation(\"rollback\", || a.download(\"n\"));";
    for (id, verdict, body, part) in [
        ("mine", "caught", "", "nothing is expected"),
        (
            "mine",
            "caught",
            "server.on_reply(\"bob:commit\", |m| m.drop());\n\
             expect_violation(\"rollback\", || a.download(\"n\"));",
            "nothing dishonest is done",
        ),
        ("mine", "harmless", rolls_back, "`harmless` is stated"),
        (
            "mine",
            "admitted",
            rolls_back,
            "no expectation comes to `admitted`",
        ),
        ("other", "caught", rolls_back, "its file has another name"),
    ] {
        let begin = "let a = user(\"alice\"); a.upload(\"n\", \"1\");\n";
        let text = format!("// {id}: a lie.\n// {HEAD}{verdict}\n{begin}{body}\n");
        fs::write(scratch.path().join("mine.rhai"), text).unwrap();
        let output = turncoat(scratch.path(), &["check", "mine.rhai"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains(part), "{body}: {shown}");
        assert_eq!(output.status.code(), Some(2), "{shown}");
    }
}

#[test]
fn what_a_script_prints_is_for_whoever_checks_it() {
    let scratch = tempfile::tempdir().unwrap();
    let text = "// x: a lie.\nprint(\"seen\");\nfor i in 0..2000 { print(i); }\n";
    fs::write(scratch.path().join("x.rhai"), text).unwrap();
    let output = turncoat(scratch.path(), &["check", "x.rhai"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.stdout, b"x.rhai: parses and runs\n");
    assert!(errors.starts_with("seen\n0\n1\n"), "{errors}");
    assert!(errors.lines().count() <= 1001, "{}", errors.lines().count());
}

#[test]
fn two_scripts_of_one_name_are_not_run_together() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("a.rhai"), "// head-rollback: mine.\n").unwrap();
    let words = ["attack", "head-rollback", "a.rhai"];
    let errors = fails(scratch.path(), &words, 2);
    assert!(errors.contains("both named head-rollback"), "{errors}");
}

#[test]
fn a_reader_that_goes_away_ends_everything_in_silence() {
    let scratch = tempfile::tempdir().unwrap();
    for words in [
        &["--help"][..],
        &["explain"],
        &["explain", "caught"],
        &["attack", "head-rollback"],
        &["attack", "head-rollback", "--json"],
        &["attack", "head-rollback", "--timeline"],
    ] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_turncoat"))
            .args(words)
            .current_dir(scratch.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    }
}
