//! Tells the story of one run: who does what, what runs at once, what ends, and what is read last.

use std::collections::BTreeSet;

use super::Tally;
use super::people::{NAMES, People, one};
use super::weather::Weather;
use crate::attack::{Edit, Expectation, Step};
use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation};
use crate::history::Event;
use crate::script::performer::{Direction, Message, Performer as _, Progress};
use crate::selector::{Audience, Selector};
use crate::stage::Stage;

/// The most operations of a run before the network heals, logins apart.
const OPERATIONS_MAX: u32 = 14;
/// The fewest.
const OPERATIONS_MIN: u32 = 6;
/// The await points of which one is a process's last, at most.
const POINTS_MAX: u32 = 14;
/// How often a device tries to log in before it stays away for a while.
const LOGINS_MAX: u32 = 3;
/// What a new device is called, with which nobody worked before the network healed.
const FRESH: &str = "new";

/// A run that was told.
pub(super) struct Told {
    pub(super) tally: Tally,
    /// The event at which the network was well.
    pub(super) healed: usize,
    /// Steps that made no sense, which is nobody's fault but the story's.
    pub(super) refused: Vec<String>,
}

/// One run under way.
pub(super) struct Story {
    seed: u64,
    chooser: Chooser,
    people: People,
    weather: Weather,
    /// Messages of which one sets something else off; zero if none ever does.
    detours: u32,
    /// How often a process ends; zero if none does.
    crashes: u32,
    left: u32,
    /// Devices that are logged in.
    awake: BTreeSet<DeviceName>,
    /// Devices whose operations are under way.
    busy: Vec<DeviceName>,
    /// Devices whose messages wait for what becomes of them, outermost first.
    in_hand: Vec<DeviceName>,
    tally: Tally,
    refused: Vec<String>,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        // Another stream than that of the stage, which orders what runs at once.
        let mut chooser = Chooser::seeded(seed.rotate_left(32) ^ 0x00c4_a05c_4a05);
        let people = People::new(&mut chooser);
        let weather = Weather::new(&mut chooser);
        let detours = [0, 0, 10, 30][chooser.choose(4) as usize];
        let crashes = [0, 2, 5][chooser.choose(3) as usize];
        let left = OPERATIONS_MIN + chooser.choose(OPERATIONS_MAX - OPERATIONS_MIN + 1);
        Self {
            seed,
            chooser,
            people,
            weather,
            detours,
            crashes,
            left,
            awake: BTreeSet::new(),
            busy: Vec::new(),
            in_hand: Vec::new(),
            tally: Tally::default(),
            refused: Vec::new(),
        }
    }

    /// Tells it all.
    pub(super) fn tell(mut self, stage: &mut Stage) -> Told {
        self.open(stage);
        for direction in [Direction::Request, Direction::Reply] {
            stage.hook(direction, every(Audience::Everyone));
        }
        while self.left > 0 {
            self.scene(stage);
        }
        self.perform(stage, Step::Heal);
        let healed = stage.history().events().len();
        self.end(stage);
        Told {
            tally: self.tally,
            healed,
            refused: self.refused,
        }
    }

    /// Accounts, devices and first files, before the network goes bad.
    fn open(&mut self, stage: &mut Stage) {
        for device in self.people.devices.clone() {
            let first = device == DeviceName::first(&device.user);
            if first {
                let user = device.user.clone();
                self.perform(stage, Step::User { user });
            }
            let enters = match first {
                true => Operation::SignUp,
                false => Operation::Login,
            };
            let operation = enters;
            self.perform(stage, Step::Run { device, operation });
        }
        for (device, operation) in self.people.opening() {
            self.perform(stage, Step::Run { device, operation });
        }
        // Nothing was chosen up to here, so that runs share how they begin.
        stage.set_chooser(Chooser::seeded(self.seed));
    }

    /// Whatever happens next.
    fn scene(&mut self, stage: &mut Stage) {
        let Some(device) = self.somebody(stage) else {
            // Nobody gets in, and that is a day's work too.
            self.left -= 1;
            return;
        };
        match self.chooser.choose(8) {
            0..=2 => self.race(stage, device),
            3 => self.waits(stage, &device),
            4 if self.crashes > 0 => self.crash_at(stage, &device),
            _ => {
                let operation = self.operation(&device);
                self.run(stage, &device, operation);
            }
        }
    }

    /// A device that is logged in, or could be made to be.
    fn somebody(&mut self, stage: &mut Stage) -> Option<DeviceName> {
        let device = one(&mut self.chooser, &self.people.devices)?.clone();
        if self.wake(stage, &device) {
            return Some(device);
        }
        let awake: Vec<DeviceName> = self.awake.iter().cloned().collect();
        one(&mut self.chooser, &awake).cloned()
    }

    /// Starts a device again if its process ended, and logs in if it must.
    fn wake(&mut self, stage: &mut Stage, device: &DeviceName) -> bool {
        for _ in 0..LOGINS_MAX {
            if self.awake.contains(device) {
                break;
            }
            let device = device.clone();
            self.perform(
                stage,
                Step::Restart {
                    device: device.clone(),
                },
            );
            self.run(stage, &device, Operation::Login);
        }
        self.awake.contains(device)
    }

    fn operation(&mut self, device: &DeviceName) -> Operation {
        self.left = self.left.saturating_sub(1);
        self.people.operation(&mut self.chooser, &device.user)
    }

    /// Two or three devices at once.
    fn race(&mut self, stage: &mut Stage, first: DeviceName) {
        let count = 2 + self.chooser.choose(2) as usize;
        let mut devices = vec![first];
        for other in self.people.devices.clone() {
            let more = devices.len() < count && self.left as usize > devices.len();
            if more && !devices.contains(&other) && self.wake(stage, &other) {
                devices.push(other);
            }
        }
        // One that had to log in may have seen another one's process end.
        devices.retain(|device| self.awake.contains(device));
        let starts: Vec<(DeviceName, Operation)> = devices
            .into_iter()
            .map(|device| {
                let operation = self.operation(&device);
                (device, operation)
            })
            .collect();
        self.busy = starts.iter().map(|(device, _)| device.clone()).collect();
        let mut operations = Vec::new();
        for (device, operation) in starts {
            operations.extend(self.start(stage, device, operation));
        }
        self.turn(if operations.len() > 1 {
            "races"
        } else {
            "runs alone"
        });
        self.guarded(stage, Step::Race { operations });
        self.busy.clear();
    }

    /// An operation waits at one of its requests while others work.
    fn waits(&mut self, stage: &mut Stage, device: &DeviceName) {
        let occurrence = Some(1 + self.chooser.choose(4));
        let audience = Audience::Device {
            device: device.clone(),
        };
        let selector = Selector {
            occurrence,
            ..every(audience)
        };
        let Progress::Number(hold) = self.perform(stage, Step::Hold { selector }) else {
            return;
        };
        self.busy = vec![device.clone()];
        let operation = self.operation(device);
        let started = self.start(stage, device.clone(), operation);
        for _ in 0..=self.chooser.choose(2) {
            self.aside(stage);
        }
        self.turn("waits");
        self.guarded(stage, Step::AnswerAll { hold });
        if let Some(operation) = started {
            self.guarded(stage, Step::Finish { operation });
        }
        self.busy.clear();
    }

    /// A process ends at some await point of an operation.
    fn crash_at(&mut self, stage: &mut Stage, device: &DeviceName) {
        let point = 1 + self.chooser.choose(POINTS_MAX);
        let operation = self.operation(device);
        self.busy = vec![device.clone()];
        if let Some(operation) = self.start(stage, device.clone(), operation) {
            self.guarded(stage, Step::CrashAt { operation, point });
        }
        self.busy.clear();
        if !self.awake.contains(device) {
            self.turn("crashes");
            self.wake(stage, device);
        }
    }

    /// Something else, on a device that does nothing now.
    fn aside(&mut self, stage: &mut Stage) {
        let idle = self
            .awake
            .iter()
            .filter(|device| !self.busy.contains(device));
        let idle: Vec<DeviceName> = idle.cloned().collect();
        if let Some(device) = one(&mut self.chooser, &idle).filter(|_| self.left > 0) {
            let operation = self.operation(device);
            self.run(stage, device, operation);
        }
    }

    /// Every device reads all that it may have, and so does a new one of each user.
    fn end(&mut self, stage: &mut Stage) {
        let devices = self.people.devices.clone();
        for device in &devices {
            if !self.awake.contains(device) {
                let device = device.clone();
                self.perform(stage, Step::Restart { device });
            }
        }
        for device in &devices {
            if !self.awake.contains(device) {
                self.run(stage, device, Operation::Login);
            }
        }
        let fresh = self.people.users.clone().into_iter();
        let fresh: Vec<DeviceName> = fresh.map(|user| DeviceName::new(user, FRESH)).collect();
        for device in &fresh {
            self.run(stage, device, Operation::Login);
        }
        for device in devices.iter().chain(&fresh) {
            self.run(stage, device, Operation::List);
            for name in NAMES {
                let name = name.to_vec();
                self.run(stage, device, Operation::Download { name });
            }
        }
    }

    fn run(&mut self, stage: &mut Stage, device: &DeviceName, operation: Operation) {
        let device = device.clone();
        let was_busy = self.busy.len();
        self.busy.push(device.clone());
        self.guarded(stage, Step::Run { device, operation });
        self.busy.truncate(was_busy);
    }

    /// Starts an operation; its number, unless nothing came of it.
    fn start(
        &mut self,
        stage: &mut Stage,
        device: DeviceName,
        operation: Operation,
    ) -> Option<u32> {
        match self.perform(stage, Step::Start { device, operation }) {
            Progress::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Performs a step whose operations may fail: as a script, it goes on all the same.
    fn guarded(&mut self, stage: &mut Stage, step: Step) {
        let expectation = Expectation::Anything;
        self.perform(stage, Step::Expect { expectation });
        self.perform(stage, step);
        self.perform(stage, Step::Met);
    }

    /// Performs a step to its end, and says what becomes of every message in between.
    fn perform(&mut self, stage: &mut Stage, step: Step) -> Progress {
        let from = stage.history().events().len();
        let mut progress = stage.perform(step);
        while let Progress::Message(message) = progress {
            let edits = self.meet(stage, &message);
            progress = stage.resume(edits);
        }
        if let Progress::Refused(why) = &progress {
            self.refused.push(why.clone());
        }
        self.note(stage, from);
        progress
    }

    /// What becomes of a message; something else may happen first.
    fn meet(&mut self, stage: &mut Stage, message: &Message) -> Vec<Edit> {
        let deep = self.busy.len() > 3;
        self.in_hand.push(message.device.clone());
        if self.detours > 0 && !deep && self.chooser.choose(self.detours) == 0 {
            self.turn(match message.direction {
                Direction::Request => "requests overtaken",
                Direction::Reply => "replies overtaken",
            });
            self.aside(stage);
        }
        // One whose message is in hand ends at an await point of its own.
        if self.crashes > 0 && self.chooser.choose(20 * self.crashes) == 0 {
            let in_hand = &self.in_hand;
            let others = self.busy.iter().filter(|device| !in_hand.contains(device));
            let others: Vec<DeviceName> = others.cloned().collect();
            if let Some(device) = one(&mut self.chooser, &others).cloned() {
                self.turn("crashes in a race");
                self.perform(stage, Step::Crash { device });
            }
        }
        self.in_hand.pop();
        let counts = &mut self.tally.troubles;
        self.weather
            .edits(&mut self.chooser, message.direction, counts)
    }

    /// Keeps in mind who is logged in.
    fn note(&mut self, stage: &Stage, from: usize) {
        let events = stage.history().events();
        let mut entered = Vec::new();
        for event in events.get(from..).unwrap_or_default() {
            match event {
                Event::Crashed { device } => {
                    self.awake.remove(device);
                }
                Event::OperationStarted {
                    operation,
                    device,
                    what: Operation::SignUp | Operation::Login,
                } => entered.push((*operation, device.clone())),
                Event::OperationEnded { operation, outcome } => {
                    let this = entered.iter().find(|(number, _)| number == operation);
                    if let (Some((_, device)), Ok(_)) = (this, outcome) {
                        self.awake.insert(device.clone());
                    }
                }
                _ => {}
            }
        }
    }

    fn turn(&mut self, name: &'static str) {
        *self.tally.turns.entry(name).or_default() += 1;
    }
}

/// Every message of somebody.
const fn every(audience: Audience) -> Selector {
    Selector {
        audience,
        kind: None,
        occurrence: None,
    }
}
