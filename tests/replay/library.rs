//! The scripts of the library, and the clients that they run against in these tests.

use std::rc::Rc;

use turncoat_adversary::catalogue::Catalogue;
use turncoat_adversary::driver::{Hardened, Straw, Weakened};
use turncoat_adversary::run::{ScriptSubject, Target};
use turncoat_adversary::script::Stop;
use turncoat_adversary::strawman::Kind;

/// The library that these tests were built with.
pub(crate) fn catalogue() -> Catalogue {
    Catalogue::built_in().expect("the library is whole")
}

/// The ids of all scripts, by class and id.
pub(crate) fn ids() -> Vec<String> {
    let catalogue = catalogue();
    let entries = catalogue.entries().iter();
    entries.map(|entry| entry.header.id.clone()).collect()
}

/// One in `share` of the cases without optimisation, and all of them with it: the program's own
/// checks run this in both ways.
pub(crate) fn sampled(count: usize, share: usize) -> Vec<usize> {
    let share = if cfg!(debug_assertions) { share } else { 1 };
    // Neighbours are alike, so that an even sample has some of every class.
    (0..count).filter(|at| at % share == 0).collect()
}

/// A script of the library.
pub(crate) fn script(id: &str) -> ScriptSubject {
    let catalogue = catalogue();
    let entry = catalogue
        .find(id)
        .unwrap_or_else(|| panic!("no script {id}"));
    let subject = catalogue.read(entry.text, Stop::default());
    subject.expect("a script of the library parses")
}

/// The hardened client, with its twin.
pub(crate) fn ours() -> Target {
    Target {
        client: Rc::new(Hardened),
        ours: true,
        twin: Some(Box::new(|defences| {
            Ok(Rc::new(Weakened::without(defences)?))
        })),
    }
}

/// A straw client.
pub(crate) fn straw(kind: &'static Kind) -> Target {
    Target {
        client: Rc::new(Straw(kind)),
        ours: false,
        twin: None,
    }
}

/// How many threads these tests use.
pub(crate) fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
