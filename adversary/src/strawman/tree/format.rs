//! What the tree clients sign, seal and remember, byte by byte.

use crate::client::Failure;
use crate::codec::{Code as _, coded};
use crate::strawman::toolkit::{Bytes32, derive, hash, hex};
use crate::strawman::{usage, violation};

coded! {
    /// A sealed part of a file: an object that never changes.
    pub struct Piece {
        /// Names the object.
        pub id: [u8; 16],
        /// Seals this piece and nothing else.
        pub key: Bytes32,
        /// Of the object.
        pub hash: Bytes32,
    }
}

coded! {
    /// How a member finds and opens a space.
    pub struct Link {
        /// The space; a hash over its owner and `salt`.
        pub space: Bytes32,
        /// Whose it is.
        pub owner: String,
        /// The owner's fingerprint as it was pinned; zeros in a client without pins.
        pub owner_keys: Bytes32,
        /// Makes spaces of one owner differ.
        pub salt: [u8; 16],
        /// The space's key of this epoch.
        pub key: Bytes32,
        /// Counts keys.
        pub epoch: u64,
    }
}

coded! {
    /// What a name stands for.
    pub enum Record {
        /// A file that lies in this space.
        0 => File {
            /// Its content, in order.
            pieces: Vec<Piece>,
        },
        /// A file that has a space of its own, because it is or was shared.
        1 => Elsewhere {
            /// Where.
            link: Link,
        },
    }
}

coded! {
    /// One line of a directory.
    pub struct Entry {
        /// The file's name; empty in the space of a shared file.
        pub name: Vec<u8>,
        /// What it stands for.
        pub record: Record,
    }
}

coded! {
    /// Somebody whose keys are remembered, or who may write.
    pub struct Member {
        /// Who.
        pub user: String,
        /// The fingerprint of their keys; zeros in a client without pins.
        pub keys: Bytes32,
    }
}

coded! {
    /// Who may read and write a space. The owner alone changes it.
    pub struct Roster {
        /// The space.
        pub space: Bytes32,
        /// Counts rosters.
        pub number: u64,
        /// The epoch of the key that exactly these members hold.
        pub epoch: u64,
        /// All of them, the owner first.
        pub members: Vec<Member>,
    }
}

coded! {
    /// A roster under its owner's signature.
    pub struct SignedRoster {
        /// The roster.
        pub roster: Roster,
        /// The owner's.
        pub signature: Vec<u8>,
    }
}

coded! {
    /// The state of a space. It names every piece of every file by its hash.
    pub struct Root {
        /// The space.
        pub space: Bytes32,
        /// Counts roots.
        pub version: u64,
        /// The hashes of all earlier roots, in a client that chains them.
        pub history: Vec<Bytes32>,
        /// Who may have signed this.
        pub roster: SignedRoster,
        /// Who signed this.
        pub author: String,
        /// The directory.
        pub entries: Vec<Entry>,
        /// The keys of others, remembered in the private space of a client that pins.
        pub pins: Vec<Member>,
    }
}

coded! {
    /// A root under its author's signature.
    pub struct SignedRoot {
        /// An encoded [`Root`].
        pub root: Vec<u8>,
        /// The author's.
        pub signature: Vec<u8>,
    }
}

coded! {
    /// The newest root of one space that this device accepted.
    #[derive(Copy)]
    pub struct Seen {
        /// The space.
        pub space: Bytes32,
        /// The root's version.
        pub version: u64,
        /// Its roster's number.
        pub roster: u64,
        /// Its hash, in a client that chains them; zeros otherwise.
        pub hash: Bytes32,
    }
}

coded! {
    /// All that a device remembers.
    pub struct Remembered {
        /// Whose device it is.
        pub user: String,
        /// One for each space.
        pub seen: Vec<Seen>,
    }
}

impl Link {
    /// Where the root lies. Without the key of the epoch nobody can tell.
    #[must_use]
    pub fn location(&self) -> Vec<u8> {
        let location = derive(&self.key, &[b"location", &self.space]);
        format!("root/{}", hex(&location)).into_bytes()
    }

    /// The key and the associated data that seal the root.
    #[must_use]
    pub fn root_seal(&self) -> (Bytes32, Vec<u8>) {
        let associated = [b"root ", &self.space[..]].concat();
        (derive(&self.key, &[b"root"]), associated)
    }
}

impl Piece {
    /// Where the piece lies.
    #[must_use]
    pub fn location(&self) -> Vec<u8> {
        piece_location(&self.id)
    }
}

/// Where a piece lies.
#[must_use]
pub fn piece_location(id: &[u8; 16]) -> Vec<u8> {
    format!("piece/{}", hex(id)).into_bytes()
}

impl Roster {
    /// What the owner signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        [b"straw roster ", &hash(&[&self.to_bytes()])[..]].concat()
    }

    /// The member of that name.
    #[must_use]
    pub fn member(&self, user: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }
}

impl SignedRoot {
    /// What the author signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        [b"straw root ", &hash(&[&self.root])[..]].concat()
    }
}

impl Root {
    /// The record of that name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Record> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        Some(&entry.record)
    }

    /// The record of that name, to be changed.
    pub fn find_mut(&mut self, name: &[u8]) -> Option<&mut Record> {
        let entry = self.entries.iter_mut().find(|entry| entry.name == name)?;
        Some(&mut entry.record)
    }

    /// Gives a name a new meaning.
    pub fn set(&mut self, name: &[u8], record: Record) {
        match self.find_mut(name) {
            Some(found) => *found = record,
            None => self.entries.push(Entry {
                name: name.to_vec(),
                record,
            }),
        }
    }

    /// The pieces of the file of that name.
    ///
    /// # Errors
    ///
    /// No such file, or a violation if the name stands for something else.
    pub fn pieces(&self, name: &[u8]) -> Result<&Vec<Piece>, Failure> {
        match self.find(name) {
            Some(Record::File { pieces }) => Ok(pieces),
            Some(Record::Elsewhere { .. }) => Err(violation("malformed")),
            None => Err(usage("no-such-file")),
        }
    }
}
