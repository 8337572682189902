//! Markdown: a report to read, in which no hostile text becomes markup.
//!
//! Texts that a client or a server chose stand in code spans and fences alone. Everything else that
//! comes from outside is prose with its punctuation escaped.

use std::collections::BTreeMap;
use std::io;

use crate::text::{clipped, visible, visible_lines};
use crate::{ClientError, Exporter, OperationResult, Results, Run, ScriptResult, Verdict};

/// The Markdown document.
#[derive(Clone, Copy, Debug)]
pub struct Markdown;

impl Exporter for Markdown {
    fn file_name(&self) -> &'static str {
        "report.md"
    }

    fn export(&self, results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
        head(&results.run, output)?;
        summary(results, output)?;
        findings(results, output)?;
        claims(results, output)?;
        conformance(results, output)?;
        scripts(results, output)?;
        output.flush()
    }
}

/// Prose: one line, punctuation that Markdown reads is escaped.
fn prose(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(&clipped(text)).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // An entity, because a backslash before a bar is read twice inside a table.
            '|' => escaped.push_str("&#124;"),
            // A colon and a full stop make links of addresses that stand alone.
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '$' | '!' => {
                escaped.extend(['\\', character]);
            }
            ':' if escaped.ends_with("http") || escaped.ends_with("https") => {
                escaped.push_str("\\:");
            }
            '.' if escaped.to_ascii_lowercase().ends_with("www") => escaped.push_str("\\."),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A code span around one line, fenced by more backticks than the text holds in a row.
fn code(text: &str) -> String {
    let shown = visible(&clipped(text));
    if shown.trim().is_empty() {
        // A span of blanks is no span; nothing in it can be markup.
        return format!("`\"{shown}\"`");
    }
    let fence = "`".repeat(longest_run(&shown) + 1);
    // One blank is stripped from both ends where both have one, so a backtick may come first.
    let pad = if shown.starts_with([' ', '`']) || shown.ends_with([' ', '`']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// A fenced block of several lines.
fn block(text: &str, output: &mut dyn io::Write) -> io::Result<()> {
    let shown = visible_lines(&clipped(text));
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    writeln!(
        output,
        "{fence}text\n{}\n{fence}\n",
        shown.trim_end_matches('\n')
    )
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or_default()
}

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "-".to_owned();
    }
    let items: Vec<_> = items.iter().map(|item| prose(&item.to_string())).collect();
    items.join(", ")
}

fn head(run: &Run, output: &mut dyn io::Write) -> io::Result<()> {
    writeln!(output, "# Turncoat report: {}\n", prose(&run.client.name))?;
    writeln!(output, "| run | |\n|---|---|")?;
    let kind = if run.client.ours {
        "the project's own"
    } else {
        "a client under test"
    };
    let replay = if run.client.deterministic {
        "deterministic"
    } else {
        "not deterministic"
    };
    writeln!(
        output,
        "| client | {} ({kind}, {replay}) |",
        prose(&run.client.name)
    )?;
    if !run.client.labels.is_empty() {
        writeln!(output, "| labels | {} |", list(&run.client.labels))?;
    }
    writeln!(output, "| seed | {} |", run.seed)?;
    writeln!(
        output,
        "| program | turncoat {} |",
        prose(&run.tool_version)
    )?;
    writeln!(output, "| commit | {} |", prose(&run.commit))?;
    for (name, value) in [("started", &run.started), ("ended", &run.ended)] {
        if let Some(value) = value {
            writeln!(output, "| {name} | {} |", prose(value))?;
        }
    }
    if let Some(time_ms) = run.time_ms {
        writeln!(output, "| wall time | {time_ms} ms |")?;
    }
    if !run.not_run.is_empty() {
        writeln!(output, "| interrupted, not run | {} |", list(&run.not_run))?;
    }
    writeln!(output, "| runs | {} |", run.runs)?;
    if let Some(client_ms) = run.client_ms {
        writeln!(output, "| inside the client | {client_ms} ms |")?;
    }
    if let Some(percent) = run.three_runs_percent {
        writeln!(output, "| in the three runs of each script | {percent} % |")?;
    }
    writeln!(output, "\nCommand:\n")?;
    block(&run.command, output)
}

fn summary(results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
    let totals = &results.totals;
    writeln!(output, "## Summary\n")?;
    if totals.scripts == 0 {
        return writeln!(output, "No script was run.\n");
    }
    writeln!(
        output,
        "{} of {} scripts came out as expected. The worst verdict is **{}**.\n",
        totals.scripts - totals.not_as_expected,
        totals.scripts,
        results.worst().map_or("none", Verdict::word)
    )?;
    let shown: Vec<_> = Verdict::WORST_FIRST
        .into_iter()
        .filter(|&verdict| totals.count(verdict) > 0)
        .collect();
    let mut classes: BTreeMap<&str, BTreeMap<Verdict, u64>> = BTreeMap::new();
    for script in &results.scripts {
        *classes
            .entry(&script.class)
            .or_default()
            .entry(script.verdict)
            .or_default() += 1;
    }
    write!(output, "| class |")?;
    for verdict in &shown {
        write!(output, " {verdict} |")?;
    }
    writeln!(output, " all |\n|---|{}---:|", "---:|".repeat(shown.len()))?;
    for (class, counts) in &classes {
        row(
            &prose(class),
            &shown,
            |verdict| counts.get(&verdict).copied(),
            output,
        )?;
    }
    row(
        "**all**",
        &shown,
        |verdict| Some(totals.count(verdict)),
        output,
    )?;
    writeln!(output)?;
    for verdict in &shown {
        writeln!(output, "- **{verdict}**: {}", verdict.meaning())?;
    }
    writeln!(output)
}

/// One row of the matrix, with its sum.
fn row(
    title: &str,
    shown: &[Verdict],
    count: impl Fn(Verdict) -> Option<u64>,
    output: &mut dyn io::Write,
) -> io::Result<()> {
    write!(output, "| {title} |")?;
    let mut sum = 0;
    for &verdict in shown {
        let number = count(verdict).unwrap_or_default();
        sum += number;
        if number == 0 {
            write!(output, " |")?;
        } else {
            write!(output, " {number} |")?;
        }
    }
    writeln!(output, " {sum} |")
}

fn findings(results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
    let found = results.findings();
    if found.is_empty() {
        return Ok(());
    }
    writeln!(output, "## Findings\n")?;
    for script in found {
        detail(script, output)?;
    }
    Ok(())
}

/// All that is known of one script.
fn detail(script: &ScriptResult, output: &mut dyn io::Write) -> io::Result<()> {
    writeln!(output, "### {}: {}\n", prose(&script.id), script.verdict)?;
    if !script.summary.is_empty() {
        writeln!(output, "Attack: {}\n", prose(&script.summary))?;
    }
    let expected = script
        .expected
        .map_or("not broken, not unknown", Verdict::word);
    let guarantees: Vec<_> = script
        .guarantees
        .iter()
        .map(|guarantee| format!("{guarantee} {}", guarantee.name()))
        .collect();
    writeln!(output, "- class: {}", prose(&script.class))?;
    writeln!(output, "- guarantees: {}", list(&guarantees))?;
    writeln!(output, "- source: {}", prose(&script.source))?;
    writeln!(output, "- defences: {}", list(&script.defences))?;
    writeln!(output, "- expected: {expected}")?;
    let reason = if script.reason.is_empty() {
        "-".to_owned()
    } else {
        code(&script.reason)
    };
    writeln!(output, "- reason: {reason}")?;
    let counters = &script.counters;
    write!(
        output,
        "- cost: {} requests, {} bytes up, {} bytes down",
        counters.requests, counters.bytes_up, counters.bytes_down
    )?;
    match counters.time_ms {
        Some(time_ms) => writeln!(output, ", {time_ms} ms\n")?,
        None => writeln!(output, "\n")?,
    }
    if !script.evidence.is_empty() {
        writeln!(output, "Evidence:\n")?;
        block(&script.evidence, output)?;
    }
    for run in &script.runs {
        writeln!(output, "The {} run:\n", run.kind.word())?;
        for operation in &run.operations {
            operation_lines(operation, output)?;
        }
        writeln!(output)?;
    }
    if !script.acts.is_empty() {
        writeln!(output, "Acts:\n")?;
        block(&script.acts.join("\n"), output)?;
    }
    writeln!(output, "Reproduce:\n")?;
    block(&script.reproduction, output)
}

fn operation_lines(operation: &OperationResult, output: &mut dyn io::Write) -> io::Result<()> {
    let (actor, asked) = (code(&operation.actor), code(&operation.operation));
    writeln!(output, "- {actor} {asked}: {}", operation.outcome.word())?;
    let Some(error) = &operation.error else {
        return Ok(());
    };
    let ClientError {
        class,
        name,
        text,
        offered,
        trusted,
    } = error;
    writeln!(output, "  - {} {}", class.word(), code(name))?;
    if !text.is_empty() {
        writeln!(output, "  - said: {}", code(text))?;
    }
    for (side, value) in [("offered", offered), ("trusted", trusted)] {
        if let Some(value) = value {
            writeln!(output, "  - {side}: {}", code(value))?;
        }
    }
    Ok(())
}

fn claims(results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
    let mut started = false;
    for script in &results.scripts {
        for claim in &script.claims {
            if !started {
                writeln!(output, "## What the client claimed\n")?;
                started = true;
            }
            let (actor, text) = (code(&claim.actor), code(&claim.text));
            writeln!(
                output,
                "- {}, {actor}: {text}: {}",
                prose(&script.id),
                claim.truth.word()
            )?;
        }
    }
    if started { writeln!(output) } else { Ok(()) }
}

fn conformance(results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
    if results.conformance.is_empty() {
        return Ok(());
    }
    writeln!(output, "## Conformance\n")?;
    for entry in &results.conformance {
        write!(
            output,
            "- {}: {}",
            prose(&entry.operation),
            entry.works.word()
        )?;
        if entry.detail.is_empty() {
            writeln!(output)?;
        } else {
            writeln!(output, ", {}", code(&entry.detail))?;
        }
    }
    writeln!(output)
}

fn scripts(results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
    if results.scripts.is_empty() {
        return Ok(());
    }
    writeln!(output, "## Scripts\n")?;
    writeln!(
        output,
        "| script | class | guarantees | expected | verdict | source |"
    )?;
    writeln!(output, "|---|---|---|---|---|---|")?;
    for script in &results.scripts {
        let verdict = if script.is_finding() {
            format!("**{}**", script.verdict)
        } else {
            script.verdict.word().to_owned()
        };
        writeln!(
            output,
            "| {} | {} | {} | {} | {verdict} | {} |",
            prose(&script.id),
            prose(&script.class),
            list(&script.guarantees),
            script.expected.map_or("-", Verdict::word),
            prose(&script.source),
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
