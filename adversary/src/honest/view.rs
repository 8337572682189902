//! The store as one device is shown it, and the store as it is.

use super::reach::Listed;
use super::storage::{Batch, Bytes, Key, Kind, Storage, StorageFault};
use super::store::{Versions, levels};
use crate::client::DeviceName;
use crate::selector::Audience;

/// The store as one device is shown it, during one operation.
///
/// The honest rules read and write it like any other store.
#[derive(Debug)]
pub struct View<'a> {
    versions: &'a mut Versions,
    device: DeviceName,
    levels: Vec<Audience>,
    operation: u32,
}

/// The store as it is, for a device that would be told the truth; changes are dropped.
#[derive(Debug)]
pub struct Rehearsal<'a> {
    versions: &'a Versions,
}

impl Versions {
    /// The store as `device` is shown it.
    pub fn view(&mut self, device: &DeviceName, operation: u32) -> View<'_> {
        let audience = Audience::Device {
            device: device.clone(),
        };
        View {
            versions: self,
            device: device.clone(),
            levels: levels(&audience),
            operation,
        }
    }

    /// The store as it is: what an honest server would have answered is found out here.
    #[must_use]
    pub const fn rehearsal(&self) -> Rehearsal<'_> {
        Rehearsal { versions: self }
    }
}

impl Storage for View<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        Ok(self.versions.shown(&self.levels, key))
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        self.versions
            .write(&self.levels, &self.device, self.operation, batch);
        Ok(())
    }
}

impl Listed for Rehearsal<'_> {
    fn keys(&self, kind: Kind) -> Result<Vec<Key>, StorageFault> {
        Ok(self.versions.keys(kind))
    }
}

impl Storage for Rehearsal<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        Ok(self.versions.honest(key))
    }

    fn apply(&mut self, _: Batch) -> Result<(), StorageFault> {
        Ok(())
    }
}
