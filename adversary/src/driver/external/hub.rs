//! All devices of one external client: their processes, their requests, their durable folders.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::command::CommandLine;
use super::device::{Arrived, Begun, Device, LAST_WORDS_TIME, Step, Wait};
use super::durable;
use super::fault::{self, Fault, FaultKind, NotStarted};
use super::groups::REGISTRY;
use super::lines::{self, Declaration};
use super::process::Process;
use super::{Event, ExternalLimits};
use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::front::http::HttpFront;

/// How often a silent client is looked at.
const LOOK_TIME: Duration = Duration::from_millis(50);

/// All devices of one external client.
#[derive(Debug)]
pub struct External {
    command: CommandLine,
    limits: ExternalLimits,
    declared: Option<Declaration>,
    devices: BTreeMap<DeviceName, Device>,
    // Processes and operations are numbered by one counter, so that no number is used twice.
    number: u64,
    folders: u64,
    events: Receiver<Event>,
    sender: Sender<Event>,
    front: HttpFront,
    scratch: TempDir,
}

impl External {
    /// Opens the front. No process is started yet.
    ///
    /// # Errors
    ///
    /// The machine gives no port, thread or folder.
    pub fn open(command: CommandLine, limits: ExternalLimits) -> io::Result<Self> {
        let (sender, events) = channel();
        let asked = sender.clone();
        let front = HttpFront::open(limits.http, move |one| {
            asked.send(Event::Asked(one)).is_ok()
        })?;
        let scratch = tempfile::Builder::new().prefix("turncoat-").tempdir()?;
        REGISTRY.add_folder(scratch.path());
        Ok(Self {
            command,
            limits,
            declared: None,
            devices: BTreeMap::new(),
            number: 0,
            folders: 0,
            events,
            sender,
            front,
            scratch,
        })
    }

    /// What the client declared, once a device was started.
    #[must_use]
    pub fn declared(&self) -> Option<&Declaration> {
        self.declared.as_ref()
    }

    /// Whether the device was ever started here.
    pub(super) fn knows(&self, name: &DeviceName) -> bool {
        self.devices.contains_key(name)
    }

    /// Whether the device's process runs, or was ended for a fault of its own.
    pub(super) fn is_in_life(&self, name: &DeviceName) -> bool {
        let device = self.devices.get(name);
        device.is_some_and(|device| device.process.is_some() || device.fault.is_some())
    }

    fn not_started(&self, reason: String) -> NotStarted {
        NotStarted {
            command: self.command.to_string(),
            reason,
            by_machine: false,
        }
    }

    /// Starts the device's process and sends its first line, with the name and the password of its
    /// account; its answer is awaited.
    pub(super) fn launch(
        &mut self,
        name: &DeviceName,
        account: (&str, &str),
    ) -> Result<Wait, NotStarted> {
        self.crash(name);
        let launched = self.prepare(name).and_then(|folder| {
            let url = self.front.base_url(name)?;
            self.number += 1;
            let process = Process::start(
                &self.command,
                self.number,
                self.limits.output_max,
                &self.sender,
            )?;
            let state = folder.display().to_string();
            process.send(
                lines::hello(&name.device, account, &url, &state),
                self.limits.output_max,
            );
            Ok(process)
        });
        match launched {
            Ok(process) => {
                if let Some(device) = self.devices.get_mut(name) {
                    device.process = Some(process);
                    device.busy = true;
                }
                Ok(Wait::new("its first line", self.limits.start_time))
            }
            Err(error) => Err(self.not_started(fault::sentence(&error))),
        }
    }

    fn prepare(&mut self, name: &DeviceName) -> io::Result<PathBuf> {
        if let Some(device) = self.devices.get(name) {
            return Ok(device.folder.clone());
        }
        // Numbered, because a user's name need not be a file's name.
        self.folders += 1;
        let folder = self.scratch.path().join(self.folders.to_string());
        std::fs::create_dir(&folder)?;
        let device = Device {
            folder: folder.clone(),
            process: None,
            arrived: VecDeque::new(),
            busy: false,
            fault: None,
        };
        self.devices.insert(name.clone(), device);
        Ok(folder)
    }

    /// Takes a device's first line, or the fault that came instead.
    pub(super) fn launched(
        &mut self,
        name: &DeviceName,
        line: Result<Vec<u8>, Fault>,
    ) -> Result<(), NotStarted> {
        let declared = line.and_then(|line| self.declare(&line).map_err(Fault::nonsense));
        declared.map_err(|fault| {
            let fault = self.convict(name, fault);
            self.not_started(fault.to_string())
        })
    }

    fn declare(&mut self, line: &[u8]) -> Result<(), String> {
        let declared = Declaration::read(line)?;
        match &self.declared {
            Some(before) if *before != declared => {
                Err("two devices declare different things".to_owned())
            }
            _ => {
                self.declared = Some(declared);
                Ok(())
            }
        }
    }

    /// Sends an operation's line to a device.
    ///
    /// `sign_up` and `login` are needless for many clients: not declared, they succeed unasked.
    pub(super) fn begin(&mut self, name: &DeviceName, operation: &Operation) -> Begun {
        self.collect();
        let declared = self
            .declared
            .as_ref()
            .is_some_and(|all| all.has(operation.name()));
        self.number += 1;
        let id = self.number;
        let Some(device) = self.devices.get_mut(name) else {
            return Begun::Over(Err(Failure::new(Class::Other, Failure::CRASHED)));
        };
        if let Some(fault) = &device.fault {
            let text = format!("the process was ended before: {fault}");
            let name = FaultKind::Died.name().to_owned();
            return Begun::Over(Err(Failure {
                class: Class::Other,
                name,
                text,
            }));
        }
        let Some(process) = &device.process else {
            return Begun::Over(Err(Failure::new(Class::Other, Failure::CRASHED)));
        };
        if !declared {
            return Begun::Over(match operation {
                Operation::SignUp | Operation::Login => Ok(Answer::default()),
                _ => Err(Failure::new(Class::Usage, "undeclared")),
            });
        }
        match lines::ask(id, operation) {
            Ok(line) => {
                process.send(line, self.limits.output_max);
                device.busy = true;
                Begun::Awaited(id, Wait::new(operation.name(), self.limits.operation_time))
            }
            Err(failure) => Begun::Over(Err(failure)),
        }
    }

    /// Reads the line that answers operation `id`, or the fault that came instead.
    pub(super) fn ended(
        &mut self,
        name: &DeviceName,
        id: u64,
        operation: &Operation,
        line: Result<Vec<u8>, Fault>,
    ) -> Outcome {
        let declared = self.declared.clone().unwrap_or_default();
        line.and_then(|line| {
            lines::answer(&line, id, operation, &declared).map_err(Fault::nonsense)
        })
        .unwrap_or_else(|fault| Err(self.convict(name, fault).failure()))
    }

    /// Waits until the device asks the store or sends its line.
    pub(super) fn step(&mut self, name: &DeviceName, wait: &mut Wait) -> Result<Step, Fault> {
        loop {
            let Some(device) = self.devices.get_mut(name) else {
                return Err(Fault::new(FaultKind::Died, String::new()));
            };
            match device.arrived.pop_front() {
                Some(Arrived::Asked(asked)) => return Ok(Step::Asks(asked)),
                Some(Arrived::Line(line)) => {
                    device.busy = false;
                    return Ok(Step::Answers(line));
                }
                Some(Arrived::Ended) => return Err(Fault::new(FaultKind::Died, String::new())),
                Some(Arrived::Flooded) => return Err(self.flooded()),
                None => {}
            }
            let Some(left) = wait.time.checked_sub(wait.spent) else {
                let text = format!(
                    "no answer to {} within {} ms",
                    wait.awaited,
                    wait.time.as_millis()
                );
                return Err(Fault::new(FaultKind::Hung, text));
            };
            let has_ended = device.process.as_ref().is_none_or(Process::has_ended);
            let from = Instant::now();
            let event = self.events.recv_timeout(left.min(LOOK_TIME));
            let waited = from.elapsed();
            wait.spent = wait.spent.saturating_add(waited);
            match event {
                Ok(event) => self.arrive(event),
                // A grandchild may hold the output open after the client itself has ended.
                Err(RecvTimeoutError::Timeout) if has_ended => {
                    wait.gone = wait.gone.saturating_add(waited);
                    if wait.gone > LAST_WORDS_TIME {
                        return Err(Fault::new(FaultKind::Died, String::new()));
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Sorts what has happened since anybody waited.
    fn collect(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.arrive(event);
        }
    }

    /// Hands an event to its device. What is said unasked is a fault at once.
    fn arrive(&mut self, event: Event) {
        let of = |number| {
            move |device: &&mut Device| {
                device
                    .process
                    .as_ref()
                    .is_some_and(|process| process.number == number)
            }
        };
        let (device, arrived) = match event {
            Event::Asked(asked) => (self.devices.get_mut(&asked.who), Arrived::Asked(asked)),
            Event::Line { process, line } => (
                self.devices.values_mut().find(of(process)),
                Arrived::Line(line),
            ),
            Event::Ended { process } => {
                (self.devices.values_mut().find(of(process)), Arrived::Ended)
            }
            Event::Flooded { process } => (
                self.devices.values_mut().find(of(process)),
                Arrived::Flooded,
            ),
        };
        // A device that has ended meanwhile is owed nothing.
        let Some(device) = device.filter(|device| device.process.is_some()) else {
            return;
        };
        let fault = match &arrived {
            Arrived::Line(_) if !device.busy => {
                Fault::nonsense("a line that nothing asked for".to_owned())
            }
            Arrived::Ended if !device.busy => Fault::new(FaultKind::Died, String::new()),
            Arrived::Flooded if !device.busy => Fault::new(
                FaultKind::Flooded,
                "more output than its limit, unasked".to_owned(),
            ),
            _ => return device.arrived.push_back(arrived),
        };
        device.convict(fault);
    }

    fn flooded(&self) -> Fault {
        let text = format!("more than {} bytes for one answer", self.limits.output_max);
        Fault::new(FaultKind::Flooded, text)
    }

    /// Ends the device's process group, and keeps why.
    fn convict(&mut self, name: &DeviceName, fault: Fault) -> Fault {
        self.front.forget(name);
        match self.devices.get_mut(name) {
            Some(device) => device.convict(fault),
            None => fault,
        }
    }

    /// Ends the device's process group as a crash would; its durable state stays.
    pub fn crash(&mut self, name: &DeviceName) {
        self.front.forget(name);
        if let Some(device) = self.devices.get_mut(name) {
            device.process = None;
            device.fault = None;
            device.busy = false;
            device.arrived.clear();
        }
    }

    /// Replaces the device's durable state; its process is ended first.
    ///
    /// # Errors
    ///
    /// The folder cannot be written, or `state` is no state.
    pub fn restore(&mut self, name: &DeviceName, state: Option<&[u8]>) -> io::Result<()> {
        self.crash(name);
        let folder = self.prepare(name)?;
        durable::write(&folder, state)
    }

    /// The device's durable state as one value: the files of its folder by path, in order.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or holds more than its limit.
    pub fn durable(&self, name: &DeviceName) -> io::Result<Vec<u8>> {
        match self.devices.get(name) {
            Some(device) => durable::read(&device.folder, self.limits.state_max),
            None => Err(io::Error::other("there is no such device")),
        }
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.devices.clear();
        REGISTRY.forget_folder(self.scratch.path());
    }
}
