//! A result written by hand, which shows every field, and a hostile one.

use std::io;
use std::path::Path;

use crate::*;

/// A writer that takes so many bytes and then has no space.
pub(crate) struct Budgeted {
    budget: usize,
    pub(crate) written: Vec<u8>,
    pub(crate) flushed: bool,
    pub(crate) flush_fails: bool,
}

impl Budgeted {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            budget,
            written: Vec::new(),
            flushed: false,
            flush_fails: false,
        }
    }
}

impl io::Write for Budgeted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.budget - self.written.len());
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = true;
        if self.flush_fails {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

/// Compares an export of the sample with the committed file, or writes it where
/// `TURNCOAT_WRITE_SAMPLES` is set.
pub(crate) fn sample_file(exporter: &dyn Exporter, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("samples")
        .join(name);
    let mut bytes = Vec::new();
    exporter.export(&sample(), &mut bytes).unwrap();
    if std::env::var_os("TURNCOAT_WRITE_SAMPLES").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        committed,
        "{name} differs: TURNCOAT_WRITE_SAMPLES=1 cargo test -p turncoat-reports"
    );
}

fn operation(actor: &str, asked: &str, error: Option<ClientError>) -> OperationResult {
    let outcome = if error.is_some() {
        Outcome::Failed
    } else {
        Outcome::Succeeded
    };
    OperationResult {
        actor: actor.to_owned(),
        operation: asked.to_owned(),
        outcome,
        error,
    }
}

fn script(
    (id, class): (&str, &str),
    summary: &str,
    guarantee: u8,
    found: (Verdict, Verdict),
) -> ScriptResult {
    let (expected, verdict) = found;
    ScriptResult {
        id: id.to_owned(),
        class: class.to_owned(),
        summary: summary.to_owned(),
        guarantees: vec![Guarantee::numbered(guarantee).unwrap()],
        source: "none: a sample".to_owned(),
        defences: vec!["Sample".to_owned()],
        expected: Some(expected),
        verdict,
        as_expected: expected == verdict,
        reason: String::new(),
        evidence: String::new(),
        runs: Vec::new(),
        acts: vec!["server.roll_back_to(before);".to_owned()],
        claims: Vec::new(),
        counters: Counters {
            requests: 9,
            bytes_up: 2048,
            bytes_down: 4096,
            time_ms: Some(3),
        },
        reproduction: format!("turncoat attack {id} --client sample --seed 0x2a"),
    }
}

/// One script of every kind that a reader must tell apart.
pub(crate) fn sample() -> Results {
    let rollback = ClientError {
        class: ErrorClass::Violation,
        name: "rollback".to_owned(),
        text: "the server offered height 3 after height 4 was accepted".to_owned(),
        offered: Some("height 3, head 5f0c".to_owned()),
        trusted: Some("height 4, head a17e".to_owned()),
    };
    let mut caught = script(
        ("head-rollback", "freshness"),
        "an older signed head is served to a device that has seen a newer one",
        3,
        (Verdict::Caught, Verdict::Caught),
    );
    caught.claims.push(Claim {
        actor: "alice/laptop".to_owned(),
        text: "freshness: monotone, no bound, no witness".to_owned(),
        truth: Truth::True,
    });
    let mut refused = script(
        ("leaf-swap", "binding"),
        "the leaf of one file is served for another",
        2,
        (Verdict::Caught, Verdict::Refused),
    );
    refused.reason = "expected misbound, and the client said rollback".to_owned();
    refused.runs = vec![
        RunResult {
            kind: RunKind::Honest,
            operations: vec![operation("alice/laptop", "download notes.txt", None)],
        },
        RunResult {
            kind: RunKind::Attacked,
            operations: vec![operation(
                "alice/laptop",
                "download notes.txt",
                Some(rollback),
            )],
        },
        RunResult {
            kind: RunKind::Strawman,
            operations: vec![operation("alice/laptop", "download notes.txt", None)],
        },
    ];
    let mut broken = script(
        ("list-hide", "listing"),
        "a file is left out of a listing",
        5,
        (Verdict::Caught, Verdict::Broken),
    );
    broken.reason = "the listing lacks a file that the accepted head holds".to_owned();
    broken.evidence = "held:   notes.txt, plan.txt\nlisted: notes.txt".to_owned();
    broken.acts = vec!["server.hide(\"plan.txt\");".to_owned()];
    broken.claims.push(Claim {
        actor: "alice/laptop".to_owned(),
        text: "the listing is complete".to_owned(),
        truth: Truth::False,
    });
    let mut unknown = script(
        ("salt-shared", "keybag"),
        "two users are given one salt",
        6,
        (Verdict::Caught, Verdict::Unknown),
    );
    unknown.reason = "no control".to_owned();
    unknown.counters.time_ms = None;
    let mut skipped = script(
        ("share-forge", "directory"),
        "a share is forged in another user's name",
        8,
        (Verdict::Inapplicable, Verdict::Inapplicable),
    );
    skipped.reason = "the client declares no sharing".to_owned();
    let run = Run {
        tool_version: "0.1.0".to_owned(),
        commit: "unknown".to_owned(),
        seed: Seed(42),
        command: "turncoat attack --client sample --seed 0x2a --report samples".to_owned(),
        client: Client {
            name: "sample".to_owned(),
            ours: false,
            deterministic: true,
            labels: vec!["written by hand to show the format; no run stands behind it".to_owned()],
        },
        started: Some("2026-01-01T00:00:00Z".to_owned()),
        ended: Some("2026-01-01T00:00:01Z".to_owned()),
        time_ms: Some(1000),
        not_run: Vec::new(),
        runs: 15,
        client_ms: Some(250),
        three_runs_percent: Some(60),
    };
    let conformance = vec![
        Conformance {
            operation: "download".to_owned(),
            works: Works::Works,
            detail: String::new(),
        },
        Conformance {
            operation: "append".to_owned(),
            works: Works::Fails,
            detail: "the file read back lacks the appended bytes".to_owned(),
        },
        Conformance {
            operation: "share".to_owned(),
            works: Works::NotDeclared,
            detail: String::new(),
        },
    ];
    Results::new(
        run,
        vec![caught, refused, broken, unknown, skipped],
        conformance,
    )
}

/// The sample with every free text replaced by one that tries to escape its place.
pub(crate) fn hostile() -> Results {
    let text = "\n# Owned\n```\n<img src=x> ]]> &lt; | `` ` \\| \"'\u{1b}[2J\u{9b}\u{202e}\u{200b}\
                \r\u{feff}\u{2028}[a](javascript:b) **c**\u{0}";
    let mut results = sample();
    let spoil = |place: &mut String| *place = text.to_owned();
    let run = &mut results.run;
    for place in [
        &mut run.tool_version,
        &mut run.commit,
        &mut run.command,
        &mut run.client.name,
    ] {
        spoil(place);
    }
    run.client.labels = vec![text.to_owned(); 2];
    run.started = Some(text.to_owned());
    for script in &mut results.scripts {
        spoil(&mut script.class);
        spoil(&mut script.summary);
        spoil(&mut script.id);
        spoil(&mut script.source);
        spoil(&mut script.reason);
        spoil(&mut script.evidence);
        spoil(&mut script.reproduction);
        script.defences = vec![text.to_owned(); 2];
        script.acts = vec![text.to_owned(); 2];
        for claim in &mut script.claims {
            spoil(&mut claim.actor);
            spoil(&mut claim.text);
        }
        for operation in script.runs.iter_mut().flat_map(|run| &mut run.operations) {
            spoil(&mut operation.actor);
            spoil(&mut operation.operation);
            if let Some(error) = &mut operation.error {
                spoil(&mut error.name);
                spoil(&mut error.text);
                error.offered = Some(text.to_owned());
                error.trusted = Some(text.to_owned());
            }
        }
    }
    for entry in &mut results.conformance {
        spoil(&mut entry.operation);
        spoil(&mut entry.detail);
    }
    results
}
