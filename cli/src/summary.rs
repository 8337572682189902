//! Results for a person at a terminal: a line for each script, the findings, one screen of sums.

use std::collections::BTreeMap;
use std::io::{self, Write};

use turncoat_reports::{
    Client, OperationResult, Results, RunKind, ScriptResult, Seed, Truth, Verdict,
};

use crate::status::Status;
use crate::terminal::{Painter, safe};

/// How many lines of evidence a finding shows; the report has them all.
const EVIDENCE_LINES: usize = 8;

/// Prints everything. Where something is to be reproduced, the command for it is the last line.
///
/// # Errors
///
/// Whatever the writer returns.
pub(crate) fn print(results: &Results, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    lines(results, painter, output)?;
    for script in results.findings() {
        finding(script, painter, output)?;
    }
    conformance(results, painter, output)?;
    sums(results, painter, output)?;
    match reproduction(results) {
        Some(command) => writeln!(output, "\n{command}"),
        None => Ok(()),
    }
}

/// The one command that reproduces the worst finding; where the failure is in no script, the
/// command that was given.
pub(crate) fn reproduction(results: &Results) -> Option<String> {
    let findings = results.findings();
    let worst = findings.first().map(|script| script.reproduction.as_str());
    let given = (Status::of(results) != Status::Fine).then_some(results.run.command.as_str());
    worst.or(given).map(safe_command)
}

/// A command is never cut short, or it would be another one.
fn safe_command(command: &str) -> String {
    turncoat_reports::text::visible(command)
}

/// A verdict for each script, as wide as the longest id.
fn lines(results: &Results, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    let ids = results
        .scripts
        .iter()
        .map(|script| script.id.chars().count());
    let width = ids.max().unwrap_or_default().min(40);
    for script in &results.scripts {
        let guarantees = list(&script.guarantees);
        let mut line = format!(
            "{} {:width$}  {guarantees}",
            painter.verdict(script.verdict),
            safe(&script.id)
        );
        if let Some(expected) = script.expected.filter(|_| !script.as_expected) {
            line.push_str(&format!("  expected {expected}"));
        }
        if !script.reason.is_empty() {
            line.push_str(&format!("  {}", safe(&script.reason)));
        }
        writeln!(output, "{}", line.trim_end())?;
    }
    Ok(())
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a reader needs to judge one verdict.
fn finding(script: &ScriptResult, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    let title = format!("{}: {}", safe(&script.id), script.verdict);
    writeln!(output, "\n{}", painter.heading(&title))?;
    let mut line = |name: &str, text: &str| {
        if text.is_empty() {
            Ok(())
        } else {
            writeln!(output, "  {name:<10} {}", safe(text))
        }
    };
    line("attack", &script.summary)?;
    for guarantee in &script.guarantees {
        line("guarantee", &format!("{guarantee} {}", guarantee.name()))?;
    }
    line("expected", script.expected.map_or("", Verdict::word))?;
    line("reason", &script.reason)?;
    for text in script.evidence.lines().take(EVIDENCE_LINES) {
        line("evidence", text)?;
    }
    if script.evidence.lines().count() > EVIDENCE_LINES {
        line("evidence", "... and more, in the report")?;
    }
    let attacked = script
        .runs
        .iter()
        .filter(|run| run.kind == RunKind::Attacked);
    for OperationResult {
        actor,
        operation,
        outcome,
        error,
    } in attacked.flat_map(|run| &run.operations)
    {
        let Some(error) = error else { continue };
        let name = format!("{} {}", error.class.word(), error.name);
        line(
            "error",
            &format!("{actor} {operation}: {}, {name}", outcome.word()),
        )?;
        line("offered", error.offered.as_deref().unwrap_or_default())?;
        line("trusted", error.trusted.as_deref().unwrap_or_default())?;
    }
    for claim in script
        .claims
        .iter()
        .filter(|claim| claim.truth == Truth::False)
    {
        line(
            "claimed",
            &format!("{}: {}, which is false", claim.actor, claim.text),
        )?;
    }
    writeln!(
        output,
        "  {:<10} {}",
        "reproduce",
        safe_command(&script.reproduction)
    )
}

fn conformance(results: &Results, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    if results.conformance.is_empty() {
        return Ok(());
    }
    writeln!(
        output,
        "\n{}",
        painter.heading("operations on an honest server")
    )?;
    for entry in &results.conformance {
        let line = format!(
            "{:<14} {:<12}  {}",
            entry.works.word(),
            safe(&entry.operation),
            safe(&entry.detail)
        );
        writeln!(output, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The matrix of classes and verdicts, and what it took.
fn sums(results: &Results, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    let Client {
        name,
        ours: _,
        deterministic,
        labels,
    } = &results.run.client;
    let mut about = vec![format!("client {}", safe(name))];
    if !deterministic {
        about.push("not deterministic".to_owned());
    }
    about.extend(labels.iter().map(|label| safe(label)));
    let Seed(_) = results.run.seed;
    about.push(format!("seed {}", results.run.seed));
    if results.totals.scripts > 0 {
        matrix(results, painter, output)?;
    }
    writeln!(output, "\n{}", about.join(", "))?;
    if results.totals.scripts > 0 {
        let (all, unexpected) = (results.totals.scripts, results.totals.not_as_expected);
        match results
            .scripts
            .iter()
            .any(|script| script.expected.is_some())
        {
            true => writeln!(output, "{} of {all} scripts as expected", all - unexpected)?,
            false => applied(results, output)?,
        }
    }
    if results.nothing_applies() {
        writeln!(
            output,
            "no script applies to this client: nothing was tested"
        )?;
    }
    let uncontrolled = results.scripts.iter().filter(|one| one.is_uncontrolled());
    let uncontrolled: Vec<String> = uncontrolled.map(|one| safe(&one.id)).collect();
    if !uncontrolled.is_empty() {
        let (count, ids) = (uncontrolled.len(), uncontrolled.join(", "));
        writeln!(
            output,
            "{count} without control, which nobody was shown to fall for: {ids}"
        )?;
    }
    if !results.run.not_run.is_empty() {
        let left = results.run.not_run.len();
        writeln!(
            output,
            "interrupted: {left} scripts were not run to their end"
        )?;
    }
    let Some(time_ms) = results.run.time_ms else {
        return Ok(());
    };
    let runs = results.run.runs;
    let mut cost = seconds(time_ms);
    if let Some(tenths) = (runs * 10_000).checked_div(time_ms).filter(|_| runs > 0) {
        let rate = match tenths {
            100.. => format!("{}", tenths / 10),
            _ => format!("{}.{}", tenths / 10, tenths % 10),
        };
        cost.push_str(&format!(" in {runs} runs, {rate} runs per second"));
    }
    if let Some(client_ms) = results.run.client_ms {
        cost.push_str(&format!(", {} inside the client", seconds(client_ms)));
    }
    if let Some(percent) = results.run.three_runs_percent {
        let three = seconds(time_ms.saturating_mul(percent) / 100);
        cost.push_str(&format!(
            "\n{three} of it in the honest, the attacked and the strawman's run of each script; \
             the rest shows that no fewer defences would do"
        ));
    }
    writeln!(output, "{cost}")
}

/// Of a client of which nothing was expected: to how many scripts it was put, and what they found.
fn applied(results: &Results, output: &mut dyn Write) -> io::Result<()> {
    let totals = &results.totals;
    let all = totals.scripts - totals.count(Verdict::Inapplicable);
    let found = Verdict::WORST_FIRST.into_iter().filter_map(|verdict| {
        let count = totals.count(verdict);
        let counts = verdict != Verdict::Inapplicable && count > 0;
        counts.then(|| format!("{count} {}", verdict.word()))
    });
    let found: Vec<String> = found.collect();
    writeln!(
        output,
        "{all} of {} scripts applied: {}",
        totals.scripts,
        match found.is_empty() {
            true => "none".to_owned(),
            false => found.join(", "),
        }
    )
}

fn seconds(time_ms: u64) -> String {
    format!("{}.{:02} s", time_ms / 1000, time_ms % 1000 / 10)
}

fn matrix(results: &Results, painter: Painter, output: &mut dyn Write) -> io::Result<()> {
    let totals = &results.totals;
    let shown: Vec<_> = Verdict::WORST_FIRST
        .into_iter()
        .filter(|&verdict| totals.count(verdict) > 0)
        .collect();
    let mut classes: BTreeMap<String, BTreeMap<Verdict, u64>> = BTreeMap::new();
    for script in &results.scripts {
        let counts = classes.entry(safe(&script.class)).or_default();
        *counts.entry(script.verdict).or_default() += 1;
    }
    let width = classes
        .keys()
        .map(|class| class.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut title = format!("{:<width$}", "class");
    for verdict in &shown {
        title.push_str(&format!(" {:>12}", verdict.word()));
    }
    title.push_str(&format!(" {:>6}", "all"));
    writeln!(output, "\n{}", painter.heading(&title))?;
    for (class, counts) in &classes {
        row(class, width, &shown, counts, output)?;
    }
    row("all", width, &shown, &totals.verdicts, output)
}

fn row(
    title: &str,
    width: usize,
    shown: &[Verdict],
    counts: &BTreeMap<Verdict, u64>,
    output: &mut dyn Write,
) -> io::Result<()> {
    write!(output, "{title:<width$}")?;
    for verdict in shown {
        match counts.get(verdict) {
            Some(count) => write!(output, " {count:>12}")?,
            None => write!(output, " {:>12}", ".")?,
        }
    }
    writeln!(output, " {:>6}", counts.values().sum::<u64>())
}

#[cfg(test)]
#[path = "summary_tests.rs"]
pub(crate) mod tests;
