//! The world of one run: devices, server, clock and history, moved one call at a time.
//!
//! A stage performs steps. Everything that a step does is a function of the steps before it, the
//! seed and the chooser; nothing happens between steps.

mod act;
mod budget;
mod deceived;
mod drive;
mod exchange;
mod expect;
mod lifetime;
mod performer;
mod quiet;
mod record;
mod rules;
mod secrets;
mod served;
mod state;
#[cfg(test)]
mod tests;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::attack::{Attack, Edit, Object, Step};
use crate::chooser::Chooser;
use crate::client::DeviceName;
use crate::codec::Bytes;
use crate::driver::{Client, Peers, StageClock};
use crate::history::{Event, History};
use crate::honest::storage::Key;
use crate::honest::store::{Snapshot, Versions};
use crate::script::performer::{Direction, Progress};
use crate::verdict::Breach;

pub use budget::Budget;
pub use expect::{Fallen, Judgement};
pub use rules::{Answered, Published, Rules, key_value};
pub(crate) use rules::{native_rules, run_settings};
pub use secrets::{Secrets, password_of};

use deceived::Deceived;
use drive::{Frame, Goal};
use exchange::Late;
use record::Recorded;
use state::{Device, Hold, Hook, Running, Sent, State};

/// Whether acts take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// They do: the attacked run.
    Applied,
    /// They are evaluated and recorded, and change nothing: the honest run.
    Evaluated,
}

/// The expectations before which acts take effect, by their places among all that are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Those that acts belong to: what is done after one of them is done for the next one.
    pub counted: BTreeSet<usize>,
    /// Those of them before which acts take effect.
    pub attacked: BTreeSet<usize>,
}

/// How deep steps nest that handlers perform in the middle of other steps.
const FRAMES_MAX: usize = 16;

/// The world of one run.
pub struct Stage {
    client: Rc<dyn Client>,
    rules: Box<dyn Rules>,
    versions: Versions,
    acts: Acts,
    budget: Budget,
    seed: u64,
    secrets: Secrets,
    chooser: Chooser,
    clock: StageClock,
    peers: Peers,
    users: Vec<String>,
    /// Users whose accounts bear the names of others.
    impostors: BTreeMap<String, String>,
    devices: BTreeMap<DeviceName, Device>,
    operations: Vec<Running>,
    requests: Vec<Sent>,
    snapshots: Vec<Snapshot>,
    holds: Vec<Hold>,
    hooks: Vec<Hook>,
    planned: BTreeMap<(u32, Direction), Vec<Edit>>,
    pauses: Vec<(u32, Direction)>,
    expectations: expect::Expectations,
    frames: Vec<Frame>,
    calls: u64,
    history: History,
    recorded: Recorded,
    /// Requests that are still on their way although nobody waits for them.
    late: Vec<Late>,
    faults: Vec<Breach>,
    stray: Vec<u32>,
    worlds: Option<world::Cursor>,
    only: Option<Only>,
    /// Users whose keys the script gave to the server.
    colluders: BTreeSet<String>,
    /// Whom anything dishonest reached since the server was last honest; see
    /// [`Judgement::deceived`].
    deceived: Deceived,
    /// Whether anybody was ever shown a lie.
    lied: bool,
    /// Whether an expectation of an attack was judged since.
    judged_attack: bool,
}

impl Stage {
    /// A world without users, whose server follows `rules`.
    #[must_use]
    pub fn new(client: Rc<dyn Client>, acts: Acts, seed: u64) -> Self {
        let declaration = client.declaration();
        let rules = rules::of(declaration.front);
        let worlds = world::Cursor::new(&client.name(), seed, Secrets::First);
        let mut stage = Self::with_rules(client, rules, acts, seed);
        stage.worlds = declaration.deterministic.then_some(worlds);
        stage
    }

    /// A world whose server follows rules of the caller's.
    #[must_use]
    pub fn with_rules(
        client: Rc<dyn Client>,
        rules: Box<dyn Rules>,
        acts: Acts,
        seed: u64,
    ) -> Self {
        Self {
            client,
            rules,
            versions: Versions::new(),
            acts,
            budget: Budget::STANDARD,
            seed,
            secrets: Secrets::First,
            chooser: Chooser::seeded(seed),
            clock: StageClock::new(),
            peers: Peers::default(),
            users: Vec::new(),
            impostors: BTreeMap::new(),
            devices: BTreeMap::new(),
            operations: Vec::new(),
            requests: Vec::new(),
            snapshots: Vec::new(),
            holds: Vec::new(),
            hooks: Vec::new(),
            planned: BTreeMap::new(),
            pauses: Vec::new(),
            expectations: expect::Expectations::default(),
            frames: Vec::new(),
            calls: 0,
            history: History::new(),
            recorded: Recorded::default(),
            late: Vec::new(),
            faults: Vec::new(),
            stray: Vec::new(),
            worlds: None,
            colluders: BTreeSet::new(),
            only: None,
            deceived: Deceived::default(),
            lied: false,
            judged_attack: false,
        }
    }

    /// Users whose keys the script gave to the server.
    #[must_use]
    pub const fn colluders(&self) -> &BTreeSet<String> {
        &self.colluders
    }

    /// Replaces the chooser; before the first choice.
    pub fn set_chooser(&mut self, chooser: Chooser) {
        self.worlds = None;
        self.chooser = chooser;
    }

    /// Replaces the budget; before the first step.
    pub fn set_budget(&mut self, budget: Budget) {
        self.worlds = None;
        self.budget = budget;
    }

    /// Everything that happened.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The store, with every version of every object.
    #[must_use]
    pub const fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The users, in the order in which they appeared.
    #[must_use]
    pub fn users(&self) -> &[String] {
        &self.users
    }

    /// The name that the user's account bears: the user's own, but for impostors.
    #[must_use]
    pub fn account_of<'a>(&'a self, user: &'a str) -> &'a str {
        self.impostors.get(user).map_or(user, String::as_str)
    }

    /// The client under test.
    #[must_use]
    pub fn client(&self) -> &Rc<dyn Client> {
        &self.client
    }

    /// Panics, hangs and spent budgets of the client, which the testbed saw without an oracle.
    #[must_use]
    pub fn faults(&self) -> &[Breach] {
        &self.faults
    }

    /// Operations that failed outside every expectation, crashes apart.
    #[must_use]
    pub fn stray(&self) -> &[u32] {
        &self.stray
    }

    /// The expectations that closed, in order.
    #[must_use]
    pub fn judgements(&self) -> &[Judgement] {
        self.expectations.judged()
    }

    /// Whether any device was ever shown anything but what an honest server shows.
    #[must_use]
    pub const fn lied(&self) -> bool {
        self.lied
    }

    /// A lie reaches this device, or everybody.
    fn deceive(&mut self, device: Option<&DeviceName>) {
        self.lied = true;
        match device {
            Some(device) => self.deceived.device(device),
            None => self.deceived.everybody(),
        }
    }

    /// The durable state of a device.
    #[must_use]
    pub fn durable(&self, device: &DeviceName) -> Option<&Bytes> {
        self.devices.get(device)?.durable.as_ref()
    }

    /// The run so far, as a value that plays again.
    #[must_use]
    pub fn attack(&self) -> Attack {
        let mut steps = self.recorded.planned.clone();
        steps.sort_by_key(|step| match step {
            Step::EditRequest { request, .. } => (*request, 0),
            Step::Pause { request, reply } => (*request, 1 + 2 * u8::from(*reply)),
            Step::EditReply { request, .. } => (*request, 2),
            _ => (u32::MAX, 0),
        });
        steps.extend(self.recorded.steps.iter().cloned());
        Attack {
            steps,
            choices: self.chooser.record(),
        }
    }

    /// Plays an attack up to its end. Steps that make no sense here are left out.
    pub fn play(&mut self, attack: &Attack) {
        self.set_chooser(Chooser::recorded(attack.choices.clone()));
        for step in &attack.steps {
            self.perform(step.clone());
        }
    }

    /// Performs a step up to its end or to the next message that a hook wants to see.
    pub fn perform(&mut self, step: Step) -> Progress {
        if let Step::Resume { edits } = step {
            return self.resume(edits);
        }
        if self.frames.len() >= FRAMES_MAX {
            return Progress::Refused(format!("steps nest deeper than {FRAMES_MAX}"));
        }
        if let Some(progress) = self.reopen(&step) {
            return progress;
        }
        let progress = match self.begin(&step) {
            Ok(begun) => {
                self.recorded.note(step.clone());
                match begun {
                    Begun::Done(progress) => progress,
                    Begun::Frame(goal) => {
                        self.frames.push(Frame::new(goal));
                        self.advance()
                    }
                }
            }
            Err(why) => Progress::Refused(why),
        };
        self.keep(step, &progress);
        progress
    }

    /// Does what a step does at once, and says what is left to drive.
    fn begin(&mut self, step: &Step) -> Result<Begun, String> {
        let done = |progress| Ok(Begun::Done(progress));
        match step {
            Step::User { user } => {
                self.user_appears(user);
                done(Progress::Done)
            }
            Step::Device { device } => {
                self.device_appears(device);
                done(Progress::Done)
            }
            Step::Run { device, operation } => {
                let number = self.start(device, operation);
                Ok(Begun::Frame(Goal::Finish(vec![number])))
            }
            Step::Start { device, operation } => {
                let number = self.start(device, operation);
                Ok(Begun::Frame(Goal::UntilHeld(number)))
            }
            Step::Finish { operation } => {
                self.known(*operation)?;
                Ok(Begun::Frame(Goal::Finish(vec![*operation])))
            }
            Step::Race { operations } => {
                for operation in operations {
                    self.known(*operation)?;
                }
                Ok(Begun::Frame(Goal::Finish(operations.clone())))
            }
            Step::CrashAt { operation, point } => {
                self.known(*operation)?;
                self.operations[*operation as usize].crash_at = Some(*point);
                Ok(Begun::Frame(Goal::Finish(vec![*operation])))
            }
            Step::Crash { device } => {
                self.crash(device)?;
                done(Progress::Done)
            }
            Step::Restart { device } => {
                self.restart(device)?;
                done(Progress::Done)
            }
            Step::Wipe { device } => {
                self.wipe(device)?;
                done(Progress::Done)
            }
            Step::Tear { device } => done(self.tear(device)?),
            Step::Impostor { user, of } => {
                self.impostor_appears(user, of)?;
                self.act(step)?;
                done(Progress::Done)
            }
            Step::Hold { selector } => done(Progress::Number(self.hold(selector))),
            Step::Answer { hold } => self.answer(*hold, false),
            Step::AnswerAll { hold } => self.answer(*hold, true),
            Step::Expect { expectation } => {
                self.open_expectation(expectation);
                done(Progress::Done)
            }
            Step::Met => self.close_expectation().map(Begun::Done),
            Step::Secret { bytes } => {
                self.history.push(Event::Secret {
                    bytes: Bytes::clone(bytes),
                });
                done(Progress::Done)
            }
            Step::Snapshot => {
                self.snapshots.push(self.versions.snapshot());
                done(Progress::Number(count(self.snapshots.len()) - 1))
            }
            Step::EditRequest { request, edits } => {
                let key = (*request, Direction::Request);
                self.planned.insert(key, edits.clone());
                done(Progress::Done)
            }
            Step::EditReply { request, edits } => {
                let key = (*request, Direction::Reply);
                self.planned.insert(key, edits.clone());
                done(Progress::Done)
            }
            Step::Pause { request, reply } => {
                self.pauses.push((*request, direction(*reply)));
                done(Progress::Done)
            }
            Step::Resume { .. } => Err("nothing waits to be resumed".to_owned()),
            act => {
                self.act(act)?;
                done(Progress::Done)
            }
        }
    }

    fn known(&self, operation: u32) -> Result<(), String> {
        match self.operations.get(operation as usize) {
            Some(_) => Ok(()),
            None => Err(format!("no operation {operation} was started")),
        }
    }

    /// The key that an object's name stands for in this run.
    fn key_of(&self, object: &Object) -> Result<Key, String> {
        match object {
            Object::Key { key } => {
                Key::try_from(key).map_err(|_| format!("no store has objects such as {key}"))
            }
            Object::Written { operation, index } => {
                let wrote = self.versions.wrote(*operation);
                let object = wrote.get(*index as usize);
                object.map(|object| object.key.clone()).ok_or_else(|| {
                    format!("operation {operation} wrote {} objects only", wrote.len())
                })
            }
        }
    }
}

/// What a step came to before anything is driven.
enum Begun {
    Done(Progress),
    Frame(Goal),
}

const fn direction(reply: bool) -> Direction {
    if reply {
        Direction::Reply
    } else {
        Direction::Request
    }
}

/// A run has fewer than 2^32 of anything, as its budgets see to.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
