//! Every domain-separation label, in one table: all distinct, none the beginning of another.

macro_rules! labels {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Says what a hash, a MAC or a signature is for, so that none can stand for another.
        ///
        /// Each label is used with one shape of input only, or with two that begin with other
        /// numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Label {
            $($(#[$doc])* $variant,)*
        }

        impl Label {
            /// All labels, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The bytes that stand before everything else in a labelled input.
            ///
            /// The final colon occurs nowhere else, so no label is the beginning of another.
            #[must_use]
            pub const fn as_bytes(self) -> &'static [u8] {
                match self {
                    $(Self::$variant => concat!("turncoat/1/", $name, ":").as_bytes(),)*
                }
            }
        }
    };
}

labels! {
    // Names and fingerprints of accounts and spaces.
    /// Realm and user name to a user's id.
    UserId = "user-id",
    /// A public record to its fingerprint.
    Fingerprint = "fingerprint",
    /// Realm, owner and salt to a space's id.
    Space = "space",

    // The password and the key bag.
    /// Realm, user and the server's random bytes to the password's salt.
    Salt = "salt",
    /// A password of any length to 32 bytes.
    Password = "password",
    /// The master key to the login proof.
    Login = "login",
    /// The master key to the key that seals the bag.
    Wrap = "wrap",
    /// The master key to the value that commits the bag to it.
    BagCommitment = "bag-commitment",

    // What an epoch's key derives.
    /// The epoch's key to the value that commits a head to it.
    EpochCommitment = "epoch-commitment",
    /// The epoch's key to the name under which the server finds the space.
    Locator = "locator",
    /// The epoch's key to the key that hides names.
    Names = "names",
    /// The name key and a name to a directory slot.
    Tag = "tag",
    /// The epoch's key and a leaf's id to the key that seals the leaf.
    LeafKey = "leaf-key",
    /// The epoch's key and an envelope's id to the key that seals its note.
    NoteKey = "note-key",
    /// The epoch's key and an upload's id to the content key of that upload.
    UploadKey = "upload-key",

    // What a content key derives.
    /// A content key and a chunk's place in its pack to the key that seals the chunk.
    ChunkKey = "chunk-key",
    /// A content key and a pack to the key that seals a long name.
    NameKey = "name-key",
    /// A content key and a pack to the key that seals a keyring.
    KeyringKey = "keyring-key",

    // Hashes of stored bytes, and the trees over them.
    /// A stored leaf to its hash.
    Leaf = "leaf",
    /// A segment's place, length and ciphertext to its hash.
    Segment = "segment",
    /// Two neighbouring nodes over segments to their parent.
    SegmentNode = "segment-node",
    /// The peaks over a file's segments to its root.
    Segments = "segments",
    /// A head to its leaf in the history.
    HistoryLeaf = "history-leaf",
    /// Two neighbouring nodes of the history to their parent.
    HistoryNode = "history-node",
    /// The peaks of the history to its root.
    History = "history",
    /// Two subtrees of the directory to their parent.
    DirectoryInner = "directory-inner",
    /// The leaves of one bucket of the directory to its hash.
    DirectoryBucket = "directory-bucket",
    /// A roster change to its hash.
    Roster = "roster",
    /// A signed head to its hash.
    Head = "head",

    // Signatures.
    /// A public record, signed by its owner.
    SignRecord = "sign-record",
    /// A head, signed by its author.
    SignHead = "sign-head",
    /// A roster change, signed by whom the previous roster permits.
    SignRoster = "sign-roster",
    /// An envelope, signed by its sender.
    SignEnvelope = "sign-envelope",
    /// What two devices exchange to compare, signed by each.
    SignContact = "sign-contact",
}

#[cfg(test)]
mod tests {
    use super::Label;

    #[test]
    fn no_label_is_the_beginning_of_another() {
        for (position, one) in Label::ALL.iter().enumerate() {
            for (other_position, other) in Label::ALL.iter().enumerate() {
                if position != other_position {
                    assert!(
                        !other.as_bytes().starts_with(one.as_bytes()),
                        "{one:?} is the beginning of {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_label_ends_with_its_only_colon() {
        for label in Label::ALL {
            let colons = label
                .as_bytes()
                .iter()
                .filter(|&&byte| byte == b':')
                .count();
            assert_eq!(colons, 1, "{label:?}");
            assert_eq!(label.as_bytes().last(), Some(&b':'), "{label:?}");
        }
    }
}
