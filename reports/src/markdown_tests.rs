//! Hostile text stays text, and a report holds what a reader needs.

use super::*;
use crate::sample::{hostile, sample, sample_file};

fn exported(results: &Results) -> String {
    let mut bytes = Vec::new();
    Markdown.export(results, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The line without its code spans, by the rule of CommonMark: a run of backticks that is not
/// escaped ends at the next run of the same length.
fn without_spans(line: &str) -> String {
    let mut outside = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let (before, from) = rest.split_at(start);
        outside.push_str(before);
        let backslashes = before
            .chars()
            .rev()
            .take_while(|&found| found == '\\')
            .count();
        if backslashes % 2 == 1 {
            rest = &from[1..];
            continue;
        }
        let length = from.chars().take_while(|&found| found == '`').count();
        let fence = "`".repeat(length);
        let mut inside = &from[length..];
        while let Some(end) = inside.find(&fence) {
            let closing = inside[end..]
                .chars()
                .take_while(|&found| found == '`')
                .count();
            inside = &inside[end + closing..];
            if closing == length {
                break;
            }
        }
        rest = inside;
    }
    outside + rest
}

/// The line without its escaped characters.
fn without_escapes(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn sample_is_what_is_committed() {
    sample_file(&Markdown, "report.md");
}

#[test]
fn prose_has_no_markup() {
    let cases = [
        ("head-rollback", "head-rollback"),
        ("*a* _b_ `c`", "\\*a\\* \\_b\\_ \\`c\\`"),
        ("[x](y) ![z]", "\\[x\\](y) \\!\\[z\\]"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("a|b\\|c", "a&#124;b\\\\&#124;c"),
        ("# x\n# y", "\\# x\\\\n\\# y"),
        (
            "https://e.example www.e.example",
            "https\\://e.example www\\.e.example",
        ),
    ];
    for (text, shown) in cases {
        assert_eq!(prose(text), shown);
    }
}

#[test]
fn code_spans_outlast_their_text() {
    let cases = [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("``` end", "```` ``` end ````"),
        ("two\nlines", "`two\\nlines`"),
        ("end`", "`` end` ``"),
        (" both ", "`  both  `"),
        ("", "`\"\"`"),
        ("  ", "`\"  \"`"),
    ];
    for (text, shown) in cases {
        assert_eq!(code(text), shown);
    }
}

#[test]
fn hostile_text_opens_no_block() {
    let text = exported(&hostile());
    let mut fence: Option<&str> = None;
    let mut titles = 0;
    for line in text.lines() {
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            None => {
                titles += usize::from(line.starts_with("# "));
                let outside = without_escapes(&without_spans(line));
                for markup in ["<", "![", "](", " **c**"] {
                    assert!(!outside.contains(markup), "{markup} in {line}");
                }
            }
        }
    }
    assert_eq!(fence, None, "every fence is closed by its own line");
    assert_eq!(titles, 1, "only the report's own");
}

#[test]
fn findings_show_both_sides_and_the_reproduction() {
    let text = exported(&sample());
    for part in [
        "- offered: ",
        "- trusted: ",
        "Reproduce:",
        "### ",
        "The strawman run:",
    ] {
        assert!(text.contains(part), "{part}");
    }
    for script in sample().scripts {
        assert_eq!(
            text.contains(&format!("### {}:", script.id)),
            script.is_finding()
        );
    }
}

#[test]
fn an_interrupted_run_names_what_it_did_not_run() {
    let mut results = sample();
    assert!(!exported(&results).contains("interrupted"));
    results.run.not_run = vec!["head-fork".to_owned(), "a|b".to_owned()];
    let text = exported(&results);
    assert!(
        text.contains("| interrupted, not run | head-fork, a&#124;b |"),
        "{text}"
    );
}

#[test]
fn an_empty_result_says_so() {
    let results = Results::new(sample().run, Vec::new(), Vec::new());
    assert!(exported(&results).contains("No script was run."));
}
