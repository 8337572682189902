//! The same run with other secrets: the server must not be able to tell the two apart.

use std::rc::Rc;

use super::{Play, Played, Subject, play_on_stage};
use crate::driver::{Client, Front};
use crate::front::{kv, native};
use crate::history::History;
use crate::oracle::{self, Anatomy};
use crate::stage::Secrets;

/// Plays the script once more with other secrets, and compares what the server sees.
///
/// The script, its seed and so its acts are the same. The first request of a client that differs
/// after replies of equal skeletons decides; what keeps the runs from being compared is said.
pub(super) fn compare(
    subject: &dyn Subject,
    client: &Rc<dyn Client>,
    play: &Play,
    seed: u64,
    first: &History,
) -> oracle::Judgement {
    let Played { stage: second, .. } =
        play_on_stage(subject, Rc::clone(client), play, (seed, Secrets::Second));
    let anatomy: &dyn Anatomy = match client.declaration().front {
        Front::Native => &native::Requests,
        Front::KeyValue => &kv::Requests,
    };
    let second = second.borrow();
    let guarantee = subject.plan().guarantee;
    let mut found = oracle::Judgement::default();
    match oracle::judge_same_view(first, second.history(), anatomy, guarantee) {
        Ok(breach) => found.breaches.extend(breach),
        Err(why) => found
            .undecided
            .push(format!("of two sets of secrets, {why}")),
    }
    found
}
