//! Clients and servers that are known to be wrong: the runs of some seeds show it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::checks;
use crate::chaos::{Check, Failing, WORLD, play, play_on};
use crate::client::{Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{
    Accepted, Client, Declaration, Hardened, Lie, OwnedFuture, Planted, Process, Setting, Weakened,
};
use crate::honest::native::Native;
use crate::honest::storage::{Batch, Key, Storage, StorageFault};
use crate::run::parallel;
use crate::stage::{Acts, Answered, Rules, Stage, native_rules, run_settings};

/// Which checks fail in the runs of some seeds, and in how many.
fn fallen(seeds: u64, run: impl Fn(u64) -> Vec<Failing> + Sync) -> BTreeMap<Check, usize> {
    let seeds = usize::try_from(seeds).expect("few seeds");
    let found = parallel(seeds, 2, |index| checks(&run(index as u64)), |_, _| ());
    let mut fallen = BTreeMap::new();
    for check in found.into_iter().flatten() {
        *fallen.entry(check).or_default() += 1;
    }
    fallen
}

fn weakened(defences: &[&str]) -> Rc<dyn Client> {
    let names: Vec<String> = defences.iter().map(|name| (*name).to_owned()).collect();
    Rc::new(Weakened::without(&names).expect("defences of ours"))
}

/// The hardened client behind a program that tries an append again whenever no answer came.
struct Retries;

struct Retrying(Rc<RefCell<Box<dyn Process>>>);

impl Client for Retries {
    fn name(&self) -> String {
        "retries".to_owned()
    }

    fn declaration(&self) -> Declaration {
        Hardened.declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let process = Rc::new(RefCell::new(Hardened.start(setting)?));
        Ok(Box::new(Retrying(process)))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        Hardened.accepted(durable)
    }
}

impl Process for Retrying {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let process = Rc::clone(&self.0);
        let begin = move |operation: &Operation| process.borrow_mut().begin(operation.clone());
        Box::pin(async move {
            let outcome = begin(&operation).await;
            let unanswered = |failure: &Failure| failure.class == Class::Unavailable;
            match (&operation, &outcome) {
                (Operation::Append { .. }, Err(failure)) if unanswered(failure) => {
                    begin(&operation).await
                }
                _ => outcome,
            }
        })
    }
}

#[test]
fn a_client_that_tries_an_append_again_writes_twice() {
    let fallen = fallen(40, |seed| play(Rc::new(Retries), seed).failings);
    assert!(fallen.contains_key(&Check::Write), "{fallen:?}");
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}

#[test]
fn lying_clients_are_seen() {
    for (lie, check) in [
        ("alarm", Check::Alarm),
        ("alarm-on-loss", Check::Alarm),
        ("alarm-after-restart", Check::Alarm),
        ("forges-content", Check::Order),
        ("invents-name", Check::Order),
        ("revokes-nothing", Check::Order),
    ] {
        let lie = Lie::ALL
            .iter()
            .find(|known| known.name == lie)
            .expect("a lie");
        let fallen = fallen(10, |seed| play(Rc::new(Planted::new(lie)), seed).failings);
        assert!(fallen.contains_key(&check), "{}: {fallen:?}", lie.name);
    }
}

/// What a lying server does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lying {
    /// It acknowledges one of some commits, and forgets it.
    Drops,
    /// After some commits, whoever reads is shown the state as it was, and writes to the new one.
    Lags,
}

/// Honest rules, but for one lie.
struct LyingRules {
    rules: Box<dyn Rules>,
    lying: Lying,
    /// Which commit the lie is about.
    commit: u32,
    commits: u32,
    now: BTreeMap<Key, Bytes>,
    then: Option<BTreeMap<Key, Bytes>>,
}

impl LyingRules {
    fn new(lying: Lying, commit: u32) -> Self {
        Self {
            rules: native_rules(&Native::new(run_settings())),
            lying,
            commit,
            commits: 0,
            now: BTreeMap::new(),
            then: None,
        }
    }
}

/// A store that a copy is kept of.
struct Copied<'a>(&'a mut dyn Storage, &'a mut BTreeMap<Key, Bytes>);

impl Storage for Copied<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        self.0.fetch(key)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        for (key, bytes) in batch.clone().into_changes() {
            match bytes {
                Some(bytes) => self.1.insert(key, bytes),
                None => self.1.remove(&key),
            };
        }
        self.0.apply(batch)
    }
}

/// A store as it was.
struct AsItWas<'a>(&'a BTreeMap<Key, Bytes>);

impl Storage for AsItWas<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        Ok(self.0.get(key).cloned())
    }

    fn apply(&mut self, _: Batch) -> Result<(), StorageFault> {
        Err(StorageFault)
    }
}

impl Rules for LyingRules {
    fn kind(&self, request: &[u8]) -> &'static str {
        self.rules.kind(request)
    }

    fn answer(&mut self, store: &mut dyn Storage, asker: &DeviceName, bytes: &[u8]) -> Answered {
        let kind = self.kind(bytes);
        self.commits += u32::from(kind == "commit");
        if kind == "commit" && self.commits == self.commit {
            match self.lying {
                Lying::Drops => {
                    return Answered {
                        reply: self.rules.acknowledgement(),
                        published: None,
                    };
                }
                Lying::Lags => self.then = Some(self.now.clone()),
            }
        }
        match &self.then {
            Some(then) if kind == "read" && self.commits < self.commit + 4 => {
                self.rules.answer(&mut AsItWas(then), asker, bytes)
            }
            _ => self
                .rules
                .answer(&mut Copied(store, &mut self.now), asker, bytes),
        }
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        self.rules.refusal(name)
    }

    fn acknowledgement(&self) -> Vec<u8> {
        self.rules.acknowledgement()
    }

    fn twin(&self) -> Box<dyn Rules> {
        Box::new(Self {
            rules: self.rules.twin(),
            now: self.now.clone(),
            then: self.then.clone(),
            ..*self
        })
    }
}

fn before(client: Rc<dyn Client>, lying: Lying, seed: u64) -> Vec<Failing> {
    let commit = 8 + u32::try_from(seed % 8).expect("small");
    let rules = Box::new(LyingRules::new(lying, commit));
    let stage = Stage::with_rules(client, rules, Acts::Applied, WORLD);
    play_on(stage, seed).1.failings
}

#[test]
fn a_server_that_drops_what_it_acknowledged_is_seen() {
    let caught = fallen(16, |seed| before(Rc::new(Hardened), Lying::Drops, seed));
    assert!(caught.contains_key(&Check::Alarm), "{caught:?}");
    // A client that does not look for its own heads goes on as if nothing had happened.
    let trusting = || weakened(&["own-heads", "own-place"]);
    let fallen = fallen(24, |seed| before(trusting(), Lying::Drops, seed));
    assert!(fallen.contains_key(&Check::Write), "{fallen:?}");
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}

#[test]
fn a_server_that_answers_an_older_state_is_seen() {
    let caught = fallen(16, |seed| before(Rc::new(Hardened), Lying::Lags, seed));
    assert!(caught.contains_key(&Check::Alarm), "{caught:?}");
    let trusting = || weakened(&["head-rollback", "own-heads", "own-place"]);
    let fallen = fallen(24, |seed| before(trusting(), Lying::Lags, seed));
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}
