//! The operations of a run as intervals, with what each may have done.

use std::collections::BTreeMap;

use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::history::{Event, History};

/// Whether an operation changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// It failed, and nothing of it ever reached the store.
    None,
    /// It failed, or never ended, and something of it reached the store.
    Possible,
    /// It succeeded.
    Certain,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Op<'h> {
    /// Its number in the run.
    pub(crate) id: u32,
    /// Where.
    pub(crate) device: &'h DeviceName,
    /// Which memory it ran on; see [`Truth::of`].
    pub(crate) lineage: usize,
    /// Which process it ran in.
    pub(crate) life: usize,
    /// What.
    pub(crate) what: &'h Operation,
    /// When it started.
    pub(crate) start: usize,
    /// When the last of it took effect: never before it ended.
    pub(crate) end: usize,
    /// When the client said so.
    pub(crate) ended: usize,
    /// How, if it ended.
    pub(crate) outcome: Option<&'h Outcome>,
    /// What it did.
    pub(crate) effect: Effect,
}

impl<'h> Op<'h> {
    /// The answer of a success.
    pub(crate) fn answer(&self) -> Option<&'h Answer> {
        self.outcome.and_then(|outcome| outcome.as_ref().ok())
    }

    /// The failure, if it failed.
    pub(crate) fn failure(&self) -> Option<&'h Failure> {
        self.outcome.and_then(|outcome| outcome.as_ref().err())
    }

    /// Whether the client says that it caught the server.
    pub(crate) fn caught(&self) -> bool {
        self.failure()
            .is_some_and(|failure| failure.class == Class::Violation)
    }

    /// Whether this was over before the other began.
    pub(crate) fn before(&self, other: &Self) -> bool {
        self.end < other.start
    }

    /// Whose device ran it.
    pub(crate) fn user(&self) -> &'h str {
        &self.device.user
    }
}

/// All operations of a run, in the order in which they started.
#[derive(Clone, Debug)]
pub(crate) struct Truth<'h> {
    /// The operations.
    pub(crate) ops: Vec<Op<'h>>,
    /// The lineage of a device at an event, by the sequence numbers at which lineages begin.
    lineages: BTreeMap<&'h DeviceName, Vec<(usize, usize)>>,
    by_id: BTreeMap<u32, usize>,
    impostors: BTreeMap<&'h str, &'h str>,
}

impl<'h> Truth<'h> {
    /// Reads the operations out of a history.
    ///
    /// A *lineage* is a device between two losses of its memory that are none of the client's
    /// doing: a device whose memory was wiped cannot know what the one before it knew. A process
    /// that ends ends no lineage, whatever the client kept of it: what a device has seen outlives
    /// its process. A *life* is what happens in one process.
    pub(crate) fn of(history: &'h History) -> Self {
        let mut truth = Self {
            ops: Vec::new(),
            lineages: BTreeMap::new(),
            by_id: BTreeMap::new(),
            impostors: BTreeMap::new(),
        };
        let mut lineage = 0;
        let mut lives: BTreeMap<&DeviceName, usize> = BTreeMap::new();
        for (at, event) in history.events().iter().enumerate() {
            match event {
                Event::DeviceStarted { device, .. } => {
                    if !truth.lineages.contains_key(device) {
                        truth.begin(device, at, &mut lineage);
                    }
                    lives.insert(device, at);
                    // What was started before and goes on has waited for this process.
                    let mut ops = truth.ops.iter_mut();
                    ops.by_ref()
                        .filter(|op| op.device == device && op.outcome.is_none())
                        .for_each(|op| op.life = at);
                }
                Event::Impostor { user, of } => drop(truth.impostors.insert(user, of)),
                Event::Wiped { device } => truth.begin(device, at, &mut lineage),
                Event::OperationStarted {
                    operation,
                    device,
                    what,
                } => {
                    if !truth.lineages.contains_key(device) {
                        truth.begin(device, at, &mut lineage);
                    }
                    let lineage = truth.lineage(device, at).unwrap_or_default();
                    truth.by_id.insert(*operation, truth.ops.len());
                    truth.ops.push(Op {
                        id: *operation,
                        device,
                        lineage,
                        life: *lives.entry(device).or_insert(at),
                        what,
                        start: at,
                        end: usize::MAX,
                        ended: usize::MAX,
                        outcome: None,
                        effect: Effect::None,
                    });
                }
                Event::OperationEnded { operation, outcome } => {
                    if let Some(op) = truth.op_mut(*operation) {
                        (op.end, op.ended) = (at, at);
                        op.outcome = Some(outcome);
                        if outcome.is_ok() {
                            op.effect = Effect::Certain;
                        }
                    }
                }
                Event::Wrote { operation, .. } | Event::Published { operation, .. } => {
                    if let Some(op) = truth.op_mut(*operation) {
                        op.effect = op.effect.max(Effect::Possible);
                        op.end = op.end.max(at);
                    }
                }
                _ => {}
            }
        }
        truth
    }

    fn begin(&mut self, device: &'h DeviceName, at: usize, next: &mut usize) {
        self.lineages.entry(device).or_default().push((at, *next));
        *next += 1;
    }

    fn op_mut(&mut self, id: u32) -> Option<&mut Op<'h>> {
        let at = *self.by_id.get(&id)?;
        self.ops.get_mut(at)
    }

    /// The name by which clients know a user: of an impostor, another user's.
    pub(crate) fn account<'a>(&'a self, user: &'a str) -> &'a str {
        self.impostors.get(user).copied().unwrap_or(user)
    }

    /// Those who bear another user's name.
    pub(crate) fn impostors_of(&self, user: &str) -> impl Iterator<Item = &'h str> {
        let impostors = self.impostors.iter();
        let bearers = impostors.filter(move |(_, of)| **of == user);
        bearers.map(|(impostor, _)| *impostor)
    }

    /// Where the operation of this number stands.
    pub(crate) fn index(&self, id: u32) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The memory that a device runs on at an event.
    pub(crate) fn lineage(&self, device: &DeviceName, at: usize) -> Option<usize> {
        let begun = self.lineages.get(device)?;
        begun
            .iter()
            .rev()
            .find(|(from, _)| *from <= at)
            .map(|(_, lineage)| *lineage)
    }

    /// The operation that a device was busy with at an event, if it is one.
    pub(crate) fn busy(&self, device: &DeviceName, at: usize) -> Option<usize> {
        let mut running = self
            .ops
            .iter()
            .enumerate()
            .filter(|(_, op)| op.device == device && op.start <= at && at <= op.ended);
        let found = running.next()?.0;
        running.next().is_none().then_some(found)
    }
}

/// What a name is used for by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use<'h> {
    /// Writes all of the file.
    Upload(&'h [u8]),
    /// Adds to the file.
    Append(&'h [u8]),
    /// Reads the file.
    Download,
    /// Removes the name.
    Delete,
    /// Invites somebody.
    Share(&'h str),
    /// Excludes somebody.
    Revoke(&'h str),
    /// Gives a shared file a name here.
    Receive,
}

/// The names that an operation uses, and what for.
pub(crate) fn uses(what: &Operation) -> Vec<(&[u8], Use<'_>)> {
    match what {
        Operation::Upload { name, content } | Operation::Update { name, content } => {
            vec![(name, Use::Upload(content))]
        }
        Operation::UploadMany { files } => files
            .iter()
            .map(|(name, content)| (name.as_slice(), Use::Upload(content)))
            .collect(),
        Operation::Append { name, content } => vec![(name, Use::Append(content))],
        Operation::Download { name } => vec![(name, Use::Download)],
        Operation::Delete { name } => vec![(name, Use::Delete)],
        Operation::Share { name, with } => vec![(name, Use::Share(with))],
        Operation::Revoke { name, from } => vec![(name, Use::Revoke(from))],
        Operation::Receive { as_name, .. } => vec![(as_name, Use::Receive)],
        Operation::SignUp
        | Operation::Login
        | Operation::List
        | Operation::Fingerprint { .. }
        | Operation::Verify { .. }
        | Operation::Compare { .. } => Vec::new(),
    }
}
