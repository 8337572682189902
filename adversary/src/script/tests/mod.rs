//! The language over a world of a few lines.

mod bad_input;
mod fake;
mod language;

use super::{Budget, Played, ScriptError, Stop, play, prepare};
use fake::Fake;
use std::cell::RefCell;
use std::rc::Rc;

const TITLE: &str = "// a-script: something happens.\n";

/// Plays the text, below a title, in a fake world.
fn played(text: &str, attacked: bool) -> (Played, Vec<crate::attack::Step>) {
    let script = prepare(&format!("{TITLE}{text}"), &Budget::default()).unwrap();
    let fake = Rc::new(RefCell::new(Fake::new(attacked)));
    let played = play(&script, fake.clone(), &Budget::default(), &Stop::default());
    let steps = std::mem::take(&mut fake.borrow_mut().steps);
    (played, steps)
}

/// Plays the text, which must run to its end and meet every expectation.
fn met(text: &str) -> Vec<crate::attack::Step> {
    let (played, steps) = played(text, true);
    assert_eq!(played.fault, None);
    assert!(played.is_met(), "{:?}", played.judgements);
    steps
}

/// The fault that ends the text, found before the run or in it.
fn fault(text: &str) -> ScriptError {
    match prepare(&format!("{TITLE}{text}"), &Budget::default()) {
        Err(error) => error,
        Ok(_) => played(text, true).0.fault.expect("a fault"),
    }
}
