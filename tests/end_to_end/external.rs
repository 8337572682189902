//! Programs of other people: named when they misbehave, judged, and their findings reproduced.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::{fails, turncoat};

const DECLARES: &str = r#"read hello
echo '{"turncoat":1,"name":"odd","operations":["upload","download","list"]}'
read line
"#;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn last_line(output: &str) -> String {
    output.lines().last().unwrap_or_default().to_owned()
}

/// Does what a line says in a shell, as somebody who pastes it.
fn pasted(directory: &Path, line: &str) -> Output {
    Command::new("sh")
        .args(["-c", line])
        .current_dir(directory)
        .output()
        .unwrap()
}

#[test]
fn a_client_that_does_not_start_has_a_status_of_its_own() {
    let scratch = tempfile::tempdir().unwrap();
    let cases = [
        ("exec:/nowhere/client", "there is no such program"),
        ("exec:./plain", "chmod +x it"),
        ("exec:false", "died: ended with status 1"),
        ("exec:echo hello", "nonsense: a line that is no JSON object"),
    ];
    fs::write(scratch.path().join("plain"), "no program").unwrap();
    for (client, part) in cases {
        for mode in ["head-rollback", "--conformance"] {
            let errors = fails(scratch.path(), &["attack", mode, "--client", client], 5);
            assert!(errors.contains(part), "{client}: {errors}");
        }
    }
}

#[test]
fn a_machine_without_room_is_no_fault_of_the_client() {
    let scratch = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args(["attack", "head-rollback", "--client", "exec:cat"])
        .env("TMPDIR", "/nowhere")
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(errors.contains("TMPDIR"), "{errors}");
}

#[test]
fn a_command_that_no_shell_would_take_is_usage() {
    let scratch = tempfile::tempdir().unwrap();
    let words = ["attack", "--client", "exec:python3 'mine.py"];
    let errors = fails(scratch.path(), &words, 2);
    assert!(errors.contains("open ' quote"), "{errors}");
}

#[test]
fn clients_that_die_flood_or_speak_nonsense_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let cases = [
        ("echo oh dear >&2; exit 7", "died: ended with status 7"),
        ("cat /dev/zero", "flooded"),
        ("echo maybe; sleep 600", "nonsense"),
    ];
    for (conduct, part) in cases {
        let script = format!("{DECLARES}{conduct}\n");
        fs::write(scratch.path().join("odd client.sh"), script).unwrap();
        let client = "exec:sh 'odd client.sh'";
        let output = turncoat(
            scratch.path(),
            &["attack", "head-rollback", "--client", client],
        );
        // Its honest run fails, so that nothing is known about it.
        assert_eq!(output.status.code(), Some(3), "{conduct}");
        let shown = text(output.stdout);
        assert!(shown.contains("head-rollback: unknown"), "{shown}");
        assert!(shown.contains(part), "{shown}");
        let again = pasted(scratch.path(), &last_line(&shown));
        assert_eq!(again.status.code(), Some(3), "{}", text(again.stderr));
    }
}

#[test]
fn conformance_fails_where_a_declared_operation_does() {
    let scratch = tempfile::tempdir().unwrap();
    let script = format!("{DECLARES}exit 7\n");
    fs::write(scratch.path().join("odd.sh"), script).unwrap();
    let words = ["attack", "--conformance", "--client", "exec:sh odd.sh"];
    let output = turncoat(scratch.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(output.stdout);
    assert!(shown.contains("\nfails          upload"), "{shown}");
    assert!(shown.contains("\nnot declared   share"), "{shown}");
    let again = pasted(scratch.path(), &last_line(&shown));
    assert_eq!(again.status.code(), Some(1), "{}", text(again.stderr));
}

/// Puts an example client into the directory, under a name that needs quotes; false where there
/// is no Python.
fn python(directory: &Path, client: &str) -> bool {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3 on this machine");
        return false;
    }
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adversary/clients");
    fs::copy(clients.join(client), directory.join("it's mine.py")).unwrap();
    true
}

const MINE: &str = r#"exec:python3 "it's mine.py""#;

#[test]
fn the_client_of_forty_lines_is_convicted_and_the_conviction_reproduced() {
    let scratch = tempfile::tempdir().unwrap();
    if !python(scratch.path(), "notes.py") {
        return;
    }
    let words = ["attack", "head-rollback", "--client", MINE];
    let output = turncoat(scratch.path(), &words);
    let shown = text(output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("head-rollback: broken"), "{shown}");
    assert!(shown.contains("G3 freshness"), "{shown}");
    assert!(shown.contains("not deterministic"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours in a pipe: {shown:?}");
    let again = pasted(scratch.path(), &last_line(&shown));
    assert_eq!(again.status.code(), Some(1), "{}", text(again.stderr));
    assert!(text(again.stdout).contains("head-rollback: broken"));

    let output = turncoat(scratch.path(), &[&words[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let script = &found["results"]["scripts"][0];
    assert_eq!(script["verdict"], "broken");
    assert_eq!(last_line(&text(output.stderr)), last_line(&shown));
    assert_eq!(script["reproduction"], last_line(&shown));
}

#[test]
fn one_defence_more_makes_another_verdict() {
    let scratch = tempfile::tempdir().unwrap();
    if !python(scratch.path(), "notes_versions.py") {
        return;
    }
    let output = turncoat(
        scratch.path(),
        &["attack", "head-rollback", "--client", MINE],
    );
    let shown = text(output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("caught       head-rollback"), "{shown}");
}
