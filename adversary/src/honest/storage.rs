//! What the rules need of a store: objects under keys, and batches that happen as a whole.

use std::fmt;

use turncoat_core::wire::{Refusal, Wire, Writer};

pub use crate::codec::Bytes;
use crate::history::ObjectKey;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an object is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word of scripts and histories.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// How a user logs in: derivation and proof.
    Account = "account",
    /// A user's key bag.
    Bag = "bag",
    /// One envelope.
    Envelope = "envelope",
    /// One signed head.
    Head = "head",
    /// Which head a space had at one height.
    Height = "height",
    /// One complete subtree of a space's history.
    History = "history",
    /// Which envelopes a user was sent.
    Inbox = "inbox",
    /// One sealed leaf of a directory.
    Leaf = "leaf",
    /// What the changes of a space's roster come to.
    Members = "members",
    /// A few levels of a directory's trie.
    Node = "node",
    /// An object of the key-value front.
    Object = "obj",
    /// Sealed content.
    Pack = "pack",
    /// A user's public record, on every front.
    Public = "pub",
    /// The segment records of one leaf.
    Records = "records",
    /// One change of a space's roster.
    Roster = "roster",
    /// Where a space stands.
    Space = "space",
}

impl Kind {
    /// The kind that scripts call `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut kinds = Self::ALL.iter().copied();
        kinds.find(|kind| kind.name() == name)
    }

    /// Whether objects of this kind hold what users upload.
    #[must_use]
    pub const fn holds_content(self) -> bool {
        matches!(self, Self::Object | Self::Pack)
    }
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Which.
    pub id: Vec<u8>,
}

impl Key {
    /// Names an object.
    pub fn new(kind: Kind, id: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ObjectKey::from(self).fmt(f)
    }
}

impl From<&Key> for ObjectKey {
    fn from(key: &Key) -> Self {
        Self::new(key.kind.name(), key.id.clone())
    }
}

impl TryFrom<&ObjectKey> for Key {
    type Error = UnknownKind;

    fn try_from(key: &ObjectKey) -> Result<Self, UnknownKind> {
        let kind = Kind::parse(&key.kind).ok_or(UnknownKind)?;
        Ok(Self::new(kind, key.id.clone()))
    }
}

/// No object of this store is of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

/// The store cannot be read or written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageFault;

impl From<StorageFault> for Refusal {
    fn from(StorageFault: StorageFault) -> Self {
        Self::Busy
    }
}

/// Changes that happen together, in this order. Without bytes, an object is deleted.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    changes: Vec<(Key, Option<Bytes>)>,
}

impl Batch {
    /// Changes nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            changes: Vec::new(),
        }
    }

    /// Stores an object, in place of what was there.
    pub fn put(&mut self, key: Key, bytes: impl Into<Bytes>) {
        self.changes.push((key, Some(bytes.into())));
    }

    /// Removes an object.
    pub fn delete(&mut self, key: Key) {
        self.changes.push((key, None));
    }

    /// The changes, in order.
    #[must_use]
    pub fn into_changes(self) -> Vec<(Key, Option<Bytes>)> {
        self.changes
    }
}

/// A value as it is kept: as it stands inside messages, without a frame, so that it is passed on
/// byte for byte and never understood on the way.
pub(crate) fn encoded(value: &impl Wire) -> Vec<u8> {
    let mut writer = Writer::new();
    value.write(&mut writer);
    writer.finish()
}

/// At most `size` bytes from `offset` on: what there is of them.
#[must_use]
pub fn part(whole: &[u8], offset: usize, size: usize) -> &[u8] {
    let rest = whole.get(offset..).unwrap_or_default();
    rest.get(..size).unwrap_or(rest)
}

/// A store.
pub trait Storage {
    /// The object, if there is one.
    ///
    /// # Errors
    ///
    /// [`StorageFault`] if that cannot be told.
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault>;

    /// The part of the object from `offset` on, at most `size` bytes, if there is the object.
    ///
    /// # Errors
    ///
    /// [`StorageFault`] if that cannot be told.
    fn fetch_part(
        &self,
        key: &Key,
        offset: usize,
        size: usize,
    ) -> Result<Option<Vec<u8>>, StorageFault> {
        let whole = self.fetch(key)?;
        Ok(whole.map(|whole| part(&whole, offset, size).to_vec()))
    }

    /// Stores one object, in place of what was there. It is not copied where it need not be.
    ///
    /// # Errors
    ///
    /// [`StorageFault`], and no change, if that cannot be done.
    fn put(&mut self, key: Key, bytes: &[u8]) -> Result<(), StorageFault> {
        let mut batch = Batch::new();
        batch.put(key, bytes);
        self.apply(batch)
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    ///
    /// [`StorageFault`], and no change, if that cannot be done.
    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault>;
}

#[cfg(test)]
mod tests {
    use super::{Key, Kind};
    use crate::history::ObjectKey;

    #[test]
    fn kinds_have_names_of_their_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::parse("pact"), None);
    }

    #[test]
    fn keys_survive_the_history() {
        let key = Key::new(Kind::Object, *b"notes.txt");
        assert_eq!(key.to_string(), "obj/notes.txt");
        assert_eq!(Key::try_from(&ObjectKey::from(&key)), Ok(key));
        assert!(Key::try_from(&ObjectKey::new("pact", *b"x")).is_err());
    }
}
