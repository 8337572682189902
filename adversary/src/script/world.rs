//! Drives the performer for a script: steps, handlers between polls, and what was found.
//!
//! The performer is borrowed for the length of one call to it and never while the script runs, so
//! that a handler may act on the world in the middle of an operation.

use super::budget::{Meter, Spent};
use super::call::{Failed, Given, throw};
use super::error::{Fault, Place, ScriptError};
use super::performer::{Direction, Message, Performer, Progress};
use super::value::{Hand, InHand, Returns};
use crate::attack::{Edit, Expectation, Step};
use crate::chooser::seeded_bytes;
use crate::client::{Answer, DeviceName, Operation, Outcome};
use crate::selector::{Audience, Selector};
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::value::Content;

/// Lines of a script's output that are kept, and characters of each.
const PRINTED_MAX: usize = 1000;

/// How one expectation came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Where the script states it.
    pub place: Option<Place>,
    /// What was expected.
    pub expectation: Expectation,
    /// Nothing if it was met; else what came instead.
    pub instead: Option<String>,
}

/// The world of one run, as the verbs of a script see it.
pub(crate) struct World {
    performer: Rc<RefCell<dyn Performer>>,
    pub(crate) meter: Rc<Meter>,
    devices: RefCell<BTreeSet<DeviceName>>,
    /// In the order in which they appeared.
    users: RefCell<Vec<String>>,
    handlers: RefCell<BTreeMap<u32, FnPtr>>,
    ended: RefCell<BTreeMap<u32, Outcome>>,
    depth: Cell<u32>,
    pub(crate) counters: RefCell<BTreeMap<&'static str, u32>>,
    names: RefCell<BTreeMap<&'static str, Vec<String>>>,
    /// Users whose keys the server holds.
    colluders: RefCell<BTreeSet<String>>,
    impostors: RefCell<BTreeSet<String>>,
    pub(crate) guarded: Cell<bool>,
    pub(crate) judgements: RefCell<Vec<Judgement>>,
    /// What the script printed, for whoever writes it.
    pub(crate) printed: RefCell<Vec<String>>,
    /// A fault that no `catch` of the script may swallow.
    pub(crate) fatal: RefCell<Option<ScriptError>>,
    /// The seed of the positions that the header says are sampled.
    pub(crate) sample_seed: u64,
    /// Whether views and colluders must be users who appeared. A printed attack may name others.
    pub(crate) strict: bool,
    /// Whether real clients are served, and closures can be called later.
    pub(crate) served: Cell<bool>,
    /// Closures that are to be called later, each with how many milliseconds later.
    pub(crate) timers: RefCell<Vec<(u64, FnPtr)>>,
}

impl World {
    pub(crate) fn new(
        performer: Rc<RefCell<dyn Performer>>,
        meter: Rc<Meter>,
        sample_seed: u64,
        strict: bool,
    ) -> Self {
        Self {
            performer,
            meter,
            devices: RefCell::default(),
            users: RefCell::default(),
            handlers: RefCell::default(),
            ended: RefCell::default(),
            depth: Cell::new(0),
            counters: RefCell::default(),
            names: RefCell::default(),
            colluders: RefCell::default(),
            impostors: RefCell::default(),
            guarded: Cell::new(false),
            judgements: RefCell::default(),
            printed: RefCell::default(),
            fatal: RefCell::default(),
            sample_seed,
            strict,
            served: Cell::new(false),
            timers: RefCell::default(),
        }
    }

    /// Asks the performer something. The closure must not run any of the script.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut dyn Performer) -> T) -> T {
        question(&mut *self.performer.borrow_mut())
    }

    /// Performs a step to its end, running the handlers of each message on the way.
    pub(crate) fn perform(&self, context: &NativeCallContext<'_>, step: Step) -> Given<Progress> {
        let mut progress = self.ask(|performer| performer.perform(step));
        loop {
            match progress {
                // No hook wants it: a printed attack says that the run pauses here, and goes on
                // with `server.resume`.
                Progress::Message(message) if message.hooks.is_empty() => {
                    return Ok(Progress::Done);
                }
                Progress::Message(message) => {
                    let edits = self.handle(context, message)?;
                    progress = self.ask(|performer| performer.resume(edits));
                }
                Progress::Refused(why) => {
                    return Err(throw(ScriptError::new(Fault::WrongUse, why)));
                }
                Progress::Ended(ended) => {
                    let mut known = self.ended.borrow_mut();
                    for (number, outcome) in &ended {
                        known.insert(*number, outcome.clone());
                    }
                    return Ok(Progress::Ended(ended));
                }
                done => return Ok(done),
            }
        }
    }

    /// Shows a message to its handlers, oldest first, and returns what they did to it.
    fn handle(&self, context: &NativeCallContext<'_>, message: Message) -> Given<Vec<Edit>> {
        let depth = self.depth.get() + 1;
        let most = self.meter.budget().handlers;
        if depth > most {
            let what = format!("handlers within handlers, more than {most} deep");
            return Err(self.fail(ScriptError::new(Fault::Budget, what).expected(
                "a handler that starts no operation which calls the same handler again",
            )));
        }
        let hooks = message.hooks.clone();
        let hand = Rc::new(RefCell::new(Hand::new(message)));
        self.depth.set(depth);
        for (hook, count) in hooks {
            let Some(handler) = self.handlers.borrow().get(&hook).cloned() else {
                continue;
            };
            hand.borrow_mut().count = count;
            let given = InHand(Rc::clone(&hand));
            let result: Given = handler.call_within_context(context, (given,));
            if let Err(error) = result {
                // The step in whose middle we are cannot be finished without this handler.
                self.depth.set(depth - 1);
                return Err(self.fail_as(*error));
            }
        }
        self.depth.set(depth - 1);
        hand.borrow_mut().here = false;
        let edits = hand.borrow().edits();
        Ok(edits)
    }

    /// Notes what the script prints, as much as anybody reads.
    pub(crate) fn print(&self, text: &str) {
        let mut printed = self.printed.borrow_mut();
        match printed.len() {
            0..PRINTED_MAX => printed.push(text.chars().take(PRINTED_MAX).collect()),
            PRINTED_MAX => printed.push("... and more, which is not shown".to_owned()),
            _ => {}
        }
    }

    /// Ends the script for good.
    pub(crate) fn fail(&self, error: ScriptError) -> Box<EvalAltResult> {
        self.fatal.borrow_mut().get_or_insert(error);
        Box::new(EvalAltResult::ErrorTerminated(
            Dynamic::UNIT,
            Position::NONE,
        ))
    }

    fn fail_as(&self, error: EvalAltResult) -> Box<EvalAltResult> {
        if matches!(error.unwrap_inner(), EvalAltResult::ErrorTerminated(..)) {
            return Box::new(error);
        }
        self.fail(super::fault::explain(&error, &BTreeSet::new()))
    }

    /// The fault of a spent budget.
    pub(crate) fn spent(&self, spent: Spent) -> ScriptError {
        let budget = self.meter.budget();
        match spent {
            Spent::Steps => {
                let what = format!("the script takes more than {} steps", budget.steps);
                ScriptError::new(Fault::Budget, what).expected("a loop that ends")
            }
            Spent::Memory => {
                ScriptError::new(Fault::Budget, "the script takes more memory than it may")
                    .expected(format!(
                        "at most {} MiB in variables and {} MiB of content in all",
                        budget.memory >> 20,
                        budget.content >> 20
                    ))
            }
            Spent::Time => ScriptError::new(Fault::Budget, "the script was stopped: out of time"),
        }
    }

    /// Counts bytes that a verb is about to make.
    pub(crate) fn make(&self, bytes: u64) -> Given<()> {
        match self.meter.make(bytes) {
            Some(spent) => Err(self.fail(self.spent(spent))),
            None => Ok(()),
        }
    }

    /// Runs an operation to its end, and gives its answer or throws its failure.
    pub(crate) fn run(
        &self,
        context: &NativeCallContext<'_>,
        device: &DeviceName,
        operation: Operation,
    ) -> Given {
        let returns = Returns::of(&operation);
        let device = device.clone();
        let ended = match self.perform(context, Step::Run { device, operation })? {
            Progress::Ended(ended) => ended,
            _ => Vec::new(),
        };
        let mut given = Dynamic::UNIT;
        for (number, outcome) in ended {
            given = self.give(number, outcome, returns)?;
        }
        Ok(given)
    }

    /// An operation's answer in the form that a script gets.
    pub(crate) fn give(&self, number: u32, outcome: Outcome, returns: Returns) -> Given {
        let answer = outcome.map_err(|failure| {
            let operation = number;
            let failed = Dynamic::from(Failed { operation, failure });
            Box::new(EvalAltResult::ErrorRuntime(failed, Position::NONE))
        })?;
        self.make(weight(&answer))?;
        Ok(match returns {
            Returns::Nothing => Dynamic::UNIT,
            Returns::Content => answer.content.map_or(Dynamic::UNIT, Content::give),
            Returns::Pointer => bytes(answer.pointer),
            Returns::Fingerprint => bytes(answer.fingerprint),
            Returns::Names => {
                let names = answer.names.unwrap_or_default();
                Dynamic::from_array(names.into_iter().map(Content::give).collect())
            }
        })
    }

    /// How an operation ended, if it did.
    pub(crate) fn outcome(&self, number: u32) -> Option<Outcome> {
        self.ended.borrow().get(&number).cloned()
    }

    /// Notes that the script mentions a user; false if it did before.
    pub(crate) fn mention_user(&self, user: &str) -> bool {
        self.devices.borrow_mut().insert(DeviceName::first(user));
        let mut users = self.users.borrow_mut();
        let first = !users.iter().any(|known| known == user);
        if first {
            users.push(user.to_owned());
        }
        first
    }

    /// Notes that the script mentions a user who bears another user's name.
    pub(crate) fn mention_impostor(&self, user: &str) {
        self.mention_user(user);
        self.impostors.borrow_mut().insert(user.to_owned());
    }

    /// Whether the user bears another user's name.
    pub(crate) fn is_impostor(&self, user: &str) -> bool {
        self.impostors.borrow().contains(user)
    }

    /// Notes that the script mentions a device; false if it did before.
    pub(crate) fn mention_device(&self, device: &DeviceName) -> bool {
        self.devices.borrow_mut().insert(device.clone())
    }

    /// Whether the user has appeared.
    pub(crate) fn knows(&self, user: &str) -> bool {
        self.place_of(user).is_some()
    }

    /// Gives a user's keys to the server.
    pub(crate) fn collude(&self, user: &str) {
        self.colluders.borrow_mut().insert(user.to_owned());
        self.ask(|performer| performer.collude(user));
    }

    /// Whether the server has a user's keys.
    pub(crate) fn colludes(&self, user: &str) -> bool {
        self.colluders.borrow().contains(user)
    }

    /// The how-manieth user to appear this was, counted from zero.
    pub(crate) fn place_of(&self, user: &str) -> Option<usize> {
        self.users.borrow().iter().position(|known| known == user)
    }

    /// Checks that a view is somebody's.
    pub(crate) fn check_audience(&self, audience: &Audience) -> Result<(), ScriptError> {
        if !self.strict {
            return Ok(());
        }
        let users = self.users.borrow();
        let devices = self.devices.borrow();
        let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
        let (known, text): (Vec<&str>, String) = match audience {
            Audience::Everyone => return Ok(()),
            Audience::User { user } => (users.iter().map(String::as_str).collect(), user.clone()),
            Audience::Device { device } => (
                names.iter().map(String::as_str).collect(),
                device.to_string(),
            ),
        };
        if known.contains(&text.as_str()) {
            return Ok(());
        }
        Err(ScriptError::not_in(
            Fault::UnknownName,
            "view",
            &text,
            known,
        ))
    }

    /// Sets a handler on messages.
    pub(crate) fn hook(&self, direction: Direction, selector: Selector, handler: FnPtr) -> u32 {
        let number = self.ask(|performer| performer.hook(direction, selector));
        self.handlers.borrow_mut().insert(number, handler);
        number
    }

    /// Takes a handler off.
    pub(crate) fn unhook(&self, number: u32) {
        self.ask(|performer| performer.unhook(number));
        self.handlers.borrow_mut().remove(&number);
    }

    /// Takes all handlers off, as a step `Heal` does in the performer.
    pub(crate) fn forget_handlers(&self) {
        self.handlers.borrow_mut().clear();
    }

    /// A number below `options`, a function of the run's seed and of how many were picked before.
    ///
    /// It does not come from the chooser: what is picked here is an argument of a step, and the
    /// step is recorded with it.
    pub(crate) fn pick(&self, options: u64) -> u64 {
        let label = format!("pick {}", self.count("pick"));
        let seed = self.ask(|performer| performer.seed());
        let bytes = seeded_bytes(seed, &label, 8);
        let number = bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % options.max(1)
    }

    /// The number of a name among those of its kind: new names get the next one.
    pub(crate) fn number_of(&self, kind: &'static str, name: &str) -> u32 {
        let mut names = self.names.borrow_mut();
        let names = names.entry(kind).or_default();
        let known = names.iter().position(|known| known == name);
        let number = known.unwrap_or(names.len());
        if known.is_none() {
            names.push(name.to_owned());
        }
        number as u32
    }

    /// The next number of a series.
    pub(crate) fn count(&self, series: &'static str) -> u32 {
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(series).or_insert(0);
        *counter += 1;
        *counter
    }
}

fn bytes(given: Option<Vec<u8>>) -> Dynamic {
    given.map_or(Dynamic::UNIT, |bytes| Dynamic::from(Content(bytes.into())))
}

fn weight(answer: &Answer) -> u64 {
    let names = answer.names.iter().flatten().map(Vec::len).sum::<usize>();
    let content = answer.content.as_ref().map_or(0, Vec::len);
    (names + content) as u64
}
