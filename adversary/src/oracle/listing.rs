//! G5: a list is exactly the directory at one accepted head.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::freshness::says_that_it_cannot_know;
use super::seen::Case;
use super::truth::{Effect, Use};
use super::{Judgement, cite, quote};
use crate::client::Operation;
use crate::verdict::Guarantee;

/// Ways to choose what happened last to each deleted name, at most.
const CHOICES_MAX: usize = 4096;

pub(super) fn judge(case: &Case<'_>, judgement: &mut Judgement) {
    for (at, op) in case.truth.ops.iter().enumerate() {
        let names = op.answer().and_then(|answer| answer.names.as_ref());
        let (Operation::List, Some(names)) = (op.what, names) else {
            continue;
        };
        let shown: BTreeSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
        if shown.len() != names.len() {
            judgement.breach(
                Guarantee::G5,
                Some(op.id),
                format!("{} shows a name twice", cite(case, at)),
            );
        }
        let nothing = Bits::default();
        let asked = Asked {
            case,
            at,
            floors: &case.floors,
        };
        match explained(&asked, &shown, &case.floors[at]) {
            Answered::Yes => {}
            Answered::GivenUp => judgement
                .undecided
                .push(format!("too many orders might explain {}", cite(case, at))),
            Answered::No => {
                let stale = explained(&asked, &shown, &nothing) == Answered::Yes;
                let list: Vec<_> = shown.iter().take(8).map(|name| quote(name)).collect();
                let (guarantee, what) = if stale {
                    (
                        Guarantee::G3,
                        "an older directory than this device had seen",
                    )
                } else {
                    (Guarantee::G5, "the directory at no point in time")
                };
                let what = format!("{} shows {}: {what}", cite(case, at), list.join(" "));
                // As with contents: a process need not know what another has seen, if it says so.
                let by_life = Asked {
                    floors: &case.lives,
                    ..asked
                };
                if says_that_it_cannot_know(op)
                    && explained(&by_life, &shown, &case.lives[at]) == Answered::Yes
                {
                    judgement.admit(Guarantee::G3, Some(op.id), what);
                } else {
                    judgement.breach(guarantee, Some(op.id), what);
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    No,
    Yes,
    GivenUp,
}

/// One listing, and what each operation before it is taken to have known.
#[derive(Clone, Copy)]
struct Asked<'c, 'h> {
    case: &'c Case<'h>,
    at: usize,
    floors: &'c [Bits],
}

/// Everything that happened to one name, in the order in which it started.
type Story = Vec<(usize, bool)>;

/// Whether some state of the directory, which holds `required`, has exactly the names shown.
fn explained(asked: &Asked<'_, '_>, shown: &BTreeSet<&[u8]>, required: &Bits) -> Answered {
    let (case, at) = (asked.case, asked.at);
    let stories = stories(case, at);
    if shown.iter().any(|name| !stories.contains_key(name)) {
        return Answered::No;
    }
    let all: Bits = stories.values().flatten().map(|(op, _)| *op).collect();
    if all.iter().any(|op| case.chain.conflict[op].meets(&all)) {
        return on_one_branch(case, at, &stories, shown, required);
    }
    // A name that was never deleted needs no choice: it is there as soon as anything bound it.
    let mut choices: Vec<(&[u8], Vec<Option<usize>>)> = Vec::new();
    let mut count: usize = 1;
    for (name, story) in &stories {
        if open(case, at, name) {
            continue;
        }
        let wanted = shown.contains(name);
        let last: Vec<Option<usize>> = if story.iter().all(|(_, binds)| *binds) && wanted {
            vec![None]
        } else {
            let fitting = story.iter().rev().filter(|(_, binds)| *binds == wanted);
            let mut last: Vec<_> = fitting.map(|(op, _)| Some(*op)).collect();
            if !wanted {
                last.push(None);
            }
            last
        };
        count = count.saturating_mul(last.len().max(1));
        choices.push((name, last));
    }
    if choices.iter().any(|(_, last)| last.is_empty()) {
        return Answered::No;
    }
    let mut chosen = vec![0; choices.len()];
    for _ in 0..count.min(CHOICES_MAX) {
        let last: BTreeMap<&[u8], Option<usize>> = choices
            .iter()
            .zip(&chosen)
            .map(|((name, last), choice)| (*name, last[*choice]))
            .collect();
        if holds(asked, &stories, shown, &last, required) {
            return Answered::Yes;
        }
        for (digit, (_, last)) in chosen.iter_mut().zip(&choices) {
            *digit += 1;
            if *digit < last.len() {
                break;
            }
            *digit = 0;
        }
    }
    if count > CHOICES_MAX {
        Answered::GivenUp
    } else {
        Answered::No
    }
}

/// The same where the record of heads shows a fork: then it shows every directory there was.
///
/// A state is what must be in it with all that came before, and one branch; but no two operations
/// that stand on different branches. What was required may stand in another space than the
/// directory's, and on no branch of that.
fn on_one_branch(
    case: &Case<'_>,
    at: usize,
    stories: &BTreeMap<&[u8], Story>,
    shown: &BTreeSet<&[u8]>,
    required: &Bits,
) -> Answered {
    let known: Bits = stories.values().flatten().map(|(op, _)| *op).collect();
    let mut must = required.clone();
    must.keep(&known);
    let with_past = |ops: &Bits| {
        let mut whole = ops.clone();
        for op in ops.iter() {
            whole.join(&case.chain.past[op]);
        }
        whole
    };
    let must = with_past(&must);
    let fits = |tip: usize| {
        let mut state = with_past(&[tip].into_iter().collect());
        state.join(&must);
        let there = |story: &Story| {
            let later = |op: usize, binds: bool| {
                story.iter().any(|(other, kind)| {
                    *kind != binds && state.contains(*other) && case.chain.past[*other].contains(op)
                })
            };
            story
                .iter()
                .any(|(op, binds)| *binds && state.contains(*op) && !later(*op, true))
        };
        let one_branch = state
            .iter()
            .all(|op| !case.chain.conflict[op].meets(&state));
        one_branch
            && stories
                .iter()
                .all(|(name, story)| there(story) == shown.contains(name) || open(case, at, name))
    };
    if known.iter().any(fits) {
        Answered::Yes
    } else {
        Answered::No
    }
}

/// What may have happened to each name of the user's directory before the listing ended.
fn stories<'h>(case: &Case<'h>, at: usize) -> BTreeMap<&'h [u8], Story> {
    let op = &case.truth.ops[at];
    let mut stories: BTreeMap<&[u8], Story> = BTreeMap::new();
    for touch in case
        .names
        .touches
        .iter()
        .filter(|touch| touch.user == op.user())
    {
        let binds = match touch.used {
            Use::Upload(_) | Use::Receive => true,
            Use::Delete => false,
            _ => continue,
        };
        let other = &case.truth.ops[touch.op];
        if other.effect != Effect::None && other.start < op.end {
            stories
                .entry(touch.name)
                .or_default()
                .push((touch.op, binds));
        }
    }
    stories
}

/// Whether a name may be listed or not: a received file may have been taken away, and a batch that
/// does not publish one head may be there in part.
fn open(case: &Case<'_>, at: usize, name: &[u8]) -> bool {
    let op = &case.truth.ops[at];
    case.names.slot(op.user(), name).any(|touch| {
        let other = &case.truth.ops[touch.op];
        let one_head =
            case.chain.visible.contains(touch.op) && !case.chain.split.contains(touch.op);
        let part = matches!(other.what, Operation::UploadMany { .. })
            && !one_head
            && other.effect != Effect::None
            && !(other.effect == Effect::Certain && other.before(op));
        part || (touch.used == Use::Receive && case.names.may_be_lost(&case.truth, touch, op))
    })
}

/// Whether there is a state in which each name's last event is the chosen one: the largest set of
/// operations that leaves out what must be out, and whatever cannot do without that.
fn holds(
    asked: &Asked<'_, '_>,
    stories: &BTreeMap<&[u8], Story>,
    shown: &BTreeSet<&[u8]>,
    last: &BTreeMap<&[u8], Option<usize>>,
    required: &Bits,
) -> bool {
    let (case, at) = (asked.case, asked.at);
    let ops = &case.truth.ops;
    let mut out = Bits::default();
    for (name, choice) in last {
        for (op, binds) in &stories[name] {
            let hides = match choice {
                Some(last) => *op != *last && ops[*last].before(&ops[*op]),
                // Nothing binds the name, or only binders do.
                None => *binds != shown.contains(name),
            };
            if hides {
                out.insert(*op);
            }
        }
    }
    let mut all: Bits = stories.values().flatten().map(|(op, _)| *op).collect();
    let pasts: Vec<_> = all.iter().map(|op| (op, past(asked, op))).collect();
    let mut grown = true;
    while grown {
        grown = false;
        for (op, past) in &pasts {
            if !out.contains(*op) && past.meets(&out) {
                grown |= out.insert(*op);
            }
        }
    }
    all.subtract(&out);
    let mut must = required.clone();
    must.keep(&pasts.iter().map(|(op, _)| *op).collect());
    let bound = |name: &[u8]| {
        let story = stories.get(name);
        story.is_some_and(|story| story.iter().any(|(op, binds)| *binds && all.contains(*op)))
    };
    let chosen = last.values().flatten().all(|op| all.contains(*op));
    let listed = shown.iter().all(|name| bound(name) || open(case, at, name));
    !must.meets(&out) && chosen && listed
}

/// What surely comes before an operation.
fn past(asked: &Asked<'_, '_>, op: usize) -> Bits {
    let case = asked.case;
    let mut past = case.chain.past[op].clone();
    let mut remembered = asked.floors[op].clone();
    if case.chain.visible.contains(op) {
        remembered.subtract(&case.chain.visible);
    }
    past.join(&remembered);
    past
}

#[cfg(test)]
mod tests {
    use crate::oracle::scene::Scene;
    use crate::verdict::Guarantee::{G3, G5};

    #[test]
    fn an_invented_name_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.list("alice", &["a", "planted"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn a_hidden_name_among_later_ones_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.upload("alice", "b", "2");
        scene.list("alice/phone", &["b"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn another_users_name_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.upload("bob", "b", "2");
        scene.list("alice", &["a", "b"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn a_name_shown_twice_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.list("alice", &["a", "a"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn a_deleted_name_shown_to_who_deleted_it_is_stale() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.delete("alice", "a");
        scene.list("alice", &["a"]);
        scene.breaks(&[G3]);
    }

    #[test]
    fn a_deleted_name_beside_a_later_one_is_a_breach() {
        let mut scene = Scene::new();
        scene.upload("alice", "a", "1");
        scene.delete("alice", "a");
        scene.upload("alice", "b", "2");
        scene.list("alice/phone", &["a", "b"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn exact_lists_pass() {
        let mut scene = Scene::new();
        scene.list("alice", &[]);
        scene.shared_by_alice_with_bob();
        scene.upload("alice", "a", "1");
        scene.upload("alice", "a", "2");
        scene.delete("alice", "a");
        scene.list("alice", &["n"]);
        scene.upload("alice", "a", "3");
        scene.list("alice", &["a", "n"]);
        scene.list("bob", &["m"]);
        scene.passes();
    }

    #[test]
    fn any_older_directory_passes_for_a_device_that_saw_nothing() {
        for old in [&[][..], &["a"], &["a", "b"], &["b"]] {
            let mut scene = Scene::new();
            scene.upload("alice", "a", "1");
            scene.upload("alice", "b", "2");
            scene.delete("alice", "a");
            scene.list("alice/phone", old);
            scene.passes();
        }
    }

    #[test]
    fn a_failed_upload_may_be_listed_if_it_reached_the_store() {
        for list in [&["a"][..], &["a", "b"]] {
            let mut scene = Scene::new();
            scene.upload("alice", "a", "1");
            scene.lost_upload("alice", "b", "2", true);
            scene.list("alice", list);
            scene.passes();
        }
        let mut scene = Scene::new();
        scene.lost_upload("alice", "b", "2", false);
        scene.list("alice", &["b"]);
        scene.breaks(&[G5]);
    }

    /// Two branches of the directory, on one of which the phone writes; it also wrote to a file
    /// that has a space of its own.
    fn forked() -> Scene {
        let mut scene = Scene::new();
        scene.upload("alice", "n", "1");
        scene.head("alice", 1, 0, 1);
        scene.list("alice/phone", &["n"]);
        scene.accepted("alice/phone", 1, 1);
        scene.upload("alice/phone", "n", "2");
        scene.head("alice/phone", 2, 0, 4);
        scene.accepted("alice/phone", 2, 4);
        scene.upload("alice", "p", "3");
        scene.head("alice", 1, 1, 2);
        scene.upload("alice/phone", "p", "4");
        scene.head("alice/phone", 1, 1, 3);
        scene.accepted("alice/phone", 1, 3);
        scene
    }

    #[test]
    fn a_branch_is_no_older_for_what_was_written_in_another_space() {
        let mut scene = forked();
        scene.list("alice/phone", &["n", "p"]);
        scene.passes();
    }

    #[test]
    fn the_directory_before_a_fork_is_older_than_a_branch() {
        let mut scene = forked();
        scene.list("alice/phone", &["n"]);
        scene.breaks(&[G3]);
        let mut scene = forked();
        scene.list("alice/phone", &["p"]);
        scene.breaks(&[G5]);
    }

    #[test]
    fn the_other_branch_is_no_state_for_who_is_on_one() {
        let mut scene = forked();
        scene.upload("alice", "q", "5");
        scene.head("alice", 1, 2, 5);
        scene.list("alice/phone", &["n", "p", "q"]);
        scene.breaks(&[G3]);
    }

    #[test]
    fn a_name_lost_by_revocation_may_be_listed_or_not() {
        for list in [&["m"][..], &[]] {
            let mut scene = Scene::new();
            scene.shared_by_alice_with_bob();
            scene.revoke("alice", "n", "bob");
            scene.list("bob", list);
            scene.passes();
        }
    }
}
