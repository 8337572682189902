//! Tells the program which commit it was built from, because a run depends on it.

use std::path::Path;
use std::process::Command;

/// What can change a verdict; a change in any of it asks for the commit again.
const SOURCES: [&str; 6] = [
    "../Cargo.lock",
    "../core",
    "../adversary",
    "../reports/src",
    "src",
    "build.rs",
];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!(
        "cargo::rustc-env=TURNCOAT_COMMIT={}",
        commit().unwrap_or("unknown".to_owned())
    );
}

/// The commit, marked where the sources differ from it; none outside a clone of this project.
fn commit() -> Option<String> {
    let root = git(&["rev-parse", "--show-toplevel"])?;
    let ours = Path::new("..").canonicalize().ok()?;
    if Path::new(&root).canonicalize().ok()? != ours {
        return None;
    }
    // The reflog grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit}-changed")
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
