//! A plain look at the end of a run: everything works, everybody agrees, and no write is lost.

use std::collections::BTreeMap;

use super::past::{Act, Past, Shown, names_of, writes_of};
use super::{Check, Failing};
use crate::client::{Class, Operation};

/// Operations that do not work although the network is well, and reads that do not agree.
pub(super) fn stuck(past: &Past<'_>) -> Vec<Failing> {
    let mut stuck = Vec::new();
    let mut first: BTreeMap<(&str, Option<&[u8]>), &Act<'_>> = BTreeMap::new();
    for act in past.acts.iter().filter(|act| act.well) {
        let Some(failure) = act.failure() else {
            if act.outcome.is_none() {
                stuck.push(format!("{act} never ended"));
                continue;
            }
            let place = match act.what {
                Operation::Download { name } => (act.device.user.as_str(), Some(name.as_slice())),
                Operation::List => (act.device.user.as_str(), None),
                _ => continue,
            };
            let other = first.entry(place).or_insert(act);
            let seen = |act: &Act<'_>| {
                act.answer()
                    .map(|answer| (answer.content.clone(), answer.names.clone()))
            };
            if seen(other) != seen(act) {
                stuck.push(format!("{other} and {act} do not return the same"));
            }
            continue;
        };
        // A name may be free, and a file may be closed to whoever was revoked.
        let reads = matches!(act.what, Operation::Download { .. });
        let expected = match failure.class {
            Class::Usage => failure.name == "no-such-file",
            Class::Unavailable => failure.name == "closed",
            Class::Violation | Class::Other => false,
        };
        if !(reads && expected) {
            stuck.push(format!("the network is well, and {act} says {failure}"));
        }
    }
    let failing = |evidence| Failing {
        check: Check::Stuck,
        evidence,
    };
    stuck.into_iter().map(failing).collect()
}

/// Acknowledged writes that are not there in the end and that nothing replaced; and writes that are
/// in one content twice.
pub(super) fn lost(past: &Past<'_>) -> Vec<Failing> {
    let mut found = doubled(past);
    let groups = Groups::of(past);
    for act in past.acts.iter().filter(|act| act.answer().is_some()) {
        for (name, content) in writes_of(act.what) {
            let file = (act.device.user.as_str(), name);
            if content.is_empty()
                || past
                    .acts
                    .iter()
                    .any(|other| groups.replaces(other, act, file))
            {
                continue;
            }
            let closed = past.acts.iter().any(|other| groups.revokes(other, file));
            let reads = past.acts.iter().filter(|read| {
                let of = (read.device.user.as_str(), names_of(read.what));
                read.well && is_download(read) && of == (file.0, vec![file.1])
            });
            for read in reads {
                let whole = read.answer().and_then(|answer| answer.content.as_deref());
                let there = match (whole, read.failure()) {
                    (Some(whole), _) => times(whole, content) > 0,
                    (None, Some(failure)) => closed && failure.name == "closed",
                    (None, None) => false,
                };
                if !there {
                    let (what, end) = (Shown(content), "that nothing replaced");
                    found.push(format!(
                        "{act} wrote {what} {end}, and {read} has no such part"
                    ));
                }
            }
        }
    }
    let failing = |evidence| Failing {
        check: Check::Write,
        evidence,
    };
    found.into_iter().map(failing).collect()
}

/// Writes that some read has twice.
fn doubled(past: &Past<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for read in past.acts.iter().filter(|read| is_download(read)) {
        let whole = read.answer().and_then(|answer| answer.content.as_deref());
        for content in &past.pieces {
            if times(whole.unwrap_or_default(), content) > 1 {
                found.push(format!(
                    "{read} has {} twice, which was written once",
                    Shown(content)
                ));
            }
        }
    }
    found
}

const fn is_download(act: &Act<'_>) -> bool {
    matches!(act.what, Operation::Download { .. })
}

/// How many times one content is in another. What makes it known is at its beginning.
fn times(whole: &[u8], part: &[u8]) -> usize {
    let first = part.first();
    let mut count = 0;
    let mut at = 0;
    while let Some(rest) = whole.get(at..).filter(|rest| rest.len() >= part.len()) {
        if rest.starts_with(part) {
            count += 1;
            at += part.len();
        } else {
            let next = rest.iter().skip(1).position(|byte| Some(byte) == first);
            at = next.map_or(whole.len() + 1, |next| at + 1 + next);
        }
    }
    count
}

/// A name of a user's.
type Named<'h> = (&'h str, &'h [u8]);

/// Names that may lead to one file, as one may have been received from the other.
struct Groups<'h>(BTreeMap<Named<'h>, usize>);

impl<'h> Groups<'h> {
    fn of(past: &Past<'h>) -> Self {
        let mut groups = Self(BTreeMap::new());
        for act in &past.acts {
            let what: &'h Operation = act.what;
            let user: &'h str = act.device.user.as_str();
            for name in names_of(what) {
                groups.group((user, name));
            }
            if let Operation::Receive {
                from,
                name: Some(name),
                as_name,
                ..
            } = what
            {
                let (there, here) = (groups.group((from, name)), groups.group((user, as_name)));
                for group in groups.0.values_mut().filter(|group| **group == here) {
                    *group = there;
                }
            }
        }
        groups
    }

    fn group(&mut self, name: Named<'h>) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }

    /// Whether an operation is about a file that may be the one under this name.
    fn about(&self, act: &Act<'_>, file: Named<'_>) -> bool {
        let group = self.0.get(&file);
        let user = act.device.user.as_str();
        names_of(act.what)
            .into_iter()
            .any(|name| self.0.get(&(user, name)) == group)
    }

    /// Whether an operation may have replaced what a write left, or taken it away.
    fn replaces(&self, other: &Act<'_>, write: &Act<'_>, file: Named<'_>) -> bool {
        let whole = matches!(
            other.what,
            Operation::Upload { .. } | Operation::UploadMany { .. } | Operation::Delete { .. }
        );
        let later = other.id != write.id && other.end >= write.start;
        whole && later && other.is_possible() && self.about(other, file)
    }

    /// Whether an operation may have closed the file to somebody.
    fn revokes(&self, other: &Act<'_>, file: Named<'_>) -> bool {
        let revokes = matches!(other.what, Operation::Revoke { .. });
        revokes && other.is_possible() && self.about(other, file)
    }
}
