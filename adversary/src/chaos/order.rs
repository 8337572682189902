//! Looks for a serial order of the operations that explains all that they said.
//!
//! The operations are gone through as they started and ended. At each end, every state is kept
//! that some order of the moments of all operations under way leads to, and in which the one that
//! ends says what it said. Nothing is guessed: where no state is left, there is no such order.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Progress, Said, Task, World};
use super::past::{Act, Moment, Past, Shown};
use crate::client::{Class, Operation};

/// The most states at once. A run whose search needs more is no run that was checked.
pub(super) const STATES_MAX: usize = 200_000;

/// The files, and how far each operation under way has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    world: World,
    under_way: BTreeMap<usize, Progress>,
}

/// What an operation said, as far as an order has to explain it.
enum Spoken {
    /// This.
    Said(Said),
    /// Nothing of any use: it may have come to any point.
    Anything,
    /// What no order gives.
    Nonsense(String),
}

/// What no order explains, if anything; and the most states that were held at once.
pub(super) fn explain(past: &Past<'_>, states_max: usize) -> (Option<String>, usize) {
    let tasks: Vec<Task> = past.acts.iter().map(|act| Task::of(past, act)).collect();
    let mut states = BTreeSet::from([State::default()]);
    let mut most = 1;
    for moment in past.moments() {
        match moment {
            Moment::Starts(at) if tasks[at].is_modelled() => {
                let started = std::mem::take(&mut states).into_iter().map(|mut state| {
                    state.under_way.insert(at, Progress::BEGUN);
                    state
                });
                states = started.collect();
            }
            Moment::Ends(at) if tasks[at].is_modelled() => {
                let spoken = spoken(past, &past.acts[at]);
                if let Spoken::Nonsense(what) = spoken {
                    return (Some(what), most);
                }
                let Some(reached) = reached(&states, &tasks, states_max) else {
                    let act = &past.acts[at];
                    let what = format!("{act}: more than {states_max} states; not checked");
                    return (Some(what), states_max);
                };
                most = most.max(reached.len());
                let left = ended(&reached, at, &spoken);
                if left.is_empty() {
                    return (Some(unexplained(past, at, &reached)), most);
                }
                states = left;
            }
            Moment::Starts(_) | Moment::Ends(_) => {}
        }
    }
    (None, most)
}

/// Every state that any order leads to from these; none if they are too many.
fn reached(states: &BTreeSet<State>, tasks: &[Task], states_max: usize) -> Option<BTreeSet<State>> {
    let mut reached = states.clone();
    let mut new: Vec<State> = states.iter().cloned().collect();
    while let Some(state) = new.pop() {
        for (at, progress) in &state.under_way {
            for (world, progress) in state.world.next(&tasks[*at], progress) {
                let mut under_way = state.under_way.clone();
                under_way.insert(*at, progress);
                let next = State { world, under_way };
                if !reached.contains(&next) {
                    reached.insert(next.clone());
                    new.push(next);
                }
            }
        }
        if reached.len() > states_max {
            return None;
        }
    }
    Some(reached)
}

/// The states in which this operation says what it said, without it.
fn ended(reached: &BTreeSet<State>, at: usize, spoken: &Spoken) -> BTreeSet<State> {
    let says = |state: &&State| match (spoken, state.under_way.get(&at)) {
        (Spoken::Said(said), Some(Progress::Over(over))) => said == over,
        (Spoken::Anything, _) => true,
        _ => false,
    };
    let left = reached.iter().filter(says).map(|state| {
        let mut state = state.clone();
        state.under_way.remove(&at);
        state
    });
    left.collect()
}

fn spoken(past: &Past<'_>, act: &Act<'_>) -> Spoken {
    match (act.answer(), act.failure()) {
        (Some(answer), _) => {
            let said = match act.what {
                Operation::Download { .. } => {
                    let bytes = answer.content.as_deref().unwrap_or_default();
                    past.content(bytes).map(Said::Content)
                }
                Operation::List => {
                    let names = answer.names.iter().flatten();
                    let numbers: Option<BTreeSet<u8>> = names.map(|name| past.name(name)).collect();
                    numbers.map(Said::Names)
                }
                _ => Some(Said::Done),
            };
            match said {
                Some(said) => Spoken::Said(said),
                None => Spoken::Nonsense(format!("{act} returned what nobody wrote")),
            }
        }
        (None, Some(failure)) if failure.class == Class::Usage => {
            let known = [
                "already-received",
                "name-taken",
                "no-such-file",
                "not-owner",
                "not-shared",
                "oneself",
            ];
            match known.into_iter().find(|known| *known == failure.name) {
                Some(known) => Spoken::Said(Said::Usage(known)),
                None => Spoken::Nonsense(format!("{act} says {failure}, of which no order knows")),
            }
        }
        // Nothing else is wrong where the network is well.
        (None, Some(failure)) if act.well && failure.name == "closed" => Spoken::Said(Said::Closed),
        (None, _) => Spoken::Anything,
    }
}

/// What an operation said, and what it could have said.
fn unexplained(past: &Past<'_>, at: usize, reached: &BTreeSet<State>) -> String {
    let act = &past.acts[at];
    let could: BTreeSet<String> = reached
        .iter()
        .filter_map(|state| match state.under_way.get(&at) {
            Some(Progress::Over(said)) => Some(shown(past, said)),
            _ => None,
        })
        .collect();
    let said = match spoken(past, act) {
        Spoken::Said(said) => shown(past, &said),
        Spoken::Anything | Spoken::Nonsense(_) => "nothing".to_owned(),
    };
    let could: Vec<String> = could.into_iter().take(6).collect();
    let could = match could.is_empty() {
        true => "it comes to no end".to_owned(),
        false => format!("it says {}", could.join(" or ")),
    };
    format!("{act} says {said}; in every order of what was before, {could}")
}

fn shown(past: &Past<'_>, said: &Said) -> String {
    match said {
        Said::Done => "done".to_owned(),
        Said::Content(content) => {
            let parts = content.iter().map(|piece| {
                let bytes = past.pieces[usize::from(*piece)];
                Shown(bytes).to_string()
            });
            format!("[{}]", parts.collect::<Vec<_>>().join(" "))
        }
        Said::Names(names) => {
            let names = names.iter().map(|name| {
                let bytes = past.names[usize::from(*name)];
                Shown(bytes).to_string()
            });
            format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
        }
        Said::Usage(name) => (*name).to_owned(),
        Said::Closed => "closed".to_owned(),
    }
}
