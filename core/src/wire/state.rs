//! What a device must remember, as it is saved.

use super::{Frame, HistoryNode, Malformed, Reader, Wire, Writer, record};
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

/// All that a device remembers. It holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedState {
    /// The realm.
    pub realm: Realm,
    /// The account.
    pub user: UserId,
    /// The account's keys.
    pub fingerprint: Fingerprint,
    /// This device.
    pub device: DeviceId,
    /// The iterations that the account was opened with when this device met it; never fewer again.
    pub iterations: u32,
    /// The salt seed of the account.
    pub salt_seed: [u8; 32],
    /// The spaces, in strictly rising order.
    pub spaces: Vec<SpaceState>,
    /// The pins, in strictly rising order.
    pub pins: Vec<StatePin>,
}

impl Wire for TrustedState {
    fn write(&self, writer: &mut Writer) {
        self.realm.write(writer);
        self.user.write(writer);
        self.fingerprint.write(writer);
        self.device.write(writer);
        self.iterations.write(writer);
        self.salt_seed.write(writer);
        self.spaces.write(writer);
        self.pins.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let state = Self {
            realm: Wire::read(reader)?,
            user: Wire::read(reader)?,
            fingerprint: Wire::read(reader)?,
            device: Wire::read(reader)?,
            iterations: Wire::read(reader)?,
            salt_seed: Wire::read(reader)?,
            spaces: Wire::read(reader)?,
            pins: Wire::read(reader)?,
        };
        // What is out of order is not found, and what is not found is not held against anybody.
        let spaces = state.spaces.is_sorted_by(|one, two| one.space < two.space);
        let pins = state.pins.is_sorted_by(|one, two| one.user < two.user);
        if spaces && pins {
            Ok(state)
        } else {
            Err(Malformed)
        }
    }
}

impl Frame for TrustedState {
    const KIND: u8 = 14;
}
