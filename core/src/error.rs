//! The three classes of failure, chosen by what was proved, and never mixed.

use crate::id::{Checkpoint, Fingerprint, Height, SpaceId, UserId};
use core::fmt;

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server is caught: its answer contradicts something that this device can prove.
    Violation(Violation),
    /// There is no usable answer. Nothing is proved; trying again may help.
    Unavailable(Unavailable),
    /// The caller's mistake. Depends on the call and on verified state alone, never on what an
    /// unverified reply says.
    Usage(Usage),
}

/// The server is caught. The payload holds both sides of the contradiction where there are two.
///
/// Do not branch on the variant: it is for people and for checkers. Nothing that the server can
/// see depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A proof does not lead where it must.
    BadProof,
    /// Two parties were told different things of one user's key.
    Equivocation {
        /// Whose key.
        user: UserId,
        /// What this device pinned.
        trusted: Fingerprint,
        /// What the other device pinned.
        offered: Fingerprint,
    },
    /// A counter jumps further than honest use ever could.
    FastForward {
        /// What is remembered.
        trusted: Height,
        /// What was offered.
        offered: Height,
    },
    /// Two histories of one space.
    Fork {
        /// The space.
        space: SpaceId,
        /// What this device accepted.
        trusted: Checkpoint,
        /// What was offered.
        offered: Checkpoint,
    },
    /// A signature, a MAC or a tag does not verify. No reason is given, on purpose.
    Inauthentic,
    /// A pinned key differs from the one offered.
    KeyChanged {
        /// Whose key.
        user: UserId,
        /// The pinned one.
        trusted: Fingerprint,
        /// The offered one.
        offered: Fingerprint,
    },
    /// A reply that does not decode, or is not canonical.
    Malformed,
    /// Valid, but for another place: another account, space, file, version, position or length.
    Misbound,
    /// An accepted head promises an object, still does, and the server denies the object.
    Missing,
    /// An answer that the request did not ask for.
    OutOfTurn,
    /// An author who was no member at that position.
    RevokedAuthor {
        /// Who signed.
        author: UserId,
    },
    /// An older state is presented as current.
    Rollback {
        /// The space.
        space: SpaceId,
        /// What this device accepted.
        trusted: Checkpoint,
        /// What was offered.
        offered: Checkpoint,
    },
    /// More than [`Limits`](crate::Limits) allow.
    TooLarge,
    /// A valid prefix is passed off as the whole.
    Truncated,
    /// A key that nobody whom this device trusts vouches for.
    UntrustedKey {
        /// Whose key.
        user: UserId,
    },
    /// Parameters below the compiled-in floor, above its ceiling, or below what was used before.
    WeakParameters,
}

/// No usable answer; nothing is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// The server cannot take it now, or so it says.
    Busy,
    /// The space moved on to a key that this account was not given, or so the server says.
    Closed,
    /// Another device wrote first, several times in a row; the operation may be tried again.
    Contended,
    /// The reply did not arrive whole.
    CutOff,
    /// What this device remembers could not be read or written.
    LocalState(LocalState),
    /// The server delivers no invitation of that sender and name.
    NoInvitation,
    /// The server says no; at login, the user or the password may be wrong.
    Refused,
    /// The server has something of that name already, or so it says; at sign-up, an account.
    Taken,
    /// What somebody signed for does not open: what a member wrote, or an envelope. The server is
    /// not to blame, as it cannot tell. Trying again does not help; writing or sending anew does.
    Spoilt {
        /// Who signed for it.
        author: UserId,
    },
    /// No answer in time.
    Timeout,
    /// The server knows no user of that name, or so it says.
    UnknownUser,
    /// The server denies an object, and the head that promises it could not be asked for again.
    Withheld,
}

/// What is wrong with the durable state of this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalState {
    /// It belongs to another account or realm.
    Foreign,
    /// It was written by a newer program.
    Newer,
    /// It could not be read.
    Unreadable,
    /// It could not be written.
    Unwritable,
    /// It is not what was written.
    Torn,
}

impl LocalState {
    /// What to do about it. Nothing was changed, and going on without it is never among the advice.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Foreign => "this device remembers another account; give each its own state",
            Self::Newer => "it was written by a newer program; use that one",
            Self::Unreadable => "it could not be read; look at its permissions and its disk",
            Self::Unwritable => "it could not be written; make room, and try again",
            Self::Torn => {
                "it is damaged; put a whole copy back, or enrol this device anew, knowing that a \
                 new device cannot tell what is old"
            }
        }
    }
}

/// The caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// The invitation was received before.
    AlreadyReceived,
    /// What was handed over is no whole statement of another device, as it was made.
    BadStatement,
    /// The file has had as many appends as one version can hold, or as many changes of its members
    /// as its list can; upload it anew.
    Full,
    /// A name, a password or a content is longer than [`Limits`](crate::Limits) allow.
    TooLong,
    /// The name is taken.
    NameTaken,
    /// There is no file of that name.
    NoSuchFile,
    /// The content is not what the upload was begun with that it goes on with, or the server has
    /// something else in place of what was sent of it: the upload must begin anew.
    OtherContent,
    /// The user is not a member.
    NotShared,
    /// Only the owner may do this.
    NotOwner,
    /// An account must have a name.
    EmptyName,
    /// The recipient is the caller.
    Oneself,
    /// Nobody whom this account has ever met.
    UnknownContact,
    /// This device remembers the account of somebody else, or has one already.
    WrongDevice,
}

impl Violation {
    /// The field's word for it, in lower case with hyphens. Stable.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BadProof => "bad-proof",
            Self::Equivocation { .. } => "equivocation",
            Self::FastForward { .. } => "fast-forward",
            Self::Fork { .. } => "fork",
            Self::Inauthentic => "inauthentic",
            Self::KeyChanged { .. } => "key-changed",
            Self::Malformed => "malformed",
            Self::Misbound => "misbound",
            Self::Missing => "missing",
            Self::OutOfTurn => "out-of-turn",
            Self::RevokedAuthor { .. } => "revoked-author",
            Self::Rollback { .. } => "rollback",
            Self::TooLarge => "too-large",
            Self::Truncated => "truncated",
            Self::UntrustedKey { .. } => "untrusted-key",
            Self::WeakParameters => "weak-parameters",
        }
    }
}

impl Unavailable {
    /// A stable word in lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Contended => "contended",
            Self::CutOff => "cut-off",
            Self::LocalState(LocalState::Foreign) => "state-foreign",
            Self::LocalState(LocalState::Newer) => "state-newer",
            Self::LocalState(LocalState::Torn) => "state-torn",
            Self::LocalState(LocalState::Unreadable) => "state-unreadable",
            Self::LocalState(LocalState::Unwritable) => "state-unwritable",
            Self::NoInvitation => "no-invitation",
            Self::Refused => "refused",
            Self::Spoilt { .. } => "spoilt",
            Self::Taken => "taken",
            Self::Timeout => "timeout",
            Self::UnknownUser => "unknown-user",
            Self::Withheld => "withheld",
        }
    }
}

impl Usage {
    /// A stable word in lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyReceived => "already-received",
            Self::BadStatement => "bad-statement",
            Self::EmptyName => "empty-name",
            Self::Full => "full",
            Self::NameTaken => "name-taken",
            Self::NoSuchFile => "no-such-file",
            Self::NotOwner => "not-owner",
            Self::OtherContent => "other-content",
            Self::NotShared => "not-shared",
            Self::Oneself => "oneself",
            Self::TooLong => "too-long",
            Self::UnknownContact => "unknown-contact",
            Self::WrongDevice => "wrong-device",
        }
    }
}

impl Error {
    /// The class: `violation`, `unavailable` or `usage`.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Violation(_) => "violation",
            Self::Unavailable(_) => "unavailable",
            Self::Usage(_) => "usage",
        }
    }

    /// The stable word for the failure within its class.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Violation(violation) => violation.name(),
            Self::Unavailable(unavailable) => unavailable.name(),
            Self::Usage(usage) => usage.name(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class(), self.name())?;
        match self {
            Self::Violation(
                Violation::Fork {
                    space,
                    trusted,
                    offered,
                }
                | Violation::Rollback {
                    space,
                    trusted,
                    offered,
                },
            ) => write!(
                f,
                " in space {space}: trusted height {} {}, offered height {} {}",
                trusted.height, trusted.head, offered.height, offered.head
            ),
            Self::Violation(
                Violation::KeyChanged {
                    user,
                    trusted,
                    offered,
                }
                | Violation::Equivocation {
                    user,
                    trusted,
                    offered,
                },
            ) => write!(f, " for user {user}: trusted {trusted}, offered {offered}"),
            Self::Violation(Violation::FastForward { trusted, offered }) => {
                write!(f, ": trusted {trusted}, offered {offered}")
            }
            Self::Violation(
                Violation::RevokedAuthor { author: user } | Violation::UntrustedKey { user },
            )
            | Self::Unavailable(Unavailable::Spoilt { author: user }) => {
                write!(f, ": user {user}")
            }
            Self::Unavailable(Unavailable::LocalState(fault)) => write!(f, ": {}", fault.advice()),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<Usage> for Error {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

impl From<crate::wire::Malformed> for Error {
    fn from(_: crate::wire::Malformed) -> Self {
        Self::Violation(Violation::Malformed)
    }
}
