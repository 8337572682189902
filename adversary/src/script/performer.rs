//! The door between the script language and the world that a script acts on.

use crate::attack::{Edit, Object, Step};
use crate::client::{DeviceName, Outcome};
use crate::codec::Bytes;
use crate::selector::Selector;
use crate::stage::Secrets;
use turncoat_core::wire::Envelope;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From a device to the server.
    Request,
    /// From the server to a device.
    Reply,
}

/// A message that a hook wants to see before it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The hooks that match it, oldest first, each with how many matches it has had, this one
    /// included.
    pub hooks: Vec<(u32, u32)>,
    /// Which way it goes.
    pub direction: Direction,
    /// The number of the request in the run; a reply bears its request's.
    pub request: u32,
    /// Whose it is.
    pub device: DeviceName,
    /// The name of the message.
    pub kind: String,
    /// What would be delivered if no hook did anything.
    pub bytes: Bytes,
}

/// What a step came to, or why it is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Done, and nothing to say.
    Done,
    /// Done: the number of the operation, snapshot or hold that the step made.
    Number(u32),
    /// Done: how the operations that the step ran to their ends came out, in the step's order.
    Ended(Vec<(u32, Outcome)>),
    /// Done: whether the expectation that closed was met, and what came instead if it was not.
    Judged(Result<(), String>),
    /// Not done: a message waits for its handlers. Further steps may be performed now, each to its
    /// end; then [`Performer::resume`] takes this one up.
    Message(Message),
    /// The step makes no sense here, and nothing was done. The text says why.
    Refused(String),
}

/// One object of the store, as a script sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name in steps.
    pub object: Object,
    /// What it is, such as `head` or `obj`.
    pub kind: String,
    /// Its id.
    pub id: Vec<u8>,
    /// The size of its newest version.
    pub size: u64,
}

/// A world that performs steps.
///
/// A step that waits for handlers keeps its place on a stack: `perform` may be called again from
/// inside, and `resume` always goes on with the innermost step that waits. Only that step's own
/// operations move; everything else stays pending.
pub trait Performer {
    /// Performs a step up to its end or to the next message that a hook wants to see.
    fn perform(&mut self, step: Step) -> Progress;

    /// Delivers the message in hand, edited in this order, and goes on with the innermost step.
    fn resume(&mut self, edits: Vec<Edit>) -> Progress;

    /// Wants to see matching messages from now on, until `unhook` or a step `Heal`.
    fn hook(&mut self, direction: Direction, selector: Selector) -> u32;

    /// Wants to see no more messages for this hook.
    fn unhook(&mut self, hook: u32);

    /// The seed of the run.
    fn seed(&self) -> u64;

    /// Which secrets the users have.
    fn secrets(&self) -> Secrets {
        Secrets::First
    }

    /// Takes one of `options`, from the run's one chooser.
    fn choose(&mut self, options: u32) -> u32;

    /// What the device's latest operation wrote, in order.
    fn wrote(&self, device: &DeviceName) -> Vec<ObjectInfo>;

    /// All live objects, in order of their keys; of one kind alone if it is given.
    fn objects(&self, kind: Option<&str>) -> Vec<ObjectInfo>;

    /// The bytes of an object's newest version on the trunk.
    fn content(&self, object: &Object) -> Option<Bytes>;

    /// The key of the space and epoch that an envelope names, if the user's own keys open it.
    fn key_of(&self, _user: &str, _envelope: &Envelope) -> Option<[u8; 32]> {
        None
    }

    /// Notes that the server holds a user's keys.
    fn collude(&mut self, _user: &str) {}

    /// How many requests wait in a hold.
    fn held(&self, hold: u32) -> u32;

    /// The honest answers to matching requests so far, oldest first.
    fn kept(&self, selector: &Selector) -> Vec<Bytes>;

    /// A field of a message of the native front, as the front's table names it.
    fn field(&self, message: &Message, path: &str) -> Option<Field>;

    /// The message's bytes with a field changed; `None` if there is no such field, or it does not
    /// take such a value.
    fn with_field(&self, message: &Message, path: &str, value: &Field) -> Option<Bytes>;
}

/// The value of a field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Yes or no.
    Truth(bool),
    /// A number.
    Number(u64),
    /// A name.
    Text(String),
    /// Bytes, or a whole part of the message as it is encoded.
    Bytes(Bytes),
    /// A list.
    List(Vec<Field>),
    /// Nothing: the part is absent, or is to be taken out.
    Nothing,
}
