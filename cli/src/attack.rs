//! `turncoat attack`: from the command line to results, printed and reported.

use std::io::{self, Write};
use std::time::Instant;

use turncoat_reports::{DirectoryError, Exporter, Json, Results, check_directory, write_directory};

use crate::args::Attack;
use crate::client::ClientChoice;
use crate::engine::{self, Order};
use crate::quote::{command_line, given_words};
use crate::selection::select;
use crate::status::{Fault, Status};
use crate::summary;
use crate::terminal::{Painter, Progress};
use crate::time::now;
use crate::timeline;

/// Runs what the command line asks for.
///
/// # Errors
///
/// Whatever kept it from a result, or kept the result from its readers.
pub(crate) fn attack(attack: &Attack, output: &mut dyn Write) -> Result<Status, Fault> {
    if attack.conformance && !matches!(attack.client, ClientChoice::External(_)) {
        return Err(Fault::usage(
            "--conformance needs an external client: --client exec:COMMAND",
        ));
    }
    if let Some(directory) = &attack.report {
        // Before the run, so that no result is lost to a directory that is somebody else's.
        check_directory(directory).map_err(|error| not_reported(&error))?;
    }
    engine::watch_interrupts()?;
    let started = (now(), Instant::now());
    if attack.timeline {
        return show_timelines(attack, output);
    }
    let mut results = unless_cut_short(if attack.conformance {
        engine::conformance(attack)
    } else {
        run(attack)
    })?;
    results.run.started = Some(started.0);
    results.run.ended = Some(now());
    results.run.time_ms = u64::try_from(started.1.elapsed().as_millis()).ok();
    results.run.command = command_line(given_words());
    publish(
        attack,
        &results,
        Painter::of_output(),
        output,
        &mut io::stderr(),
    )
}

fn run(attack: &Attack) -> Result<Results, Fault> {
    let selected = select(&attack.selected, &engine::library()?)?;
    let progress = Progress::of_errors();
    let order = Order {
        attack,
        selected: &selected,
        jobs: attack.jobs(),
    };
    let outcome = engine::run(&order, &progress);
    progress.end();
    outcome
}

/// The outcome, unless an interrupt left nothing of it that may be believed.
fn unless_cut_short(outcome: Result<Results, Fault>) -> Result<Results, Fault> {
    match outcome {
        Ok(results) if !results.scripts.is_empty() => Ok(results),
        _ if engine::interrupted() => Err(Fault::interrupted()),
        outcome => outcome,
    }
}

fn show_timelines(attack: &Attack, output: &mut dyn Write) -> Result<Status, Fault> {
    let selected = select(&attack.selected, &engine::library()?)?;
    let [script] = selected.as_slice() else {
        return Err(Fault::usage("--timeline shows one script: name it"));
    };
    let timelines = engine::timelines(attack, script);
    if engine::interrupted() {
        return Err(Fault::interrupted());
    }
    let (timelines, mut results) = timelines?;
    results.run.command = command_line(given_words());
    let painter = Painter::of_output();
    let print = |output: &mut dyn Write| {
        for timeline in &timelines {
            timeline::print(timeline, painter, output)?;
        }
        // What was drawn is no verdict, and the status is that of the same run without a drawing.
        summary::print(&results, painter, output)
    };
    match print(output) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::output(&error)),
        _ => Ok(Status::of(&results)),
    }
}

/// Prints the results and writes the report. A failure of one does not keep the other back.
fn publish(
    attack: &Attack,
    results: &Results,
    painter: Painter,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<Status, Fault> {
    let printed = if attack.json {
        Json.export(results, output)
    } else {
        summary::print(results, painter, output).and_then(|()| output.flush())
    };
    let reported = match &attack.report {
        Some(directory) => {
            write_directory(directory, results).map_err(|error| not_reported(&error))
        }
        None => Ok(()),
    };
    match printed {
        // Whoever read the output has seen enough; the status still tells the rest.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed.map_err(|error| Fault::output(&error))?,
    }
    reported?;
    if attack.json
        && let Some(command) = summary::reproduction(results)
    {
        // Standard output is JSON alone. Nothing is lost if nobody listens here.
        let _ = writeln!(errors, "{command}");
    }
    Ok(Status::of(results))
}

fn not_reported(error: &DirectoryError) -> Fault {
    match error {
        DirectoryError::NotOurs { .. } | DirectoryError::Newer { .. } => {
            Fault::usage(error.to_string())
        }
        _ => Fault::machine(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use turncoat_reports::{MARKER, Verdict, decode};

    use super::*;
    use crate::args::{Arguments, Command};
    use crate::summary::tests::results;

    fn ordered(words: &[&str]) -> Attack {
        let words = ["turncoat", "attack"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Attack(attack) => attack,
            other => panic!("{other:?}"),
        }
    }

    fn broken() -> Results {
        results(true, &[(Some(Verdict::Caught), Verdict::Broken)])
    }

    /// A writer that fails with this kind after so many bytes.
    struct Failing(usize, io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(self.1.into());
            }
            let count = bytes.len().min(self.0);
            self.0 -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_is_all_of_standard_output_and_the_reproduction_goes_to_errors() {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let attack = ordered(&["--json"]);
        let status = publish(
            &attack,
            &broken(),
            Painter::plain(),
            &mut output,
            &mut errors,
        );
        assert_eq!(status, Ok(Status::Broken));
        assert_eq!(decode(&output), Ok(broken()));
        assert_eq!(errors, b"turncoat attack attack-0 --seed 0x1\n");
    }

    #[test]
    fn a_report_is_written_although_printing_fails() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("report");
        let attack = ordered(&["--report", directory.to_str().unwrap()]);
        let mut full = Failing(100, io::ErrorKind::StorageFull);
        let fault = publish(
            &attack,
            &broken(),
            Painter::plain(),
            &mut full,
            &mut io::sink(),
        );
        assert_eq!(fault.unwrap_err().status, Status::Machine);
        let bytes = std::fs::read(directory.join(MARKER)).unwrap();
        assert_eq!(decode(&bytes), Ok(broken()));
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_fault() {
        let mut closed = Failing(10, io::ErrorKind::BrokenPipe);
        let attack = ordered(&[]);
        let status = publish(
            &attack,
            &broken(),
            Painter::plain(),
            &mut closed,
            &mut io::sink(),
        );
        assert_eq!(status, Ok(Status::Broken));
    }

    #[test]
    fn a_foreign_directory_is_refused_before_anything_runs() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("thesis.tex"), "precious").unwrap();
        let order = ordered(&["--report", scratch.path().to_str().unwrap()]);
        let fault = attack(&order, &mut io::sink()).unwrap_err();
        assert_eq!(fault.status, Status::Usage);
        assert!(
            fault.shown().contains("not a report of Turncoat"),
            "{}",
            fault.shown()
        );
    }

    #[test]
    fn results_are_printed_although_the_report_fails() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("file"), "").unwrap();
        // A file stands where a directory is needed.
        let directory = scratch.path().join("file/report");
        let attack = ordered(&["--report", directory.to_str().unwrap()]);
        let mut output = Vec::new();
        let fault = publish(
            &attack,
            &broken(),
            Painter::plain(),
            &mut output,
            &mut io::sink(),
        );
        assert_eq!(fault.unwrap_err().status, Status::Machine);
        assert!(
            String::from_utf8(output)
                .unwrap()
                .contains("attack-0: broken")
        );
    }

    #[test]
    fn conformance_needs_an_external_client() {
        let order = ordered(&["--conformance", "--client", "naive"]);
        assert_eq!(
            attack(&order, &mut io::sink()).unwrap_err().status,
            Status::Usage
        );
    }
}
