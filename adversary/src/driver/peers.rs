//! How two devices of one run meet without the server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use crate::client::{DeviceName, Failure};

/// A device that can be asked for a statement of what it has seen.
pub trait Meets {
    /// What this device states, for another one.
    ///
    /// # Errors
    ///
    /// The failure of the operation that asked.
    fn statement(&self) -> Result<Vec<u8>, Failure>;
}

/// The devices of a run that can be met.
#[derive(Clone, Default)]
pub struct Peers(Rc<RefCell<BTreeMap<DeviceName, Weak<dyn Meets>>>>);

impl Peers {
    /// From now on this is how the device can be met.
    pub fn enter(&self, device: DeviceName, meets: &Rc<dyn Meets>) {
        self.0.borrow_mut().insert(device, Rc::downgrade(meets));
    }

    /// The device, if its process runs.
    #[must_use]
    pub fn find(&self, device: &DeviceName) -> Option<Rc<dyn Meets>> {
        self.0.borrow().get(device)?.upgrade()
    }
}
