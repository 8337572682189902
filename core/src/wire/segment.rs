//! Segments of files and nodes of the two mountain ranges.

use super::record;
use crate::id::{Digest, PackId};

record! {
    /// One append or one stretch of an upload: where its sealed chunks are, and their hash.
    pub struct SegmentRecord {
        /// The pack.
        pub pack: PackId,
        /// First byte in the pack.
        pub offset: u32,
        /// Bytes in the pack.
        pub length: u32,
        /// Which of the file's content keys sealed it.
        pub key_index: u16,
        /// Hash of the sealed bytes, their length included.
        pub hash: Digest,
    }
}

impl SegmentRecord {
    /// Bytes of each.
    pub const SIZE: usize = 58;
}

record! {
    /// A complete subtree over segment records.
    pub struct SegmentNode {
        /// Its hash.
        pub hash: Digest,
        /// Sealed bytes below.
        pub bytes: u64,
    }
}

record! {
    /// A complete subtree over earlier heads.
    pub struct HistoryNode {
        /// Its hash.
        pub hash: Digest,
        /// The highest roster number below.
        pub roster_max: u64,
        /// The highest epoch below.
        pub epoch_max: u64,
    }
}
