//! The script language: the words in which attacks are written, over a world that performs them.

mod bridge;
pub mod budget;
mod call;
pub mod check;
pub mod error;
mod fault;
pub mod header;
pub mod known;
pub mod nearest;
pub mod performer;
mod recorder;
pub mod selector;
pub(crate) mod served;
mod value;
mod verbs;
mod world;

pub use budget::{Budget, Stop};
pub(crate) use check::Words;
pub use check::{Script, prepare};
pub use error::{Fault, Place, ScriptError};
pub use performer::Performer;
pub(crate) use recorder::parse_within;
pub use recorder::{parse, print};
pub use verbs::{Word, words};
pub use world::Judgement;

use budget::Meter;
use rhai::{EvalAltResult, Scope};
use std::cell::RefCell;
use std::rc::Rc;
use world::World;

/// How a script came out in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The expectations, in the order in which they closed.
    pub judgements: Vec<Judgement>,
    /// What the script printed, for whoever writes it.
    pub printed: Vec<String>,
    /// The fault that ended the script early, if one did.
    pub fault: Option<ScriptError>,
}

impl Played {
    /// Whether the script ran to its end and every expectation was met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.fault.is_none() && self.judgements.iter().all(|one| one.instead.is_none())
    }
}

/// Plays a script in a world, to its end or to its first fault.
pub fn play(
    script: &Script,
    performer: Rc<RefCell<dyn Performer>>,
    budget: &Budget,
    stop: &Stop,
) -> Played {
    let meter = Meter::new(budget.clone(), stop.clone());
    play_with(script, performer, &meter, true)
}

fn play_with(
    script: &Script,
    performer: Rc<RefCell<dyn Performer>>,
    meter: &Rc<Meter>,
    strict: bool,
) -> Played {
    let meter = Rc::clone(meter);
    let world = Rc::new(World::new(performer, meter, script.sample_seed, strict));
    let engine = bridge::engine(&world);
    let mut scope = Scope::new();
    let result = engine.run_ast_with_scope(&mut scope, &script.ast);
    let fatal = world.fatal.take();
    let fault = match result {
        Ok(()) => fatal,
        Err(error) => Some(first_fault(&error, fatal, script)),
    };
    Played {
        judgements: world.judgements.take(),
        printed: world.printed.take(),
        fault,
    }
}

/// The fault to report: one that the world noted weighs more than how the engine was stopped.
fn first_fault(error: &EvalAltResult, fatal: Option<ScriptError>, script: &Script) -> ScriptError {
    let explained = fault::explain(error, &script.words.variables);
    match fatal {
        Some(mut fatal) => {
            fatal.place = fatal.place.or(explained.place);
            fatal
        }
        None => explained,
    }
}

#[cfg(test)]
mod tests;
