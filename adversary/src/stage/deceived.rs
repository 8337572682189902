//! Who was shown anything but what an honest server shows, since it was last one.

use std::collections::BTreeSet;

use crate::client::DeviceName;

/// The devices that a lie reached, or that what they read may come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Deceived {
    everybody: bool,
    devices: BTreeSet<DeviceName>,
}

impl Deceived {
    /// The lie is in the store, or in what was kept from it.
    pub(super) const fn everybody(&mut self) {
        self.everybody = true;
    }

    /// This device was shown the lie.
    pub(super) fn device(&mut self, device: &DeviceName) {
        if !self.everybody && !self.devices.contains(device) {
            self.devices.insert(device.clone());
        }
    }

    /// What a device writes after a lie may be what others are misled by.
    pub(super) fn wrote(&mut self, device: &DeviceName) {
        self.everybody |= self.devices.contains(device);
    }

    /// Whether a lie reached any of these; whether there was one at all, if they are nobody.
    pub(super) fn reaches<'d>(&self, devices: impl IntoIterator<Item = &'d DeviceName>) -> bool {
        let mut devices = devices.into_iter().peekable();
        match devices.peek() {
            None => self.everybody || !self.devices.is_empty(),
            Some(_) => self.everybody || devices.any(|device| self.devices.contains(device)),
        }
    }
}
