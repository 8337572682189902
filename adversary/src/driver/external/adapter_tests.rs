//! Holds the adapter to what the stage expects, with a stage of a few lines.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use super::tests::{alice, limits, python, shell};
use super::{CommandLine, Declaration, ExternalClient, ExternalLimits, declaration_of};
use crate::chooser::DeviceEntropy;
use crate::client::{DeviceName, Failure, Operation, Outcome};
use crate::codec::Code as _;
use crate::driver::{
    Call, Client, Front, Line, OwnedFuture, Peers, Process, Response, Setting, Shown, StageClock,
};
use crate::front::http::tests::Shelf;
use crate::front::kv;
use crate::pool;

/// Answers one call at a time, and keeps what devices saved.
struct Stage {
    client: ExternalClient,
    shelf: Shelf,
    durable: BTreeMap<DeviceName, Vec<u8>>,
}

/// A device's process, its line, and what it does.
struct Life {
    name: DeviceName,
    line: Line,
    process: Box<dyn Process>,
}

impl Stage {
    fn new(command: &CommandLine, limits: ExternalLimits) -> Self {
        let declared = declaration_of(command, limits).unwrap();
        let client = ExternalClient::new(command, declared, limits).unwrap();
        Self {
            client,
            shelf: Shelf::default(),
            durable: BTreeMap::new(),
        }
    }

    fn boot(&self, name: &DeviceName) -> Result<Life, String> {
        let line = Line::default();
        let process = self.client.start(Setting {
            device: name.clone(),
            account: name.user.clone(),
            password: b"password".to_vec(),
            identity: &pool::identities()[0],
            line: line.clone(),
            entropy: DeviceEntropy::new(0, name, 0),
            clock: StageClock::new(),
            peers: Peers::default(),
            remembers: self.durable.contains_key(name),
        })?;
        Ok(Life {
            name: name.clone(),
            line,
            process,
        })
    }

    /// Polls once; answers the call that comes of it, unless the operation is over.
    fn advance(&mut self, life: &Life, future: &mut OwnedFuture<Outcome>) -> Poll<Outcome> {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let response = match life.line.take_call() {
            None => return polled,
            Some(Call::Load) => Response::Loaded(self.durable.get(&life.name).cloned()),
            Some(Call::Save(state)) => {
                self.durable.insert(life.name.clone(), state);
                Response::Saved
            }
            Some(Call::Request { bytes, .. }) => {
                let request = kv::Request::from_bytes(&bytes).unwrap();
                let reply = self.shelf.answer(&life.name, request).to_bytes();
                Response::Reply(Shown {
                    bytes: Some(reply.into()),
                    framing: None,
                })
            }
        };
        life.line.respond(response);
        polled
    }

    fn run(&mut self, life: &mut Life, operation: Operation) -> Outcome {
        let mut future = life.process.begin(operation);
        loop {
            if let Poll::Ready(outcome) = self.advance(life, &mut future) {
                return outcome;
            }
        }
    }

    fn upload(&mut self, life: &mut Life, content: &str) {
        let (name, content) = (b"a".to_vec(), content.into());
        self.run(life, Operation::Upload { name, content }).unwrap();
    }

    fn download(&mut self, life: &mut Life) -> Result<String, String> {
        self.run(
            life,
            Operation::Download {
                name: b"a".to_vec(),
            },
        )
        .map(|answer| String::from_utf8(answer.content.unwrap()).unwrap())
        .map_err(|failure| failure.to_string())
    }
}

#[test]
fn what_is_declared_is_known_before_any_run() {
    let Some(command) = python("notes_versions.py") else {
        return;
    };
    let stage = Stage::new(&command, ExternalLimits::default());
    let declared = stage.client.declaration();
    assert_eq!(stage.client.name(), "notes_versions");
    assert_eq!(declared.front, Front::KeyValue);
    assert!(declared.has("append") && declared.has("login") && !declared.has("share"));
    assert_eq!(declared.claims, ["monotone"]);
    assert!(declared.conditional && !declared.deterministic);
}

#[test]
fn requests_are_calls_of_the_line_and_state_is_saved() {
    let Some(command) = python("notes_versions.py") else {
        return;
    };
    let mut stage = Stage::new(&command, ExternalLimits::default());
    let mut life = stage.boot(&alice()).unwrap();
    assert!(stage.run(&mut life, Operation::SignUp).is_ok());
    stage.upload(&mut life, "one");
    let before = stage.durable[&alice()].clone();
    let old = stage.shelf.objects.clone();
    stage.upload(&mut life, "two");
    assert_ne!(
        before,
        stage.durable[&alice()],
        "the new version is not remembered"
    );
    assert!(stage.shelf.asked.iter().all(|(who, _)| *who == alice()));

    // A new life remembers, one whose state was restored from a backup does not.
    drop(life);
    let new = std::mem::replace(&mut stage.shelf.objects, old);
    let mut life = stage.boot(&alice()).unwrap();
    assert_eq!(
        stage.download(&mut life),
        Err("violation:rollback".to_owned())
    );
    drop(life);
    stage.durable.insert(alice(), before);
    let mut life = stage.boot(&alice()).unwrap();
    assert_eq!(stage.download(&mut life), Ok("one".to_owned()));
    stage.shelf.objects = new;
    assert_eq!(stage.download(&mut life), Ok("two".to_owned()));
    drop(life);
    stage.durable.remove(&alice());
    let mut life = stage.boot(&alice()).unwrap();
    assert_eq!(stage.download(&mut life), Ok("two".to_owned()));
}

#[test]
fn a_crash_between_two_requests_leaves_a_device_that_starts_again() {
    let Some(command) = python("notes.py") else {
        return;
    };
    let mut stage = Stage::new(&command, ExternalLimits::default());
    let mut life = stage.boot(&alice()).unwrap();
    stage.upload(&mut life, "one");
    let mut future = life.process.begin(Operation::Upload {
        name: b"a".to_vec(),
        content: b"two".to_vec(),
    });
    // The request that is under way takes effect, and its reply is never read.
    assert!(stage.advance(&life, &mut future).is_pending());
    drop(future);
    drop(life);
    let mut life = stage.boot(&alice()).unwrap();
    assert_eq!(stage.download(&mut life), Ok("two".to_owned()));
}

#[test]
fn two_devices_can_be_between_requests_at_one_time() {
    let Some(command) = python("notes.py") else {
        return;
    };
    let mut stage = Stage::new(&command, ExternalLimits::default());
    let bob = DeviceName::first("bob");
    let mut lives = [stage.boot(&alice()).unwrap(), stage.boot(&bob).unwrap()];
    let mut futures: Vec<_> = lives
        .iter_mut()
        .map(|life| {
            let content = life.name.user.clone().into_bytes();
            life.process.begin(Operation::Upload {
                name: b"a".to_vec(),
                content,
            })
        })
        .collect();
    let mut running = vec![true; futures.len()];
    while running.contains(&true) {
        for (number, future) in futures.iter_mut().enumerate() {
            if running[number]
                && let Poll::Ready(outcome) = stage.advance(&lives[number], future)
            {
                outcome.unwrap();
                running[number] = false;
            }
        }
    }
    drop(futures);
    for life in &mut lives {
        let user = life.name.user.clone();
        assert_eq!(stage.download(life), Ok(user));
    }
    let who: Vec<&str> = stage
        .shelf
        .asked
        .iter()
        .take(4)
        .map(|(who, _)| who.user.as_str())
        .collect();
    assert_eq!(who, ["alice", "bob", "alice", "bob"]);
}

#[test]
fn a_first_start_that_fails_is_told_and_a_later_one_is_an_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("runs").display().to_string();
    let script = format!(
        "if test -e {marker}; then exit 9; fi; touch {marker}; read hello;
         echo '{{\"turncoat\":1,\"name\":\"t\",\"operations\":[\"list\"]}}'; sleep 60"
    );
    let declared = Declaration {
        name: "t".to_owned(),
        operations: ["list".to_owned()].into(),
        ..Declaration::default()
    };
    let client = ExternalClient::new(&shell(&script), declared, limits()).unwrap();
    let mut stage = Stage {
        client,
        shelf: Shelf::default(),
        durable: BTreeMap::new(),
    };
    let life = stage.boot(&alice()).unwrap();
    drop(life);
    let mut life = stage.boot(&alice()).unwrap();
    let failure = stage.run(&mut life, Operation::List).unwrap_err();
    assert_eq!(failure.name, "died");
    assert!(
        failure.text.ends_with("died: ended with status 9"),
        "{}",
        failure.text
    );
    let failure = stage.run(&mut life, Operation::List).unwrap_err();
    assert_eq!(failure.name, "died");
    let other = stage.boot(&DeviceName::first("bob")).err().unwrap();
    assert!(
        other.ends_with("did not start: died: ended with status 9"),
        "{other}"
    );
}

#[test]
fn a_state_beyond_its_limit_outgrows_the_client() {
    let Some(command) = python("notes_versions.py") else {
        return;
    };
    let limits = ExternalLimits {
        state_max: 100,
        ..ExternalLimits::default()
    };
    let mut stage = Stage::new(&command, limits);
    let mut life = stage.boot(&alice()).unwrap();
    let (name, content) = (b"a".to_vec(), b"one".to_vec());
    let failure = stage
        .run(&mut life, Operation::Upload { name, content })
        .unwrap_err();
    assert_eq!(failure.name, Failure::EXHAUSTED);
}
