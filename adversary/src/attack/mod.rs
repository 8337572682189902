//! An attack as a value: the workload, its order and the server's acts, step by step.

mod print;
mod step;

pub use step::Step;

use std::fmt;

use turncoat_core::remote::Lost;

use crate::codec::{Bytes, Code, coded};
use crate::framing::Framing;
use crate::history::ObjectKey;
use crate::selector::Selector;

coded! {
    /// An object, named so that the name means the same in every run of the attack.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Object {
        /// By its key in the store.
        0 => Key {
            /// The key.
            key: ObjectKey,
        },
        /// The `index`-th object, counted from zero, that an operation wrote.
        1 => Written {
            /// The operation's number.
            operation: u32,
            /// Which of what it wrote.
            index: u32,
        },
    }
}

coded! {
    /// What is done to one message of the native front.
    pub enum Edit {
        /// Other bytes take its place.
        0 => Replace {
            /// The bytes.
            bytes: Bytes,
        },
        /// A request never reaches the server; a reply is lost after the server acted.
        1 => Drop,
        /// The server does not act and answers with this refusal.
        2 => Refuse {
            /// The refusal's name, such as `conflict`.
            name: String,
        },
        /// The server handles the request twice; the second answer is shown.
        3 => Twice,
        /// The server does not act and answers that it did.
        4 => Acknowledge,
        /// The server acts and answers with this refusal.
        5 => StoreBut {
            /// The refusal's name.
            name: String,
        },
        /// The clock moves on before the message is delivered.
        6 => Delay {
            /// By how much.
            duration_ms: u64,
        },
        /// The server takes what a writer may not write.
        7 => WaveThrough,
        /// The reply comes in another frame of HTTP.
        8 => Framed {
            /// In which.
            framing: Framing,
        },
        /// The sender has given up when the request reaches the server: right before one of those
        /// that follow.
        9 => Late {
            /// Before how manieth, counted from one.
            requests: u32,
        },
    }
}

impl Edit {
    /// Whether a bad network does this to the messages of an honest server, too.
    #[must_use]
    pub fn is_network(&self) -> bool {
        match self {
            Self::Drop | Self::Twice | Self::Delay { .. } | Self::Late { .. } => true,
            // No network makes a reply without end.
            Self::Framed { framing } => framing.lost() != Some(Lost::TooLarge),
            Self::Refuse { name } | Self::StoreBut { name } => name == "busy",
            Self::Replace { .. } | Self::Acknowledge | Self::WaveThrough => false,
        }
    }
}

coded! {
    /// What the guarded operations must come to.
    pub enum Expectation {
        /// Attacked: this violation. Honest: success, or the named error of usage.
        0 => Violation {
            /// The violation.
            name: String,
            /// The honest error.
            honest: Option<String>,
        },
        /// Attacked: no usable answer. Honest: success, or the named error of usage.
        1 => Unavailable {
            /// The name, or `any`.
            name: String,
            /// The honest error.
            honest: Option<String>,
        },
        /// In both runs this error of usage.
        2 => Usage {
            /// The name.
            name: String,
        },
        /// In both runs success, and the right answer.
        3 => Success,
        /// Attacked: one of these, each `class:name` or `ok`. Honest: success.
        4 => Any {
            /// The outcomes.
            outcomes: Vec<String>,
        },
        /// Success, and the client says what it cannot know.
        5 => Admitted {
            /// The claim.
            claim: String,
        },
        /// No matching request is sent inside.
        6 => NoRequest {
            /// Which.
            selector: Selector,
        },
        /// What the server holds stays closed to a colluder.
        7 => ClosedTo {
            /// Whose keys.
            colluder: String,
            /// What must stay closed.
            object: Object,
        },
        /// What the server holds can be opened by a colluder; proves that the decryptor works.
        8 => OpenedBy {
            /// Whose keys.
            colluder: String,
            /// What must open.
            object: Object,
        },
        /// Nothing that the server sees of two parts of the run differs but what may.
        9 => SameView {
            /// Which of the two parts begins here.
            second: bool,
        },
        /// In both runs nothing durable changes on any device.
        10 => Unchanged,
        /// Anything may happen; only the oracles judge.
        11 => Anything,
        /// In both runs success, while the server only watches; only the oracles judge.
        12 => Observed,
    }
}

impl Expectation {
    /// Whether it asks for the same before an honest server.
    #[must_use]
    pub const fn is_judged_alike(&self) -> bool {
        match self {
            Self::Usage { .. }
            | Self::Success
            | Self::ClosedTo { .. }
            | Self::OpenedBy { .. }
            | Self::Unchanged
            | Self::Anything
            | Self::Observed => true,
            Self::Violation { .. }
            | Self::Unavailable { .. }
            | Self::Any { .. }
            | Self::Admitted { .. }
            | Self::NoRequest { .. }
            | Self::SameView { .. } => false,
        }
    }
}

coded! {
    /// Workload, order and acts, and the choices that fill what they leave open.
    #[derive(Default)]
    pub struct Attack {
        /// The steps, in order. Edits of a message stand anywhere before it is sent.
        pub steps: Vec<Step>,
        /// What the chooser takes, in order; the first option afterwards.
        pub choices: Vec<u32>,
    }
}

impl Attack {
    /// The first bytes of an encoding, before its version.
    const MAGIC: [u8; 3] = *b"TCa";
    /// The one version that there is.
    const VERSION: u8 = b'1';

    /// The versioned encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Self::MAGIC.to_vec();
        out.push(Self::VERSION);
        Code::encode(self, &mut out);
        out
    }

    /// Reads an encoding.
    ///
    /// # Errors
    ///
    /// Why the bytes are no attack that this program reads.
    pub fn decode(bytes: &[u8]) -> Result<Self, NoAttack> {
        let rest = bytes.strip_prefix(&Self::MAGIC).ok_or(NoAttack::Foreign)?;
        match rest.split_first() {
            Some((&Self::VERSION, rest)) => Self::from_bytes(rest).ok_or(NoAttack::Damaged),
            Some((&version, _)) => Err(NoAttack::Version(version)),
            None => Err(NoAttack::Damaged),
        }
    }
}

/// Why bytes are no attack that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAttack {
    /// They do not begin like one.
    Foreign,
    /// They are of another version of the format.
    Version(u8),
    /// They begin like one, and are cut, changed or longer.
    Damaged,
}

impl fmt::Display for NoAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("no attack: the bytes begin otherwise"),
            Self::Version(version) => write!(
                f,
                "an attack of format version {}; this program reads version {}",
                char::from(*version).escape_default(),
                char::from(Attack::VERSION)
            ),
            Self::Damaged => f.write_str("a damaged attack: it is cut, changed or too long"),
        }
    }
}

impl std::error::Error for NoAttack {}

#[cfg(test)]
mod tests {
    use super::{Attack, Edit, NoAttack, Object, Step};
    use crate::client::{DeviceName, Operation};
    use crate::history::ObjectKey;
    use crate::selector::Audience;

    #[test]
    fn an_attack_survives_its_encoding() {
        let attack = Attack {
            steps: vec![
                Step::Run {
                    device: DeviceName::first("alice"),
                    operation: Operation::Upload {
                        name: b"n".to_vec(),
                        content: b"v1".to_vec(),
                    },
                },
                Step::Swap {
                    first: Object::Written {
                        operation: 1,
                        index: 0,
                    },
                    second: Object::Key {
                        key: ObjectKey::new("pack", [7; 16]),
                    },
                    audience: Audience::parse("alice/phone"),
                },
                Step::EditReply {
                    request: 9,
                    edits: vec![Edit::Drop],
                },
            ],
            choices: vec![0, 3],
        };
        assert_eq!(Attack::decode(&attack.encode()), Ok(attack.clone()));
        let mut newer = attack.encode();
        newer[3] = b'2';
        assert_eq!(Attack::decode(&newer), Err(NoAttack::Version(b'2')));
    }

    #[test]
    fn a_snapshot_and_a_hold_are_no_acts() {
        assert!(!Step::Snapshot.is_act());
        assert!(!Step::Answer { hold: 0 }.is_act());
        assert!(Step::Join.is_act());
    }
}
