//! Tells which operations of a client work, before anybody attacks it: honest workloads alone.

use std::fmt;

use turncoat_core::remote::Lost;

use super::checks::checked;
use super::{CommandLine, Declaration, External, ExternalLimits, NotStarted, OPERATIONS, Service};
use crate::client::{Answer, Class, DeviceName, FIRST, Failure, Operation};
use crate::front::kv::{self, Condition};

/// What became of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Every check passed.
    Works,
    /// A check did not pass, or could not be made.
    Fails,
    /// The client does not declare it.
    Undeclared,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Works => "works",
            Self::Fails => "fails",
            Self::Undeclared => "undeclared",
        })
    }
}

/// One operation, or the property `conditional`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub operation: &'static str,
    /// What became of it.
    pub state: State,
    /// What was checked, or the first check that did not pass and why.
    pub reason: String,
}

/// What a client declares and what of it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conformance {
    /// Its first line.
    pub declared: Declaration,
    /// All operations of the protocol, in its order, and `conditional` last.
    pub rows: Vec<Row>,
}

impl Conformance {
    /// Whether everything that the client declares works.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.state != State::Fails)
    }
}

/// Runs the honest workloads against a client that stores with `service`, which must be honest.
///
/// # Errors
///
/// [`NotStarted`] where no process of the client gets as far as its first line.
pub fn conformance(
    command: &CommandLine,
    limits: ExternalLimits,
    service: &mut dyn Service,
) -> Result<Conformance, NotStarted> {
    let external = External::open(command.clone(), limits).map_err(|error| NotStarted {
        command: command.to_string(),
        reason: error.to_string(),
        by_machine: true,
    })?;
    let watch = Watch {
        service,
        conditional: false,
        is_empty: false,
    };
    let mut trial = Trial {
        external,
        watch,
        number: 0,
    };
    let first = DeviceName::first("conformance");
    trial.external.start(&first, PASSWORD, &mut trial.watch)?;
    let declared = trial.external.declared().cloned().unwrap_or_default();
    let mut rows: Vec<Row> = OPERATIONS
        .iter()
        .map(|one| trial.row(one, &declared))
        .collect();
    let (state, reason) = match (declared.conditional, trial.watch.conditional) {
        (true, true) => (State::Works, "conditional writes were used"),
        (true, false) => (State::Fails, "declared, but no write was conditional"),
        (false, true) => (State::Fails, "not declared, but a write was conditional"),
        (false, false) => (State::Undeclared, ""),
    };
    rows.push(Row {
        operation: "conditional",
        state,
        reason: reason.to_owned(),
    });
    Ok(Conformance { declared, rows })
}

/// All users of the workloads have this password.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// What a check found wrong.
pub(super) type Check = Result<(), String>;

/// Passes requests on and notes whether conditions are used.
pub(super) struct Watch<'s> {
    service: &'s mut dyn Service,
    conditional: bool,
    /// Whether the server has nothing and keeps nothing.
    pub(super) is_empty: bool,
}

impl Service for Watch<'_> {
    fn handle(&mut self, who: &DeviceName, request: kv::Request) -> Result<kv::Reply, Lost> {
        if let kv::Request::Put { condition, .. } | kv::Request::Delete { condition, .. } = &request
        {
            self.conditional |= *condition != Condition::Always;
        }
        if self.is_empty {
            return Ok(match request {
                kv::Request::Put { .. } | kv::Request::PutPublic { .. } => kv::Reply::Done,
                _ => kv::Reply::Absent,
            });
        }
        self.service.handle(who, request)
    }
}

/// The world of the checks.
pub(super) struct Trial<'s> {
    pub(super) external: External,
    pub(super) watch: Watch<'s>,
    number: u32,
}

impl Trial<'_> {
    fn row(&mut self, operation: &'static str, declared: &Declaration) -> Row {
        let row = |state, reason: String| Row {
            operation,
            state,
            reason,
        };
        let Some((words, check)) = checked(operation).filter(|_| declared.has(operation)) else {
            return row(State::Undeclared, String::new());
        };
        self.number += 1;
        match check(self) {
            Ok(()) => row(State::Works, words.to_owned()),
            Err(reason) => row(State::Fails, reason),
        }
    }

    /// Starts a device of a user that no other check uses.
    pub(super) fn device(&mut self, user: &str, device: &str) -> Result<DeviceName, String> {
        let name = DeviceName::new(self.user(user), device);
        self.external
            .start(&name, PASSWORD, &mut self.watch)
            .map_err(|reason| reason.to_string())?;
        let enter = if device == FIRST {
            Operation::SignUp
        } else {
            Operation::Login
        };
        self.run(&name, &enter)?;
        Ok(name)
    }

    pub(super) fn user(&self, user: &str) -> String {
        format!("{user}{}", self.number)
    }

    /// A file that the server does not have comes from elsewhere: no attack reaches it there.
    pub(super) fn expect_stored(&mut self, user: &str, name: &str) -> Check {
        self.watch.is_empty = true;
        let fresh = self.device(user, "after all was lost");
        let operation = Operation::Download { name: name.into() };
        let shown = fresh.and_then(|fresh| self.run(&fresh, &operation));
        self.watch.is_empty = false;
        match shown {
            Err(_) => Ok(()),
            Ok(_) => Err(format!(
                "{name} is downloaded by a new device from a server that has nothing: it is kept \
                 elsewhere, where no attack reaches it"
            )),
        }
    }

    fn outcome(&mut self, device: &DeviceName, operation: &Operation) -> Result<Answer, Failure> {
        self.external.perform(device, operation, &mut self.watch)
    }

    pub(super) fn run(
        &mut self,
        device: &DeviceName,
        operation: &Operation,
    ) -> Result<Answer, String> {
        self.outcome(device, operation).map_err(|failure| {
            if failure.name == "undeclared" {
                format!("cannot be checked: it needs {}", operation.name())
            } else {
                format!(
                    "{} by {device}: {failure}: {}",
                    operation.name(),
                    failure.text
                )
            }
        })
    }

    pub(super) fn put(&mut self, device: &DeviceName, name: &str, content: &[u8]) -> Check {
        let (name, content) = (name.into(), content.to_vec());
        self.run(device, &Operation::Upload { name, content })
            .map(drop)
    }

    pub(super) fn expect(&mut self, device: &DeviceName, name: &str, content: &[u8]) -> Check {
        let answer = self.run(device, &Operation::Download { name: name.into() })?;
        let got = answer.content.unwrap_or_default();
        if got == content {
            return Ok(());
        }
        let (got, wanted) = (got.len(), content.len());
        Err(format!(
            "{name} on {device}: {got} bytes that are not the {wanted} uploaded ones"
        ))
    }

    pub(super) fn expect_gone(&mut self, device: &DeviceName, name: &str) -> Check {
        match self.outcome(device, &Operation::Download { name: name.into() }) {
            Err(Failure {
                class: Class::Usage,
                ..
            }) => Ok(()),
            Err(failure) => Err(format!(
                "{name} is not there; no usage error, but {failure}"
            )),
            Ok(_) => Err(format!("{name} is not there, and is downloaded")),
        }
    }

    pub(super) fn expect_names(&mut self, device: &DeviceName, names: &[&str]) -> Check {
        let answer = self.run(device, &Operation::List)?;
        let mut got = answer.names.unwrap_or_default();
        got.sort();
        if got
            .iter()
            .map(Vec::as_slice)
            .eq(names.iter().map(|name| name.as_bytes()))
        {
            return Ok(());
        }
        let got: Vec<_> = got
            .iter()
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        Err(format!(
            "the list is [{}], not [{}]",
            got.join(", "),
            names.join(", ")
        ))
    }
}
