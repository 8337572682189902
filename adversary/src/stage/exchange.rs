//! One request on its way: holds, hooks, the server, hooks again, and the client.

use super::drive::{Goal, Moved};
use super::{Acts, Sent, Stage, State, count};
use crate::attack::Edit;
use crate::client::DeviceName;
use crate::codec::Bytes;
use crate::driver::{Response, Shown};
use crate::framing::Framing;
use crate::history::{Event, ObjectKey};
use crate::script::performer::{Direction, Message, Progress};

/// A request on its way.
pub(super) struct Pass {
    request: u32,
    kind: &'static str,
    sent: Bytes,
    reply_max: u64,
    phase: Phase,
}

/// What happens to a request next.
#[derive(Clone)]
enum Phase {
    /// Holds are asked.
    Leaving,
    /// It waits in a hold.
    Held,
    /// Hooks on requests are asked.
    BeforeServer,
    /// Hooks on requests have it.
    WithRequestHooks,
    /// The server acts, after these edits.
    AtServer(Vec<Edit>),
    /// Hooks on replies are asked.
    BeforeClient(Reply),
    /// Hooks on replies have it.
    WithReplyHooks(Reply),
    /// The client is answered, after these edits.
    AtClient(Reply, Vec<Edit>),
}

/// A request that reaches the server after its sender gave up.
pub(super) struct Late {
    operation: u32,
    device: DeviceName,
    bytes: Bytes,
    /// How many requests come before it, itself counted.
    requests: u32,
}

/// A reply before the client sees it.
#[derive(Clone)]
struct Reply {
    /// What an honest server would have said.
    honest: Option<Bytes>,
    /// What is shown; none if it is lost.
    shown: Option<Bytes>,
}

impl Pass {
    pub(super) const fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held)
    }

    pub(super) fn release(&mut self) {
        if self.is_held() {
            self.phase = Phase::BeforeServer;
        }
    }
}

impl Stage {
    /// The request leaves the client.
    pub(super) fn send(&mut self, number: u32, bytes: Vec<u8>, reply_max: u64) -> Pass {
        let device = self.operations[number as usize].device.clone();
        let kind = self.rules.kind(&bytes);
        let sent = Bytes::from(bytes);
        let request = count(self.requests.len());
        self.requests.push(Sent {
            device: device.clone(),
            kind,
            size: sent.len(),
            shown: None,
            honest: None,
        });
        self.history.push(Event::Request {
            request,
            device,
            operation: number,
            kind: kind.to_owned(),
            bytes: Bytes::clone(&sent),
        });
        self.clock.advance(1);
        Pass {
            request,
            kind,
            sent,
            reply_max,
            phase: Phase::Leaving,
        }
    }

    /// Takes the request of an operation as far as it goes without asking anybody.
    pub(super) fn pass_on(&mut self, number: u32, goal: &Goal) -> Moved {
        loop {
            let running = &mut self.operations[number as usize];
            let device = running.device.clone();
            let State::Passing(pass) = &mut running.state else {
                return Moved::Done;
            };
            let (request, kind) = (pass.request, pass.kind);
            let next = match pass.phase.clone() {
                Phase::Leaving => match self.hold_that_stops(&device, kind) {
                    Some(hold) => {
                        self.holds[hold].waiting.push(number);
                        self.set_phase(number, Phase::Held);
                        return Moved::Done;
                    }
                    None => Phase::BeforeServer,
                },
                // Nothing but an answered hold takes it out of here.
                Phase::Held => return Moved::Done,
                Phase::BeforeServer => {
                    let bytes = Bytes::clone(&pass.sent);
                    let message = self.message(request, Direction::Request, &device, kind, bytes);
                    if let Some(message) = message {
                        self.set_phase(number, Phase::WithRequestHooks);
                        return Moved::Message(message);
                    }
                    Phase::AtServer(self.planned_edits(request, Direction::Request))
                }
                Phase::AtServer(edits) => {
                    let sent = Bytes::clone(&pass.sent);
                    let reply = self.serve(number, &device, &sent, &edits);
                    if self.crashes_here(number) {
                        self.note_reply(request, reply.honest, None);
                        return Moved::Done;
                    }
                    Phase::BeforeClient(reply)
                }
                Phase::BeforeClient(reply) => {
                    let shown = reply.shown.clone();
                    let message = shown.and_then(|bytes| {
                        self.message(request, Direction::Reply, &device, kind, bytes)
                    });
                    if let Some(message) = message {
                        self.set_phase(number, Phase::WithReplyHooks(reply));
                        return Moved::Message(message);
                    }
                    Phase::AtClient(reply, self.planned_edits(request, Direction::Reply))
                }
                Phase::AtClient(reply, edits) => {
                    let reply_max = pass.reply_max;
                    self.deliver(number, request, reply_max, reply, &edits);
                    if !matches!(goal, Goal::Deliver(_)) {
                        self.poll(number);
                    }
                    return Moved::Done;
                }
                // A message in hand moves by `resume` alone.
                Phase::WithRequestHooks | Phase::WithReplyHooks(_) => return Moved::Done,
            };
            self.set_phase(number, next);
        }
    }

    /// Delivers the message in hand, edited in this order, and goes on with the innermost step.
    pub fn resume(&mut self, edits: Vec<Edit>) -> Progress {
        let waiting = self
            .frames
            .last_mut()
            .and_then(|frame| frame.waiting.take());
        let Some(number) = waiting else {
            return Progress::Refused("no message waits for its handlers".to_owned());
        };
        if let State::Passing(pass) = &mut self.operations[number as usize].state {
            let request = pass.request;
            let (direction, next): (_, fn(Reply, Vec<Edit>) -> Phase) = match &pass.phase {
                Phase::WithReplyHooks(_) => (Direction::Reply, Phase::AtClient),
                _ => (Direction::Request, |_, edits| Phase::AtServer(edits)),
            };
            let reply = match &pass.phase {
                Phase::WithReplyHooks(reply) => reply.clone(),
                _ => Reply {
                    honest: None,
                    shown: None,
                },
            };
            self.record_edits(request, direction, &edits);
            let mut all = self.planned_edits(request, direction);
            all.extend(edits);
            self.set_phase(number, next(reply, all));
        }
        self.carry_on(number)
    }

    fn set_phase(&mut self, number: u32, phase: Phase) {
        if let State::Passing(pass) = &mut self.operations[number as usize].state {
            pass.phase = phase;
        }
    }

    fn hold_that_stops(&mut self, device: &DeviceName, kind: &str) -> Option<usize> {
        // Every hold counts the request, whichever stops it.
        let stops: Vec<bool> = self
            .holds
            .iter_mut()
            .map(|hold| hold.stops(device, kind))
            .collect();
        stops.into_iter().position(|stops| stops)
    }

    /// The message, if a hook wants to see it or a value says that the run pauses here.
    fn message(
        &mut self,
        request: u32,
        direction: Direction,
        device: &DeviceName,
        kind: &str,
        bytes: Bytes,
    ) -> Option<Message> {
        let mut hooks = Vec::new();
        for (number, hook) in self.hooks.iter_mut().enumerate() {
            if hook.over || hook.direction != direction || !hook.selector.matches(device, kind) {
                continue;
            }
            hook.count += 1;
            if hook.selector.wants(hook.count) {
                hooks.push((count(number), hook.count));
            }
        }
        if hooks.is_empty() && !self.pauses.contains(&(request, direction)) {
            return None;
        }
        self.steps_at_message();
        Some(Message {
            hooks,
            direction,
            request,
            device: device.clone(),
            kind: kind.to_owned(),
            bytes,
        })
    }

    fn planned_edits(&self, request: u32, direction: Direction) -> Vec<Edit> {
        self.planned
            .get(&(request, direction))
            .cloned()
            .unwrap_or_default()
    }

    /// The server acts, or does what the edits say in its place.
    fn serve(&mut self, number: u32, device: &DeviceName, sent: &Bytes, edits: &[Edit]) -> Reply {
        self.late_ones_arrive(1);
        self.note_edits(edits, None);
        let edits = match self.acts {
            Acts::Applied => edits,
            Acts::Evaluated => &[],
        };
        let honest = (!edits.is_empty() || self.versions.lies_to(device)).then(|| {
            let mut store = self.versions.rehearsal();
            let mut rules = self.rules.twin();
            let mut answered = rules.answer(&mut store, device, sent);
            if edits.contains(&Edit::Twice) {
                answered = rules.answer(&mut store, device, sent);
            }
            Bytes::from(answered.reply)
        });
        let mut arriving = Some(Bytes::clone(sent));
        let mut times = 1;
        let lax = edits.contains(&Edit::WaveThrough);
        let mut instead = None;
        for edit in edits {
            match edit {
                Edit::Replace { bytes } => {
                    if bytes != sent {
                        self.deceive(None);
                    }
                    arriving = Some(Bytes::clone(bytes));
                }
                Edit::Drop => (arriving, instead) = (None, None),
                Edit::Refuse { name } => {
                    arriving = None;
                    instead = self.rules.refusal(name);
                }
                Edit::Twice => times = 2,
                Edit::Acknowledge => {
                    arriving = None;
                    instead = Some(self.rules.acknowledgement());
                }
                Edit::StoreBut { name } => instead = self.rules.refusal(name),
                Edit::Delay { duration_ms } => self.clock.advance(*duration_ms),
                Edit::Late { requests } => {
                    self.late.extend(arriving.take().map(|bytes| Late {
                        operation: number,
                        device: device.clone(),
                        bytes,
                        requests: *requests,
                    }));
                }
                // See below, and where the reply is delivered.
                Edit::WaveThrough | Edit::Framed { .. } => {}
            }
        }
        let mut answered = None;
        if let Some(bytes) = arriving {
            for _ in 0..times {
                answered = Some(self.answer_one(number, device, &bytes, lax));
            }
        }
        let instead = instead.map(Bytes::from);
        let is_network = edits.iter().all(Edit::is_network);
        // A server that is busy says so, and is honest.
        let busy = instead.clone().filter(|_| is_network);
        Reply {
            honest: busy.or(honest).or_else(|| answered.clone()),
            shown: instead.or(answered),
        }
    }

    /// So many requests have come since: those that are due before the next one reach the server.
    /// Nobody waits for what it answers them.
    pub(super) fn late_ones_arrive(&mut self, requests: u32) {
        let late = std::mem::take(&mut self.late);
        for mut one in late {
            one.requests = one.requests.saturating_sub(requests);
            if one.requests > 0 {
                self.late.push(one);
            } else {
                drop(self.answer_one(one.operation, &one.device, &one.bytes, false));
            }
        }
    }

    /// The honest rules answer from what the device is shown.
    fn answer_one(&mut self, number: u32, device: &DeviceName, bytes: &[u8], lax: bool) -> Bytes {
        let before = self.versions.log().len();
        let mut view = self.versions.view(device, number);
        let answered = match lax {
            true => self.rules.wave_through(&mut view, device, bytes),
            false => self.rules.answer(&mut view, device, bytes),
        };
        // What is written where others do not look is a lie, however alike the answers are.
        if self.versions.log().len() > before {
            self.deceived.wrote(device);
            if self.versions.is_led_astray(device) {
                self.deceive(None);
            }
        }
        for written in &self.versions.log()[before..] {
            self.history.push(Event::Wrote {
                operation: number,
                object: ObjectKey::from(&written.object.key),
                version: written.object.time,
            });
        }
        if let Some(published) = answered.published {
            self.history.push(Event::Published {
                space: published.space,
                head: published.head,
                parent: published.parent,
                height: published.height,
                operation: number,
            });
        }
        Bytes::from(answered.reply)
    }

    /// The client is answered.
    fn deliver(&mut self, number: u32, request: u32, reply_max: u64, reply: Reply, edits: &[Edit]) {
        let device = self.operations[number as usize].device.clone();
        self.note_edits(edits, Some(&device));
        let edits = match self.acts {
            Acts::Applied => edits,
            Acts::Evaluated => &[],
        };
        let Reply {
            mut honest,
            mut shown,
        } = reply;
        let mut framing = None;
        for edit in edits {
            match edit {
                Edit::Replace { bytes } => shown = Some(Bytes::clone(bytes)),
                Edit::Drop => shown = None,
                Edit::Refuse { name } | Edit::StoreBut { name } => {
                    shown = self.rules.refusal(name).map(Bytes::from);
                    if edits.iter().all(Edit::is_network) {
                        honest.clone_from(&shown);
                    }
                }
                Edit::Acknowledge => shown = Some(Bytes::from(self.rules.acknowledgement())),
                Edit::Delay { duration_ms } => self.clock.advance(*duration_ms),
                // The server has acted already.
                Edit::Late { .. } | Edit::Twice | Edit::WaveThrough => {}
                Edit::Framed { framing: how } => framing = Some(*how),
            }
        }
        let bytes = shown.clone();
        if framing.and_then(Framing::lost).is_some() {
            shown = None;
        }
        // A client stops reading at its limit, and is shown no more than it reads.
        let cut = shown.as_ref().and_then(|bytes| {
            let read = usize::try_from(reply_max).unwrap_or(usize::MAX);
            bytes.get(..read).filter(|read| read.len() < bytes.len())
        });
        let response = Shown { bytes, framing };
        let shown = cut.map(Bytes::from).or_else(|| shown.clone());
        let running = &mut self.operations[number as usize];
        running.state = State::Answered;
        running.bytes += shown.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.note_reply(request, honest, shown);
        self.device(&device).line.respond(Response::Reply(response));
    }

    fn note_reply(&mut self, request: u32, honest: Option<Bytes>, shown: Option<Bytes>) {
        if self.acts == Acts::Applied && honest != shown {
            let device = self.requests[request as usize].device.clone();
            self.deceive(Some(&device));
        }
        let sent = &mut self.requests[request as usize];
        sent.shown = shown.as_ref().map(|bytes| bytes.len());
        sent.honest.clone_from(&honest);
        self.history.push(Event::Reply {
            request,
            honest,
            shown,
        });
    }

    /// Notes what is done to a reply to a device, or to a request, of which others hear.
    fn note_edits(&mut self, edits: &[Edit], device: Option<&DeviceName>) {
        let applied = self.acts == Acts::Applied;
        for edit in edits {
            // What a replaced message says is compared where it arrives.
            if applied && !matches!(edit, Edit::Replace { .. }) {
                self.deceive(device);
            }
            let text = edit.to_string();
            self.history.push(if edit.is_network() {
                Event::Disturbed { text, applied }
            } else {
                Event::Act { text, applied }
            });
        }
    }

    /// Keeps what handlers did, so that the run plays again without them.
    fn record_edits(&mut self, request: u32, direction: Direction, edits: &[Edit]) {
        self.recorded.edited(request, direction, edits);
    }

    fn steps_at_message(&mut self) {
        self.recorded.message();
    }
}
