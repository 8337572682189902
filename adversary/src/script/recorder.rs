//! Reads a declarative script back into the attack that it says, without any world.

use super::budget::{Budget, Meter, Stop};
use super::check::prepare_body;
use super::error::{Fault, ScriptError};
use super::performer::{Direction, Field, Message, ObjectInfo, Performer, Progress};
use crate::attack::{Attack, Edit, Object, Step};
use crate::client::{Answer, DeviceName};
use crate::codec::Bytes;
use crate::selector::Selector;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The whole text of a script that performs an attack's steps.
#[must_use]
pub fn print(attack: &Attack, id: &str, sentence: &str) -> String {
    format!("// {id}: {sentence}\n{}", attack.print())
}

/// The attack that a declarative script says, whatever any client would answer.
///
/// The choices are not part of a script, and come back empty.
///
/// # Errors
///
/// What is wrong with the text; or the first thing in it that depends on a run, such as a handler,
/// or the objects that an operation wrote.
pub fn parse(text: &str) -> Result<Attack, ScriptError> {
    let budget = Budget {
        steps: 50_000_000,
        string_size: 64 << 20,
        list_size: 1 << 20,
        content: 1 << 30,
        text: 256 << 20,
        ..Budget::default()
    };
    parse_within(text, budget)
}

/// [`parse`] at no more than this cost.
pub(crate) fn parse_within(text: &str, budget: Budget) -> Result<Attack, ScriptError> {
    let script = prepare_body(text, &budget)?;
    let recorder = Rc::new(RefCell::new(Recorder::default()));
    let meter = Meter::new(budget, Stop::default());
    let played = super::play_with(&script, recorder.clone(), &meter, false);
    let recorder = recorder.borrow();
    if recorder.depends.get() {
        let what = "the script depends on what happens in a run";
        return Err(ScriptError::new(Fault::WrongUse, what)
            .expected("steps alone; a run of the script records them, and they print"));
    }
    match played.fault {
        Some(fault) => Err(fault),
        None => Ok(Attack {
            steps: recorder.steps.clone(),
            choices: Vec::new(),
        }),
    }
}

/// A world in which everything succeeds and nothing happens.
#[derive(Default)]
struct Recorder {
    steps: Vec<Step>,
    operations: u32,
    snapshots: u32,
    holds: u32,
    depends: Cell<bool>,
}

impl Recorder {
    fn depend(&self) {
        self.depends.set(true);
    }
}

fn next(counter: &mut u32) -> u32 {
    *counter += 1;
    *counter - 1
}

impl Performer for Recorder {
    fn perform(&mut self, step: Step) -> Progress {
        let ended = |numbers: &[u32]| {
            let ended = numbers
                .iter()
                .map(|number| (*number, Ok(Answer::default())));
            Progress::Ended(ended.collect())
        };
        let progress = match &step {
            Step::Run { .. } => ended(&[next(&mut self.operations)]),
            Step::Start { .. } => Progress::Number(next(&mut self.operations)),
            Step::Finish { operation } => ended(&[*operation]),
            // A script may go on to finish what it had crash; the step is not the end of it here.
            Step::Race { operations } => ended(operations),
            Step::Snapshot => Progress::Number(next(&mut self.snapshots)),
            Step::Hold { .. } => Progress::Number(next(&mut self.holds)),
            Step::Met => Progress::Judged(Ok(())),
            _ => Progress::Done,
        };
        self.steps.push(step);
        progress
    }

    fn resume(&mut self, _: Vec<Edit>) -> Progress {
        Progress::Done
    }

    fn hook(&mut self, _: Direction, _: Selector) -> u32 {
        self.depend();
        0
    }

    fn unhook(&mut self, _: u32) {}

    fn seed(&self) -> u64 {
        0
    }

    fn choose(&mut self, _: u32) -> u32 {
        self.depend();
        0
    }

    fn wrote(&self, _: &DeviceName) -> Vec<ObjectInfo> {
        self.depend();
        Vec::new()
    }

    fn objects(&self, _: Option<&str>) -> Vec<ObjectInfo> {
        self.depend();
        Vec::new()
    }

    fn content(&self, _: &Object) -> Option<Bytes> {
        None
    }

    fn held(&self, _: u32) -> u32 {
        self.depend();
        0
    }

    fn kept(&self, _: &Selector) -> Vec<Bytes> {
        self.depend();
        Vec::new()
    }

    fn field(&self, _: &Message, _: &str) -> Option<Field> {
        self.depend();
        None
    }

    fn with_field(&self, _: &Message, _: &str, _: &Field) -> Option<Bytes> {
        self.depend();
        None
    }
}

#[cfg(test)]
mod tests;
