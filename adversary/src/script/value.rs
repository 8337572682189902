//! What a script holds in its variables: names of things in the world, never the things.
//!
//! A handle is cheap to copy and does not change. Users and the server are looked up afresh each
//! time that a script says their names, so that a handler may use them while an operation of theirs
//! runs.

use super::performer::{Direction, Message, ObjectInfo};
use crate::acts::collude::Colluder;
use crate::attack::Edit;
use crate::client::{DeviceName, FIRST, Operation};
use crate::codec::Bytes;
use crate::selector::Audience;
use rhai::{Dynamic, ImmutableString};
use std::cell::RefCell;
use std::rc::Rc;

/// The server.
#[derive(Clone, Debug)]
pub(crate) struct Server;

/// A user, whose operations run on the first device; or one device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) device: DeviceName,
    /// Whether the script named the user and no device.
    pub(crate) whole: bool,
}

impl Actor {
    pub(crate) fn user(name: &str) -> Self {
        Self {
            device: DeviceName::new(name, FIRST),
            whole: true,
        }
    }

    /// Whom an act means that is shown to this user or device.
    pub(crate) fn audience(&self) -> Audience {
        if self.whole {
            Audience::User {
                user: self.device.user.clone(),
            }
        } else {
            Audience::Device {
                device: self.device.clone(),
            }
        }
    }
}

/// A moment of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot(pub(crate) u32);

/// Requests that wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held(pub(crate) u32);

/// A hook on messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook(pub(crate) u32);

/// A started operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) number: u32,
    pub(crate) returns: Returns,
    /// Named by its number in a printed attack, whose every step is performed as it stands.
    pub(crate) printed: bool,
}

/// What an operation gives back to the script when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Content,
    Names,
    Pointer,
    Fingerprint,
}

impl Returns {
    pub(crate) const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Download { .. } => Self::Content,
            Operation::List => Self::Names,
            Operation::Share { .. } => Self::Pointer,
            Operation::Fingerprint { .. } => Self::Fingerprint,
            _ => Self::Nothing,
        }
    }
}

/// An object of the store.
#[derive(Clone, Debug)]
pub(crate) struct Stored(pub(crate) Rc<ObjectInfo>);

/// An honest answer, kept for later.
#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) Bytes);

/// Keys that the server holds.
#[derive(Clone, Debug)]
pub(crate) struct Keys(pub(crate) Rc<Colluder>);

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content(pub(crate) Bytes);

/// Longer contents stay bytes even where they happen to be text.
const TEXT_MAX: usize = 1 << 16;

impl Content {
    /// The form in which a script gets bytes from a client: text where it is text.
    pub(crate) fn give(bytes: Vec<u8>) -> Dynamic {
        if bytes.len() > TEXT_MAX {
            return Dynamic::from(Self(bytes.into()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Dynamic::from(ImmutableString::from(text)),
            Err(error) => Dynamic::from(Self(error.into_bytes().into())),
        }
    }

    /// The bytes of whatever a script may use as bytes.
    pub(crate) fn take(value: &Dynamic) -> Option<Bytes> {
        if value.is_string() {
            let text = value.clone().into_immutable_string().ok()?;
            return Some(text.as_bytes().into());
        }
        if value.is_blob() {
            return value.clone().into_blob().ok().map(Into::into);
        }
        value.clone().try_cast::<Self>().map(|content| content.0)
    }
}

/// A message in the hand of its handlers.
#[derive(Clone, Debug)]
pub(crate) struct InHand(pub(crate) Rc<RefCell<Hand>>);

/// The message itself, and what was done to it so far.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) message: Message,
    /// How many matches the hook whose handler runs has had, this one included.
    pub(crate) count: u32,
    /// As it came.
    pub(crate) original: Bytes,
    /// Before the bytes: how long the message waits.
    pub(crate) delay_ms: u64,
    /// After the bytes: what becomes of it instead of plain delivery.
    pub(crate) fate: Option<Edit>,
    /// False once the handlers are through: the message has gone.
    pub(crate) here: bool,
    /// For no message in particular: each edit as it was made, in the order of the calls.
    pub(crate) noted: Option<Vec<Edit>>,
}

impl Hand {
    pub(crate) fn new(message: Message) -> Self {
        Self {
            original: message.bytes.clone(),
            message,
            count: 0,
            delay_ms: 0,
            fate: None,
            here: true,
            noted: None,
        }
    }

    /// No message: what is done to it is noted, as a printed attack says it.
    pub(crate) fn blank() -> Self {
        let message = Message {
            hooks: Vec::new(),
            direction: Direction::Request,
            request: 0,
            device: DeviceName::first(""),
            kind: String::new(),
            bytes: Bytes::from([].as_slice()),
        };
        Self {
            noted: Some(Vec::new()),
            ..Self::new(message)
        }
    }

    /// Whether this is a message of a printed attack, of which nothing is known but what is done.
    pub(crate) fn is_printed(&self) -> bool {
        self.noted.is_some()
    }

    /// Puts other bytes into the message.
    pub(crate) fn rewrite(&mut self, bytes: Bytes) {
        self.message.bytes = bytes.clone();
        self.note(Edit::Replace { bytes });
    }

    /// Lets the message wait.
    pub(crate) fn delay(&mut self, duration_ms: u64) {
        self.delay_ms = self.delay_ms.saturating_add(duration_ms);
        self.note(Edit::Delay { duration_ms });
    }

    /// Decides what becomes of the message; the last decision holds.
    pub(crate) fn decide(&mut self, fate: Edit) {
        self.fate = Some(fate.clone());
        self.note(fate);
    }

    fn note(&mut self, edit: Edit) {
        if let Some(noted) = &mut self.noted {
            noted.push(edit);
        }
    }

    /// What was done, in the order in which the world does it.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        if let Some(noted) = &self.noted {
            return noted.clone();
        }
        let mut edits = Vec::new();
        if self.delay_ms > 0 {
            let duration_ms = self.delay_ms;
            edits.push(Edit::Delay { duration_ms });
        }
        if self.message.bytes != self.original {
            let bytes = self.message.bytes.clone();
            edits.push(Edit::Replace { bytes });
        }
        edits.extend(self.fate.clone());
        edits
    }
}
