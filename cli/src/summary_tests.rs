//! A person sees every verdict, every finding, one screen of sums, and the command to repeat it.

use turncoat_reports::{
    ClientError, Counters, ErrorClass, Guarantee, Outcome, Run, RunResult, agrees,
};

use super::*;

/// Results with these expected and found verdicts.
pub(crate) fn results(ours: bool, scripts: &[(Option<Verdict>, Verdict)]) -> Results {
    let scripts = scripts
        .iter()
        .enumerate()
        .map(|(number, &(expected, verdict))| ScriptResult {
            id: format!("attack-{number}"),
            class: format!("class-{}", number % 14),
            summary: "a lie".to_owned(),
            guarantees: Guarantee::numbered(3).into_iter().collect(),
            source: String::new(),
            defences: Vec::new(),
            expected,
            verdict,
            as_expected: agrees(expected, verdict),
            reason: String::new(),
            evidence: String::new(),
            runs: Vec::new(),
            acts: Vec::new(),
            claims: Vec::new(),
            counters: Counters::default(),
            reproduction: format!("turncoat attack attack-{number} --seed 0x1"),
        });
    let run = Run {
        tool_version: "0".to_owned(),
        commit: "unknown".to_owned(),
        seed: Seed(1),
        command: String::new(),
        client: Client {
            name: "core".to_owned(),
            ours,
            deterministic: ours,
            labels: Vec::new(),
        },
        started: None,
        ended: None,
        time_ms: Some(2500),
        not_run: Vec::new(),
        runs: 500,
        client_ms: Some(1250),
        three_runs_percent: Some(60),
    };
    Results::new(run, scripts.collect(), Vec::new())
}

fn printed(results: &Results) -> String {
    let mut bytes = Vec::new();
    print(results, Painter::plain(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

const CAUGHT: (Option<Verdict>, Verdict) = (Some(Verdict::Caught), Verdict::Caught);

#[test]
fn every_script_has_a_line_and_the_sums_fit_a_screen() {
    let text = printed(&results(true, &[CAUGHT; 120]));
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("caught "))
            .count(),
        120
    );
    let sums: Vec<_> = text.lines().skip(120).collect();
    assert!(sums.len() <= 24, "{}", sums.len());
    assert!(text.contains("120 of 120 scripts as expected"), "{text}");
    assert!(
        text.contains("2.50 s in 500 runs, 200 runs per second, 1.25 s inside"),
        "{text}"
    );
}

#[test]
fn the_last_line_of_a_failure_reproduces_the_worst() {
    let refused = (Some(Verdict::Caught), Verdict::Refused);
    let broken = (Some(Verdict::Caught), Verdict::Broken);
    let text = printed(&results(true, &[CAUGHT, refused, broken]));
    assert_eq!(
        text.lines().last(),
        Some("turncoat attack attack-2 --seed 0x1")
    );
    assert!(
        text.contains("attack-1: refused") && text.contains("attack-2: broken"),
        "{text}"
    );
    assert!(!text.contains("attack-0: "), "{text}");
}

#[test]
fn an_interrupted_run_says_what_is_missing_and_ends_with_its_command() {
    let mut found = results(true, &[CAUGHT]);
    found.run.not_run = vec!["head-fork".to_owned(), "leaf-swap".to_owned()];
    found.run.command = "turncoat attack --seed 7".to_owned();
    let text = printed(&found);
    assert!(
        text.contains("interrupted: 2 scripts were not run"),
        "{text}"
    );
    assert_eq!(text.lines().last(), Some("turncoat attack --seed 7"));
}

#[test]
fn of_a_client_of_which_nothing_is_expected_the_scripts_that_applied_are_counted() {
    let of = |verdict| (None, verdict);
    let text = printed(&results(
        false,
        &[
            of(Verdict::Broken),
            of(Verdict::Inapplicable),
            of(Verdict::Refused),
            of(Verdict::Broken),
        ],
    ));
    assert!(
        text.contains("3 of 4 scripts applied: 2 broken, 1 refused"),
        "{text}"
    );
    assert!(!text.contains("as expected"), "{text}");
}

#[test]
fn slow_runs_have_a_rate_and_no_runs_have_none() {
    let mut found = results(false, &[CAUGHT]);
    found.run.runs = 7;
    assert!(printed(&found).contains("2.50 s in 7 runs, 2.8 runs per second"));
    found.run.runs = 0;
    assert!(!printed(&found).contains("runs per second"));
}

#[test]
fn a_run_without_findings_ends_with_its_sums() {
    let text = printed(&results(true, &[CAUGHT]));
    assert!(text.ends_with("no fewer defences would do\n"), "{text}");
    assert!(!text.contains("turncoat attack"), "{text}");
}

#[test]
fn a_broken_straw_client_shows_what_fell_although_it_was_expected() {
    let broken = (Some(Verdict::Broken), Verdict::Broken);
    let text = printed(&results(false, &[broken]));
    assert!(text.contains("guarantee  G3 freshness"), "{text}");
    assert!(text.contains("1 of 1 scripts as expected"), "{text}");
    assert!(text.contains("not deterministic"), "{text}");
    assert_eq!(
        text.lines().last(),
        Some("turncoat attack attack-0 --seed 0x1")
    );
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let hostile = "\u{1b}[2J\u{202e}\nbroken  other-attack";
    let mut found = results(false, &[(None, Verdict::Broken)]);
    found.run.client.name = hostile.to_owned();
    found.run.client.labels = vec![hostile.to_owned()];
    let script = &mut found.scripts[0];
    for place in [
        &mut script.id,
        &mut script.class,
        &mut script.summary,
        &mut script.reason,
        &mut script.evidence,
        &mut script.reproduction,
    ] {
        *place = hostile.to_owned();
    }
    let error = ClientError {
        class: ErrorClass::Untyped,
        name: hostile.to_owned(),
        text: hostile.to_owned(),
        offered: Some(hostile.to_owned()),
        trusted: Some(hostile.to_owned()),
    };
    script.runs = vec![RunResult {
        kind: RunKind::Attacked,
        operations: vec![OperationResult {
            actor: hostile.to_owned(),
            operation: hostile.to_owned(),
            outcome: Outcome::Failed,
            error: Some(error),
        }],
    }];
    let text = printed(&found);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text:?}"
    );
    let forged = text
        .lines()
        .filter(|line| line.starts_with("broken  other-attack"));
    assert_eq!(forged.count(), 0, "{text}");
    assert!(
        text.contains("offered") && text.contains("trusted"),
        "{text}"
    );
}

#[test]
fn long_evidence_is_cut_and_says_so() {
    let mut found = results(false, &[(None, Verdict::Broken)]);
    found.scripts[0].evidence = "line\n".repeat(100);
    let text = printed(&found);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("  evidence"))
        .count();
    assert_eq!(lines, EVIDENCE_LINES + 1);
    assert!(text.contains("and more, in the report"), "{text}");
}

#[test]
fn scripts_without_control_are_counted_and_named() {
    let mut results = results(true, &[CAUGHT, CAUGHT]);
    assert!(!printed(&results).contains("without control"));
    results.scripts[1].evidence = "without control: nobody reads it".to_owned();
    let shown = printed(&results);
    let id = &results.scripts[1].id;
    let line = format!("1 without control, which nobody was shown to fall for: {id}");
    assert!(shown.contains(&line), "{shown}");
}

#[test]
fn a_client_to_which_nothing_applies_is_told_so() {
    let none = (None, Verdict::Inapplicable);
    let shown = printed(&results(false, &[none, none]));
    assert!(shown.contains("nothing was tested"), "{shown}");
    let shown = printed(&results(false, &[none, (None, Verdict::Harmless)]));
    assert!(!shown.contains("nothing was tested"), "{shown}");
}
