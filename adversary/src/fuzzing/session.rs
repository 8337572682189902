//! Plays a session against the hardened client: people at work, a server that turns, and every
//! oracle afterwards.

use std::rc::Rc;

use super::generate::{DEVICES, Generator};
use crate::attack::{Attack, Step};
use crate::chooser::Chooser;
use crate::client::{DeviceName, Operation};
use crate::driver::Hardened;
use crate::history::History;
use crate::oracle::{self, Facts};
use crate::script::performer::{Direction, Performer, Progress};
use crate::selector::Selector;
use crate::stage::{Acts, Stage, password_of};

/// The most steps of a session.
const STEPS_MAX: usize = 24;

/// The seed of every session: what differs between sessions is in the bytes.
const SEED: u64 = 1;

/// Plays the session that the bytes say, judges it, and plays it again as a value.
///
/// The first byte says how many of the bytes order what runs at once; the rest says who does what,
/// and how the server turns.
///
/// # Panics
///
/// If a guarantee falls, if an oracle cannot decide, or if the attack, replayed, is another one.
pub fn session(bytes: &[u8]) {
    let (ordering, story) = divided(bytes);
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, SEED);
    stage.set_chooser(Chooser::from_bytes(ordering));
    tell(&mut stage, &mut Generator::new(story));
    let attack = stage.attack();
    judge(&stage, &attack);
    assert!(
        replayed(&attack).digest() == stage.history().digest(),
        "another history when it is replayed:\n{}",
        attack.print()
    );
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

/// Every oracle, and what the stage saw by itself.
fn judge(stage: &Stage, attack: &Attack) {
    let facts = Facts {
        passwords: stage.users().iter().map(|user| password_of(user)).collect(),
        ..Facts::default()
    };
    let judgement = oracle::judge(stage.history(), &facts);
    let faults = stage.faults();
    assert!(
        judgement.breaches.is_empty() && judgement.undecided.is_empty() && faults.is_empty(),
        "{:#?}\nundecided: {:#?}\nby the stage: {faults:#?}\n{}",
        judgement.breaches,
        judgement.undecided,
        attack.print()
    );
}

/// The history of an attack that is played as a value.
fn replayed(attack: &Attack) -> History {
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, SEED);
    stage.play(attack);
    stage.history().clone()
}
