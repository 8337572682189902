//! What came of a command, for people and for programs, whether or not it came to its end.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};
use turncoat_core::client::Forgotten;

use super::names::{named, shown};
use crate::status::{Fault, Status};
use crate::time;

/// Failures that are told one by one; of more the number is told.
const TOLD_MAX: usize = 20;

/// What was done, what was not, and how long it took.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) login: Duration,
    pub(super) work: Duration,
    lines: Vec<String>,
    items: Vec<Value>,
    result: Option<Value>,
    failed: Vec<(Vec<u8>, Fault)>,
    notes: Vec<String>,
    forgotten: Vec<Value>,
}

impl Report {
    /// One of several things is done.
    pub(super) fn did(&mut self, line: String, item: Value) {
        self.lines.push(line);
        self.items.push(item);
    }

    /// The one thing is done.
    pub(super) fn done(&mut self, lines: Vec<String>, result: Value) {
        self.lines.extend(lines);
        self.result = Some(result);
    }

    /// One of several things failed, and the others need not.
    pub(super) fn failed(&mut self, name: &[u8], fault: Fault) {
        self.failed.push((name.to_vec(), fault));
    }

    /// Something to know beside what was done.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// This device wrote something that it does not remember.
    pub(super) fn forgot(&mut self, forgotten: &Forgotten) {
        let Forgotten {
            space,
            remembered,
            written,
            written_ms,
        } = forgotten;
        let at = time::utc(written_ms / 1000);
        let known = match remembered {
            Some(known) => format!("what it remembers ends at height {}", known.height),
            None => "it remembers nothing of it".to_owned(),
        };
        self.notes.push(format!(
            "this device wrote height {} of space {space} at {at}, and {known}: its state was put \
             back from an older copy, or a copy of it is in use elsewhere. What it saw in between \
             is forgotten, and so is any newer state that the server might hide: compare with \
             another device (turncoat compare)",
            written.height
        ));
        self.forgotten.push(json!({
            "space": space.to_string(),
            "height": written.height.0,
            "head": written.head.to_string(),
            "written_ms": written_ms,
            "remembered_height": remembered.map(|known| known.height.0),
        }));
    }

    /// The end of several things, of which some may have failed.
    pub(super) fn end(&self, doing: &str) -> Result<(), Fault> {
        let (first, status) = match self.failed.as_slice() {
            [] => return Ok(()),
            [(_, fault)] if self.items.is_empty() => return Err(fault.clone()),
            [(_, first), ..] => (first, first.status),
        };
        let worst = self.failed.iter().map(|(_, fault)| fault.status).max();
        let told = self.failed.iter().take(TOLD_MAX);
        let told: Vec<String> = told.map(|(_, fault)| fault.shown()).collect();
        let more = self.failed.len().saturating_sub(TOLD_MAX);
        let more = match more {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        let message = format!(
            "{doing}: {} of {} failed\n  {}{more}",
            self.failed.len(),
            self.failed.len() + self.items.len(),
            told.join("\n  ")
        );
        let fault = Fault::of(worst.unwrap_or(status), message);
        Err(match first.name() {
            Some(name) => fault.named(name),
            None => fault,
        })
    }

    /// Says what came of it.
    pub(super) fn print(
        self,
        json: bool,
        outcome: Result<(), Fault>,
        output: &mut impl Write,
    ) -> Result<Status, Fault> {
        let text = match json {
            true => format!("{}\n", self.document(outcome.as_ref().err())),
            false => self.lines.iter().map(|line| format!("{line}\n")).collect(),
        };
        let written = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
        if !json {
            for note in &self.notes {
                // Nobody may be listening any more.
                let _ = writeln!(std::io::stderr(), "note: {note}");
            }
        }
        outcome?;
        written.map_err(|error| Fault::output(&error))?;
        Ok(Status::Fine)
    }

    fn document(&self, fault: Option<&Fault>) -> Value {
        let result = self.result.clone();
        let result = result.unwrap_or_else(|| Value::from(self.items.clone()));
        let mut document = Map::new();
        let milliseconds = |time: Duration| Value::from(time.as_secs_f64() * 1e3);
        document.insert("login_ms".into(), milliseconds(self.login));
        document.insert("work_ms".into(), milliseconds(self.work));
        document.insert("result".into(), result);
        if !self.notes.is_empty() {
            document.insert("notes".into(), Value::from(self.notes.clone()));
        }
        if !self.forgotten.is_empty() {
            document.insert("forgotten".into(), Value::from(self.forgotten.clone()));
        }
        if !self.failed.is_empty() {
            let failed = self.failed.iter();
            let failed =
                failed.map(|(name, why)| json!({ "name": named(name), "error": error(why) }));
            document.insert("failed".into(), failed.collect());
        }
        if let Some(fault) = fault {
            document.insert("error".into(), error(fault));
        }
        let status = fault.map_or(Status::Fine, |fault| fault.status);
        document.insert("status".into(), Value::from(status.code()));
        Value::Object(document)
    }
}

/// A failure for programs: its kind, its stable name where it has one, and what it says.
pub(crate) fn error(fault: &Fault) -> Value {
    let mut error = Map::new();
    error.insert("kind".into(), Value::from(fault.status.kind()));
    if let Some(name) = fault.name() {
        error.insert("name".into(), Value::from(name));
    }
    error.insert("message".into(), Value::from(fault.message()));
    Value::Object(error)
}

/// Names for a sentence, the first few of them.
pub(super) fn listed(names: &[&[u8]]) -> String {
    let told: Vec<String> = names
        .iter()
        .take(TOLD_MAX)
        .map(|name| shown(name))
        .collect();
    match names.len().saturating_sub(TOLD_MAX) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}
