//! The bytes of suite 1: one canonical encoding for every message and every stored format.
//!
//! Decoding is total: it accepts an input in exactly one way or refuses it, allocates a small
//! multiple of the input at most, holds no keys and does no cryptography. What decodes is well
//! formed and nothing more; whether it is true is decided in `verify` and by the operations.

mod bag;
mod contact;
mod directory;
mod entry;
mod envelope;
mod head;
mod identity;
mod message;
mod reader;
mod roster;
mod segment;
mod state;
mod writer;

pub use bag::{BagSecret, KdfParams, KeyBag};
pub use contact::{Contact, ContactPin, ContactSpace, SignedContact};
pub use directory::{DEPTH, Leaf, PartialTrie, Slot, slot_bit};
pub use entry::{
    ENTRY_SIZE, Entry, FileEntry, LinkEntry, NAME_INLINE_MAX, NameRef, PinEntry, Region,
};
pub use envelope::{Envelope, SignedEnvelope};
pub use head::{Head, SignedHead};
pub use identity::{Key, PublicRecord, SignedRecord};
pub use message::{
    AtHeight, Commit, LeafChange, Pack, Padding, Range, RecordRange, Refusal, Reply, Request,
    RequestBody, Selection, View, ViewRequest,
};
pub use reader::{Malformed, Reader};
pub use roster::{RosterAction, RosterChange, SignedRosterChange};
pub use segment::{HistoryNode, SegmentNode, SegmentRecord};
pub use state::{Pending, SpaceState, StatePin, TrustedState};
pub use writer::Writer;

use crate::id::{
    Checkpoint, DeviceId, Digest, EnvelopeId, Epoch, FileId, Fingerprint, HeadHash, Height,
    LeafHash, LeafId, Locator, PackId, Realm, RosterNumber, SpaceId, Tag, Token, UserId,
};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The suite and the version of every format. There is one.
pub const VERSION: u8 = 1;

/// A value with one canonical encoding.
pub trait Wire: Sized {
    /// Appends the encoding.
    fn write(&self, writer: &mut Writer);

    /// Takes the encoding.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for anything that [`write`](Self::write) would not have written.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A value that stands alone: magic, kind and version come first.
pub trait Frame: Wire {
    /// Tells the kinds of frames apart.
    const KIND: u8;
    /// Bytes to make room for at once; what holds keys needs all of them.
    const ROOM: usize = 0;

    /// The frame.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::within(Self::ROOM);
        writer.raw(&[b'T', b'C', Self::KIND, VERSION]);
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads a whole frame; trailing bytes, another kind and another version are refused.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for anything that [`encode`](Self::encode) would not have produced.
    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Reader::all(bytes, |reader| {
            if reader.array()? != [b'T', b'C', Self::KIND, VERSION] {
                return Err(Malformed);
            }
            Self::read(reader)
        })
    }
}

macro_rules! wire_array {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn write(&self, writer: &mut Writer) {
                writer.raw(&self.0);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                reader.array().map(Self)
            }
        }
    )*};
}

wire_array!(Realm UserId Fingerprint SpaceId Locator Tag HeadHash LeafHash Digest Token DeviceId
    PackId LeafId EnvelopeId FileId);

macro_rules! wire_counter {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn write(&self, writer: &mut Writer) {
                writer.u64(self.0);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                reader.u64().map(Self)
            }
        }
    )*};
}

wire_counter!(Height Epoch RosterNumber);

macro_rules! wire_number {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn write(&self, writer: &mut Writer) {
                writer.$name(*self);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                reader.$name()
            }
        }
    )*};
}

wire_number!(u8 u16 u32 u64);

/// Bytes behind their length, `MAX` of them at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob<const MAX: usize = { usize::MAX }>(pub Vec<u8>);

impl<const MAX: usize> Wire for Blob<MAX> {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.bytes()? {
            bytes if bytes.len() <= MAX => Ok(Self(bytes.to_vec())),
            _ => Err(Malformed),
        }
    }
}

impl Wire for bool {
    fn write(&self, writer: &mut Writer) {
        writer.flag(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.flag()
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn write(&self, writer: &mut Writer) {
        writer.raw(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.array()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, writer: &mut Writer) {
        writer.list(self, |writer, item| item.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.list(T::read)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, writer: &mut Writer) {
        writer.option(self.as_ref(), |writer, item| item.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.option(T::read)
    }
}

impl<T: Wire> Wire for Box<T> {
    fn write(&self, writer: &mut Writer) {
        self.as_ref().write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::read(reader).map(Self::new)
    }
}

/// Declares a plain struct whose encoding is its fields in order.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_doc:meta])* pub $field:ident: $kind:ty, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name {
            $( $(#[$field_doc])* pub $field: $kind, )*
        }

        impl $crate::wire::Wire for $name {
            fn write(&self, writer: &mut $crate::wire::Writer) {
                $( $crate::wire::Wire::write(&self.$field, writer); )*
            }

            fn read(
                reader: &mut $crate::wire::Reader<'_>,
            ) -> Result<Self, $crate::wire::Malformed> {
                Ok(Self { $( $field: $crate::wire::Wire::read(reader)?, )* })
            }
        }
    };
}
use record;

impl Wire for Checkpoint {
    fn write(&self, writer: &mut Writer) {
        self.height.write(writer);
        self.head.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            height: Wire::read(reader)?,
            head: Wire::read(reader)?,
        })
    }
}
