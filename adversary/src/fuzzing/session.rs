//! Plays a session: people at work, a server that turns, and every oracle afterwards.

use std::rc::Rc;

use super::generate::{DEVICES, Generator};
use crate::attack::{Attack, Step};
use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation};
use crate::driver::{Client, Hardened};
use crate::history::History;
use crate::oracle::{self, Facts, Judgement};
use crate::script::performer::{Direction, Performer, Progress};
use crate::selector::Selector;
use crate::stage::{Acts, Stage, password_of};
use crate::verdict::Guarantee;

/// The most steps of a session.
const STEPS_MAX: usize = 24;

/// The seed of every session: what differs between sessions is in the bytes.
const SEED: u64 = 1;

/// Plays the session that the bytes say against the hardened client, and again as a value.
///
/// # Panics
///
/// If a guarantee falls, if an oracle cannot decide, or if the attack, replayed, is another one.
pub fn session(bytes: &[u8]) {
    let stage = played(Rc::new(Hardened), bytes);
    let attack = stage.attack();
    let judgement = judged(&stage);
    let faults = stage.faults();
    assert!(
        judgement == Judgement::default() && faults.is_empty(),
        "{judgement:#?}\nby the stage: {faults:#?}\n{}",
        attack.print()
    );
    let again = replayed(&attack);
    let events = again.events().iter().zip(stage.history().events());
    let apart = events
        .clone()
        .position(|(replayed, first)| replayed != first);
    assert!(
        again.digest() == stage.history().digest(),
        "replayed, event {apart:?} is another one:\n{:#?}\n{}",
        apart.and_then(|at| events.clone().nth(at)),
        attack.print()
    );
}

/// The guarantees that fall in the session that the bytes say, when any client plays it.
///
/// A fuzz target that finds nothing is worth what it finds in a client that is known to fall.
#[must_use]
pub fn fallen(client: Rc<dyn Client>, bytes: &[u8]) -> Vec<Guarantee> {
    let stage = played(client, bytes);
    let breaches = judged(&stage).breaches;
    breaches.iter().map(|breach| breach.guarantee).collect()
}

/// Plays a session: people at work, and a server that turns.
///
/// The first byte says how many of the bytes order what runs at once; the rest says who does what,
/// and how the server turns.
fn played(client: Rc<dyn Client>, bytes: &[u8]) -> Stage {
    let (ordering, story) = divided(bytes);
    let mut stage = Stage::new(client, Acts::Applied, SEED);
    stage.set_chooser(Chooser::from_bytes(ordering));
    tell(&mut stage, &mut Generator::new(story));
    stage
}

/// The bytes for the stage's chooser, and those for the story.
fn divided(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.split_first() {
        Some((&count, rest)) => rest
            .split_at_checked(usize::from(count))
            .unwrap_or((&[], rest)),
        None => (&[], &[]),
    }
}

/// Performs the prologue, and then step after step.
fn tell(stage: &mut Stage, generator: &mut Generator) {
    for (user, device) in DEVICES {
        let device = DeviceName::new(user, device);
        let (appears, enters) = match device.device == crate::client::FIRST {
            true => (
                Step::User {
                    user: device.user.clone(),
                },
                Operation::SignUp,
            ),
            false => (
                Step::Device {
                    device: device.clone(),
                },
                Operation::Login,
            ),
        };
        let operation = enters;
        perform(stage, generator, appears);
        perform(stage, generator, Step::Run { device, operation });
    }
    for direction in [Direction::Request, Direction::Reply] {
        if let Some(every) = Selector::parse("*").filter(|_| generator.choose(4) == 1) {
            stage.hook(direction, every);
        }
    }
    for _ in 0..STEPS_MAX {
        let steps = generator.steps(stage);
        if steps.is_empty() {
            break;
        }
        for step in steps {
            perform(stage, generator, step);
        }
    }
}

/// Performs a step to its end; the generator says what is done to the messages of hooks.
fn perform(stage: &mut Stage, generator: &mut Generator, step: Step) {
    let mut progress = stage.perform(step);
    while let Progress::Message(message) = progress {
        let kept = match message.direction {
            Direction::Request => Vec::new(),
            Direction::Reply => Selector::parse(&message.kind)
                .map(|kind| stage.kept(&kind))
                .unwrap_or_default(),
        };
        progress = stage.resume(generator.edits(&message, &kept));
    }
}

/// What the oracles say of a session.
fn judged(stage: &Stage) -> Judgement {
    let passwords = stage.users().iter().map(|user| password_of(user));
    let facts = Facts {
        passwords: passwords.collect(),
        ..Facts::default()
    };
    oracle::judge(stage.history(), &facts)
}

/// The history of an attack that is played as a value.
fn replayed(attack: &Attack) -> History {
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, SEED);
    stage.play(attack);
    stage.history().clone()
}
