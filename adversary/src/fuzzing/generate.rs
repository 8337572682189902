//! One step of a session after the other, each a choice among what makes sense at that moment.

use std::rc::Rc;

use super::opening::devices;
use crate::acts::collude::member::Member;
use crate::attack::{Edit, Object, Step};
use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation};
use crate::codec::Bytes;
use crate::history::Event;
use crate::script::performer::{Direction, Message, Performer};
use crate::selector::Audience;
use crate::stage::Stage;

/// The names of files, and of nothing.
const NAMES: [&[u8]; 4] = [
    b"notes",
    b"plans",
    b"",
    b"a name of some length, to be padded.txt",
];

/// Sizes of content: around nothing, a class of padding, and a chunk.
const SIZES: [usize; 6] = [0, 1, 255, 4_000, 65_532, 65_537];

/// Draws steps from a chooser. Nothing is left of the session once the choices run out: the first
/// option is always the dullest.
pub(super) struct Generator {
    chooser: Chooser,
    /// Bob, if he works with the server.
    pub(super) member: Option<Rc<Member>>,
}

impl Generator {
    /// Draws from these bytes.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self {
            chooser: Chooser::from_bytes(bytes),
            member: None,
        }
    }

    /// Takes one of `options`.
    pub(super) fn choose(&mut self, options: u32) -> u32 {
        self.chooser.choose(options)
    }

    /// One of a list; none of an empty one.
    pub(super) fn one<'list, T>(&mut self, list: &'list [T]) -> Option<&'list T> {
        let options = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.get(self.choose(options) as usize)
    }

    fn name(&mut self) -> Vec<u8> {
        self.one(&NAMES).copied().unwrap_or_default().to_vec()
    }

    /// Bytes that say by which choice they were made, so that no two contents look alike.
    fn content(&mut self) -> Vec<u8> {
        let size = self.one(&SIZES).copied().unwrap_or_default();
        let number = self.chooser.taken().len() as u64;
        number
            .to_be_bytes()
            .into_iter()
            .cycle()
            .take(size)
            .collect()
    }

    /// A device of the session.
    pub(super) fn device(&mut self) -> DeviceName {
        let [first, phone, bob] = devices();
        match self.choose(3) {
            0 => first,
            1 => bob,
            _ => phone,
        }
    }

    /// The steps that come next; none ends the session.
    pub(super) fn steps(&mut self, stage: &Stage) -> Vec<Step> {
        match self.choose(24) {
            0 => Vec::new(),
            1..=9 => self.workload(),
            10 => self.race(stage),
            11 => self.crash(stage),
            12 => vec![Step::Snapshot],
            13 => vec![Step::Heal],
            _ => {
                // What is turned is looked at.
                let mut steps: Vec<Step> = self.act(stage).into_iter().collect();
                steps.extend(self.workload());
                steps
            }
        }
    }

    fn workload(&mut self) -> Vec<Step> {
        let device = self.device();
        let operation = self.operation(&device);
        vec![Step::Run { device, operation }]
    }

    fn operation(&mut self, device: &DeviceName) -> Operation {
        let other = if device.user == "alice" {
            "bob"
        } else {
            "alice"
        };
        match self.choose(10) {
            0 | 1 => Operation::Upload {
                name: self.name(),
                content: self.content(),
            },
            2 => Operation::Append {
                name: self.name(),
                content: self.content(),
            },
            3 | 4 => Operation::Download { name: self.name() },
            5 => Operation::List,
            6 => Operation::Delete { name: self.name() },
            7 => Operation::Share {
                name: self.name(),
                with: other.to_owned(),
            },
            8 => Operation::Receive {
                from: other.to_owned(),
                name: Some(self.name()),
                pointer: None,
                as_name: self.name(),
            },
            _ => Operation::Revoke {
                name: self.name(),
                from: other.to_owned(),
            },
        }
    }

    /// Two operations of two devices at once.
    fn race(&mut self, stage: &Stage) -> Vec<Step> {
        let number = started(stage);
        let (one, other) = (self.device(), self.device());
        let operations = [self.operation(&one), self.operation(&other)];
        let starts = [one, other].into_iter().zip(operations);
        let mut steps: Vec<Step> = starts
            .map(|(device, operation)| Step::Start { device, operation })
            .collect();
        steps.push(Step::Race {
            operations: vec![number, number + 1],
        });
        steps
    }

    /// A process that ends at some await point, and starts again.
    fn crash(&mut self, stage: &Stage) -> Vec<Step> {
        let operation = started(stage);
        let device = self.device();
        vec![
            Step::Start {
                device: device.clone(),
                operation: self.operation(&device),
            },
            Step::CrashAt {
                operation,
                point: 1 + self.choose(12),
            },
            Step::Restart {
                device: device.clone(),
            },
            Step::Run {
                device,
                operation: Operation::Login,
            },
        ]
    }

    fn audience(&mut self) -> Audience {
        match self.choose(3) {
            0 => Audience::Everyone,
            1 => Audience::User {
                user: self.device().user,
            },
            _ => Audience::Device {
                device: self.device(),
            },
        }
    }

    fn object(&mut self, stage: &Stage) -> Option<(Object, u64)> {
        let objects = match self.choose(4) {
            0 => stage.objects(None),
            _ => stage.wrote(&self.device()),
        };
        let info = self.one(&objects)?;
        Some((info.object.clone(), info.size))
    }

    fn act(&mut self, stage: &Stage) -> Option<Step> {
        let audience = self.audience();
        let kind = self.choose(12);
        match kind {
            0 | 1 => {
                let snapshot = self.choose(snapshots(stage));
                return Some(Step::RollBackTo { snapshot, audience });
            }
            2 => return Some(Step::Fork { audience }),
            3 => return Some(Step::Freeze { audience }),
            4 => {
                let of = self.audience();
                return Some(Step::Show { audience, of });
            }
            5 => return Some(Step::Join),
            _ => {}
        }
        let (object, size) = self.object(stage)?;
        Some(match kind {
            6 => Step::Flip {
                object,
                bit: u64::from(self.choose(1 << 20)) % (8 * size.max(1)),
                audience,
            },
            7 => Step::Truncate {
                object,
                size: u64::from(self.choose(1 << 16)) % size.max(1),
                audience,
            },
            8 => Step::Replace {
                object,
                by: self.object(stage)?.0,
                audience,
            },
            9 => Step::Hide { object, audience },
            10 => Step::Resurrect { object, audience },
            _ => Step::RollBack {
                object,
                versions: 1 + self.choose(3),
                audience,
            },
        })
    }

    /// What is done to a message on its way; most pass as they are.
    pub(super) fn edits(&mut self, message: &Message, kept: &[Bytes]) -> Vec<Edit> {
        let mut bytes = message.bytes.to_vec();
        let size = bytes.len().max(1);
        let refusals = ["not-found", "conflict", "busy"];
        let request = message.direction == Direction::Request;
        let edit = match self.choose(16) {
            1 => {
                let at = self.choose(1 << 20) as usize % size;
                let mask = 1 << self.choose(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
                Edit::Replace {
                    bytes: bytes.into(),
                }
            }
            2 => {
                bytes.truncate(self.choose(1 << 16) as usize % size);
                Edit::Replace {
                    bytes: bytes.into(),
                }
            }
            3 => match self.one(kept) {
                Some(old) => Edit::Replace { bytes: old.clone() },
                None => Edit::Drop,
            },
            4 => Edit::Drop,
            5 => Edit::Refuse {
                name: self.one(&refusals).copied().unwrap_or_default().to_owned(),
            },
            6 if request => Edit::Twice,
            7 if request => Edit::Acknowledge,
            8 if request => Edit::StoreBut {
                name: self.one(&refusals).copied().unwrap_or_default().to_owned(),
            },
            9 if request => Edit::WaveThrough,
            10..=13 => return self.forgery(message, kept).unwrap_or_default(),
            _ => return Vec::new(),
        };
        vec![edit]
    }

    /// What bob writes in place of what he sends, or what others are shown in his name.
    fn forgery(&mut self, message: &Message, kept: &[Bytes]) -> Option<Vec<Edit>> {
        let member = Rc::clone(self.member.as_ref()?);
        let his = message.device == devices()[2];
        let bytes = match message.direction {
            Direction::Request if his => self.forge_commit(&message.bytes, &member)?,
            Direction::Reply if !his => self.forge_reply(&message.bytes, kept, &member)?,
            _ => return None,
        };
        let bytes = bytes.into();
        let mut edits = vec![Edit::Replace { bytes }];
        if his && self.choose(2) == 1 {
            edits.push(Edit::WaveThrough);
        }
        Some(edits)
    }
}

/// How many operations have started: the number of the next one.
fn started(stage: &Stage) -> u32 {
    let events = stage.history().events().iter();
    let started = events.filter(|event| matches!(event, Event::OperationStarted { .. }));
    u32::try_from(started.count()).unwrap_or(u32::MAX)
}

/// How many snapshots there are; at least one is chosen from.
fn snapshots(stage: &Stage) -> u32 {
    let taken = stage.attack().steps;
    let taken = taken.iter().filter(|step| matches!(step, Step::Snapshot));
    u32::try_from(taken.count()).unwrap_or(u32::MAX).max(1)
}
