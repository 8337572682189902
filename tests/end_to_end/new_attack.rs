//! `new-attack` writes one file, says what to fill in, and keeps what exists.

use std::fs;

use crate::{fails, turncoat};

#[test]
fn a_new_attack_is_written_and_explained() {
    let scratch = tempfile::tempdir().unwrap();
    let output = turncoat(scratch.path(), &["new-attack", "my-attack"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("fill in") && text.contains("turncoat check"),
        "{text}"
    );
    let script = fs::read_to_string(scratch.path().join("my-attack.rhai")).unwrap();
    assert!(script.starts_with("// my-attack: "), "{script}");
}

#[test]
fn a_file_that_exists_is_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("mine.rhai");
    fs::write(&path, "precious").unwrap();
    let errors = fails(scratch.path(), &["new-attack", "mine"], 2);
    assert!(errors.contains("take another id"), "{errors}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn an_id_that_leads_elsewhere_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    for id in ["../mine", "/tmp/mine", "Mine", "a b"] {
        let errors = fails(scratch.path(), &["new-attack", id], 2);
        assert!(errors.contains("is not an id"), "{errors}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}
