//! Sizes to aim for. Where one gets in the way of clarity, clarity wins: this warns, no more.

use std::io::Write as _;

use super::tree::{Finding, Tree};

/// The lines of a file, and of a file of tests.
const FILE_LINES: (usize, usize) = (400, 600);

/// The lines of a function.
const FUNCTION_LINES: usize = 70;

/// The lines of code of the hardened client.
const CORE_LINES: usize = 8000;

/// The lines of the first document.
const README_LINES: usize = 120;

/// The lines of a fuzz target.
const TARGET_LINES: usize = 30;

/// Whether a file holds tests alone.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("tests.rs")
}

fn files(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut over = |path: &str, lines: usize, most: usize| {
        if lines > most {
            found.push(Finding::new(
                path,
                most + 1,
                format!("{lines} lines; aim for {most}"),
            ));
        }
    };
    for (path, file) in tree.files("", ".rs") {
        let most = match path {
            _ if path.starts_with("fuzz/targets/") => TARGET_LINES,
            _ if is_test(path) => FILE_LINES.1,
            _ => FILE_LINES.0,
        };
        over(path, file.text.lines().count(), most);
    }
    if let Some(file) = tree.file("README.md") {
        over("README.md", file.text.lines().count(), README_LINES);
    }
    found
}

fn functions(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.files("", ".rs") {
        // Formatted code closes a block at the column where it began.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (line, code) in file.code_lines() {
            let column = code.len() - code.trim_start().len();
            let begins = super::lexer::has_word(code, "fn") && !code.trim_end().ends_with(';');
            if begins && !code.trim_end().ends_with('}') && !code.contains("$(") {
                open.push((column, line));
            } else if code.trim_start().starts_with('}')
                && let Some((_, from)) = open.pop_if(|(at, _)| *at == column)
                && line - from + 1 > FUNCTION_LINES
            {
                let advice = format!("a function of {} lines; aim for 70", line - from + 1);
                found.push(Finding::new(path, from, advice));
            }
        }
    }
    found
}

/// The lines of code of the hardened client: neither blank, nor comments, nor tests.
fn core_lines(tree: &Tree) -> usize {
    let mut lines = 0;
    for (_, file) in tree
        .files("core/src/", ".rs")
        .filter(|(path, _)| !is_test(path))
    {
        let tests = file.code.find("#[cfg(test)]\nmod tests {");
        let code = file
            .code
            .get(..tests.unwrap_or(file.code.len()))
            .unwrap_or("");
        lines += code.lines().filter(|line| !line.trim().is_empty()).count();
    }
    lines
}

fn core_budget(tree: &Tree) -> Vec<Finding> {
    let lines = core_lines(tree);
    let over = lines > CORE_LINES;
    let advice = format!("core has {lines} lines of code; aim for {CORE_LINES}");
    over.then(|| Finding::new("core/src/lib.rs", 1, advice))
        .into_iter()
        .collect()
}

#[test]
fn budgets_are_shown() {
    let tree = super::repository();
    // Past the capture of the test harness: a warning that nobody sees is none.
    let mut out = std::io::stderr().lock();
    for finding in [files(tree), functions(tree), core_budget(tree)].concat() {
        let _no_reader = writeln!(out, "tidy warns: {finding}");
    }
    assert!(core_lines(tree) > 1000, "the sources of core are not found");
}

#[test]
fn long_files_and_functions_are_seen() {
    let long = "let x = 1;\n".repeat(80);
    let function = format!("fn long() {{\n{long}}}\n\nfn short() {{\n    let x = 1;\n}}\n");
    super::seen(functions, &[("a.rs", &function)], &["a.rs:1"]);
    let page = "line\n".repeat(401);
    super::seen(
        files,
        &[
            ("a.rs", &page),
            ("tests/a.rs", &page),
            ("README.md", &page),
            ("fuzz/targets/a.rs", &long),
        ],
        &["a.rs:401", "fuzz/targets/a.rs:31", "README.md:121"],
    );
    let core = "let x = 1;\n// no code\n\n".repeat(8001);
    super::seen(
        core_budget,
        &[("core/src/a.rs", &core)],
        &["core/src/lib.rs:1"],
    );
}
