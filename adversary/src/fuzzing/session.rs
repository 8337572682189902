//! Plays a session: people at work, a server that turns, and every oracle afterwards.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use turncoat_core::wire::{Frame as _, Reply};

use super::generate::Generator;
use super::opening::Opening;
use crate::attack::{Attack, Step};
use crate::chooser::Chooser;
use crate::client::Class;
use crate::codec::Bytes;
use crate::driver::{Client, Hardened};
use crate::history::{Event, History};
use crate::oracle::{self, Facts, Judgement};
use crate::script::performer::{Direction, Performer, Progress};
use crate::selector::Selector;
use crate::stage::{Stage, password_of};
use crate::verdict::Guarantee;

/// The most steps of a session.
const STEPS_MAX: usize = 16;

/// One session in so many is played again as a value.
const REPLAYED: u8 = 8;

/// How far the server's lies came in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// It told none, but for lost and refused messages.
    Honest,
    /// Each was found out by its form, its size, its signature or its seal, or nobody took it up.
    Lied,
    /// One came past that: the client went on with it, or found it out by something else.
    Believed,
}

/// Plays the session that the bytes say against the hardened client, and some again as a value.
///
/// # Panics
///
/// If a guarantee falls, if an oracle cannot decide, or if the attack, replayed, is another one.
pub fn session(bytes: &[u8]) -> Depth {
    let (opening, stage) = played(Rc::new(Hardened), bytes);
    let attack = stage.attack();
    let judgement = judged(&stage);
    let faults = stage.faults();
    assert!(
        judgement == Judgement::default() && faults.is_empty(),
        "{judgement:#?}\nby the stage: {faults:#?}\n{}",
        attack.print()
    );
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if sum.is_multiple_of(REPLAYED) {
        compare(stage.history(), &replayed(opening, &attack), &attack);
    }
    depth(stage.history())
}

/// The session that the bytes say, played against the hardened client and again as a value from
/// its first step on.
///
/// # Panics
///
/// If the two are not the same.
pub fn session_again(bytes: &[u8]) {
    let (_, stage) = played(Rc::new(Hardened), bytes);
    let attack = stage.attack();
    let mut again = Stage::new(Rc::new(Hardened), crate::stage::Acts::Applied, stage.seed());
    again.play(&attack);
    compare(stage.history(), again.history(), &attack);
}

fn compare(first: &History, again: &History, attack: &Attack) {
    let events = again.events().iter().zip(first.events());
    let apart = events
        .clone()
        .position(|(replayed, first)| replayed != first);
    assert!(
        again.digest() == first.digest(),
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
    let (_, stage) = played(client, bytes);
    let breaches = judged(&stage).breaches;
    breaches.iter().map(|breach| breach.guarantee).collect()
}

/// Plays a session: people at work, and a server that turns.
///
/// The first byte says how many of the bytes order what runs at once; the rest says how far the
/// story is when it begins, who does what, and how the server turns.
fn played(client: Rc<dyn Client>, bytes: &[u8]) -> (Opening, Stage) {
    let (ordering, story) = divided(bytes);
    let mut generator = Generator::new(story);
    let opening = Opening::ALL[generator.choose(4) as usize];
    let mut stage = opening.stage(client);
    stage.set_chooser(Chooser::from_bytes(ordering));
    if generator.choose(2) == 1 {
        generator.member = Some(opening.member());
        stage.collude("bob");
    }
    tell(&mut stage, &mut generator);
    (opening, stage)
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

/// Performs step after step.
fn tell(stage: &mut Stage, generator: &mut Generator) {
    for direction in [Direction::Request, Direction::Reply] {
        if let Some(every) = Selector::parse("*").filter(|_| generator.choose(2) == 1) {
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
pub(super) fn judged(stage: &Stage) -> Judgement {
    let passwords = stage.users().iter().map(|user| password_of(user));
    let facts = Facts {
        passwords: passwords.collect(),
        colluders: stage.colluders().clone(),
        spoiling: true,
        ..Facts::default()
    };
    oracle::judge(stage.history(), &facts)
}

/// The history of an attack that is played as a value, from its opening on.
fn replayed(opening: Opening, attack: &Attack) -> History {
    let mut stage = opening.stage(Rc::new(Hardened));
    stage.set_chooser(Chooser::recorded(attack.choices.clone()));
    let mut opened = opening.steps().into_iter().peekable();
    for step in &attack.steps {
        // Edits stand before the opening.
        if opened.next_if_eq(step).is_none() {
            stage.perform(step.clone());
        }
    }
    stage.history().clone()
}

/// How far the server's lies came.
fn depth(history: &History) -> Depth {
    let is_answer = |shown: &Bytes| !matches!(Reply::decode(shown), Ok(Reply::Refused(_)) | Err(_));
    let mut operation_of = Vec::new();
    // Operations that were told something that reads as an answer, and is not the honest one.
    let mut told: BTreeSet<u32> = BTreeSet::new();
    let mut depth = Depth::Honest;
    for event in history.events() {
        match event {
            Event::Request { operation, .. } => {
                operation_of.push(*operation);
                if told.contains(operation) {
                    return Depth::Believed;
                }
            }
            Event::Reply {
                request,
                honest,
                shown: Some(shown),
            } if honest.as_ref() != Some(shown) => {
                depth = Depth::Lied;
                if is_answer(shown) {
                    told.extend(operation_of.get(*request as usize));
                }
            }
            Event::OperationEnded { operation, outcome } if told.contains(operation) => {
                let found_out = match outcome {
                    Ok(_) => false,
                    Err(failure) => {
                        failure.class != Class::Violation
                            || ["fast-forward", "inauthentic", "malformed", "too-large"]
                                .contains(&failure.name.as_str())
                    }
                };
                if !found_out {
                    return Depth::Believed;
                }
            }
            _ => {}
        }
    }
    depth
}

/// How many sessions came how far, for a fuzzer to tell as it runs.
#[derive(Debug, Default)]
pub struct Share {
    sessions: AtomicU64,
    believed: AtomicU64,
}

impl Share {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sessions: AtomicU64::new(0),
            believed: AtomicU64::new(0),
        }
    }

    /// Counts a session; now and then there is a line to print.
    pub fn count(&self, depth: Depth) -> Option<String> {
        let more = u64::from(depth == Depth::Believed);
        let believed = self.believed.fetch_add(more, Ordering::Relaxed) + more;
        let sessions = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let share = 100 * believed / sessions;
        sessions
            .is_power_of_two()
            .then(|| format!("past the first check: {believed} of {sessions} sessions, {share} %"))
    }
}
