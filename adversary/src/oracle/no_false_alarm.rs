//! G15: an honest server behind a bad network never causes a `Violation`.

use std::collections::{BTreeMap, BTreeSet};

use super::acts::audience;
use super::seen::Case;
use super::truth::Op;
use super::{Facts, Judgement, cite};
use crate::client::{DeviceName, Operation};
use crate::history::Event;
use crate::verdict::Guarantee;

pub(super) fn judge(case: &Case<'_>, facts: &Facts, judgement: &mut Judgement) {
    let lies = if facts.honest {
        Lies::default()
    } else {
        Lies::of(case)
    };
    for (at, op) in case.truth.ops.iter().enumerate() {
        if op.caught() && op.ended < lies.first(op.user()) {
            let what = op.failure().map(ToString::to_string).unwrap_or_default();
            judgement.breach(
                Guarantee::G15,
                Some(op.id),
                format!("{} says {what}, and the server was honest", cite(case, at)),
            );
        }
    }
}

/// When the server first did anything that an honest one behind a bad network does not: it showed
/// other bytes than the honest ones, or an act took effect.
///
/// A lost reply, a late one, a doubled or refused request, and an answer to one that never came
/// through are the network's. A lie to one user is none to another who has nothing to do with the
/// first one in the whole run.
#[derive(Default)]
struct Lies<'h> {
    /// To everybody, or nobody knows to whom.
    to_all: Option<usize>,
    /// To one user.
    to: BTreeMap<&'h str, usize>,
    /// Users who share, compare, or look each other up.
    related: Vec<BTreeSet<&'h str>>,
}

impl<'h> Lies<'h> {
    fn of(case: &Case<'h>) -> Self {
        let mut lies = Self::default();
        for op in &case.truth.ops {
            lies.relate(op.user(), other_user(op.what));
        }
        let mut asked: BTreeMap<u32, &str> = BTreeMap::new();
        for (at, event) in case.history.events().iter().enumerate() {
            match event {
                Event::Request {
                    request, device, ..
                } => {
                    asked.insert(*request, &device.user);
                }
                Event::Reply {
                    request,
                    honest,
                    shown: Some(shown),
                } if honest.as_ref() != Some(shown) => {
                    lies.told(at, asked.get(request).copied());
                }
                Event::Act { text, applied } if *applied => {
                    let user = audience(text);
                    let users = case.truth.ops.iter().map(Op::user);
                    let known = user.and_then(|user| users.clone().find(|known| *known == user));
                    lies.told(at, known);
                }
                _ => {}
            }
        }
        lies
    }

    fn told(&mut self, at: usize, user: Option<&'h str>) {
        if let Some(user) = user {
            self.to.entry(user).or_insert(at);
        } else {
            self.to_all.get_or_insert(at);
        }
    }

    fn relate(&mut self, user: &'h str, other: Option<&'h str>) {
        let mut whole: BTreeSet<&str> = [user].into_iter().chain(other).collect();
        let joins = |group: &BTreeSet<&'h str>| !group.is_disjoint(&whole);
        let (joined, apart) = std::mem::take(&mut self.related)
            .into_iter()
            .partition::<Vec<_>, _>(joins);
        whole.extend(joined.into_iter().flatten());
        self.related = apart;
        self.related.push(whole);
    }

    /// When a user may first have been told a lie.
    fn first(&self, user: &str) -> usize {
        let of_group = |group: &BTreeSet<&str>| {
            let told = group.iter().filter_map(|user| self.to.get(user));
            told.copied().min()
        };
        let group = self.related.iter().find(|group| group.contains(user));
        let own = group.and_then(of_group);
        let first = own.into_iter().chain(self.to_all).min();
        first.unwrap_or(usize::MAX)
    }
}

/// The user on whom an operation rests beside its own.
fn other_user(what: &Operation) -> Option<&str> {
    match what {
        Operation::Share { with: user, .. }
        | Operation::Receive { from: user, .. }
        | Operation::Revoke { from: user, .. }
        | Operation::Fingerprint { user }
        | Operation::Verify { user, .. }
        | Operation::Compare {
            other: DeviceName { user, .. },
        } => Some(user),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::client::Class;
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::G15;

    fn shown(honest: Option<&[u8]>, shown: Option<&[u8]>, class: Class) -> Scene {
        let mut scene = Scene::new();
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", honest, shown);
        scene.fail_with(op, class, "cut-off");
        scene
    }

    #[test]
    fn an_alarm_over_honest_bytes_is_a_breach() {
        shown(Some(b"yes"), Some(b"yes"), Class::Violation).breaks(&[G15]);
    }

    #[test]
    fn an_alarm_over_a_lost_reply_is_a_breach() {
        shown(Some(b"yes"), None, Class::Violation).breaks(&[G15]);
        shown(None, None, Class::Violation).breaks(&[G15]);
    }

    #[test]
    fn an_alarm_before_the_first_lie_is_a_breach() {
        let mut scene = shown(Some(b"yes"), Some(b"yes"), Class::Violation);
        scene.act("server.flip(obj)", true);
        scene.breaks(&[G15]);
    }

    #[test]
    fn an_alarm_over_other_bytes_is_right() {
        shown(Some(b"yes"), Some(b"no"), Class::Violation).passes();
        shown(None, Some(b"no"), Class::Violation).passes();
    }

    #[test]
    fn an_alarm_after_an_act_is_right_and_after_one_that_was_not_applied_is_not() {
        for applied in [true, false] {
            let mut scene = Scene::new();
            scene.act("server.roll_back_to(before)", applied);
            let op = scene.start_download("alice", "n");
            scene.message(op, "read", b"?", Some(b"old"), Some(b"old"));
            scene.fail_with(op, Class::Violation, "rollback");
            if applied {
                scene.passes();
            } else {
                scene.breaks(&[G15]);
            }
        }
    }

    #[test]
    fn an_alarm_after_the_network_disturbed_a_message_is_a_breach() {
        let mut scene = Scene::new();
        scene.disturbed("drop()");
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", Some(b"yes"), None);
        scene.fail_with(op, Class::Violation, "fork");
        scene.breaks(&[G15]);
    }

    #[test]
    fn a_server_that_is_known_to_be_honest_excuses_no_alarm() {
        let mut scene = Scene::new();
        scene.facts.honest = true;
        scene.act("server.roll_back_to(before)", true);
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", Some(b"yes"), Some(b"no"));
        scene.fail_with(op, Class::Violation, "rollback");
        scene.breaks(&[G15]);
    }

    /// Bob's device is rolled back, and alice, who was shown honest bytes alone, cries.
    fn wolf(act: &str, relate: impl Fn(&mut Scene)) -> Scene {
        let mut scene = Scene::new();
        scene.upload("bob", "n", "v1");
        scene.upload("alice", "n", "v1");
        relate(&mut scene);
        scene.act(act, true);
        let op = scene.start_download("bob", "n");
        scene.message(op, "read", b"?", Some(b"new"), Some(b"old"));
        scene.fail_with(op, Class::Violation, "rollback");
        let op = scene.start_download("alice", "n");
        scene.message(op, "read", b"?", Some(b"yes"), Some(b"yes"));
        scene.fail_with(op, Class::Violation, "rollback");
        scene
    }

    #[test]
    fn a_lie_to_somebody_else_excuses_no_alarm() {
        for act in [
            "server.roll_back_to(before, \"bob\")",
            "server.flip(wrote(0, 0), 3, \"bob/first\");",
            "server.hide_all(\"bob\")",
        ] {
            wolf(act, |_| ()).breaks(&[G15]);
        }
    }

    #[test]
    fn a_lie_to_whoever_one_has_to_do_with_is_a_lie() {
        let act = "server.roll_back_to(before, \"bob\")";
        wolf(act, |scene| scene.share("alice", "n", "bob")).passes();
        wolf(act, |scene| {
            scene.share("carol", "n", "bob");
            scene.fingerprint("carol", "alice", b"print");
        })
        .passes();
        for act in [
            "server.roll_back_to(before)",
            "server.fork(\"bob\")",
            "server.put(\"obj\", \"id\", \"bob\")",
            "server.hide_all(\"nobody\")",
            "replace(\"bob\")",
        ] {
            wolf(act, |_| ()).passes();
        }
    }

    #[test]
    fn unavailable_is_what_a_bad_network_is() {
        shown(Some(b"yes"), None, Class::Unavailable).passes();
        shown(Some(b"yes"), Some(b"yes"), Class::Usage).passes();
    }
}
