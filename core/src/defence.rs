//! Every security decision by name, and the two macros through which each is written.
//!
//! In this crate a defence is a plain condition and there is nothing to turn off. The power
//! control compiles the very same sources a second time with `cfg(weaken)`; only there, and only
//! through these macros, can one of them be left out.

macro_rules! defences {
    ($(
        $(#[doc = $text:literal])*
        $variant:ident = $name:literal, $guarantee:literal, $partner:expr;
    )*) => {
        /// A security decision of the client, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Defence {
            $( $(#[doc = $text])* $variant, )*
        }

        impl Defence {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// The name in scripts and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// The guarantee that falls first without it.
            #[must_use]
            pub const fn guarantee(self) -> &'static str {
                match self { $( Self::$variant => $guarantee, )* }
            }

            /// If it is only depth: the defence that also stands where this one is left out.
            #[must_use]
            pub const fn partner(self) -> Option<Self> {
                match self { $( Self::$variant => $partner, )* }
            }

            /// What it decides, in one sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $( Self::$variant => concat!($($text),*), )* }
            }

            /// The defence of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|defence| defence.name() == name)
            }
        }
    };
}

defences! {
    /// Public halves are recomputed from the private keys and compared with the public record.
    BagPublicHalves = "bag-public-halves", "G8", None;
    /// The key bag opens as a whole, under its key and for its place, before any key in it is used.
    BagSeal = "bag-seal", "G10", None;
    /// No counter beyond the ceiling is ever accepted, not even by a fresh device.
    CounterCeiling = "counter-ceiling", "G12", None;
    /// A head's roster number and epoch are at least those of every head that it follows.
    CounterMonotone = "counter-monotone", "G7", None;
    /// The chunks of a file are sealed under a key that no other upload has used.
    ContentKeyFresh = "content-key-fresh", "G13", None;
    /// Every chunk is opened by its own key at its own position.
    ChunkSeal = "chunk-seal", "G1", Some(Self::SegmentHash);
    /// The tree of the directory hashes to what the head says.
    DirectoryRoot = "directory-root", "G2", None;
    /// A listing shows every slot, and as many leaves as the head counts.
    DirectoryComplete = "directory-complete", "G5", None;
    /// A head is of the space and the key that were asked for: it commits to both.
    EpochCommitment = "epoch-commitment", "G2", None;
    /// What another device accepted and pinned agrees with what this one did.
    Contact = "contact", "G4", None;
    /// The recipient of an envelope is a member by the roster of the space's head.
    EnvelopeMember = "envelope-member", "G2", None;
    /// An envelope is for this account and its keys.
    EnvelopeRecipient = "envelope-recipient", "G2", Some(Self::EnvelopeSignature);
    /// An envelope comes from the sender that the caller named.
    EnvelopeSender = "envelope-sender", "G8", Some(Self::EnvelopeSignature);
    /// An envelope's signature is verified before its key is touched.
    EnvelopeSignature = "envelope-signature", "G8", None;
    /// A head's author is a member by the roster that the head names.
    HeadAuthor = "head-author", "G1", None;
    /// Two heads of one height are one head.
    HeadFork = "head-fork", "G4", None;
    /// The history of an offered head contains the trusted one.
    HeadHistory = "head-history", "G4", None;
    /// The head after the trusted one names it.
    HeadPrevious = "head-previous", "G4", Some(Self::HeadHistory);
    /// No head below the trusted height is accepted.
    HeadRollback = "head-rollback", "G3", None;
    /// A head carries its author's signature.
    HeadSignature = "head-signature", "G1", None;
    /// Iterations above the ceiling are refused before they are spent.
    KdfCeiling = "kdf-ceiling", "G12", None;
    /// Iterations below the floor are refused before anything that depends on the password.
    KdfFloor = "kdf-floor", "G6", None;
    /// A device refuses fewer iterations, or another salt, than it used before.
    KdfMemory = "kdf-memory", "G6", None;
    /// The only suite is the only one.
    KdfSuite = "kdf-suite", "G6", None;
    /// A contact's key is the one that was pinned.
    KeyPin = "key-pin", "G8", None;
    /// A leaf's bytes have the hash that the directory says.
    LeafHash = "leaf-hash", "G2", None;
    /// A leaf opens under the key of its epoch and its id.
    LeafSeal = "leaf-seal", "G1", Some(Self::LeafHash);
    /// Names are hidden behind a keyed hash.
    NameHiding = "name-hiding", "G6", None;
    /// Lengths are padded to classes.
    Padding = "padding", "G6", None;
    /// The server shows that it has what a write keeps, before the write is published.
    Possession = "possession", "G11", None;
    /// A member whose key is not the one that this account pinned gets no key of the space.
    RosterPin = "roster-pin", "G8", None;
    /// A public record carries its own signature.
    RecordSelfSignature = "record-self-signature", "G8", None;
    /// A public key has one of two sizes, the one exponent, and no cheap flaw.
    RecordStrength = "record-strength", "G6", None;
    /// A public record is of the user that was asked for.
    RecordUser = "record-user", "G8", None;
    /// A revocation makes a new key for the space before the next write.
    RevocationRekeys = "revocation-rekeys", "G7", None;
    /// A revocation makes a new key for what is appended afterwards.
    RevocationContentKey = "revocation-content-key", "G7", None;
    /// A space's first roster change is its owner's, whose key its id commits to.
    RosterAnchor = "roster-anchor", "G3", None;
    /// A head names the last change of the log that is shown with it, and no earlier one.
    RosterCurrent = "roster-current", "G7", None;
    /// The log of roster changes contains the change that the trusted head named.
    RosterMemory = "roster-memory", "G7", None;
    /// A space has had a new key for every removal in its log.
    RemovalRekeyed = "removal-rekeyed", "G7", None;
    /// Roster changes follow one another, and the last one is the head's.
    RosterChain = "roster-chain", "G3", None;
    /// A roster change is made by someone whom the roster before permits.
    RosterPermission = "roster-permission", "G7", None;
    /// A roster change carries its signer's signature.
    RosterSignature = "roster-signature", "G7", None;
    /// The segment records are those that the leaf's peaks say: all, in order.
    SegmentTree = "segment-tree", "G2", None;
    /// A segment's bytes have the hash that its record says.
    SegmentHash = "segment-hash", "G1", None;
    /// The content is as long as its leaf says.
    SizeBound = "size-bound", "G2", Some(Self::SegmentTree);
    /// A head is durably pending before it is sent, and accepted once it is acknowledged.
    OwnHeads = "own-heads", "G3", None;
    /// An operation that is said to have lost looks whether its own head stands in its place.
    OwnPlace = "own-place", "G1", None;
    /// State that cannot be read is an error and never a first use.
    StateRequired = "state-required", "G3", None;
    /// A reply within the limits is read, and nothing more.
    ReplySize = "reply-size", "G12", None;
    /// Lists of a reply are bounded before any of their signatures is verified.
    ReplyCounts = "reply-counts", "G12", None;
    /// A head skips no more heads in one step than the limit.
    SkipBound = "skip-bound", "G12", None;
    /// A head that is asked for by its height is of that height.
    ViewHeight = "view-height", "G1", None;
}

/// Leaves the enclosing function with a violation unless the condition holds.
macro_rules! defend {
    ($defence:expr, $holds:expr, $violation:expr) => {
        if $crate::defence::stands($defence) && !($holds) {
            return Err($crate::error::Error::from($violation));
        }
    };
}

/// A defence that is a construction: the strong value; in the twin, if it is turned off, the weak
/// one, which `adversary/strawman/weaken.rs` makes.
#[cfg(not(weaken))]
macro_rules! construct {
    ($defence:expr, $strong:expr, $weak:ident($($argument:expr),*)) => {{
        let _named: $crate::defence::Defence = $defence;
        $strong
    }};
}

#[cfg(weaken)]
macro_rules! construct {
    ($defence:expr, $strong:expr, $weak:ident($($argument:expr),*)) => {
        if $crate::defence::stands($defence) {
            $strong
        } else {
            $crate::defence::weak::$weak($($argument),*)
        }
    };
}

pub(crate) use {construct, defend};

/// Whether a defence stands. In this crate every one does, always.
#[cfg(not(weaken))]
pub(crate) const fn stands(_: Defence) -> bool {
    true
}

#[cfg(weaken)]
pub(crate) use weak::stands;
#[cfg(weaken)]
pub use weak::{Weakened, weaken};

#[cfg(weaken)]
#[path = "../../adversary/strawman/weaken.rs"]
pub(crate) mod weak;
