//! What two devices show each other when they meet.

use super::{Blob, Frame, HistoryNode, record};
use crate::id::{Checkpoint, DeviceId, Fingerprint, Realm, SpaceId, UserId};
use alloc::vec::Vec;

record! {
    /// A space as a device accepted it.
    pub struct ContactSpace {
        /// The space.
        pub space: SpaceId,
        /// The accepted head.
        pub accepted: Checkpoint,
        /// Peaks of the mountain range over all heads up to it.
        pub peaks: Vec<HistoryNode>,
    }
}

record! {
    /// A key as a device pinned it.
    pub struct ContactPin {
        /// Whose.
        pub user: UserId,
        /// Which.
        pub fingerprint: Fingerprint,
    }
}

record! {
    /// A device's statement of what it accepted.
    pub struct Contact {
        /// The realm.
        pub realm: Realm,
        /// Whose device.
        pub user: UserId,
        /// With which keys.
        pub user_key: Fingerprint,
        /// Which device.
        pub device: DeviceId,
        /// The spaces.
        pub spaces: Vec<ContactSpace>,
        /// The pins, its own key included.
        pub pins: Vec<ContactPin>,
    }
}

record! {
    /// A statement and its signature: kept as evidence when two of them contradict.
    pub struct SignedContact {
        /// The statement.
        pub contact: Contact,
        /// The signer's public record.
        pub record: super::SignedRecord,
        /// PSS signature by the user.
        pub signature: Blob,
    }
}

impl Frame for Contact {
    const KIND: u8 = 15;
}

impl Frame for SignedContact {
    const KIND: u8 = 16;
}
