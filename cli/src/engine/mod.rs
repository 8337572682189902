//! Where the program meets the attack engine: plain data in, plain data out.
//!
//! The other files of the program know these types and no types of the engine.

mod convert;
mod lanes;
mod target;
mod watch;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use turncoat_adversary::catalogue::Catalogue;
use turncoat_adversary::driver::{client_time, external};
use turncoat_adversary::run::{self, ScriptSubject, parallel};
use turncoat_adversary::script::{ScriptError, Stop, prepare};
use turncoat_adversary::stage::Acts;
use turncoat_reports::{
    Client, Conformance, Guarantee, Results, Run, ScriptResult, Verdict, Works,
};

use crate::args::Attack;
use crate::client::ClientChoice;
use crate::selection::Selected;
use crate::status::Fault;
use crate::terminal::Progress;
use crate::timeline::Timeline;
use target::Prepared;
use watch::Watch;

/// One script of the library, as its file tells it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The attack's id.
    pub(crate) id: String,
    /// The class that it belongs to.
    pub(crate) class: String,
    /// The attack in one sentence.
    pub(crate) summary: String,
    /// The guarantees that fall without the defences.
    pub(crate) guarantees: Vec<Guarantee>,
    /// Where the attack was published.
    pub(crate) source: String,
    /// The smallest set of defences whose removal lets it through.
    pub(crate) defences: Vec<String>,
    /// The one verdict that is expected of the hardened client.
    pub(crate) verdict: Verdict,
    /// The script itself, without its header.
    pub(crate) text: String,
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// The command line.
    pub(crate) attack: &'a Attack,
    /// The scripts, in order.
    pub(crate) selected: &'a [Selected],
    /// How many at once.
    pub(crate) jobs: NonZeroUsize,
}

/// Something wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptFault {
    /// Line and column, counted from one, where the fault has a place.
    pub(crate) place: Option<(usize, usize)>,
    /// What is wrong, what was expected, and the nearest known name.
    pub(crate) message: String,
}

/// A script's text, and what the command line calls it.
struct Source {
    word: String,
    text: String,
}

/// The catalogue, derived from the library's files.
pub(crate) fn library() -> Result<Vec<Entry>, Fault> {
    Ok(catalogue()?.entries().iter().map(convert::entry).collect())
}

fn catalogue() -> Result<Catalogue, Fault> {
    Catalogue::built_in().map_err(|error| Fault::machine(error.to_string()))
}

fn source(catalogue: &Catalogue, selected: &Selected) -> Result<Source, Fault> {
    match selected {
        Selected::Library(id) => {
            let entry = catalogue.find(id);
            let entry = entry.ok_or_else(|| Fault::usage(format!("there is no script {id}")))?;
            Ok(Source {
                word: id.clone(),
                text: entry.text.to_owned(),
            })
        }
        Selected::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Fault::usage(format!("{}: cannot be read: {error}", path.display()))
            })?;
            Ok(Source {
                word: path.display().to_string(),
                text,
            })
        }
    }
}

fn read(catalogue: &Catalogue, source: &Source, stop: Stop) -> Result<ScriptSubject, Fault> {
    let named = |error: ScriptError| Fault::usage(format!("{}: {error}", source.word));
    catalogue.read(&source.text, stop).map_err(named)
}

/// Runs scripts and gives a verdict for each.
pub(crate) fn run(order: &Order<'_>, progress: &Progress) -> Result<Results, Fault> {
    let attack = order.attack;
    let catalogue = catalogue()?;
    let mut sources = Vec::new();
    for selected in order.selected {
        let source = source(&catalogue, selected)?;
        // Whatever is wrong with a script is said before any other runs.
        read(&catalogue, &source, Stop::default())?;
        sources.push(source);
    }
    let prepared = Prepared::new(&attack.client)?;
    progress.begin(sources.len());
    let watch = Watch::new(sources.len());
    let inside_ns = AtomicU64::new(0);
    let ran = AtomicU64::new(0);
    let work = |index: usize| -> Result<ScriptResult, Fault> {
        let source = &sources[index];
        let stop = Stop::default();
        let subject = read(&catalogue, source, stop.clone())?;
        let target = prepared.target()?;
        let _watched = watch.begin(index, stop);
        let _before = client_time();
        let report = run::run(&subject, &target, attack.seed.0);
        let spent = u64::try_from(client_time().as_nanos()).unwrap_or(u64::MAX);
        inside_ns.fetch_add(spent, Ordering::Relaxed);
        ran.fetch_add(convert::runs_of(&report), Ordering::Relaxed);
        let result = convert::script(
            &subject,
            &report,
            target.ours,
            &attack.reproduction(&source.word),
        );
        progress.finished(&result.id, result.verdict);
        Ok(result)
    };
    let jobs = order.jobs.get();
    let results = watch.over(|| parallel(sources.len(), jobs, work, |_, _| ()));
    let scripts = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let client_ms = inside_ns.into_inner() / 1_000_000;
    let run = Run {
        runs: ran.into_inner(),
        client_ms: prepared.in_process().then_some(client_ms),
        ..about(attack, prepared.client())
    };
    Ok(Results::new(run, scripts, Vec::new()))
}

fn about(attack: &Attack, client: Client) -> Run {
    Run {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("TURNCOAT_COMMIT").to_owned(),
        seed: attack.seed,
        command: String::new(),
        client,
        started: None,
        ended: None,
        time_ms: None,
        runs: 0,
        client_ms: None,
    }
}

/// Runs honest workloads only and tells which operations work.
pub(crate) fn conformance(attack: &Attack) -> Result<Results, Fault> {
    let ClientChoice::External(command) = &attack.client else {
        return Err(Fault::usage("only an external client has a conformance"));
    };
    let command = target::command(command)?;
    let limits = external::ExternalLimits::default();
    let found = external::conformance(&command, limits, &mut external::HonestStore::default())
        .map_err(|error| Fault::not_started(error.to_string()))?;
    let rows = found.rows.into_iter().map(|row| Conformance {
        operation: row.operation.to_owned(),
        works: match row.state {
            external::State::Works => Works::Works,
            external::State::Fails => Works::Fails,
            external::State::Undeclared => Works::NotDeclared,
        },
        detail: row.reason,
    });
    let client = target::external_client(&attack.client.to_string());
    Ok(Results::new(
        about(attack, client),
        Vec::new(),
        rows.collect(),
    ))
}

/// The messages of the honest and of the attacked run of one script.
pub(crate) fn timelines(attack: &Attack, script: &Selected) -> Result<Vec<Timeline>, Fault> {
    let catalogue = catalogue()?;
    let source = source(&catalogue, script)?;
    let subject = read(&catalogue, &source, Stop::default())?;
    let target = Prepared::new(&attack.client)?.target()?;
    let runs = [("honest", Acts::Evaluated), ("attacked", Acts::Applied)];
    let timeline = |(title, acts)| {
        let run = run::once(&subject, &target, acts, attack.seed.0);
        lanes::timeline(&format!("{}, {title}", source.word), &run.history)
    };
    Ok(runs.into_iter().map(timeline).collect())
}

/// Parses and dry-runs a script; an empty list means that nothing is wrong.
pub(crate) fn check(name: &str, text: &str) -> Result<Vec<ScriptFault>, Fault> {
    let _ = name;
    let fault = |error: ScriptError| ScriptFault {
        place: error.place.map(|place| (place.line, place.column)),
        message: ScriptError {
            place: None,
            ..error
        }
        .to_string(),
    };
    let budget = turncoat_adversary::script::Budget::default();
    if let Err(error) = prepare(text, &budget) {
        return Ok(vec![fault(error)]);
    }
    let stop = Stop::default();
    let subject = match catalogue()?.read(text, stop.clone()) {
        Ok(subject) => subject,
        Err(error) => return Ok(vec![fault(error)]),
    };
    let target = Prepared::new(&ClientChoice::Core)?.target()?;
    let watch = Watch::new(1);
    let dry = watch.over(|| {
        let _watched = watch.begin(0, stop);
        run::once(&subject, &target, Acts::Evaluated, 1)
    });
    // What stops a run says its place in its text.
    let stopped = dry.stopped.map(|stopped| ScriptFault {
        place: None,
        message: stopped.text,
    });
    Ok(stopped.into_iter().collect())
}
