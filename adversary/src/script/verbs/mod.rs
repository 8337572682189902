//! The words of the language, all in one table.

mod collude;
pub(super) mod expect;
mod message;
pub(super) mod order;
mod people;
mod plain;
mod printed;
mod store;

use super::call::{Does, Receiver, Verb};

/// Every verb; the `start_` forms of operations apart.
pub(crate) fn all() -> impl Iterator<Item = &'static Verb> {
    let tables: [&'static [Verb]; 8] = [
        people::VERBS,
        plain::VERBS,
        store::VERBS,
        message::VERBS,
        order::VERBS,
        expect::VERBS,
        printed::VERBS,
        collude::VERBS,
    ];
    tables.into_iter().flatten()
}

/// The words for what a server does by itself, and for plain values.
pub(crate) fn of_the_server() -> impl Iterator<Item = &'static Verb> {
    let tables: [&'static [Verb]; 3] = [plain::VERBS, store::VERBS, message::VERBS];
    tables.into_iter().flatten()
}

/// A word of the language, for the manual and for people who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it is called on.
    pub on: &'static str,
    /// How a script writes it.
    pub usage: &'static str,
    /// What it does, in one sentence.
    pub says: &'static str,
    /// Whether `start_` before it starts it only.
    pub starts: bool,
}

/// Every word of the language.
#[must_use]
pub fn words() -> Vec<Word> {
    let word = |verb: &Verb| Word {
        name: verb.name,
        on: verb.on.name(),
        usage: verb.usage,
        says: verb.says,
        starts: matches!(verb.does, Does::Operation(_)),
    };
    all().map(word).collect()
}

/// The properties of handles, such as `object.size`.
pub(crate) const PROPERTIES: [&str; 10] = [
    "body",
    "class",
    "count",
    "device",
    "id",
    "kind",
    "name",
    "operation",
    "size",
    "user",
];

/// What the name of a started operation begins with.
pub(crate) const START: &str = "start_";

/// A verb without a receiver or with one.
const fn verb(
    on: Receiver,
    name: &'static str,
    takes: (usize, usize),
    usage: &'static str,
    says: &'static str,
    run: fn(&super::call::Call<'_>) -> super::call::Given,
) -> Verb {
    Verb {
        name,
        on,
        takes,
        usage,
        says,
        does: Does::This(run),
    }
}
