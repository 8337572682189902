//! The program as a whole: statuses, streams, and bad input, through the built binary.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod bad_input;
mod between;
mod changes;
mod chaos;
mod external;
mod faults;
mod files;
mod grace;
mod interrupt;
mod killed;
mod new_attack;
mod scripts;
mod serve;
mod trust_times;
mod turned;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a directory, with every stream piped.
fn turncoat(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_turncoat"))
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// Asserts the status and that nothing but the error is printed, and returns the error.
fn fails(directory: &Path, words: &[&str], status: i32) -> String {
    let output = turncoat(directory, words);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words:?}: {errors}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{words:?}");
    assert!(!errors.contains('\u{1b}'), "{errors:?}");
    errors
}
