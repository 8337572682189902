//! The steps of an attack, each a verb of the script language: the workload, and the server's acts.

use super::{Edit, Expectation, Object};
use crate::client::{DeviceName, Operation};
use crate::codec::{Bytes, coded};
use crate::selector::{Audience, Selector};

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
        /// A user appears, without an account, whose account is going to bear another user's name.
        /// An honest run only evaluates it: there the account is called like its user.
        17 => Impostor {
            /// The user.
            user: String,
            /// Whose name.
            of: String,
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
                | Self::Impostor { .. }
                | Self::EditRequest { .. }
                | Self::EditReply { .. }
                | Self::Pause { .. }
                | Self::Resume { .. }
        )
    }
}
