//! What a stage needs beside its steps: a store from before, state from elsewhere, and no memory of
//! everything.

use super::Stage;
use crate::client::{Class, DeviceName, Failure};
use crate::codec::Bytes;
use crate::driver::StageClock;
use crate::history::{Event, History};
use crate::honest::storage::{Batch, Storage as _, StorageFault};

impl Stage {
    /// Puts objects into the store that were there before the first step.
    ///
    /// # Errors
    ///
    /// [`StorageFault`] if the store does not take them.
    pub fn stock(&mut self, objects: Batch) -> Result<(), StorageFault> {
        let nobody = DeviceName::first("");
        self.versions.view(&nobody, u32::MAX).apply(objects)
    }

    /// Ends the device's process and puts these bytes in place of its durable state.
    pub(crate) fn plant(&mut self, device: &DeviceName, durable: Vec<u8>) {
        let left = Failure::new(Class::Other, Failure::CRASHED);
        self.stop(device, &left);
        self.worlds = None;
        self.device(device).durable = Some(Bytes::from(durable));
    }

    /// Takes what happened since this was asked last out of the history, and forgets of all
    /// requests but the latest what they were answered: such a stage does not end.
    pub fn take_events(&mut self) -> Vec<Event> {
        const KEPT: usize = 1024;
        let old = self.requests.len().checked_sub(KEPT + 1);
        if let Some(sent) = old.and_then(|old| self.requests.get_mut(old)) {
            sent.honest = None;
        }
        let history = std::mem::replace(&mut self.history, History::new());
        history.events().to_vec()
    }

    /// The clock.
    pub(crate) const fn clock(&self) -> &StageClock {
        &self.clock
    }
}
