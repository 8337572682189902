//! The laws of the house: every invariant that text can decide, each with a planted breach.
//!
//! A law is a function from a [`Tree`] to what breaks it. Each has two tests: the repository obeys
//! it, and it sees a breach in a small tree made for it, so that no law is blind. Sources are read
//! without comments and literals: prose may name what code may not.

mod adversary;
mod budgets;
mod core;
mod documents;
mod fuzzing;
mod lexer;
mod library;
mod manifests;
mod semantics;
mod sources;
mod tree;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use tree::{Finding, Tree};

/// A law of the house.
type Law = fn(&Tree) -> Vec<Finding>;

/// The repository that this test belongs to.
fn repository() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Tree::read(&root).expect("the repository is readable")
    })
}

/// Fails with each place where the repository breaks the law.
fn obeyed(law: Law) {
    let mut text = String::new();
    for finding in law(repository()) {
        let _infallible = writeln!(text, "{finding}");
    }
    assert!(text.is_empty(), "\n{text}");
}

/// Fails unless the law sees exactly these places in a tree of these files.
fn seen(law: Law, files: &[(&str, &str)], places: &[&str]) {
    let found: Vec<String> = law(&Tree::planted(files))
        .iter()
        .map(Finding::place)
        .collect();
    assert_eq!(found, places);
}
