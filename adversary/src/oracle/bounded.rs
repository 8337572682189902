//! G12: hostile input costs bounded requests, bytes and durable state, and stops no client.

use std::collections::{BTreeMap, BTreeSet};

use super::seen::Case;
use super::truth::{Use, uses};
use super::{Facts, Judgement, cite};
use crate::client::{DeviceName, Failure, Operation};
use crate::history::{Event, History};
use crate::verdict::Guarantee;

/// What one operation may cost, as a function of the work that an honest server makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Requests of an operation without content.
    pub requests: u64,
    /// Bytes of content for which one more request is granted.
    pub bytes_per_request: u64,
    /// Bytes sent by an operation without content.
    pub sent: u64,
    /// Bytes of one reply that a client reads, in an operation without content.
    pub reply: u64,
    /// How many times the requests and bytes of the same operation before an honest server.
    pub factor: u64,
    /// Requests that are granted beside that, for what an attack makes necessary: to ask again,
    /// and to do what an earlier operation could not.
    pub more_requests: u64,
    /// Bytes of all replies together that are granted beside that: two of the largest.
    pub more_read: u64,
    /// Bytes of durable state.
    pub state: u64,
}

impl Default for Budget {
    /// Generous to every honest client, and far below what endless data or an endless loop costs.
    fn default() -> Self {
        Self {
            requests: 2048,
            bytes_per_request: 4096,
            sent: 16 << 20,
            reply: 16 << 20,
            factor: 8,
            more_requests: 128,
            more_read: 32 << 20,
            state: 16 << 20,
        }
    }
}

/// The highest height that any device, fresh ones too, may accept.
const HEIGHT_MAX: u64 = 1 << 48;

/// What one operation cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    requests: u64,
    sent: u64,
    /// Bytes of the largest reply that was read.
    reply: u64,
    /// Bytes of all replies that were read.
    read: u64,
}

/// What the operations of a script cost before an honest server, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HonestCosts(BTreeMap<u32, (DeviceName, Operation, Cost)>);

impl HonestCosts {
    /// Of the operations that succeeded in an honest run.
    #[must_use]
    pub fn of(honest: &History) -> Self {
        let costs = costs(honest);
        let succeeded = honest.events().iter().filter_map(|event| match event {
            Event::OperationEnded {
                operation,
                outcome: Ok(_),
            } => Some(operation),
            _ => None,
        });
        let succeeded: BTreeSet<&u32> = succeeded.collect();
        let started = honest.events().iter().filter_map(|event| match event {
            Event::OperationStarted {
                operation,
                device,
                what,
            } if succeeded.contains(operation) => {
                let cost = costs.get(operation).copied().unwrap_or_default();
                Some((*operation, (device.clone(), what.clone(), cost)))
            }
            _ => None,
        });
        Self(started.collect())
    }

    /// Of the same operation: a script that acts on what it sees may have another at this place.
    fn of_same(&self, id: u32, device: &DeviceName, what: &Operation) -> Option<Cost> {
        let (on, done, cost) = self.0.get(&id)?;
        (on == device && done == what).then_some(*cost)
    }
}

/// What each operation of a run cost.
fn costs(history: &History) -> BTreeMap<u32, Cost> {
    let mut costs: BTreeMap<u32, Cost> = BTreeMap::new();
    let mut asked_in: BTreeMap<u32, u32> = BTreeMap::new();
    for event in history.events() {
        match event {
            Event::Request {
                request,
                operation,
                bytes,
                ..
            } => {
                asked_in.insert(*request, *operation);
                let cost = costs.entry(*operation).or_default();
                cost.requests += 1;
                cost.sent += bytes.len() as u64;
            }
            Event::Reply {
                request,
                shown: Some(bytes),
                ..
            } => {
                let operation = asked_in.get(request).copied().unwrap_or_default();
                let cost = costs.entry(operation).or_default();
                cost.reply = cost.reply.max(bytes.len() as u64);
                cost.read += bytes.len() as u64;
            }
            _ => {}
        }
    }
    costs
}

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let budget = &facts.budget;
    let costs = costs(case.history);
    let mut breach = |operation: Option<u32>, text: String| {
        judgement.breach(Guarantee::G12, operation, text);
    };
    for (at, event) in case.history.events().iter().enumerate() {
        match event {
            Event::Saved { device, bytes } if bytes.len() as u64 > budget.state => breach(
                case.truth.busy(device, at).map(|op| case.truth.ops[op].id),
                format!(
                    "{device} keeps {} bytes, and may keep {}",
                    bytes.len(),
                    budget.state
                ),
            ),
            // No honest space gets there: a counter so high leaves no room for who comes later.
            Event::Accepted { device, height, .. } if *height > HEIGHT_MAX => breach(
                case.truth.busy(device, at).map(|op| case.truth.ops[op].id),
                format!("{device} accepted height {height}, above 2^48"),
            ),
            _ => {}
        }
    }
    for (at, op) in case.truth.ops.iter().enumerate() {
        let cost = costs.get(&op.id).copied().unwrap_or_default();
        let content = content_of(case, at);
        let honest = facts.honest_costs.of_same(op.id, op.device, op.what);
        let most = |absolute: u64, honest: Option<u64>, more: u64| {
            let relative = honest.map(|honest| honest * budget.factor + more);
            relative.map_or(absolute, |relative| relative.min(absolute))
        };
        let of_content = content / budget.bytes_per_request.max(1);
        let requests = most(
            budget.requests + of_content,
            honest.map(|honest| honest.requests),
            budget.more_requests + of_content,
        );
        let read = honest.map(|honest| honest.read);
        let read = most(u64::MAX, read, budget.more_read + content);
        let spent = [
            ("sent", cost.requests, "requests", requests),
            ("read", cost.read, "bytes of replies", read),
            // Content may be sent twice: once more after a lost reply or a lost race.
            ("sent", cost.sent, "bytes", budget.sent + 2 * content),
            (
                "read",
                cost.reply,
                "bytes of one reply",
                budget.reply + content,
            ),
        ];
        for (did, much, what, most) in spent.into_iter().filter(|(_, much, _, most)| much > most) {
            let who = cite(case, at);
            breach(
                Some(op.id),
                format!("{who} {did} {much} {what}, and may {most}"),
            );
        }
        // Panics are seen by whoever lets the client run.
        let exhausted = op
            .failure()
            .is_some_and(|failure| failure.name == Failure::EXHAUSTED);
        if exhausted {
            let who = cite(case, at);
            breach(Some(op.id), format!("{who} outgrew its limits"));
        }
    }
}

/// Bytes of content that an operation moves at most on an honest server: what it was given, or all
/// that was ever written to the files that it may mean.
fn content_of(case: &Case<'_>, at: usize) -> u64 {
    let given: usize = uses(case.truth.ops[at].what)
        .iter()
        .map(|(name, used)| match used {
            Use::Upload(content) | Use::Append(content) => name.len() + content.len(),
            _ => name.len(),
        })
        .sum();
    let written: usize = case
        .names
        .of_op(at)
        .flat_map(|touch| touch.classes.iter())
        .map(|class| {
            case.file(*class)
                .pieces()
                .map(|piece| piece.content.len())
                .sum::<usize>()
        })
        .sum();
    (given + written) as u64
}

#[cfg(test)]
mod tests {
    use super::HonestCosts;
    use crate::client::{Class, Failure};
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::G12;

    #[test]
    fn an_endless_loop_of_requests_is_a_breach() {
        let mut scene = Scene::new();
        let op = scene.start_download("alice", "n");
        for _ in 0..2050 {
            scene.message(op, "read", b"?", Some(b"more"), Some(b"more"));
        }
        scene.fail(op, "too-large");
        scene.breaks(&[G12]);
    }

    #[test]
    fn sending_without_end_is_a_breach() {
        let mut scene = Scene::new();
        scene.facts.budget.sent = 1000;
        let op = scene.start_upload("alice", "n", "v1");
        scene.message(op, "put", &[0; 1200], Some(b"ok"), Some(b"ok"));
        scene.end(op, None);
        scene.breaks(&[G12]);
    }

    #[test]
    fn reading_without_end_is_a_breach() {
        for (size, breaks) in [(1000, false), (1100, true)] {
            let mut scene = Scene::new();
            scene.facts.budget.reply = 1000;
            let op = scene.start_download("alice", "n");
            scene.message(op, "read", b"?", Some(b"ok"), Some(&vec![0; size]));
            scene.fail(op, "too-large");
            scene.breaks(if breaks { &[G12] } else { &[] });
        }
    }

    /// A download that sends so many requests and reads a reply of this size to each.
    fn download(requests: usize, size: usize, ends_well: bool) -> Scene {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "v1");
        let op = scene.start_download("alice", "n");
        let reply = vec![0; size];
        for _ in 0..requests {
            scene.message(op, "read", b"?", Some(&reply), Some(&reply));
        }
        match ends_well {
            true => scene.end(op, Some("v1")),
            false => scene.fail(op, "rollback"),
        }
        scene
    }

    #[test]
    fn what_an_attack_costs_is_held_against_the_honest_run() {
        let honest = |requests, size| HonestCosts::of(&download(requests, size, true).history);
        for (before, requests, size, breaks) in [
            // After each violation, as many requests as no honest server causes.
            (honest(2, 10), 1500, 10, true),
            (honest(2, 10), 145, 10, true),
            (honest(2, 10), 144, 10, false),
            (honest(200, 10), 1500, 10, false),
            // Endless data in replies that are each as large as they may be.
            (honest(2, 10), 40, 1 << 20, true),
            (honest(40, 1 << 20), 40, 1 << 20, false),
            (honest(2, 10), 30, 1 << 20, false),
            // Nothing is known of an operation that no honest run did.
            (HonestCosts::default(), 1500, 10, false),
            (
                HonestCosts::of(&download(2, 10, false).history),
                1500,
                10,
                false,
            ),
        ] {
            let mut scene = download(requests, size, false);
            scene.facts.honest_costs = before;
            scene.breaks(if breaks { &[G12] } else { &[] });
        }
    }

    #[test]
    fn outgrowing_is_a_breach_and_a_panic_is_told_by_who_saw_it() {
        for (name, fallen) in [
            (Failure::PANICKED, &[][..]),
            (Failure::EXHAUSTED, &[G12][..]),
        ] {
            let mut scene = Scene::new();
            let op = scene.start_download("alice", "n");
            scene.fail_with(op, Class::Other, name);
            scene.breaks(fallen);
        }
    }

    #[test]
    fn keeping_without_end_is_a_breach() {
        let mut scene = Scene::new();
        scene.facts.budget.state = 100;
        scene.saved("alice", &[0; 101]);
        scene.breaks(&[G12]);
    }

    #[test]
    fn accepting_a_height_that_no_space_reaches_is_a_breach() {
        for (height, breaks) in [(1_u64 << 48, false), ((1 << 48) + 1, true)] {
            let mut scene = Scene::new();
            scene.upload("alice", "n", "v1");
            scene.accepted_at("alice", 1, 1, height);
            scene.breaks(if breaks { &[G12] } else { &[] });
        }
    }

    #[test]
    fn honest_work_of_any_size_is_no_breach() {
        let mut scene = Scene::new();
        scene.facts.budget.sent = 1000;
        let content = "c".repeat(10 << 20);
        let op = scene.start_upload("alice", "n", &content);
        for _ in 0..2500 {
            scene.message(op, "put", &[0; 4096], Some(b"ok"), Some(b"ok"));
        }
        scene.end(op, None);
        scene.saved("alice", &[0; 4096]);
        scene.passes();
    }

    #[test]
    fn a_device_that_was_stopped_is_no_breach() {
        let mut scene = Scene::new();
        let op = scene.start_download("alice", "n");
        scene.fail_with(op, Class::Other, Failure::CRASHED);
        scene.passes();
    }
}
