//! A world of a few lines: one file store with versions, and clients that remember heights.
//!
//! Enough to show that the language does what it says; no client of the project is in it.

use crate::attack::{Edit, Expectation, Object, Step};
use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::history::ObjectKey;
use crate::script::performer::{Direction, Field, Message, ObjectInfo, Performer, Progress};
use crate::selector::Selector;
use std::collections::BTreeMap;

type Files = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// An operation on its way: its request, then its reply.
struct Waiting {
    number: u32,
    device: DeviceName,
    operation: Operation,
    /// What step to answer: one that made a number, or one that ran to an end.
    direction: Direction,
    lost: bool,
}

#[derive(Default)]
pub(super) struct Fake {
    pub(super) steps: Vec<Step>,
    pub(super) attacked: bool,
    files: Files,
    snapshots: Vec<Files>,
    shown: Option<Files>,
    seen: BTreeMap<(DeviceName, Vec<u8>), u64>,
    wrote: BTreeMap<DeviceName, Vec<ObjectInfo>>,
    hooks: Vec<(u32, Direction, Selector, u32)>,
    made_hooks: u32,
    started: BTreeMap<u32, (DeviceName, Operation)>,
    operations: u32,
    requests: u32,
    stack: Vec<Waiting>,
    outcomes: Vec<Outcome>,
    expectation: Option<Expectation>,
    choices: u32,
}

impl Fake {
    pub(super) fn new(attacked: bool) -> Self {
        Self {
            attacked,
            ..Self::default()
        }
    }

    fn start(&mut self, device: DeviceName, operation: Operation) -> u32 {
        let number = self.operations;
        self.operations += 1;
        self.started.insert(number, (device, operation));
        number
    }

    fn finish(&mut self, number: u32) -> Progress {
        let Some((device, operation)) = self.started.remove(&number) else {
            return Progress::Refused("no such operation".to_owned());
        };
        self.stack.push(Waiting {
            number,
            device,
            operation,
            direction: Direction::Request,
            lost: false,
        });
        self.show()
    }

    /// Shows the message of the innermost operation to its hooks, or goes on.
    fn show(&mut self) -> Progress {
        let request = self.requests;
        let top = self.stack.last().expect("an operation is on its way");
        let kind = match top.operation {
            Operation::Upload { .. } | Operation::Append { .. } => "commit",
            Operation::Login | Operation::SignUp => "login",
            _ => "read",
        };
        let mut hooks = Vec::new();
        for (hook, direction, selector, count) in &mut self.hooks {
            if *direction == top.direction && selector.matches(&top.device, kind) {
                *count += 1;
                if selector.wants(*count) {
                    hooks.push((*hook, *count));
                }
            }
        }
        if hooks.is_empty() {
            return self.resume(Vec::new());
        }
        Progress::Message(Message {
            hooks,
            direction: top.direction,
            request,
            device: top.device.clone(),
            kind: kind.to_owned(),
            bytes: b"message".as_slice().into(),
        })
    }

    fn outcome(&mut self, device: &DeviceName, operation: &Operation) -> Outcome {
        let mut answer = Answer::default();
        match operation {
            Operation::Upload { name, content } => {
                let height = self.files.get(name).map_or(0, |(height, _)| *height) + 1;
                self.files.insert(name.clone(), (height, content.clone()));
                self.seen.insert((device.clone(), name.clone()), height);
                let written = ObjectInfo {
                    object: Object::Key {
                        key: ObjectKey::new("obj", name.clone()),
                    },
                    kind: "obj".to_owned(),
                    id: name.clone(),
                    size: content.len() as u64,
                };
                self.wrote.insert(device.clone(), vec![written]);
            }
            Operation::Download { name } => {
                let files = self.shown.as_ref().unwrap_or(&self.files);
                let Some((height, content)) = files.get(name) else {
                    return Err(Failure::new(Class::Usage, "no-such-file"));
                };
                let seen = self.seen.entry((device.clone(), name.clone())).or_default();
                if *height < *seen {
                    return Err(Failure::new(Class::Violation, "rollback"));
                }
                *seen = *height;
                answer.content = Some(content.clone());
            }
            Operation::List => answer.names = Some(self.files.keys().cloned().collect()),
            _ => {}
        }
        Ok(answer)
    }

    fn judge(&mut self) -> Result<(), String> {
        let expectation = self.expectation.take().expect("an expectation is open");
        let failure = self
            .outcomes
            .last()
            .and_then(|outcome| outcome.as_ref().err());
        let found = failure.map_or("ok".to_owned(), ToString::to_string);
        let wanted = match &expectation {
            Expectation::Violation { name, .. } if self.attacked => format!("violation:{name}"),
            Expectation::Violation {
                honest: Some(name), ..
            }
            | Expectation::Usage { name } => format!("usage:{name}"),
            _ => "ok".to_owned(),
        };
        if found == wanted { Ok(()) } else { Err(found) }
    }
}

impl Performer for Fake {
    fn perform(&mut self, step: Step) -> Progress {
        self.steps.push(step.clone());
        match step {
            Step::Run { device, operation } => {
                let number = self.start(device, operation);
                self.finish(number)
            }
            Step::Start { device, operation } => Progress::Number(self.start(device, operation)),
            Step::Finish { operation } => self.finish(operation),
            Step::Race { operations } => {
                let mut ended = Vec::new();
                for number in operations {
                    match self.finish(number) {
                        Progress::Ended(more) => ended.extend(more),
                        other => return other,
                    }
                }
                Progress::Ended(ended)
            }
            Step::Snapshot => {
                self.snapshots.push(self.files.clone());
                Progress::Number(self.snapshots.len() as u32 - 1)
            }
            Step::RollBackTo { snapshot, .. } => {
                if self.attacked {
                    self.shown = self.snapshots.get(snapshot as usize).cloned();
                }
                Progress::Done
            }
            Step::Heal => {
                self.shown = None;
                self.hooks.clear();
                Progress::Done
            }
            Step::Hold { .. } => Progress::Number(0),
            Step::Expect { expectation } => {
                self.expectation = Some(expectation);
                self.outcomes.clear();
                Progress::Done
            }
            Step::Met => Progress::Judged(self.judge()),
            _ => Progress::Done,
        }
    }

    fn resume(&mut self, edits: Vec<Edit>) -> Progress {
        let mut top = self.stack.pop().expect("an operation is on its way");
        let dropped = edits.iter().any(|edit| matches!(edit, Edit::Drop));
        top.lost |= dropped && self.attacked;
        if top.direction == Direction::Request {
            top.direction = Direction::Reply;
            self.stack.push(top);
            return self.show();
        }
        self.requests += 1;
        let outcome = if top.lost {
            Err(Failure::new(Class::Unavailable, "timeout"))
        } else {
            self.outcome(&top.device, &top.operation)
        };
        self.outcomes.push(outcome.clone());
        Progress::Ended(vec![(top.number, outcome)])
    }

    fn hook(&mut self, direction: Direction, selector: Selector) -> u32 {
        self.made_hooks += 1;
        self.hooks.push((self.made_hooks, direction, selector, 0));
        self.made_hooks
    }

    fn unhook(&mut self, hook: u32) {
        self.hooks.retain(|(own, ..)| *own != hook);
    }

    fn seed(&self) -> u64 {
        1
    }

    fn choose(&mut self, options: u32) -> u32 {
        self.choices += 1;
        self.choices % options
    }

    fn wrote(&self, device: &DeviceName) -> Vec<ObjectInfo> {
        self.wrote.get(device).cloned().unwrap_or_default()
    }

    fn objects(&self, kind: Option<&str>) -> Vec<ObjectInfo> {
        let all = self.wrote.values().flatten();
        all.filter(|info| kind.is_none_or(|kind| kind == info.kind))
            .cloned()
            .collect()
    }

    fn content(&self, object: &Object) -> Option<Bytes> {
        match object {
            Object::Key { key } => {
                let (_, content) = self.files.get(&key.id)?;
                Some(content.as_slice().into())
            }
            Object::Written { .. } => None,
        }
    }

    fn held(&self, _: u32) -> u32 {
        0
    }

    fn kept(&self, _: &Selector) -> Vec<Bytes> {
        vec![b"kept".as_slice().into()]
    }

    fn field(&self, message: &Message, path: &str) -> Option<Field> {
        (path == "kdf.iterations").then_some(Field::Number(message.bytes.len() as u64))
    }

    fn with_field(&self, _: &Message, path: &str, value: &Field) -> Option<Bytes> {
        match value {
            Field::Number(number) if path == "kdf.iterations" => {
                Some(number.to_be_bytes().as_slice().into())
            }
            _ => None,
        }
    }
}
