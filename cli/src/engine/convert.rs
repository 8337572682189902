//! From what the engine found to what results say.

use std::collections::BTreeMap;

use turncoat_adversary::catalogue;
use turncoat_adversary::client::{Claims, Class, DeviceName, Failure, Operation};
use turncoat_adversary::history::{Event, History};
use turncoat_adversary::run::{Power, Report, Run, ScriptSubject};
use turncoat_adversary::verdict::{self, Breach};
use turncoat_reports::{
    Claim, ClientError, Counters, ErrorClass, Guarantee, OperationResult, Outcome, RunKind,
    RunResult, ScriptResult, Truth, UNCONTROLLED, Verdict, agrees,
};

pub(super) fn entry(entry: &catalogue::Entry) -> super::Entry {
    let header = &entry.header;
    super::Entry {
        id: header.id.clone(),
        class: header.class.clone(),
        summary: header.sentence.clone(),
        guarantees: guarantee(header.guarantee).into_iter().collect(),
        source: header.source.clone(),
        defences: header.defences.clone(),
        verdict: word(header.verdict),
        text: entry.body().to_owned(),
    }
}

pub(super) fn word(verdict: verdict::Verdict) -> Verdict {
    match verdict {
        verdict::Verdict::Inapplicable => Verdict::Inapplicable,
        verdict::Verdict::Caught => Verdict::Caught,
        verdict::Verdict::Harmless => Verdict::Harmless,
        verdict::Verdict::Admitted => Verdict::Admitted,
        verdict::Verdict::Refused => Verdict::Refused,
        verdict::Verdict::Inert => Verdict::Inert,
        verdict::Verdict::Unknown => Verdict::Unknown,
        verdict::Verdict::Broken => Verdict::Broken,
    }
}

fn guarantee(of: verdict::Guarantee) -> Option<Guarantee> {
    of.id().parse().ok()
}

/// What one script came to.
pub(super) fn script(
    subject: &ScriptSubject,
    report: &Report,
    ours: bool,
    reproduction: &str,
) -> ScriptResult {
    let header = subject.header.as_ref();
    let expected = header.filter(|_| ours).map(|header| word(header.verdict));
    let verdict = word(report.verdict);
    let fallen = report
        .breaches
        .iter()
        .filter_map(|breach| guarantee(breach.guarantee));
    let mut guarantees: Vec<Guarantee> = fallen.collect();
    if guarantees.is_empty() {
        guarantees.extend(header.and_then(|header| guarantee(header.guarantee)));
    }
    guarantees.sort_unstable();
    guarantees.dedup();
    let attacked = report.attacked.as_ref();
    ScriptResult {
        id: report.id.clone(),
        class: header.map_or_else(|| "unnamed".to_owned(), |header| header.class.clone()),
        summary: header
            .map(|header| header.sentence.clone())
            .unwrap_or_default(),
        guarantees,
        source: header
            .map(|header| header.source.clone())
            .unwrap_or_default(),
        defences: header
            .map(|header| header.defences.clone())
            .unwrap_or_default(),
        expected,
        verdict,
        as_expected: agrees(expected, verdict),
        reason: report.reason.clone(),
        evidence: evidence(report),
        runs: runs(report),
        acts: attacked.map(|run| acts(&run.history)).unwrap_or_default(),
        claims: attacked.map(claims).unwrap_or_default(),
        counters: attacked
            .map(|run| counters(&run.history))
            .unwrap_or_default(),
        reproduction: reproduction.to_owned(),
    }
}

fn evidence(report: &Report) -> String {
    let mut lines: Vec<String> = report.breaches.iter().map(Breach::to_string).collect();
    match &report.power {
        Power::Shown {
            defences,
            reached,
            depth,
        } => {
            let off = defences.join(", ");
            lines.push(match reached {
                (_, 0..=1) => format!("without {off}: the guarantee falls"),
                (fell, all) if fell == all => {
                    format!("without {off}: the guarantee falls, control: {fell} of {all}")
                }
                (fell, all) => format!(
                    "without {off}: the guarantee falls, control: {fell} of {all}; the rest is \
                     depth: {depth}"
                ),
            });
        }
        Power::None(why) => lines.push(format!("no control: {why}")),
        Power::Planted(lie) => lines.push(format!("with the planted lie {lie}: it is seen")),
        Power::Unexecuted(why) => lines.push(format!("{UNCONTROLLED}{why}")),
        Power::Elsewhere | Power::NotAsked => {}
    }
    lines.join("\n")
}

/// How often the script was run: honest, attacked, and without each set of defences that counts.
pub(super) fn runs_of(report: &Report, ours: bool) -> u64 {
    let own = match (&report.honest, &report.attacked) {
        (Some(honest), Some(_)) if ours && honest.has_nothing_to_apply() => 1,
        (honest, attacked) => honest.iter().chain(attacked).count() as u64,
    };
    match &report.power {
        // Honest and attacked without all of them, then attacked without each proper subset.
        Power::Shown { defences, .. } => own + (1 << defences.len().min(8)),
        Power::Planted(_) => own + 2,
        _ => own,
    }
}

fn runs(report: &Report) -> Vec<RunResult> {
    let run = |kind, run: &Run| RunResult {
        kind,
        operations: operations(run),
    };
    let honest = report.honest.as_ref().map(|of| run(RunKind::Honest, of));
    let attacked = report
        .attacked
        .as_ref()
        .map(|of| run(RunKind::Attacked, of));
    honest.into_iter().chain(attacked).collect()
}

/// Operations by their number: where, and what.
pub(super) fn started(history: &History) -> BTreeMap<u32, (&DeviceName, &Operation)> {
    let started = history.events().iter().filter_map(|event| match event {
        Event::OperationStarted {
            operation,
            device,
            what,
        } => Some((*operation, (device, what))),
        _ => None,
    });
    started.collect()
}

/// An operation in a few words.
pub(super) fn phrase(operation: &Operation) -> String {
    let name = operation.name();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match operation {
        Operation::Upload { name: file, .. }
        | Operation::Update { name: file, .. }
        | Operation::Download { name: file }
        | Operation::Append { name: file, .. }
        | Operation::Delete { name: file } => format!("{name} {}", text(file)),
        Operation::UploadMany { files } => format!("{name} of {} files", files.len()),
        Operation::Share { name: file, with } => format!("{name} {} with {with}", text(file)),
        Operation::Receive { from, as_name, .. } => {
            format!("{name} from {from} as {}", text(as_name))
        }
        Operation::Revoke { name: file, from } => format!("{name} {} from {from}", text(file)),
        Operation::Fingerprint { user } | Operation::Verify { user, .. } => {
            format!("{name} {user}")
        }
        _ => name.to_owned(),
    }
}

fn operations(run: &Run) -> Vec<OperationResult> {
    let started = started(&run.history);
    let crashed = |number: u32| {
        let mut faults = run.faults.iter();
        faults.any(|fault| fault.operation == Some(number))
    };
    let ended = run.history.events().iter().filter_map(|event| match event {
        Event::OperationEnded { operation, outcome } => Some((*operation, outcome)),
        _ => None,
    });
    ended
        .map(|(number, outcome)| {
            let about = started.get(&number);
            OperationResult {
                actor: about.map_or_else(String::new, |(device, _)| device.to_string()),
                operation: about.map_or_else(String::new, |(_, what)| phrase(what)),
                outcome: match outcome {
                    Ok(_) => Outcome::Succeeded,
                    Err(failure) if failure.name == Failure::EXHAUSTED => Outcome::OverLimit,
                    Err(_) if crashed(number) => Outcome::Died,
                    Err(_) => Outcome::Failed,
                },
                error: outcome.as_ref().err().map(error),
            }
        })
        .collect()
}

fn error(failure: &Failure) -> ClientError {
    let side = |name: &str| {
        let (_, rest) = failure.text.split_once(name)?;
        let end = rest.find(", offered").unwrap_or(rest.len());
        Some(rest[..end].trim().to_owned())
    };
    ClientError {
        class: match failure.class {
            Class::Violation => ErrorClass::Violation,
            Class::Unavailable => ErrorClass::Unavailable,
            Class::Usage => ErrorClass::Usage,
            Class::Other => ErrorClass::Untyped,
        },
        name: failure.name.clone(),
        text: failure.text.clone(),
        offered: side("offered "),
        trusted: side("trusted "),
    }
}

fn acts(history: &History) -> Vec<String> {
    let acts = history.events().iter().filter_map(|event| match event {
        Event::Act {
            text,
            applied: true,
        }
        | Event::Disturbed {
            text,
            applied: true,
        } => Some(text.clone()),
        _ => None,
    });
    acts.collect()
}

fn claims(run: &Run) -> Vec<Claim> {
    let started = started(&run.history);
    let false_at = |number: u32| {
        let here = |breach: &Breach| {
            breach.operation == Some(number) && breach.guarantee == verdict::Guarantee::G3
        };
        run.breaches.iter().any(here)
    };
    let mut claims = Vec::new();
    for event in run.history.events() {
        let Event::OperationEnded {
            operation,
            outcome: Ok(answer),
        } = event
        else {
            continue;
        };
        for text in said(&answer.claims) {
            let actor = started.get(operation);
            claims.push(Claim {
                actor: actor.map_or_else(String::new, |(device, _)| device.to_string()),
                text,
                truth: match (false_at(*operation), run.undecided.is_empty()) {
                    (true, _) => Truth::False,
                    (false, true) => Truth::True,
                    (false, false) => Truth::Undecided,
                },
            });
        }
    }
    claims
}

fn said(claims: &Claims) -> Vec<String> {
    let freshness = claims.monotone.map(|monotone| match monotone {
        true => "freshness: monotone".to_owned(),
        false => "freshness: none, this device remembers nothing of it".to_owned(),
    });
    let contact = claims.contact_verified.map(|verified| match verified {
        true => "contact: compared by people".to_owned(),
        false => "contact: not compared".to_owned(),
    });
    freshness.into_iter().chain(contact).collect()
}

fn counters(history: &History) -> Counters {
    let mut counters = Counters::default();
    let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    for event in history.events() {
        match event {
            Event::Request { bytes, .. } => {
                counters.requests += 1;
                counters.bytes_up += size(bytes.len());
            }
            Event::Reply {
                shown: Some(shown), ..
            } => counters.bytes_down += size(shown.len()),
            _ => {}
        }
    }
    counters
}
