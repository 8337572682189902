//! Which operation moves next, and how far.

use std::task::{Context, Poll, Waker};

use super::quiet::caught;
use super::{Begun, Hold, Stage, State, count};
use crate::client::{Class, DeviceName, Failure, Operation};
use crate::codec::Bytes;
use crate::driver::{Call, Response, timed};
use crate::history::Event;
use crate::script::performer::{Message, Progress};
use crate::selector::Selector;
use crate::verdict::{Breach, Guarantee};

/// A step that is not done yet.
pub(super) struct Frame {
    goal: Goal,
    /// The operation whose message waits for its handlers.
    pub(super) waiting: Option<u32>,
}

/// What a step drives.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// These operations, to their ends; the chooser interleaves them.
    Finish(Vec<u32>),
    /// One operation, until it ends or waits in a hold. Without a hold it does not move.
    UntilHeld(u32),
    /// The requests that left a hold, each until it is answered.
    Deliver(Vec<u32>),
}

impl Frame {
    pub(super) const fn new(goal: Goal) -> Self {
        Self {
            goal,
            waiting: None,
        }
    }
}

/// How far a move came.
pub(super) enum Moved {
    /// To the next call, or to the end of the operation.
    Done,
    /// To a message that handlers must see first.
    Message(Message),
}

enum Next {
    Move(u32),
    Done,
    Stuck(String),
}

impl Stage {
    /// Drives the innermost step to its end or to the next message that a hook wants to see.
    pub(super) fn advance(&mut self) -> Progress {
        loop {
            let Some(goal) = self.frames.last().map(|frame| frame.goal.clone()) else {
                return Progress::Refused("nothing is under way".to_owned());
            };
            let next = if self.calls > self.budget.calls {
                Next::Stuck(format!("the run has spent its {} calls", self.budget.calls))
            } else {
                self.next(&goal)
            };
            let progress = match next {
                Next::Move(number) => match self.move_on(number, &goal) {
                    Moved::Done => continue,
                    Moved::Message(message) => return self.wait_with(number, message),
                },
                Next::Done => self.report(&goal),
                Next::Stuck(why) => Progress::Refused(why),
            };
            self.frames.pop();
            return progress;
        }
    }

    /// Takes the operation whose message was in hand over its call, and goes on.
    ///
    /// Nothing is chosen in between: whether a hook saw a message or not, the same choices follow,
    /// or a recorded run would be another one when it is replayed without its hooks.
    pub(super) fn carry_on(&mut self, number: u32) -> Progress {
        let Some(goal) = self.frames.last().map(|frame| frame.goal.clone()) else {
            return Progress::Refused("nothing is under way".to_owned());
        };
        match self.pass_on(number, &goal) {
            Moved::Done => self.advance(),
            Moved::Message(message) => self.wait_with(number, message),
        }
    }

    fn wait_with(&mut self, number: u32, message: Message) -> Progress {
        if let Some(frame) = self.frames.last_mut() {
            frame.waiting = Some(number);
        }
        Progress::Message(message)
    }

    fn report(&self, goal: &Goal) -> Progress {
        match goal {
            Goal::Finish(operations) => {
                let ended = operations.iter().filter_map(|number| {
                    let outcome = self.operations[*number as usize].outcome.clone()?;
                    Some((*number, outcome))
                });
                Progress::Ended(ended.collect())
            }
            Goal::UntilHeld(number) => Progress::Number(*number),
            Goal::Deliver(_) => Progress::Done,
        }
    }

    fn next(&mut self, goal: &Goal) -> Next {
        match goal {
            Goal::Finish(operations) => {
                let over = |number: &&u32| matches!(self.state(**number), State::Over);
                if operations.iter().all(|number| over(&number)) {
                    return Next::Done;
                }
                let movable = operations.iter().copied();
                let movable: Vec<u32> = movable.filter(|number| self.is_movable(*number)).collect();
                if movable.is_empty() {
                    return Next::Stuck(self.why_stuck(operations));
                }
                let choice = self.chooser.choose(count(movable.len()));
                Next::Move(movable[choice as usize])
            }
            Goal::UntilHeld(number) => {
                let device = &self.operations[*number as usize].device;
                let held_back = self.holds.iter().any(|hold| hold.may_stop(device));
                if held_back && self.is_movable(*number) {
                    Next::Move(*number)
                } else {
                    Next::Done
                }
            }
            Goal::Deliver(operations) => {
                let mut passing = operations.iter().copied().filter(
                    |number| matches!(self.state(*number), State::Passing(pass) if !pass.is_held()),
                );
                passing.next().map_or(Next::Done, Next::Move)
            }
        }
    }

    fn state(&self, number: u32) -> &State {
        &self.operations[number as usize].state
    }

    fn is_movable(&self, number: u32) -> bool {
        let running = &self.operations[number as usize];
        // An operation whose message an outer step has in hand belongs to that step.
        let elsewhere = self
            .frames
            .iter()
            .any(|frame| frame.waiting == Some(number));
        let busy = self
            .devices
            .get(&running.device)
            .and_then(|device| device.busy);
        let mine = busy.is_none_or(|other| other == number);
        let stopped = match &running.state {
            State::Over => true,
            State::Passing(pass) => pass.is_held(),
            State::Fresh | State::Calling(_) | State::Answered => false,
        };
        mine && !stopped && !elsewhere
    }

    fn why_stuck(&self, operations: &[u32]) -> String {
        let first = operations
            .iter()
            .find(|number| !matches!(self.state(**number), State::Over));
        let Some(running) = first.and_then(|number| self.operations.get(*number as usize)) else {
            return "nothing is left to do".to_owned();
        };
        let (name, device) = (running.what.name(), &running.device);
        match &running.state {
            State::Passing(pass) if pass.is_held() => {
                format!("{name} on {device} waits in a hold; answer it first")
            }
            _ => format!("{name} cannot go on: another operation on {device} is not finished"),
        }
    }

    /// Moves an operation to its next call, or takes it over the call that it waits for.
    fn move_on(&mut self, number: u32, goal: &Goal) -> Moved {
        let running = &mut self.operations[number as usize];
        let device = running.device.clone();
        match std::mem::replace(&mut running.state, State::Answered) {
            State::Fresh => self.begin_operation(number, &device),
            State::Calling(Call::Request { bytes, reply_max }) => {
                if self.crashes_here(number) {
                    return Moved::Done;
                }
                let pass = self.send(number, bytes, reply_max);
                self.operations[number as usize].state = State::Passing(pass);
                return self.pass_on(number, goal);
            }
            State::Calling(Call::Save(state)) => {
                if self.crashes_here(number) {
                    return Moved::Done;
                }
                self.save(&device, state);
                if self.crashes_here(number) {
                    return Moved::Done;
                }
                self.device(&device).line.respond(Response::Saved);
                self.poll(number);
            }
            State::Calling(Call::Load) => {
                let device = self.device(&device);
                let state = device.durable.as_ref().map(|bytes| bytes.to_vec());
                device.line.respond(Response::Loaded(state));
                self.poll(number);
            }
            State::Passing(pass) => {
                self.operations[number as usize].state = State::Passing(pass);
                return self.pass_on(number, goal);
            }
            State::Answered => self.poll(number),
            State::Over => self.operations[number as usize].state = State::Over,
        }
        Moved::Done
    }

    fn begin_operation(&mut self, number: u32, device: &DeviceName) {
        let operation = self.operations[number as usize].what.clone();
        let mut booted = self.boot(device);
        if let Operation::Compare { other } = &operation
            && self
                .devices
                .get(other)
                .is_some_and(|other| other.saved.is_some())
        {
            // Whom one meets is awake, and signs: where it was saved, it is no longer.
            booted = booted.and_then(|()| self.boot(other));
            if booted.is_ok() {
                self.device(other).saved = None;
            }
        }
        if let Err(why) = booted {
            self.end(number, Err(Failure::new(Class::Other, why)));
            return;
        }
        self.device(device).saved = None;
        let Some(process) = &mut self.device(device).process else {
            return;
        };
        let begun = caught(|| timed(|| process.begin(operation)));
        self.device(device).busy = Some(number);
        match begun {
            Ok(future) => {
                self.operations[number as usize].future = Some(future);
                self.poll(number);
            }
            Err(panic) => self.panicked(number, &*panic),
        }
    }

    /// Lets the client run up to its next call.
    pub(super) fn poll(&mut self, number: u32) {
        let running = &mut self.operations[number as usize];
        let device = running.device.clone();
        let Some(mut future) = running.future.take() else {
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        let polled = caught(|| timed(|| future.as_mut().poll(&mut context)));
        let line = self.device(&device).line.clone();
        for bytes in line.take_released() {
            self.history.push(Event::Released {
                operation: number,
                bytes: Bytes::from(bytes),
            });
        }
        self.operations[number as usize].future = Some(future);
        match polled {
            Ok(Poll::Ready(outcome)) => self.end(number, outcome),
            Ok(Poll::Pending) => match line.take_call() {
                Some(call) => self.called(number, call),
                None => self.exhausted(number, "waits for something that is no call".to_owned()),
            },
            Err(panic) => self.panicked(number, &*panic),
        }
    }

    fn called(&mut self, number: u32, call: Call) {
        self.calls += 1;
        let running = &mut self.operations[number as usize];
        if let Call::Request { bytes, .. } = &call {
            running.requests += 1;
            running.bytes += bytes.len() as u64;
        }
        let (requests, bytes) = (running.requests, running.bytes);
        running.state = State::Calling(call);
        if requests > self.budget.requests_per_operation {
            self.exhausted(number, format!("sends its request number {requests}"));
        } else if bytes > self.budget.bytes_per_operation {
            self.exhausted(number, format!("moves {bytes} bytes"));
        }
    }

    fn exhausted(&mut self, number: u32, what: String) {
        let name = self.operations[number as usize].what.name();
        let evidence = format!("{name} {what}");
        self.died(number, Failure::EXHAUSTED, evidence);
    }

    fn panicked(&mut self, number: u32, panic: &(dyn std::any::Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let name = self.operations[number as usize].what.name();
        let evidence = format!("{name} panicked: {}", text.unwrap_or("without a word"));
        self.died(number, Failure::PANICKED, evidence);
    }

    /// Ends a client that did not end by itself.
    fn died(&mut self, number: u32, name: &str, evidence: String) {
        let device = self.operations[number as usize].device.clone();
        self.faults.push(Breach {
            guarantee: Guarantee::G12,
            evidence: evidence.clone(),
            operation: Some(number),
        });
        let failure = Failure {
            class: Class::Other,
            name: name.to_owned(),
            text: evidence,
        };
        self.stop(&device, &failure);
    }

    /// Counts an await point, and crashes the device if this is the one to crash at.
    pub(super) fn crashes_here(&mut self, number: u32) -> bool {
        let running = &mut self.operations[number as usize];
        running.points += 1;
        if running.crash_at != Some(running.points) {
            return false;
        }
        let device = running.device.clone();
        // The device exists: one of its operations is running.
        self.crash(&device).is_ok()
    }

    pub(super) fn hold(&mut self, selector: &Selector) -> u32 {
        self.holds.push(Hold {
            selector: selector.clone(),
            count: 0,
            waiting: Vec::new(),
            over: false,
        });
        count(self.holds.len()) - 1
    }

    /// Lets the oldest request of a hold go on, or all of them, and then the hold is over.
    pub(super) fn answer(&mut self, hold: u32, all: bool) -> Result<Begun, String> {
        let Some(held) = self.holds.get_mut(hold as usize) else {
            return Err(format!("there is no hold {hold}"));
        };
        if !all && held.waiting.is_empty() {
            return Err(format!("no request waits in the hold on {}", held.selector));
        }
        held.over |= all;
        let released = if all { held.waiting.len() } else { 1 };
        let released: Vec<u32> = held.waiting.drain(..released).collect();
        for number in &released {
            if let State::Passing(pass) = &mut self.operations[*number as usize].state {
                pass.release();
            }
        }
        Ok(Begun::Frame(Goal::Deliver(released)))
    }
}

impl Hold {
    /// Whether a message of this device may have to wait here.
    fn may_stop(&self, device: &DeviceName) -> bool {
        !self.over && self.selector.audience.includes(device)
    }

    /// Whether this request has to wait here. Counts it if its kind matches.
    pub(super) fn stops(&mut self, device: &DeviceName, kind: &str) -> bool {
        if self.over || !self.selector.matches(device, kind) {
            return false;
        }
        self.count += 1;
        self.selector.wants(self.count)
    }
}
