//! `turncoat chaos`: honest workloads over a bad network, counted, and what fell in them.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use turncoat_reports::Seed;
use turncoat_reports::text::visible_lines;

use crate::args::Chaos;
use crate::engine::{self, ChaosOutcome, Fell};
use crate::status::{Fault, Status};
use crate::terminal::{Progress, safe};

/// Of so many runs it is told what fell; of the others, how many they are.
const TOLD: usize = 10;

/// Plays what the command line asks for.
///
/// # Errors
///
/// Whatever kept it from a result, or the result from its readers.
pub(crate) fn chaos(order: &Chaos, output: &mut dyn Write) -> Result<Status, Fault> {
    engine::watch_interrupts()?;
    let began = Instant::now();
    let progress = Progress::of_errors();
    let outcome = engine::chaos(order, &progress);
    progress.end();
    let outcome = outcome?;
    if outcome.runs == 0 {
        return Err(Fault::interrupted());
    }
    match print(order, &outcome, began.elapsed(), output) {
        // Whoever read the output has seen enough; the status still tells the rest.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::output(&error)),
        _ => Ok(status(order, &outcome)),
    }
}

fn status(order: &Chaos, outcome: &ChaosOutcome) -> Status {
    match outcome.fell.is_empty() {
        _ if outcome.runs < order.runs.get() => Status::Interrupted,
        true => Status::Fine,
        false => Status::Broken,
    }
}

fn print(
    order: &Chaos,
    outcome: &ChaosOutcome,
    took: Duration,
    output: &mut dyn Write,
) -> io::Result<()> {
    let last = Seed(order.seed.0.wrapping_add(order.runs.get() as u64 - 1));
    let (runs, asked, first) = (outcome.runs, order.runs, order.seed);
    writeln!(
        output,
        "chaos: {} with seeds {first} to {last}",
        order.client
    )?;
    for (heading, counts) in &outcome.counts {
        let counts = counts.iter().map(|(name, count)| format!("{name} {count}"));
        let counts: Vec<String> = counts.collect();
        writeln!(output, "{heading:<12} {}", counts.join(", "))?;
    }
    writeln!(
        output,
        "{:<12} at most {} at once",
        "states", outcome.states_max
    )?;
    for fell in outcome.fell.iter().take(TOLD) {
        tell(fell, output)?;
    }
    if let ([fell], 1) = (outcome.fell.as_slice(), asked.get())
        && let Some(script) = &fell.script
    {
        writeln!(output, "{}", visible_lines(script))?;
    }
    let seconds = took.as_secs_f64();
    let rate = runs as f64 / seconds.max(f64::EPSILON);
    let fell = match outcome.fell.len() {
        0 => "nothing fell".to_owned(),
        fell => format!("something fell in {fell}"),
    };
    writeln!(
        output,
        "{runs} of {asked} runs: {fell}, in {seconds:.1} s, {rate:.1} runs/s"
    )?;
    match outcome.fell.first() {
        Some(fell) => writeln!(output, "{}", order.reproduction(fell.seed)),
        None => Ok(()),
    }
}

/// What fell in one run.
fn tell(fell: &Fell, output: &mut dyn Write) -> io::Result<()> {
    for what in &fell.what {
        writeln!(output, "{}: {}", fell.seed, safe(what))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};

    fn order(words: &[&str]) -> Chaos {
        let words = ["turncoat", "chaos"].iter().chain(words);
        match Arguments::read(words).unwrap().command {
            Command::Chaos(order) => order,
            other => panic!("{other:?}"),
        }
    }

    fn fell(seed: u64) -> Fell {
        Fell {
            seed: Seed(seed),
            what: vec!["lost write: \u{1b}[2J".to_owned()],
            script: Some("// chaos: x.\ndevice(\"alice/first\").list();\n".to_owned()),
        }
    }

    fn printed(order: &Chaos, outcome: &ChaosOutcome) -> String {
        let mut bytes = Vec::new();
        print(order, outcome, Duration::from_secs(2), &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_last_line_repeats_the_first_run_that_fell() {
        let order = order(&["--runs", "30", "--seed", "5"]);
        let outcome = ChaosOutcome {
            runs: 30,
            counts: vec![("network", vec![("replies lost", 7)])],
            fell: (6..26).map(fell).collect(),
            ..ChaosOutcome::default()
        };
        let text = printed(&order, &outcome);
        assert!(
            text.starts_with("chaos: core with seeds 0x5 to 0x22\n"),
            "{text}"
        );
        assert!(text.contains("network      replies lost 7\n"), "{text}");
        assert!(
            text.contains("30 of 30 runs: something fell in 20, in 2.0 s"),
            "{text}"
        );
        assert!(text.ends_with(" chaos --seed 0x6 --runs 1\n"), "{text}");
        assert!(
            !text.contains('\u{1b}') && !text.contains("device("),
            "{text}"
        );
        assert_eq!(text.matches("lost write").count(), TOLD);
        assert_eq!(status(&order, &outcome), Status::Broken);
    }

    #[test]
    fn one_run_that_fell_is_printed_as_a_script() {
        let order = order(&["--runs", "1", "--client", "weakened:own-place"]);
        let outcome = ChaosOutcome {
            runs: 1,
            fell: vec![fell(1)],
            ..ChaosOutcome::default()
        };
        let text = printed(&order, &outcome);
        assert!(
            text.contains("\ndevice(\"alice/first\").list();\n"),
            "{text}"
        );
        let last = " chaos --client weakened:own-place --seed 0x1 --runs 1\n";
        assert!(text.ends_with(last), "{text}");
    }

    #[test]
    fn runs_that_were_not_played_are_no_result() {
        let order = order(&["--runs", "3"]);
        let outcome = ChaosOutcome {
            runs: 2,
            ..ChaosOutcome::default()
        };
        assert_eq!(status(&order, &outcome), Status::Interrupted);
        let whole = ChaosOutcome { runs: 3, ..outcome };
        assert_eq!(status(&order, &whole), Status::Fine);
        assert!(printed(&order, &whole).contains("3 of 3 runs: nothing fell"));
    }
}
