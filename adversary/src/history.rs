//! The append-only record of one run: everything that an oracle may know.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::client::{DeviceName, Operation, Outcome};
use crate::codec::{Bytes, Code, coded};

coded! {
    /// An object of the store.
    #[derive(PartialOrd, Ord, Hash)]
    pub struct ObjectKey {
        /// What it is, such as `head` or `obj`.
        pub kind: String,
        /// Which.
        pub id: Vec<u8>,
    }
}

impl ObjectKey {
    /// Names an object.
    pub fn new(kind: impl Into<String>, id: impl Into<Vec<u8>>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.kind)?;
        let readable = |byte: &u8| byte.is_ascii_graphic();
        match std::str::from_utf8(&self.id) {
            Ok(text) if !text.is_empty() && self.id.iter().all(readable) => f.write_str(text),
            _ => self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

coded! {
    /// One thing that happened.
    pub enum Event {
        /// A user appeared; the account need not exist yet.
        0 => UserCreated {
            /// The name.
            user: String,
        },
        /// A user appeared whose account is going to bear another user's name.
        18 => Impostor {
            /// The user.
            user: String,
            /// Whose name.
            of: String,
        },
        /// A device's process started.
        1 => DeviceStarted {
            /// Which.
            device: DeviceName,
            /// Whether it holds durable state from before.
            remembers: bool,
        },
        /// An operation was started.
        2 => OperationStarted {
            /// Its number in the run.
            operation: u32,
            /// Where.
            device: DeviceName,
            /// What.
            what: Operation,
        },
        /// An operation ended.
        3 => OperationEnded {
            /// Its number.
            operation: u32,
            /// How.
            outcome: Outcome,
        },
        /// The client sent a request.
        4 => Request {
            /// Its number in the run.
            request: u32,
            /// Who.
            device: DeviceName,
            /// During which operation.
            operation: u32,
            /// The name of the message.
            kind: String,
            /// The bytes as sent.
            bytes: Bytes,
        },
        /// The client was answered.
        5 => Reply {
            /// The number of the request.
            request: u32,
            /// What an honest server would have answered; none if it never saw the request.
            honest: Option<Bytes>,
            /// What the client was shown; none if the reply was lost.
            shown: Option<Bytes>,
        },
        /// The device's durable state was replaced.
        6 => Saved {
            /// Which device.
            device: DeviceName,
            /// All of the state.
            bytes: Bytes,
        },
        /// The server did something other than answer.
        7 => Act {
            /// The act as a script says it.
            text: String,
            /// Whether it took effect; an honest run evaluates acts and applies none.
            applied: bool,
        },
        /// The server stored a version of an object.
        8 => Wrote {
            /// During which operation.
            operation: u32,
            /// What.
            object: ObjectKey,
            /// The moment; names the version together with the object.
            version: u64,
        },
        /// A device accepted a head, as read out of its durable state.
        9 => Accepted {
            /// Which device.
            device: DeviceName,
            /// The space.
            space: [u8; 32],
            /// The head.
            head: [u8; 32],
            /// Its height.
            height: u64,
        },
        /// The honest server made a head the newest one.
        10 => Published {
            /// The space.
            space: [u8; 32],
            /// The head.
            head: [u8; 32],
            /// The one that it follows; zero for the first.
            parent: [u8; 32],
            /// Its height.
            height: u64,
            /// By which operation.
            operation: u32,
        },
        /// A device's process ended without warning.
        11 => Crashed {
            /// Which device.
            device: DeviceName,
        },
        /// A device lost its durable state.
        12 => Wiped {
            /// Which device.
            device: DeviceName,
        },
        /// Content left the client before the operation ended.
        13 => Released {
            /// During which operation.
            operation: u32,
            /// The content.
            bytes: Bytes,
        },
        /// An expectation opened; the operations until it closes are the guarded ones.
        14 => ExpectationOpened {
            /// The expectation, as a script says it.
            text: String,
        },
        /// The expectation that opened last closed.
        15 => ExpectationClosed {
            /// Whether it was met.
            met: bool,
        },
        /// A content that the server must never see.
        16 => Secret {
            /// The canary.
            bytes: Bytes,
        },
        /// A message was lost, late, doubled or refused for want of time: what an honest server
        /// behind a bad network does, too.
        17 => Disturbed {
            /// The edit as a script says it.
            text: String,
            /// Whether it took effect.
            applied: bool,
        },
    }
}

/// All events of a run, in order. An event's place is its sequence number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    events: Vec<Event>,
}

impl History {
    /// The first bytes of an encoding: magic and version.
    const MAGIC: [u8; 4] = *b"TCh1";

    /// Nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { events: Vec::new() }
    }

    /// Appends an event and returns its sequence number.
    pub fn push(&mut self, event: Event) -> usize {
        self.events.push(event);
        self.events.len() - 1
    }

    /// The events, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Self::MAGIC.to_vec();
        self.events.encode(&mut out);
        out
    }

    /// Reads an encoding; `None` if it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let body = bytes.strip_prefix(&Self::MAGIC)?;
        Some(Self {
            events: Vec::from_bytes(body)?,
        })
    }

    /// `SHA-256(encode())`: two runs with equal digests are the same run.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// The outcome of an operation, once it ended.
    #[must_use]
    pub fn outcome(&self, operation: u32) -> Option<&Outcome> {
        self.events.iter().rev().find_map(|event| match event {
            Event::OperationEnded {
                operation: ended,
                outcome,
            } if *ended == operation => Some(outcome),
            _ => None,
        })
    }

    /// What the clients saw and sent, in order: requests, and the replies as shown.
    ///
    /// Two runs of one script whose dialogues are equal showed their clients the same.
    pub fn dialogue(&self) -> impl Iterator<Item = (u32, Option<&Bytes>)> {
        self.events.iter().filter_map(|event| match event {
            Event::Request { request, bytes, .. } => Some((*request, Some(bytes))),
            Event::Reply { request, shown, .. } => Some((*request, shown.as_ref())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, History, ObjectKey};
    use crate::client::{Answer, DeviceName, Operation};

    fn sample() -> History {
        let mut history = History::new();
        history.push(Event::UserCreated {
            user: "alice".to_owned(),
        });
        history.push(Event::OperationStarted {
            operation: 0,
            device: DeviceName::first("alice"),
            what: Operation::SignUp,
        });
        history.push(Event::Request {
            request: 0,
            device: DeviceName::first("alice"),
            operation: 0,
            kind: "register".to_owned(),
            bytes: b"ask".as_slice().into(),
        });
        history.push(Event::Reply {
            request: 0,
            honest: Some(b"yes".as_slice().into()),
            shown: None,
        });
        history.push(Event::OperationEnded {
            operation: 0,
            outcome: Ok(Answer::default()),
        });
        history
    }

    #[test]
    fn a_history_survives_its_encoding() {
        let history = sample();
        let again = History::decode(&history.encode()).expect("an encoding decodes");
        assert_eq!(again, history);
        assert_eq!(again.digest(), history.digest());
    }

    #[test]
    fn bytes_of_another_version_are_no_history() {
        let mut bytes = sample().encode();
        bytes[3] = b'2';
        assert_eq!(History::decode(&bytes), None);
    }

    #[test]
    fn the_dialogue_is_what_clients_sent_and_saw() {
        let history = sample();
        let seen: Vec<_> = history.dialogue().collect();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1], (0, None), "a lost reply is seen as lost");
    }

    #[test]
    fn object_keys_read_well() {
        let check = |key: ObjectKey, text: &str| assert_eq!(key.to_string(), text);
        check(ObjectKey::new("obj", *b"notes.txt"), "obj/notes.txt");
        check(ObjectKey::new("head", [0, 255]), "head/00ff");
    }
}
