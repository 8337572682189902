//! Every source file: ASCII, 100 columns, a first sentence, in the tree of modules, no bare
//! exceptions and no order that changes from run to run.

use super::lexer::has_word;
use super::tree::{File, Finding, Tree};
use super::{obeyed, seen};

/// The widest line.
const COLUMNS: usize = 100;

/// Every line of files with these endings that breaks a rule.
fn lines(
    tree: &Tree,
    endings: &[&str],
    breach: impl Fn(&str) -> Option<&'static str>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for ending in endings {
        for (path, file) in tree.files("", ending) {
            for (line, text) in file.lines() {
                found.extend(breach(text).map(|advice| Finding::new(path, line, advice)));
            }
        }
    }
    found
}

fn ascii(tree: &Tree) -> Vec<Finding> {
    let endings = [".rs", ".rhai", ".toml", ".ci/run"];
    lines(tree, &endings, |line| {
        (!line.is_ascii()).then_some("sources are ASCII")
    })
}

fn columns(tree: &Tree) -> Vec<Finding> {
    lines(tree, &[".rs", ".rhai", ".ci/run"], |line| {
        (line.chars().count() > COLUMNS).then_some("break the line at 100 columns")
    })
}

fn first_sentence(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".rs") {
        if !file.text.starts_with("//! ") {
            let advice = "begin with //! and one sentence: what the file promises";
            found.push(Finding::new(path, 1, advice));
        }
    }
    found
}

fn tidy_exceptions(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".rs") {
        for (line, code) in file.code_lines() {
            let advice = if code.contains("#[allow(") || code.contains("#![allow(") {
                "use #[expect(lint, reason = \"...\")]"
            } else if code.contains("#[ignore") || code.contains("#[should_panic") {
                "a test runs, and asserts the exact error"
            } else if has_word(code, "HashMap") || has_word(code, "HashSet") {
                "its order is not reproducible: use BTreeMap or BTreeSet"
            } else if has_word(code, "todo") || has_word(code, "unimplemented") {
                "finish it, or leave it out"
            } else {
                continue;
            };
            found.push(Finding::new(path, line, advice));
        }
    }
    found
}

/// Whether a file declares a module of this name.
fn declares(file: Option<&File>, module: &str) -> bool {
    file.is_some_and(|file| {
        let ends = |line: &str| line.trim().ends_with(&format!("mod {module};"));
        file.code.lines().any(ends)
    })
}

fn no_dead_files(tree: &Tree) -> Vec<Finding> {
    let mut named = String::new();
    for (_, file) in tree.files("", ".rs") {
        named.extend(
            file.lines()
                .filter(|(_, line)| line.contains("#[path"))
                .map(|(_, line)| line),
        );
    }
    for (_, file) in tree.files("", "Cargo.toml") {
        named.push_str(&file.text);
    }
    let mut found = Vec::new();
    for (path, _) in tree.files("", ".rs") {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let root = ["build.rs", "lib.rs", "main.rs"].contains(&name);
        let example = folder.ends_with("/examples") || folder.ends_with("/src/bin");
        let listed = named.contains(&format!("{name}\""));
        if root || example || listed {
            continue;
        }
        // `a/mod.rs` is the module `a` of the folder above.
        let (folder, module) = match name {
            "mod.rs" => folder.rsplit_once('/').unwrap_or(("", folder)),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let above = ["/lib.rs", "/main.rs", "/mod.rs", ".rs"];
        if !above
            .iter()
            .any(|end| declares(tree.file(&format!("{folder}{end}")), module))
        {
            found.push(Finding::new(
                path,
                1,
                "no module declares the file: name it or remove it",
            ));
        }
    }
    found
}

#[test]
fn sources_are_ascii() {
    obeyed(ascii);
    let files = [
        ("a.rs", "//! A\n// \u{e9}\n"),
        ("b.rhai", "// \u{2014}\n"),
        ("c.md", "\u{e9}\n"),
    ];
    seen(ascii, &files, &["a.rs:2", "b.rhai:1"]);
}

#[test]
fn lines_have_a_hundred_columns() {
    obeyed(columns);
    let (full, over) = ("a".repeat(COLUMNS), "a".repeat(COLUMNS + 1));
    seen(columns, &[("a.rs", &full), ("b.rs", &over)], &["b.rs:1"]);
}

#[test]
fn files_begin_with_a_sentence() {
    obeyed(first_sentence);
    let files = [
        ("a.rs", "//! What it promises.\n"),
        ("b.rs", "// What it promises.\n"),
    ];
    seen(first_sentence, &files, &["b.rs:1"]);
}

#[test]
fn exceptions_have_reasons() {
    obeyed(tidy_exceptions);
    let files = [
        ("a.rs", "#[expect(lint)]\n// todo HashMap\n#[allow(lint)]\n"),
        (
            "b.rs",
            "use std::collections::HashSet;\n#[ignore = \"slow\"]\n",
        ),
    ];
    seen(tidy_exceptions, &files, &["a.rs:3", "b.rs:1", "b.rs:2"]);
}

#[test]
fn every_file_is_compiled() {
    obeyed(no_dead_files);
    let files = [
        ("core/src/lib.rs", "pub mod id;\nmod wire;\n// mod gone;\n"),
        ("core/src/id.rs", "mod tests;\n"),
        ("core/src/id/tests.rs", ""),
        ("core/src/gone.rs", ""),
        (
            "core/src/wire/mod.rs",
            "#[path = \"../odd.rs\"]\nmod even;\n",
        ),
        ("core/src/wire/head.rs", ""),
        ("core/src/odd.rs", ""),
        ("tests/Cargo.toml", "path = \"tidy/main.rs\"\n"),
        ("benches/Cargo.toml", "path = \"primitives.rs\"\n"),
        ("benches/primitives.rs", ""),
    ];
    seen(
        no_dead_files,
        &files,
        &["core/src/gone.rs:1", "core/src/wire/head.rs:1"],
    );
}
