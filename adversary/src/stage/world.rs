//! Worlds: a run at the boundary of an operation, saved so that other runs go on from there.
//!
//! Runs of one client and one seed that begin with the same steps are the same up to where they
//! part, so that what those steps cost is paid once on each thread. No step says whether acts take
//! effect, and none that is kept is an act: the honest and the attacked run share their worlds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::record::Recorded;
use super::state::{Device, Running, Sent, State};
use super::{Rules, Secrets, Stage};
use crate::attack::Step;
use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{Accepted, Line, Saved, StageClock};
use crate::history::History;
use crate::honest::store::{Snapshot, Versions};
use crate::script::performer::Progress;

/// Worlds of one client and seed, kept on one thread at most.
const WORLDS_MAX: usize = 256;
/// Clients and seeds whose worlds are kept on one thread at most.
const FAMILIES_MAX: usize = 16;
/// Bytes that the operations of a kept world moved at most: beyond, a copy is not cheap.
const BYTES_MAX: u64 = 512 << 10;

thread_local! {
    /// The worlds of this thread, the family that was used last at the end.
    static FAMILIES: RefCell<Vec<(Kin, Family)>> = const { RefCell::new(Vec::new()) };
}

/// What all worlds of a family have in common: the client, the seed, and the secrets.
type Kin = (String, u64, Secrets);

/// All worlds of one client and seed, by the steps that lead to them.
type Family = Rc<RefCell<Vec<Node>>>;

/// A step, and what came of it after those before it.
struct Node {
    /// What the step came to, and the world after it; the first node is the beginning.
    reached: Option<(Progress, World)>,
    next: Vec<(Step, usize)>,
}

/// How far a run has come along worlds that are kept.
pub(super) struct Cursor {
    family: Family,
    at: usize,
}

impl Cursor {
    /// The beginning of a run of this client and seed.
    pub(super) fn new(client: &str, seed: u64, secrets: Secrets) -> Self {
        let family = FAMILIES.with_borrow_mut(|families| {
            let kin = (client.to_owned(), seed, secrets);
            let same = |(other, _): &(Kin, Family)| *other == kin;
            let entry = match families.iter().position(same) {
                Some(at) => families.remove(at),
                None => (kin, Family::default()),
            };
            if families.len() >= FAMILIES_MAX {
                families.remove(0);
            }
            let family = Rc::clone(&entry.1);
            families.push(entry);
            family
        });
        let full = family.borrow().len() >= WORLDS_MAX;
        // A run that is under way on the old worlds keeps them.
        let family = if full {
            let fresh = Family::default();
            FAMILIES.with_borrow_mut(|families| {
                if let Some(last) = families.last_mut() {
                    last.1 = Rc::clone(&fresh);
                }
            });
            fresh
        } else {
            family
        };
        if family.borrow().is_empty() {
            family.borrow_mut().push(Node {
                reached: None,
                next: Vec::new(),
            });
        }
        Self { family, at: 0 }
    }
}

/// A run between two steps, with no operation under way.
struct World {
    rules: Box<dyn Rules>,
    versions: Versions,
    chooser: Chooser,
    now_ms: u64,
    users: Vec<String>,
    devices: BTreeMap<DeviceName, SavedDevice>,
    operations: Vec<SavedOperation>,
    requests: Vec<Sent>,
    snapshots: Vec<Snapshot>,
    calls: u64,
    history: History,
    recorded: Recorded,
}

struct SavedDevice {
    durable: Option<Bytes>,
    life: u32,
    latest: Option<u32>,
    saved: Option<Saved>,
    accepted: Vec<Accepted>,
}

struct SavedOperation {
    device: DeviceName,
    what: Operation,
    points: u32,
    requests: u32,
    bytes: u64,
    outcome: Option<Outcome>,
}

impl Stage {
    /// Goes on after the step in a world that another run left, if there is one.
    pub(super) fn reopen(&mut self, step: &Step) -> Option<Progress> {
        let cursor = self.worlds.as_ref()?;
        if !self.frames.is_empty() {
            return None;
        }
        let family = Rc::clone(&cursor.family);
        let family = family.borrow();
        let next = family[cursor.at].next.iter().find(|(next, _)| next == step);
        let at = next?.1;
        let (progress, world) = family[at].reached.as_ref()?;
        self.load(world);
        if let Some(cursor) = &mut self.worlds {
            cursor.at = at;
        }
        Some(progress.clone())
    }

    /// Keeps the world after a step for other runs, if it is one that they can go on from.
    pub(super) fn keep(&mut self, step: Step, progress: &Progress) {
        let Some(cursor) = self.worlds.take() else {
            return;
        };
        let plain = match (&step, progress) {
            (Step::User { .. } | Step::Device { .. } | Step::Snapshot, _) => true,
            (Step::Run { .. }, Progress::Ended(ended)) => {
                ended.iter().all(|(_, outcome)| outcome.is_ok())
            }
            _ => false,
        };
        let moved: u64 = self.operations.iter().map(|running| running.bytes).sum();
        if !plain || moved > BYTES_MAX || cursor.family.borrow().len() >= WORLDS_MAX {
            return;
        }
        let Some(world) = self.save_world() else {
            return;
        };
        let mut family = cursor.family.borrow_mut();
        let at = family.len();
        family.push(Node {
            reached: Some((progress.clone(), world)),
            next: Vec::new(),
        });
        family[cursor.at].next.push((step, at));
        drop(family);
        let family = cursor.family;
        self.worlds = Some(Cursor { family, at });
    }

    fn save_world(&mut self) -> Option<World> {
        for device in self.devices.values_mut() {
            if let (Some(process), None) = (&device.process, &device.saved) {
                device.saved = Some(process.save()?);
            }
        }
        let devices = self.devices.iter().map(|(name, device)| {
            let saved = SavedDevice {
                durable: device.durable.clone(),
                life: device.life,
                latest: device.latest,
                saved: device.saved.clone(),
                accepted: device.accepted.clone(),
            };
            (name.clone(), saved)
        });
        let operations = self.operations.iter().map(|running| SavedOperation {
            device: running.device.clone(),
            what: running.what.clone(),
            points: running.points,
            requests: running.requests,
            bytes: running.bytes,
            outcome: running.outcome.clone(),
        });
        Some(World {
            rules: self.rules.twin(),
            versions: self.versions.clone(),
            chooser: self.chooser.clone(),
            now_ms: self.clock.now_ms(),
            users: self.users.clone(),
            devices: devices.collect(),
            operations: operations.collect(),
            requests: self.requests.clone(),
            snapshots: self.snapshots.clone(),
            calls: self.calls,
            history: self.history.clone(),
            recorded: self.recorded.clone(),
        })
    }

    /// Puts the world in place of all that happened; processes resume when they are needed.
    fn load(&mut self, world: &World) {
        self.rules = world.rules.twin();
        self.versions = world.versions.clone();
        self.chooser = world.chooser.clone();
        self.clock = StageClock::at(world.now_ms);
        self.users.clone_from(&world.users);
        let devices = world.devices.iter().map(|(name, saved)| {
            let device = Device {
                durable: saved.durable.clone(),
                life: saved.life,
                process: None,
                line: Line::default(),
                busy: None,
                latest: saved.latest,
                saved: saved.saved.clone(),
                accepted: saved.accepted.clone(),
            };
            (name.clone(), device)
        });
        self.devices = devices.collect();
        let operations = world.operations.iter().map(|saved| Running {
            device: saved.device.clone(),
            what: saved.what.clone(),
            future: None,
            state: State::Over,
            points: saved.points,
            crash_at: None,
            requests: saved.requests,
            bytes: saved.bytes,
            outcome: saved.outcome.clone(),
        });
        self.operations = operations.collect();
        self.requests.clone_from(&world.requests);
        self.snapshots.clone_from(&world.snapshots);
        self.calls = world.calls;
        self.history = world.history.clone();
        self.recorded = world.recorded.clone();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::{Acts, Stage};
    use crate::attack::{Attack, Step};
    use crate::chooser::Chooser;
    use crate::client::{DeviceName, Operation};
    use crate::driver::{Client, Hardened, Weakened};

    fn run(who: &str, operation: Operation) -> Step {
        Step::Run {
            device: DeviceName::parse(who),
            operation,
        }
    }

    fn upload(name: &str) -> Operation {
        Operation::Upload {
            name: name.as_bytes().to_vec(),
            content: b"content".to_vec(),
        }
    }

    /// Two devices and two users who share, and at the end a meeting without the server.
    fn steps(last: &str) -> Vec<Step> {
        let user = |user: &str| Step::User {
            user: user.to_owned(),
        };
        let name = b"a".to_vec();
        vec![
            user("alice"),
            run("alice", Operation::SignUp),
            run("alice/phone", Operation::Login),
            user("bob"),
            run("bob", Operation::SignUp),
            run("alice", upload("a")),
            run(
                "alice",
                Operation::Share {
                    name: name.clone(),
                    with: "bob".to_owned(),
                },
            ),
            run(
                "bob",
                Operation::Receive {
                    from: "alice".to_owned(),
                    name: Some(name.clone()),
                    pointer: None,
                    as_name: b"b".to_vec(),
                },
            ),
            run("alice/phone", Operation::Download { name }),
            run(
                "alice",
                Operation::Compare {
                    other: DeviceName::parse("alice/phone"),
                },
            ),
            run("alice", upload(last)),
            Step::Restart {
                device: DeviceName::parse("alice/phone"),
            },
            run("alice/phone", Operation::Login),
        ]
    }

    fn play(client: &Rc<dyn Client>, worlds: bool, last: &str) -> (Vec<u8>, Attack, usize) {
        let mut stage = Stage::new(Rc::clone(client), Acts::Applied, 7);
        if !worlds {
            stage.set_chooser(Chooser::seeded(7));
        }
        let mut reopened = 0;
        for step in steps(last) {
            let at = stage.worlds.as_ref().map_or(0, |worlds| worlds.at);
            let known = stage
                .worlds
                .as_ref()
                .map_or(0, |worlds| worlds.family.borrow().len());
            stage.perform(step);
            let now = stage.worlds.as_ref().map_or(0, |worlds| worlds.at);
            reopened += usize::from(now > at && now < known);
        }
        assert!(stage.stray().is_empty(), "{:?}", stage.history());
        (stage.history().encode(), stage.attack(), reopened)
    }

    #[test]
    fn a_run_in_saved_worlds_is_the_run_itself() {
        let weakened = Weakened::without(&["head-rollback".to_owned()]).expect("a defence");
        for client in [Rc::new(Hardened) as Rc<dyn Client>, Rc::new(weakened)] {
            let (alone, attack, _) = play(&client, false, "x");
            for (last, expected) in [("x", 0), ("x", 11), ("y", 10), ("y", 11)] {
                let (history, recorded, reopened) = play(&client, true, last);
                assert_eq!(reopened, expected, "steps answered from a world");
                let (other, other_attack, _) = play(&client, false, last);
                assert!(history == other, "the histories differ");
                assert_eq!(recorded, other_attack);
            }
            assert!(play(&client, true, "x").0 == alone);
            let mut replayed = Stage::new(client, Acts::Applied, 7);
            replayed.play(&attack);
            assert!(
                replayed.history().encode() == alone,
                "a value plays another run"
            );
        }
    }
}
