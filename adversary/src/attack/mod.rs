//! An attack as a value: the workload, its order and the server's acts, step by step.

mod print;

use std::fmt;

use turncoat_core::remote::Lost;

use crate::client::{DeviceName, Operation};
use crate::codec::{Bytes, Code, coded};
use crate::framing::Framing;
use crate::history::ObjectKey;
use crate::selector::{Audience, Selector};

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

coded! {
    /// One step of an attack: one verb of the script language with concrete arguments.
    pub enum Step {
        // The workload.
        /// A user appears, without an account.
        0 => User {
            /// The name.
            user: String,
        },
        /// A device of a user appears; it logs in by an operation of its own.
        1 => Device {
            /// The device.
            device: DeviceName,
        },
        /// Starts an operation and runs it to its end. Operations are numbered as they start.
        2 => Run {
            /// Where.
            device: DeviceName,
            /// What.
            operation: Operation,
        },
        /// Starts an operation. It runs up to the first request that a hold stops; without a hold
        /// it sends nothing yet.
        3 => Start {
            /// Where.
            device: DeviceName,
            /// What.
            operation: Operation,
        },
        /// Runs a started operation to its end.
        4 => Finish {
            /// Its number.
            operation: u32,
        },
        /// Runs started operations to their ends; the chooser interleaves them.
        5 => Race {
            /// Their numbers.
            operations: Vec<u32>,
        },
        /// Ends a device's process now.
        6 => Crash {
            /// The device.
            device: DeviceName,
        },
        /// Runs a started operation, and ends the device's process at an await point of it, counted
        /// from one. Each request and each save has two: before it takes effect, and after.
        7 => CrashAt {
            /// The operation.
            operation: u32,
            /// The await point.
            point: u32,
        },
        /// Starts a device's process again, with its durable state and a fresh random stream.
        8 => Restart {
            /// The device.
            device: DeviceName,
        },
        /// Takes a device's durable state away and starts it again.
        9 => Wipe {
            /// The device.
            device: DeviceName,
        },
        /// Matching requests wait from now on. Holds are numbered in order.
        10 => Hold {
            /// Which.
            selector: Selector,
        },
        /// The oldest request of a hold goes on.
        11 => Answer {
            /// The hold's number.
            hold: u32,
        },
        /// All requests of a hold go on, and it ends.
        12 => AnswerAll {
            /// The hold's number.
            hold: u32,
        },
        /// An expectation opens.
        13 => Expect {
            /// What is expected.
            expectation: Expectation,
        },
        /// The expectation that opened last closes.
        14 => Met,
        /// A canary that the server must never see.
        15 => Secret {
            /// The bytes.
            bytes: Bytes,
        },
        /// Ends a device's process and spoils its durable state, as a power cut may. An honest run
        /// only evaluates it.
        16 => Tear {
            /// The device.
            device: DeviceName,
        },

        // Acts on the store.
        /// Marks this moment. Snapshots are numbered in order.
        32 => Snapshot,
        /// Shows the store as of a snapshot.
        33 => RollBackTo {
            /// The snapshot's number.
            snapshot: u32,
            /// To whom.
            audience: Audience,
        },
        /// Turns one bit over.
        34 => Flip {
            /// Of what.
            object: Object,
            /// Which, from the first byte's highest.
            bit: u64,
            /// Shown to whom.
            audience: Audience,
        },
        /// Cuts an object.
        35 => Truncate {
            /// Which.
            object: Object,
            /// How many bytes stay.
            size: u64,
            /// Shown to whom.
            audience: Audience,
        },
        /// Makes an object longer.
        36 => Extend {
            /// Which.
            object: Object,
            /// By what.
            bytes: Bytes,
            /// Shown to whom.
            audience: Audience,
        },
        /// Zeroes an object's bytes.
        37 => Zero {
            /// Which.
            object: Object,
            /// Shown to whom.
            audience: Audience,
        },
        /// One object shows another one's bytes.
        38 => Replace {
            /// Which.
            object: Object,
            /// Whose bytes.
            by: Object,
            /// Shown to whom.
            audience: Audience,
        },
        /// Two objects show each other's bytes.
        39 => Swap {
            /// The one.
            first: Object,
            /// The other.
            second: Object,
            /// Shown to whom.
            audience: Audience,
        },
        /// An object is denied.
        40 => Hide {
            /// Which.
            object: Object,
            /// To whom.
            audience: Audience,
        },
        /// Every object is denied.
        41 => HideAll {
            /// To whom.
            audience: Audience,
        },
        /// The last version before its deletion is shown.
        42 => Resurrect {
            /// Of what.
            object: Object,
            /// To whom.
            audience: Audience,
        },
        /// An earlier version is shown.
        43 => RollBack {
            /// Of what.
            object: Object,
            /// How many versions earlier.
            versions: u32,
            /// To whom.
            audience: Audience,
        },
        /// The server's own bytes are shown in place of an object, or as a new one.
        44 => Put {
            /// Where.
            object: Object,
            /// What.
            bytes: Bytes,
            /// To whom.
            audience: Audience,
        },
        /// A view goes on a branch of its own.
        45 => Fork {
            /// Whose view.
            audience: Audience,
        },
        /// All views are the trunk's again.
        46 => Join,
        /// A view is shown another view's branch.
        47 => Show {
            /// To whom.
            audience: Audience,
            /// Whose branch.
            of: Audience,
        },
        /// What a view shows stays as it is; its own writes apply for it alone.
        48 => Freeze {
            /// Whose view.
            audience: Audience,
        },
        /// Every act ends, hooks included: honest from here on.
        49 => Heal,

        // Acts on messages.
        /// What was done to one request on its way to the server.
        64 => EditRequest {
            /// The request's number in the run.
            request: u32,
            /// What was done, in order.
            edits: Vec<Edit>,
        },
        /// What was done to the reply to one request.
        65 => EditReply {
            /// The request's number in the run.
            request: u32,
            /// What was done, in order.
            edits: Vec<Edit>,
        },
        /// When this message passes, the step at hand waits and the steps that follow go first, up
        /// to the `Resume` that belongs to it: what a handler did in the middle of an operation.
        66 => Pause {
            /// The request's number in the run.
            request: u32,
            /// Whether the reply is meant.
            reply: bool,
        },
        /// The innermost step that waits goes on.
        67 => Resume {
            /// What is done to the message in hand.
            edits: Vec<Edit>,
        },
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

impl Step {
    /// Whether this is something that a server does, and an honest one does not.
    ///
    /// A snapshot alone changes nothing; a hold only delays.
    #[must_use]
    pub const fn is_act(&self) -> bool {
        matches!(
            self,
            Self::RollBackTo { .. }
                | Self::Flip { .. }
                | Self::Truncate { .. }
                | Self::Extend { .. }
                | Self::Zero { .. }
                | Self::Replace { .. }
                | Self::Swap { .. }
                | Self::Hide { .. }
                | Self::HideAll { .. }
                | Self::Resurrect { .. }
                | Self::RollBack { .. }
                | Self::Put { .. }
                | Self::Fork { .. }
                | Self::Join
                | Self::Show { .. }
                | Self::Freeze { .. }
                | Self::Heal
                | Self::EditRequest { .. }
                | Self::EditReply { .. }
                | Self::Pause { .. }
                | Self::Resume { .. }
        )
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
