//! A mistake ends with the documented status and an error that says what to do.

use std::fs;

use crate::{fails, turncoat};

#[test]
fn mistakes_on_the_command_line_are_usage() {
    let scratch = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&[], "Usage"),
        (&["atack"], "attack"),
        (&["attack", "--seed", "x"], "0x and up to 16"),
        (&["attack", "--client", "niave"], "did you mean 'naive'?"),
        (&["attack", "--client", "exec:"], "needs a command"),
        (&["attack", "--jobs", "0"], "--jobs"),
        (&["attack", "--timeline", "--json"], "cannot be used with"),
        (&["attack", "--conformance"], "needs an external client"),
    ];
    for (words, part) in cases {
        let errors = fails(scratch.path(), words, 2);
        assert!(errors.contains(part), "{words:?}: {errors}");
    }
}

#[test]
fn help_and_version_are_results() {
    let scratch = tempfile::tempdir().unwrap();
    for (words, part) in [(["--help"], "Exit status"), (["--version"], "turncoat 0.")] {
        let output = turncoat(scratch.path(), &words);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(part));
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn scripts_that_cannot_be_read_are_usage() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("binary.rhai"), [0xff, 0xfe]).unwrap();
    let cases = [
        ("none.rhai", "Check its name"),
        ("binary.rhai", "not UTF-8"),
    ];
    for (file, part) in cases {
        let errors = fails(scratch.path(), &["check", file], 2);
        assert!(errors.contains(part) && errors.contains(file), "{errors}");
    }
}

#[test]
fn a_report_directory_of_somebody_else_is_not_touched() {
    let scratch = tempfile::tempdir().unwrap();
    let thesis = scratch.path().join("home/thesis.tex");
    fs::create_dir(scratch.path().join("home")).unwrap();
    fs::write(&thesis, "precious").unwrap();
    let errors = fails(scratch.path(), &["attack", "--report", "home"], 2);
    assert!(
        errors.contains("thesis.tex") && errors.contains("another directory"),
        "{errors}"
    );
    assert_eq!(fs::read_to_string(&thesis).unwrap(), "precious");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_report_of_a_newer_version_is_not_touched() {
    let scratch = tempfile::tempdir().unwrap();
    let marker = scratch.path().join("report/turncoat-report.json");
    fs::create_dir(scratch.path().join("report")).unwrap();
    let newer = "{\"format\": \"turncoat-report\", \"version\": 99, \"lanes\": []}";
    fs::write(&marker, newer).unwrap();
    let errors = fails(scratch.path(), &["attack", "--report", "report"], 2);
    assert!(errors.contains("version 99"), "{errors}");
    assert_eq!(fs::read_to_string(&marker).unwrap(), newer);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_a_fault_of_the_machine() {
    let scratch = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args(["new-attack", "mine"])
        .current_dir(scratch.path())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("standard output could not be written"),
        "{errors}"
    );
}
