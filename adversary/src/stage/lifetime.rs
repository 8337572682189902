//! Users, devices and operations: how they appear, start and end.

use super::quiet::caught;
use super::{Acts, Device, Running, Stage, State, count};
use crate::chooser::DeviceEntropy;
use crate::client::{Class, DeviceName, FIRST, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{Line, Setting};
use crate::history::Event;
use crate::script::performer::Progress;

impl Stage {
    pub(super) fn user_appears(&mut self, user: &str) {
        if !self.users.iter().any(|known| known == user) {
            self.users.push(user.to_owned());
            self.history.push(Event::UserCreated {
                user: user.to_owned(),
            });
        }
        self.device_appears(&DeviceName::new(user, FIRST));
    }

    /// Somebody appears who will sign up under another user's name, unless the run is honest.
    pub(super) fn impostor_appears(&mut self, user: &str, of: &str) -> Result<(), String> {
        if self.users.iter().any(|known| known == user) {
            return Err(format!("{user} has appeared before"));
        }
        if user == of {
            return Err(format!("{of} is nobody else's name"));
        }
        if self.acts == Acts::Applied {
            self.impostors.insert(user.to_owned(), of.to_owned());
            self.history.push(Event::Impostor {
                user: user.to_owned(),
                of: of.to_owned(),
            });
        }
        self.user_appears(user);
        Ok(())
    }

    pub(super) fn device_appears(&mut self, device: &DeviceName) {
        if self.devices.contains_key(device) {
            return;
        }
        self.devices.insert(device.clone(), Device::default());
        self.user_appears(&device.user);
    }

    /// Makes an operation, which has done nothing yet, and returns its number.
    pub(super) fn start(&mut self, device: &DeviceName, what: &Operation) -> u32 {
        self.device_appears(device);
        let number = count(self.operations.len());
        self.history.push(Event::OperationStarted {
            operation: number,
            device: device.clone(),
            what: what.clone(),
        });
        self.operations.push(Running {
            device: device.clone(),
            what: what.clone(),
            future: None,
            state: State::Fresh,
            points: 0,
            crash_at: None,
            requests: 0,
            bytes: 0,
            outcome: None,
        });
        self.device(device).latest = Some(number);
        number
    }

    pub(super) fn device(&mut self, name: &DeviceName) -> &mut Device {
        self.devices.entry(name.clone()).or_default()
    }

    /// Makes sure that the device's process runs.
    pub(super) fn boot(&mut self, name: &DeviceName) -> Result<(), String> {
        if self.device(name).process.is_some() {
            return Ok(());
        }
        let (secrets, seed) = (self.secrets, self.secrets.seed(self.seed));
        let (clock, peers) = (self.clock.clone(), self.peers.clone());
        let account = self.users.iter().position(|user| *user == name.user);
        let identity = secrets.identity(account.unwrap_or(0));
        let account = self.account_of(&name.user).to_owned();
        let device = self.device(name);
        // A new line: a call of an earlier life must not be answered in this one.
        device.line = Line::default();
        let remembers = device.durable.is_some();
        let saved = device.saved.clone();
        let life = device.life - u32::from(saved.is_some());
        let setting = Setting {
            device: name.clone(),
            account,
            remembers,
            password: secrets.password_of(&name.user),
            identity,
            line: device.line.clone(),
            entropy: DeviceEntropy::new(seed, name, life),
            clock,
            peers,
        };
        device.life = life + 1;
        if let Some(saved) = saved {
            let process = self.client.resume(setting, &saved);
            self.device(name).process = Some(process.ok_or("the saved process does not resume")?);
            return Ok(());
        }
        let process = self.client.start(setting)?;
        self.device(name).process = Some(process);
        self.history.push(Event::DeviceStarted {
            device: name.clone(),
            remembers,
        });
        Ok(())
    }

    /// Ends the device's process now, and every operation on it.
    pub(super) fn crash(&mut self, name: &DeviceName) -> Result<(), String> {
        if !self.devices.contains_key(name) {
            return Err(format!("there is no device {name}"));
        }
        self.history.push(Event::Crashed {
            device: name.clone(),
        });
        self.stop(name, &Failure::new(Class::Other, Failure::CRASHED));
        Ok(())
    }

    /// Ends the device's process without a word in the history.
    pub(super) fn stop(&mut self, name: &DeviceName, why: &Failure) {
        let here = |running: &&mut Running| running.device == *name;
        let mut ended = Vec::new();
        for running in self.operations.iter_mut().filter(here) {
            drop_quietly(running.future.take());
        }
        for (number, running) in self.operations.iter().enumerate() {
            if running.device == *name && !matches!(running.state, State::Over) {
                ended.push(count(number));
            }
        }
        let device = self.device(name);
        device.saved = None;
        let process = device.process.take();
        drop_quietly(process);
        for number in ended {
            self.end(number, Err(why.clone()));
        }
    }

    pub(super) fn restart(&mut self, name: &DeviceName) -> Result<(), String> {
        self.crash_if_running(name)?;
        self.boot(name)
    }

    pub(super) fn wipe(&mut self, name: &DeviceName) -> Result<(), String> {
        self.crash_if_running(name)?;
        let device = self.device(name);
        device.durable = None;
        device.accepted.clear();
        self.history.push(Event::Wiped {
            device: name.clone(),
        });
        self.boot(name)
    }

    /// Half of the durable state is lost where acts take effect; nothing happens where they do not.
    pub(super) fn tear(&mut self, name: &DeviceName) -> Result<Progress, String> {
        if self.acts == Acts::Evaluated {
            return Ok(Progress::Done);
        }
        self.crash_if_running(name)?;
        let client = std::rc::Rc::clone(&self.client);
        self.deceive(Some(name));
        let device = self.device(name);
        let torn = device.durable.as_ref().map(|bytes| client.torn(bytes));
        device.durable = torn.map(Bytes::from);
        device.accepted.clear();
        Ok(Progress::Done)
    }

    fn crash_if_running(&mut self, name: &DeviceName) -> Result<(), String> {
        match self.devices.get(name) {
            None => Err(format!("there is no device {name}")),
            Some(device) if device.process.is_none() && device.saved.is_none() => Ok(()),
            Some(_) => self.crash(name),
        }
    }

    /// Ends an operation.
    pub(super) fn end(&mut self, number: u32, outcome: Outcome) {
        let running = &mut self.operations[number as usize];
        running.state = State::Over;
        running.outcome = Some(outcome.clone());
        drop_quietly(running.future.take());
        let device = running.device.clone();
        let device = self.device(&device);
        if device.busy == Some(number) {
            device.busy = None;
        }
        for hold in &mut self.holds {
            hold.waiting.retain(|waiting| *waiting != number);
        }
        let crashed = matches!(&outcome, Err(failure) if failure.name == Failure::CRASHED);
        self.settle(number);
        let guarded = self.expectations.operation_ended(number);
        if outcome.is_err() && !crashed && !guarded {
            self.stray.push(number);
        }
        self.history.push(Event::OperationEnded {
            operation: number,
            outcome,
        });
    }

    /// Replaces a device's durable state, and notes which heads it accepted since.
    pub(super) fn save(&mut self, name: &DeviceName, state: Vec<u8>) {
        let bytes = Bytes::from(state);
        let accepted = self.client.accepted(&bytes);
        self.history.push(Event::Saved {
            device: name.clone(),
            bytes: Bytes::clone(&bytes),
        });
        let device = self.device(name);
        let before = std::mem::replace(&mut device.accepted, accepted.clone());
        device.durable = Some(bytes);
        for head in accepted.into_iter().filter(|head| !before.contains(head)) {
            self.history.push(Event::Accepted {
                device: name.clone(),
                space: head.space,
                head: head.head,
                height: head.height,
            });
        }
    }
}

/// What a client does while it is dropped must not end the run.
fn drop_quietly<T>(value: Option<T>) {
    // The value is gone either way, and nothing of it is looked at again.
    let _ = caught(|| drop(value));
}
