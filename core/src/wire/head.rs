//! Heads: the signed root of a space's state at one height.

use super::{Blob, Frame, record};
use crate::id::{
    DeviceId, Digest, Epoch, Fingerprint, HeadHash, Height, RosterNumber, SpaceId, UserId,
};

record! {
    /// The root of a space's state.
    pub struct Head {
        /// The space.
        pub space: SpaceId,
        /// How many heads came before.
        pub height: Height,
        /// The head before; zero at height zero.
        pub previous: HeadHash,
        /// Root of the mountain range over all earlier heads.
        pub history: Digest,
        /// Root of the directory.
        pub directory: Digest,
        /// Leaves of the directory.
        pub entries: u64,
        /// The number of the roster's last change.
        pub roster: RosterNumber,
        /// The hash of that change, which chains to all before.
        pub roster_hash: Digest,
        /// The epoch of the space's key.
        pub epoch: Epoch,
        /// Commitment to that key, so that nobody hands different keys to different members.
        pub commitment: Digest,
        /// Who wrote this head.
        pub author: UserId,
        /// With which keys.
        pub author_key: Fingerprint,
        /// On which device.
        pub device: DeviceId,
        /// When, by the author's own clock, in milliseconds of the Unix epoch. Informative.
        pub written_ms: u64,
        /// Random, so that two commits are never the same head by chance.
        pub nonce: [u8; 16],
    }
}

record! {
    /// A head and its author's signature.
    pub struct SignedHead {
        /// The head.
        pub head: Head,
        /// PSS signature by the author.
        pub signature: Blob,
    }
}

impl Frame for Head {
    const KIND: u8 = 5;
}

impl Frame for SignedHead {
    const KIND: u8 = 6;
}
