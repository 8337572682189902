//! Where the program meets the attack engine: plain data in, plain data out.
//!
//! The other files of the program know these types and no types of the engine.

mod chaos;
mod convert;
mod interrupt;
mod lanes;
mod target;
mod watch;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use turncoat_adversary::catalogue::Catalogue;
use turncoat_adversary::driver::{DefenceRow, Hardened, defence_table, external};
use turncoat_adversary::run::{self, ScriptSubject, Subject as _, dry_run, parallel};
pub(crate) use turncoat_adversary::script::known::CLASSES;
use turncoat_adversary::script::known::VIOLATIONS;
use turncoat_adversary::script::nearest::nearest;
use turncoat_adversary::script::{self, ScriptError, Stop};
use turncoat_adversary::strawman;
use turncoat_reports::{
    Client, Conformance, Guarantee, Results, Run, ScriptResult, Verdict, Works,
};

use crate::args::Attack;
use crate::client::ClientChoice;
use crate::selection::Selected;
use crate::status::Fault;
use crate::terminal::Progress;
use crate::timeline::Timeline;
pub(crate) use chaos::{ChaosOutcome, Fell, chaos};
pub(crate) use interrupt::{interrupted, watch as watch_interrupts};
use target::Prepared;
pub(crate) use watch::LIMIT as SCRIPT_LIMIT;
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

/// One defence of the hardened client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defence {
    /// Its name in scripts.
    pub(crate) name: String,
    /// The guarantee that falls first without it.
    pub(crate) guarantee: Option<Guarantee>,
    /// If it is only depth: what also stands where this one is left out.
    pub(crate) partner: Option<String>,
    /// What it decides, in one sentence.
    pub(crate) sentence: String,
}

/// A word of the attack language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The word.
    pub(crate) name: &'static str,
    /// How a script writes it.
    pub(crate) usage: &'static str,
    /// What it does, in one sentence.
    pub(crate) says: &'static str,
    /// Whether `start_` before it starts it only.
    pub(crate) starts: bool,
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

/// The defences of the hardened client.
pub(crate) fn defences() -> Vec<Defence> {
    let row = |row: DefenceRow| Defence {
        name: row.name.to_owned(),
        guarantee: row.guarantee.parse().ok(),
        partner: row.partner.map(str::to_owned),
        sentence: row.sentence.to_owned(),
    };
    defence_table().into_iter().map(row).collect()
}

/// The words of the attack language.
pub(crate) fn words() -> Vec<Word> {
    let word = |word: script::Word| Word {
        name: word.name,
        usage: word.usage,
        says: word.says,
        starts: word.starts,
    };
    script::words().into_iter().map(word).collect()
}

/// The violations that a client can report.
pub(crate) const fn violations() -> [&'static str; VIOLATIONS.len()] {
    VIOLATIONS
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
            let text = crate::check::read(path)?;
            let word = path.display().to_string();
            Ok(Source { word, text })
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
    let mut sources: Vec<Source> = Vec::new();
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for selected in order.selected {
        let source = source(&catalogue, selected)?;
        // Whatever is wrong with a script is said before any other runs.
        let subject = read(&catalogue, &source, Stop::default())?;
        let id = subject.plan().id.clone();
        if let Some(other) = named.insert(id.clone(), source.word.clone()) {
            let word = &source.word;
            return Err(Fault::usage(format!(
                "{other} and {word} are both named {id}, and no result could tell which is which. \
                 Change the first line of one."
            )));
        }
        sources.push(source);
    }
    let prepared = Prepared::new(attack)?;
    progress.begin(sources.len());
    let watch = Watch::new(sources.len());
    let inside_ns = AtomicU64::new(0);
    let ran = AtomicU64::new(0);
    let three = Mutex::new((Duration::ZERO, Duration::ZERO));
    let judge = |source: &Source, index: usize| -> Result<ScriptResult, Fault> {
        let stop = Stop::default();
        let subject = read(&catalogue, source, stop.clone())?;
        let target = prepared.target(subject.plan())?;
        let _watched = watch.begin(index, stop);
        let report = run::run(&subject, &target, attack.seed.0);
        let spent = u64::try_from(report.client_time.as_nanos()).unwrap_or(u64::MAX);
        inside_ns.fetch_add(spent, Ordering::Relaxed);
        {
            let mut three = three.lock().unwrap_or_else(PoisonError::into_inner);
            three.0 += report.three_runs;
            three.1 += report.all_runs;
        }
        ran.fetch_add(convert::runs_of(&report, target.ours), Ordering::Relaxed);
        let result = convert::script(
            &subject,
            &report,
            target.ours,
            &attack.reproduction(&source.word),
        );
        let result = prepared.held(result);
        progress.finished(&result.id, result.verdict);
        Ok(result)
    };
    // Whatever ends after an interrupt was cut short by it.
    let work = |index: usize| match interrupted() {
        true => None,
        false => Some(judge(&sources[index], index)).filter(|_| !interrupted()),
    };
    let jobs = order.jobs.get();
    let results = watch.over(|| parallel(sources.len(), jobs, work, |_, _| ()));
    let (mut scripts, mut not_run) = (Vec::new(), Vec::new());
    for (source, result) in sources.into_iter().zip(results) {
        match result {
            Some(result) => scripts.push(result?),
            None => not_run.push(source.word),
        }
    }
    let client_ms = inside_ns.into_inner() / 1_000_000;
    let (three, all) = three.into_inner().unwrap_or_else(PoisonError::into_inner);
    let percent = (three.as_millis() * 100).checked_div(all.as_millis());
    let run = Run {
        not_run,
        runs: ran.into_inner(),
        client_ms: prepared.in_process().then_some(client_ms),
        three_runs_percent: percent.and_then(|percent| u64::try_from(percent).ok()),
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
        not_run: Vec::new(),
        runs: 0,
        client_ms: None,
        three_runs_percent: None,
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
        .map_err(|error| target::not_started(&error))?;
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

/// The messages of the honest and of the attacked run of one script, and what it came to.
pub(crate) fn timelines(
    attack: &Attack,
    script: &Selected,
) -> Result<(Vec<Timeline>, Results), Fault> {
    let catalogue = catalogue()?;
    let source = source(&catalogue, script)?;
    let subject = read(&catalogue, &source, Stop::default())?;
    let prepared = Prepared::new(attack)?;
    let target = prepared.target(subject.plan())?;
    let report = run::run(&subject, &target, attack.seed.0);
    let runs = [("honest", &report.honest), ("attacked", &report.attacked)];
    let timelines = runs.into_iter().filter_map(|(title, run)| {
        let title = format!("{}, {title}", source.word);
        run.as_ref()
            .map(|run| lanes::timeline(&title, &run.history))
    });
    let timelines = timelines.collect();
    let reproduction = attack.reproduction(&source.word);
    let result = convert::script(&subject, &report, target.ours, &reproduction);
    let run = about(attack, prepared.client());
    let results = Results::new(run, vec![prepared.held(result)], Vec::new());
    Ok((timelines, results))
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// What is wrong; nothing if the list is empty.
    pub(crate) faults: Vec<ScriptFault>,
    /// What the script printed.
    pub(crate) printed: Vec<String>,
}

/// Parses and dry-runs a script that the file of this name holds.
pub(crate) fn check(text: &str, name: &str) -> Result<Checked, Fault> {
    let stop = Stop::default();
    let watch = Watch::new(1);
    let mut printed = Vec::new();
    let checked = catalogue()?.read(text, stop.clone()).and_then(|subject| {
        let stem = std::path::Path::new(name).file_stem();
        let id = &subject.plan().id;
        let is_headed = subject.header.is_some() && name.ends_with(".rhai");
        if is_headed && stem.is_some_and(|stem| stem != id.as_str()) {
            let what = format!("the script calls itself `{id}`, and its file has another name");
            return Err(ScriptError::new(script::Fault::Header, what)
                .at(1, 4)
                .expected("the name of the file, which is what results are named by"));
        }
        let _watched = watch.begin(0, stop);
        let (lines, checked) = watch.over(|| dry_run(&subject, Rc::new(Hardened), 1));
        printed = lines;
        checked
    });
    let fault = |error: ScriptError| ScriptFault {
        place: error.place.map(|place| (place.line, place.column)),
        message: ScriptError {
            place: None,
            ..error
        }
        .to_string(),
    };
    Ok(Checked {
        faults: checked.err().map(fault).into_iter().collect(),
        printed,
    })
}

/// The names of the straw clients.
pub(crate) fn straw_clients() -> impl Iterator<Item = &'static str> {
    strawman::ALL.into_iter().map(|kind| kind.name)
}

/// The end of a message about an unknown name: a question, or nothing.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    let meant = nearest(word, known.iter().copied());
    meant.map_or(String::new(), |name| format!("; did you mean '{name}'?"))
}
