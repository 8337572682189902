//! An external client as the stage sees it: its requests become calls of the device's line.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use turncoat_core::remote::Lost;

use super::command::CommandLine;
use super::device::{Begun, Step, Wait};
use super::direct::Service;
use super::fault::{Fault, FaultKind, NotStarted};
use super::hub::External;
use super::{ExternalLimits, durable, lines};
use crate::client::{DeviceName, Failure, Operation, Outcome};
use crate::codec::Code as _;
use crate::driver::{Client, Declaration, Front, Line, OwnedFuture, Process, Setting};
use crate::front::kv;

/// Starts one device of the client to hear what it declares, and ends it again.
///
/// # Errors
///
/// [`NotStarted`] says what came instead of a proper first line.
pub fn declaration_of(
    command: &CommandLine,
    limits: ExternalLimits,
) -> Result<lines::Declaration, NotStarted> {
    let mut external = open(command, limits)?;
    external.start(&DeviceName::first("probe"), "probe", &mut NoStore)?;
    Ok(external.declared().cloned().unwrap_or_default())
}

fn open(command: &CommandLine, limits: ExternalLimits) -> Result<External, NotStarted> {
    External::open(command.clone(), limits).map_err(|error| NotStarted {
        command: command.to_string(),
        reason: error.to_string(),
        by_machine: true,
    })
}

/// Loses everything: before its first line a client has nothing to ask.
struct NoStore;

impl Service for NoStore {
    fn handle(&mut self, _: &DeviceName, _: kv::Request) -> Result<kv::Reply, Lost> {
        Err(Lost::CutOff)
    }
}

/// An external client under test. Each one has a front and folders of its own.
#[derive(Debug)]
pub struct ExternalClient {
    command: CommandLine,
    declared: lines::Declaration,
    limits: ExternalLimits,
    shared: RefCell<Rc<Shared>>,
    /// Whether a run has used the front and the folders.
    used: Cell<bool>,
}

#[derive(Debug)]
struct Shared {
    external: RefCell<External>,
    /// What the stage holds as each device's durable state.
    saved: RefCell<BTreeMap<DeviceName, Vec<u8>>>,
}

impl Shared {
    fn open(command: &CommandLine, limits: ExternalLimits) -> Result<Rc<Self>, NotStarted> {
        Ok(Rc::new(Self {
            external: RefCell::new(open(command, limits)?),
            saved: RefCell::default(),
        }))
    }
}

impl ExternalClient {
    /// Makes the client ready; `declared` comes from [`declaration_of`] for the same command.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] if the machine gives no port, thread or folder.
    pub fn new(
        command: &CommandLine,
        declared: lines::Declaration,
        limits: ExternalLimits,
    ) -> Result<Self, NotStarted> {
        Ok(Self {
            command: command.clone(),
            declared,
            limits,
            shared: RefCell::new(Shared::open(command, limits)?),
            used: Cell::new(false),
        })
    }
}

impl Client for ExternalClient {
    fn name(&self) -> String {
        self.declared.name.clone()
    }

    fn declaration(&self) -> Declaration {
        let mut operations: Vec<String> = self.declared.operations.iter().cloned().collect();
        for needless in ["sign_up", "login"] {
            if !self.declared.has(needless) {
                operations.push(needless.to_owned());
            }
        }
        Declaration {
            front: Front::KeyValue,
            operations,
            claims: self.declared.claims.iter().cloned().collect(),
            conditional: self.declared.conditional,
            deterministic: false,
        }
    }

    fn is_asked(&self, operation: &Operation) -> bool {
        self.declared.has(operation.name())
    }

    /// Another front and other folders, so that no run is known by what is left of one before.
    fn begin_run(&self) -> Result<(), String> {
        if self.used.replace(true) {
            let shared = Shared::open(&self.command, self.limits);
            *self.shared.borrow_mut() = shared.map_err(|reason| reason.to_string())?;
        }
        Ok(())
    }

    fn torn(&self, durable: &[u8]) -> Vec<u8> {
        durable::torn(durable)
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let password = String::from_utf8_lossy(&setting.password).into_owned();
        let name = setting.device;
        let shared = Rc::clone(&self.shared.borrow());
        let mut external = shared.external.borrow_mut();
        let known = external.knows(&name);
        external.crash(&name);
        // A first start that fails is an error of the set-up. Later ones happen under attack: they
        // wait for the first operation, whose outcome they are.
        if !known {
            external
                .start_as(&name, (&setting.account, &password), &mut NoStore)
                .map_err(|reason| reason.to_string())?;
        }
        let life = Life {
            name,
            account: setting.account,
            password,
            line: setting.line,
            reply_max: u64::try_from(self.limits.http.bounds.body_max).unwrap_or(u64::MAX),
            shared: Rc::clone(&shared),
        };
        Ok(Box::new(Running {
            life,
            is_fresh: true,
        }))
    }
}

/// One life of one device.
#[derive(Clone)]
struct Life {
    name: DeviceName,
    account: String,
    password: String,
    line: Line,
    reply_max: u64,
    shared: Rc<Shared>,
}

struct Running {
    life: Life,
    is_fresh: bool,
}

impl Process for Running {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let life = self.life.clone();
        let is_fresh = std::mem::take(&mut self.is_fresh);
        Box::pin(async move { life.perform(operation, is_fresh).await })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A borrow is held during a poll alone, and nobody is dropped in one.
        if let Ok(mut external) = self.life.shared.external.try_borrow_mut() {
            external.crash(&self.life.name);
        }
    }
}

impl Life {
    async fn perform(&self, operation: Operation, is_fresh: bool) -> Outcome {
        if is_fresh {
            self.awake().await?;
        }
        let begun = self
            .shared
            .external
            .borrow_mut()
            .begin(&self.name, &operation);
        let outcome = match begun {
            Begun::Over(outcome) => outcome,
            Begun::Awaited(id, wait) => {
                let line = self.serve(wait).await;
                self.shared
                    .external
                    .borrow_mut()
                    .ended(&self.name, id, &operation, line)
            }
        };
        self.keep().await?;
        outcome
    }

    /// Makes sure that the process runs, on the durable state that the stage holds.
    async fn awake(&self) -> Result<(), Failure> {
        let held = self.line.load().await;
        let mine = self.shared.saved.borrow().get(&self.name).cloned();
        // What a device wrote and never told is of an earlier run, or was lost in a crash.
        let untold = || {
            let state = self.shared.external.borrow().durable(&self.name);
            state.map_or(true, |state| !durable::is_empty(&state))
        };
        if held != mine || (held.is_none() && untold()) {
            let restored = self
                .shared
                .external
                .borrow_mut()
                .restore(&self.name, held.as_deref());
            restored
                .map_err(|error| Failure::new(crate::client::Class::Other, error.to_string()))?;
            let mut saved = self.shared.saved.borrow_mut();
            match held {
                Some(state) => saved.insert(self.name.clone(), state),
                None => saved.remove(&self.name),
            };
        }
        if self.shared.external.borrow().is_in_life(&self.name) {
            return Ok(());
        }
        let launched = self
            .shared
            .external
            .borrow_mut()
            .launch(&self.name, (&self.account, &self.password));
        let wait = launched.map_err(|reason| reason.failure())?;
        let line = self.serve(wait).await;
        let launched = self.shared.external.borrow_mut().launched(&self.name, line);
        launched.map_err(|reason| reason.failure())
    }

    /// Passes the client's requests on to the stage until its line comes.
    async fn serve(&self, mut wait: Wait) -> Result<Vec<u8>, Fault> {
        loop {
            let step = self
                .shared
                .external
                .borrow_mut()
                .step(&self.name, &mut wait)?;
            match step {
                Step::Answers(line) => return Ok(line),
                Step::Asks(asked) => {
                    let request = asked.request.to_bytes();
                    let reply = self.line.exchange(request, self.reply_max).await;
                    // Bytes that are no reply have no form in HTTP either.
                    asked.answer(
                        reply.and_then(|reply| kv::Reply::from_bytes(&reply).ok_or(Lost::CutOff)),
                    );
                }
            }
        }
    }

    /// Tells the stage what the device's durable state is now.
    async fn keep(&self) -> Result<(), Failure> {
        let state = self.shared.external.borrow().durable(&self.name);
        let state = state.map_err(|error| {
            let text = format!("its durable state cannot be read: {error}");
            Fault::new(FaultKind::Flooded, text).failure()
        })?;
        let is_new = {
            let mut saved = self.shared.saved.borrow_mut();
            // A device that keeps nothing has no memory, and none is made for it.
            if durable::is_empty(&state) && !saved.contains_key(&self.name) {
                return Ok(());
            }
            saved.insert(self.name.clone(), state.clone()).as_ref() != Some(&state)
        };
        if is_new {
            self.line.save(state).await;
        }
        Ok(())
    }
}
