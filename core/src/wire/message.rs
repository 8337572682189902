//! Requests and replies.

use super::{
    Blob, Frame, HistoryNode, KdfParams, KeyBag, Malformed, PartialTrie, Reader, SegmentRecord,
    SignedEnvelope, SignedHead, SignedRecord, SignedRosterChange, Wire, Writer, record,
};
use crate::id::{
    Checkpoint, EnvelopeId, HeadHash, LeafHash, Locator, PackId, RosterNumber, SpaceId, Tag, Token,
    UserId,
};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Declares an enum whose encoding is a number and the fields of the variant.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $( $(#[$variant_doc:meta])* $number:literal => $variant:ident $({
                $( $(#[$field_doc:meta])* $field:ident: $kind:ty, )*
            })? $(( $inner:ty ))?, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant $({
                $( $(#[$field_doc])* $field: $kind, )*
            })? $(( $inner ))?, )*
        }

        impl Wire for $name {
            fn write(&self, writer: &mut Writer) {
                match self {
                    $( choice!(@pattern inner $variant $({ $($field),* })? $(( $inner ))?) => {
                        writer.u8($number);
                        $( $( $field.write(writer); )* )?
                        $( choice!(@write $inner, inner, writer); )?
                    } )*
                }
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                match reader.u8()? {
                    $( $number => Ok(Self::$variant $({
                        $( $field: Wire::read(reader)?, )*
                    })? $(( <$inner as Wire>::read(reader)? ))?), )*
                    _ => Err(Malformed),
                }
            }
        }
    };
    (@pattern $bound:ident $variant:ident) => { Self::$variant };
    (@pattern $bound:ident $variant:ident { $($field:ident),* }) => {
        Self::$variant { $($field),* }
    };
    (@pattern $bound:ident $variant:ident ( $inner:ty )) => { Self::$variant($bound) };
    (@write $inner:ty, $bound:ident, $writer:ident) => { $bound.write($writer) };
}

choice! {
    /// Which slots of a directory are wanted.
    pub enum Selection {
        /// None; the head alone.
        0 => Nothing,
        /// These, and their leaves.
        1 => Tags(Vec<Tag>),
        /// All from `from` on, with their leaves, and about `count` of them.
        2 => Page {
            /// The first tag.
            from: Tag,
            /// How many leaves, about.
            count: u32,
        },
    }
}

choice! {
    /// Which head of a space is wanted.
    pub enum AtHeight {
        /// The newest.
        0 => Newest,
        /// The one of this height, to walk a long history in several steps.
        1 => Exactly(crate::id::Height),
    }
}

record! {
    /// What one read wants to see of one space.
    pub struct ViewRequest {
        /// Where the space is.
        pub locator: Locator,
        /// Which head.
        pub at: AtHeight,
        /// What the device trusts; the history is proved from there, or from the beginning.
        pub trusted: Option<Checkpoint>,
        /// The head for which the device holds everything that it asks for; if that is the newest
        /// one, the answer is one byte.
        pub warm: Option<HeadHash>,
        /// The first roster change that the device lacks.
        pub roster_from: RosterNumber,
        /// Which slots.
        pub select: Selection,
    }
}

choice! {
    /// What the server shows of one space.
    #[expect(
        clippy::large_enum_variant,
        reason = "one message at a time; most are of the largest kind"
    )]
    pub enum View {
        /// No space was ever there.
        0 => Absent,
        /// The space moved on to a key that whoever asks must have been given.
        1 => Closed,
        /// The head that was named as warm is the newest one.
        2 => Same,
        /// A head, and what was asked for under it.
        3 => Shown {
            /// The head.
            head: SignedHead,
            /// The public records of the head's author and of those who signed roster changes.
            records: Vec<SignedRecord>,
            /// The complete subtrees over the heads between.
            history: Vec<HistoryNode>,
            /// The roster changes that the device lacks.
            roster: Vec<SignedRosterChange>,
            /// The directory, open where it was asked for.
            directory: PartialTrie,
            /// The leaves of the open slots that were asked for, in the order of their tags.
            leaves: Vec<Blob>,
            /// Zeros, so that the length tells little of the lengths of the proofs.
            padding: Padding,
        },
    }
}

/// Zero bytes behind their length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Padding(pub u32);

impl Wire for Padding {
    fn write(&self, writer: &mut Writer) {
        writer.u32(self.0);
        writer.zeros(usize::try_from(self.0).unwrap_or(0));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let size = reader.u32()?;
        reader.zeros(usize::try_from(size).map_err(|_| Malformed)?)?;
        Ok(Self(size))
    }
}

record! {
    /// An immutable object of sealed chunks.
    pub struct Pack {
        /// Its name.
        pub id: PackId,
        /// Its bytes.
        pub bytes: Blob,
    }
}

record! {
    /// Bytes of a pack.
    pub struct Range {
        /// The pack.
        pub pack: PackId,
        /// The first byte.
        pub offset: u32,
        /// How many.
        pub length: u32,
    }
}

record! {
    /// Segment records of a leaf.
    pub struct RecordRange {
        /// The leaf.
        pub leaf: LeafHash,
        /// The first record.
        pub from: u32,
        /// How many at most.
        pub count: u32,
    }
}

record! {
    /// What happens to one slot of a directory.
    pub struct LeafChange {
        /// The slot.
        pub tag: Tag,
        /// The encoded leaf that is there from now on; without one, the slot becomes empty.
        pub leaf: Option<Blob>,
        /// How many of the previous leaf's segment records the new one keeps.
        pub keep: u32,
        /// The records that follow them.
        pub add: Vec<SegmentRecord>,
    }
}

record! {
    /// One new head of one space, with all that it needs. It happens as a whole or not at all.
    pub struct Commit {
        /// Where the space is.
        pub locator: Locator,
        /// The head that must be the newest one; without it, the space must not exist.
        pub expect: Option<HeadHash>,
        /// The new head.
        pub head: SignedHead,
        /// Where the space is from now on, if its key changes.
        pub moves_to: Option<Locator>,
        /// Changes of the roster.
        pub roster: Vec<SignedRosterChange>,
        /// Envelopes to deliver.
        pub envelopes: Vec<SignedEnvelope>,
        /// Changes of the directory, in strictly rising order of tags. If the space moves, the
        /// directory starts empty.
        pub leaves: Vec<LeafChange>,
        /// The last pack of the content.
        pub pack: Option<Pack>,
    }
}

choice! {
    /// What a request asks.
    #[expect(
        clippy::large_enum_variant,
        reason = "one message at a time; most are of the largest kind"
    )]
    pub enum RequestBody {
        /// How to derive the key of this account.
        0 => Kdf {
            /// The user.
            user: UserId,
        },
        /// A new account; its name must be free.
        1 => Register {
            /// The derivation.
            kdf: KdfParams,
            /// The proof that later logins repeat.
            proof: [u8; 32],
            /// The public record; write-once.
            record: SignedRecord,
            /// The key bag.
            bag: KeyBag,
            /// The first head of the account's private space. Account and space come to be
            /// together, so that an account without one is never taken for a new account.
            space: Box<Commit>,
        },
        /// A login.
        2 => Login {
            /// The user.
            user: UserId,
            /// The proof.
            proof: [u8; 32],
        },
        /// The public record of a user.
        3 => Lookup {
            /// The user.
            user: UserId,
        },
        /// Views of spaces, all at one moment.
        4 => Read {
            /// Which.
            views: Vec<ViewRequest>,
        },
        /// Segment records of leaves, one leaf after another.
        5 => Segments {
            /// Which.
            ranges: Vec<RecordRange>,
        },
        /// Bytes of packs, one after another.
        6 => Fetch {
            /// Which.
            ranges: Vec<Range>,
        },
        /// A pack, ahead of the commit that needs it.
        7 => Store {
            /// The pack.
            pack: Pack,
        },
        /// A new head.
        8 => Commit(Box<Commit>),
        /// The envelopes of one sender for the account that asks, newest first.
        9 => Inbox {
            /// Whose; those of others are not in the way.
            sender: UserId,
            /// Of one space only.
            space: Option<SpaceId>,
            /// Those that came before this one.
            before: Option<EnvelopeId>,
            /// How many at most.
            count: u32,
        },
    }
}

record! {
    /// A request.
    pub struct Request {
        /// The token of the login; zero before there is one.
        pub token: Token,
        /// What is asked.
        pub body: RequestBody,
    }
}

impl Frame for Request {
    const KIND: u8 = 20;
}

/// Why the server does not do what was asked. A hint; nothing is proved by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Try again later.
    Busy,
    /// The newest head is another one.
    Conflict,
    /// The name is taken.
    Exists,
    /// There is no such thing.
    NotFound,
    /// More than this server takes.
    TooLarge,
    /// The token or the proof is not accepted.
    Unauthenticated,
    /// The request contradicts itself, or says what its writer may not say.
    Invalid,
}

impl Wire for Refusal {
    fn write(&self, writer: &mut Writer) {
        writer.u8(match self {
            Self::Busy => 0,
            Self::Conflict => 1,
            Self::Exists => 2,
            Self::NotFound => 3,
            Self::TooLarge => 4,
            Self::Unauthenticated => 5,
            Self::Invalid => 6,
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Busy),
            1 => Ok(Self::Conflict),
            2 => Ok(Self::Exists),
            3 => Ok(Self::NotFound),
            4 => Ok(Self::TooLarge),
            5 => Ok(Self::Unauthenticated),
            6 => Ok(Self::Invalid),
            _ => Err(Malformed),
        }
    }
}

choice! {
    /// What the server answers.
    pub enum Reply {
        /// It is done.
        0 => Done,
        /// It is not done.
        1 => Refused(Refusal),
        /// How to derive the key.
        2 => Kdf(KdfParams),
        /// A login.
        3 => Login {
            /// Names this login from now on.
            token: Token,
            /// The account's public record.
            record: SignedRecord,
            /// The account's key bag.
            bag: KeyBag,
        },
        /// A user's public record; none if there is no such user.
        4 => Record(Option<SignedRecord>),
        /// The views, in the order of the request.
        5 => Views(Vec<View>),
        /// Segment records.
        6 => Segments(Vec<SegmentRecord>),
        /// The bytes of all ranges.
        7 => Content(Blob),
        /// Envelopes, newest first.
        8 => Inbox(Vec<SignedEnvelope>),
        /// A new account's first login.
        9 => Registered {
            /// Names this login from now on.
            token: Token,
        },
    }
}

impl Reply {
    /// The same as [`decode`](Frame::decode), for bytes of which nothing else is needed: content
    /// stays where it is.
    ///
    /// # Errors
    ///
    /// [`Malformed`] as there.
    pub fn decode_whole(mut bytes: Vec<u8>) -> Result<Self, Malformed> {
        match content_at(&bytes) {
            Some(start) => {
                bytes.drain(..start);
                Ok(Self::Content(Blob(bytes)))
            }
            None => Self::decode(&bytes),
        }
    }
}

/// Where the content of a reply begins that is nothing else.
fn content_at(bytes: &[u8]) -> Option<usize> {
    let empty = Reply::Content(Blob(Vec::new())).encode();
    let (head, _) = empty.split_last_chunk::<4>()?;
    let (size, content) = bytes.strip_prefix(head)?.split_first_chunk()?;
    let whole = usize::try_from(u32::from_be_bytes(*size)) == Ok(content.len());
    whole.then_some(empty.len())
}

impl Frame for Reply {
    const KIND: u8 = 21;
}
