//! What a device must remember, as it is saved.

use super::{Frame, HistoryNode, record};
use crate::id::{
    Checkpoint, DeviceId, Digest, Epoch, Fingerprint, Realm, RosterNumber, SpaceId, UserId,
};
use alloc::vec::Vec;

record! {
    /// A head that was sent, or is about to be, and of which nothing is known yet.
    pub struct Pending {
        /// Where it would be.
        pub checkpoint: Checkpoint,
        /// Its roster number.
        pub roster: RosterNumber,
        /// The hash of its roster's last change.
        pub roster_hash: Digest,
        /// Its epoch.
        pub epoch: Epoch,
    }
}

record! {
    /// What is remembered of one space.
    pub struct SpaceState {
        /// The space.
        pub space: SpaceId,
        /// The head that was accepted last; none while the first one is pending.
        pub accepted: Option<Checkpoint>,
        /// The accepted head's roster number.
        pub roster: RosterNumber,
        /// The hash of that roster's last change.
        pub roster_hash: Digest,
        /// The accepted head's epoch.
        pub epoch: Epoch,
        /// Peaks of the mountain range over all heads up to the accepted one, largest first.
        pub peaks: Vec<HistoryNode>,
        /// A head of which nothing is known yet.
        pub pending: Option<Pending>,
    }
}

record! {
    /// A contact's keys as this device knows them.
    pub struct StatePin {
        /// The contact.
        pub user: UserId,
        /// The contact's keys.
        pub fingerprint: Fingerprint,
    }
}

record! {
    /// All that a device remembers. It holds no key.
    pub struct TrustedState {
        /// The realm.
        pub realm: Realm,
        /// The account.
        pub user: UserId,
        /// The account's keys.
        pub fingerprint: Fingerprint,
        /// This device.
        pub device: DeviceId,
        /// The iterations that the account was opened with last.
        pub iterations: u32,
        /// The salt seed of the account.
        pub salt_seed: [u8; 32],
        /// The spaces, in strictly rising order.
        pub spaces: Vec<SpaceState>,
        /// The pins, in strictly rising order.
        pub pins: Vec<StatePin>,
    }
}

impl Frame for TrustedState {
    const KIND: u8 = 14;
}
