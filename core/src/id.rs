//! Names of things as types, so that a space is never passed where a user is meant.

use core::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// Length in bytes.
            pub const SIZE: usize = $size;

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{self}", stringify!($name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    };
}

identifier! {
    /// The deployment that accounts and spaces belong to; known to the device, never learnt.
    Realm, 32
}
identifier! {
    /// `SHA-256(realm, user name)`.
    UserId, 32
}
identifier! {
    /// `SHA-256(public record)`: what two people compare.
    Fingerprint, 32
}
identifier! {
    /// `SHA-256(realm, owner, owner's fingerprint, salt)`: a space's id commits to its owner's key.
    SpaceId, 32
}
identifier! {
    /// Where the server keeps a space's head in one key epoch; not derivable without its key.
    Locator, 32
}
identifier! {
    /// The slot of a name in a directory: `HMAC(name key, kind, name)`.
    Tag, 32
}
identifier! {
    /// The hash of a signed head, its signature included.
    HeadHash, 32
}
identifier! {
    /// The hash of a sealed leaf as stored.
    LeafHash, 32
}
identifier! {
    /// Any other SHA-256 value in a tree.
    Digest, 32
}
identifier! {
    /// A bearer token of one login. The server made it, so it is no secret from the server.
    Token, 32
}
identifier! {
    /// One device of one user; random.
    DeviceId, 16
}
identifier! {
    /// One immutable object of sealed chunks; random.
    PackId, 16
}
identifier! {
    /// One sealed leaf; random, and used once.
    LeafId, 16
}
identifier! {
    /// One envelope: an invitation, or a new epoch's key for one member; random.
    EnvelopeId, 16
}
identifier! {
    /// One file, through all its versions; random.
    FileId, 16
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Counts the heads of a space, from zero.
    Height
}
counter! {
    /// Counts the keys of a space, from one. Never a count of heads.
    Epoch
}
counter! {
    /// Counts the changes of a space's roster, from zero.
    RosterNumber
}

/// What a device remembers of a space: how far it is, and exactly which head that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    /// The height of the head.
    pub height: Height,
    /// Its hash.
    pub head: HeadHash,
}
