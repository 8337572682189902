//! The same work by Turncoat and by the tools that people use today, side by side on one machine.
//!
//! `cargo bench -p turncoat-benches --bench peers -- --rounds 5`. Every round gives every tool a
//! fresh store and lets them do each piece of work one after the other, so that what else happens
//! on the machine falls on all. A time ends when the data is synced; what was fetched is compared
//! with what was stored. Tools that are not installed are named and left out.

mod data;
mod report;
mod tool;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;

use crate::data::Data;
use crate::report::Report;
use crate::tool::{Failed, Place, Task, Tool};
use crate::tools::Make;

/// Measures Turncoat beside restic, rclone, gocryptfs, borg and age
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds; medians want five or more
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// MiB of the large file
    #[arg(long, default_value_t = 1024)]
    size: usize,
    /// Number of the files of 4 KiB
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// What the data is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these tools, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// The turncoat program [default: the release build of this repository]
    #[arg(long, value_name = "PATH")]
    turncoat: Option<PathBuf>,
    /// Where to work; must be on the disk that is to be measured
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Somebody pressed the keys; everything ends in order, so that nothing is left behind.
static STOPPED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let listening = ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed));
    match listening
        .map_err(Failed::of)
        .and_then(|()| measure(&arguments))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(why)) => {
            eprintln!("peers: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failed> {
    let folder = match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.map_err(Failed::of)?;
    let data = Data::make(
        folder.path(),
        arguments.size,
        arguments.files,
        arguments.seed,
    )?;
    let mut report = Report::new(arguments.size, arguments.files, arguments.seed);
    let known = tools::all(arguments.turncoat.as_deref())?;
    for word in &arguments.only {
        if !known.iter().any(|make| make.name() == word.as_str()) {
            return Err(Failed(format!("--only {word}: there is no such tool")));
        }
    }
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|w| w == name);
    let mut present = Vec::new();
    for make in known.iter().filter(|make| wanted(make.name())) {
        match make.version() {
            Ok(version) => {
                report.version(make.name(), version);
                present.push(make);
            }
            Err(why) => report.absent(make.name(), why),
        }
    }
    // Whatever ends it, what was measured until then is told.
    let ended = rounds(
        arguments.rounds,
        folder.path(),
        &present,
        &data,
        &mut report,
    );
    println!("{report}");
    ended
}

fn rounds(
    count: usize,
    folder: &Path,
    present: &[&Make],
    data: &Data,
    report: &mut Report,
) -> Result<(), Failed> {
    for round in 0..count {
        eprintln!("round {} of {}", round + 1, count);
        let mut tools = Vec::new();
        // Another one begins in each round: the first one meets the emptier cache.
        let mut order: Vec<_> = present.iter().collect();
        let turn = round % order.len().max(1);
        order.rotate_left(turn);
        for make in order {
            let place = Place::make(folder, make.name(), round)?;
            tools.push(make.start(place, data)?);
        }
        one_round(&mut tools, data, report)?;
        report.bare(data.bare());
        drop(tools);
        data.restore()?;
    }
    Ok(())
}

fn one_round(tools: &mut [Tool], data: &Data, report: &mut Report) -> Result<(), Failed> {
    for task in Task::ALL {
        data.before(task)?;
        for tool in tools.iter_mut() {
            if STOPPED.load(Ordering::Relaxed) {
                return Err(Failed("stopped".to_owned()));
            }
            let stored = tool.stored()?;
            // Before each, not each round: whoever comes after gigabytes were written would pay.
            data::warm(data.size().saturating_mul(2));
            let Some(taken) = tool.perform(task, data)? else {
                continue;
            };
            let added = tool.stored()?.saturating_sub(stored);
            eprintln!(
                "  {task} {}: {:.3} s",
                tool.name(),
                taken.whole.as_secs_f64()
            );
            report.note(task, tool.name(), &taken, added);
        }
    }
    Ok(())
}

/// How long a command may take before it is ended.
const PATIENCE: Duration = Duration::from_secs(900);
