//! Drives a client without a stage: each operation is one call that answers the store itself.

use turncoat_core::remote::Lost;

use super::device::{Begun, Step, Wait};
use super::fault::{Fault, NotStarted};
use super::hub::External;
use crate::client::{DeviceName, Operation, Outcome};
use crate::front::kv;
use crate::honest::store::Versions;
use crate::stage::key_value;

/// Whoever answers the clients' requests to the store.
pub trait Service {
    /// Answers one request of a device, or loses it.
    ///
    /// # Errors
    ///
    /// [`Lost`] ends the client's connection without a reply.
    fn handle(&mut self, who: &DeviceName, request: kv::Request) -> Result<kv::Reply, Lost>;
}

/// An honest store in memory, for runs without a stage.
#[derive(Debug, Default)]
pub struct HonestStore(Versions);

impl Service for HonestStore {
    fn handle(&mut self, who: &DeviceName, request: kv::Request) -> Result<kv::Reply, Lost> {
        // Which operation asks matters to acts alone, and there are none.
        Ok(key_value(&mut self.0.view(who, 0), request))
    }
}

impl External {
    /// Starts a device's process, or starts it again on the same durable state.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] says what came instead of a proper first line.
    pub fn start(
        &mut self,
        name: &DeviceName,
        password: &str,
        service: &mut dyn Service,
    ) -> Result<(), NotStarted> {
        self.start_as(name, (&name.user, password), service)
    }

    /// [`start`](Self::start) for the account of this name and password.
    pub(super) fn start_as(
        &mut self,
        name: &DeviceName,
        account: (&str, &str),
        service: &mut dyn Service,
    ) -> Result<(), NotStarted> {
        let wait = self.launch(name, account)?;
        let line = self.serve(name, wait, service);
        self.launched(name, line)
    }

    /// Performs one operation, and answers the device's requests meanwhile.
    ///
    /// # Errors
    ///
    /// The client's failure, or the name of what it did wrong.
    pub fn perform(
        &mut self,
        name: &DeviceName,
        operation: &Operation,
        service: &mut dyn Service,
    ) -> Outcome {
        match self.begin(name, operation) {
            Begun::Over(outcome) => outcome,
            Begun::Awaited(id, wait) => {
                let line = self.serve(name, wait, service);
                self.ended(name, id, operation, line)
            }
        }
    }

    fn serve(
        &mut self,
        name: &DeviceName,
        mut wait: Wait,
        service: &mut dyn Service,
    ) -> Result<Vec<u8>, Fault> {
        loop {
            match self.step(name, &mut wait)? {
                Step::Answers(line) => return Ok(line),
                Step::Asks(asked) => {
                    let reply = service.handle(&asked.who, asked.request.clone());
                    asked.answer(reply);
                }
            }
        }
    }
}
