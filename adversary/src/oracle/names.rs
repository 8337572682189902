//! Which file a name may mean, for every operation that uses it.
//!
//! A *class* is a file through all its versions; it is named by the use that may have created it.
//! Where concurrency or a failure leaves it open which file a name means, a use has several
//! classes: an oracle then accepts what any of them explains.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::chain::Chain;
use super::truth::{Effect, Op, Truth, Use, uses};
use crate::client::Operation;

/// A file, named by the place of the use that created it.
pub(crate) type Class = usize;

/// One name in one operation.
#[derive(Clone, Debug)]
pub(crate) struct Touch<'h> {
    /// The operation's place.
    pub(crate) op: usize,
    /// Whose name.
    pub(crate) user: &'h str,
    /// The name.
    pub(crate) name: &'h [u8],
    /// What for.
    pub(crate) used: Use<'h>,
    /// The files that the name may mean here.
    pub(crate) classes: BTreeSet<Class>,
}

impl Touch<'_> {
    /// Whether it excludes somebody.
    pub(crate) const fn is_revocation(&self) -> bool {
        matches!(self.used, Use::Revoke(_))
    }
}

/// All uses of all names.
#[derive(Clone, Debug)]
pub(crate) struct Names<'h> {
    /// The uses, in the order of their operations.
    pub(crate) touches: Vec<Touch<'h>>,
    slots: BTreeMap<&'h str, BTreeMap<&'h [u8], Vec<usize>>>,
    /// The uses of each operation.
    of_op: Vec<Vec<usize>>,
}

impl<'h> Names<'h> {
    /// Finds the files behind all names.
    pub(crate) fn of(truth: &Truth<'h>, chain: &Chain) -> Self {
        let mut names = Self {
            touches: Vec::new(),
            slots: BTreeMap::new(),
            of_op: vec![Vec::new(); truth.ops.len()],
        };
        for (op, found) in truth.ops.iter().enumerate() {
            for (name, used) in uses(found.what) {
                let at = names.touches.len();
                let user = found.user();
                names
                    .slots
                    .entry(user)
                    .or_default()
                    .entry(name)
                    .or_default()
                    .push(at);
                names.of_op[op].push(at);
                names.touches.push(Touch {
                    op,
                    user,
                    name,
                    used,
                    classes: BTreeSet::new(),
                });
            }
        }
        // Sharing may go through several hands, and each round follows one more.
        let mut changed = true;
        while changed {
            changed = false;
            for at in 0..names.touches.len() {
                let found = names.find(truth, chain, at);
                let own = &mut names.touches[at].classes;
                let before = own.len();
                own.extend(found);
                changed |= own.len() != before;
            }
        }
        names
    }

    /// The uses of one operation.
    pub(crate) fn of_op(&self, op: usize) -> impl Iterator<Item = &Touch<'h>> {
        self.of_op[op].iter().map(|at| &self.touches[*at])
    }

    /// All uses of one name by one user.
    pub(crate) fn slot(&self, user: &str, name: &[u8]) -> impl Iterator<Item = &Touch<'h>> {
        let slot = self.slots.get(user).and_then(|names| names.get(name));
        let places: &[usize] = slot.map_or(&[], Vec::as_slice);
        places.iter().map(|at| &self.touches[*at])
    }

    /// Who created a file.
    pub(crate) fn owner(&self, class: Class) -> &'h str {
        self.touches[class].user
    }

    fn find(&self, truth: &Truth<'h>, chain: &Chain, at: usize) -> BTreeSet<Class> {
        let touch = &self.touches[at];
        match touch.used {
            Use::Receive => self.invited(truth, touch),
            Use::Upload(_) => {
                let mut classes = self.bound(truth, chain, at);
                if self.may_be_free(truth, at) {
                    classes.insert(at);
                }
                classes
            }
            _ => self.bound(truth, chain, at),
        }
    }

    /// The files of all invitations that a receive may have taken.
    fn invited(&self, truth: &Truth<'h>, touch: &Touch<'h>) -> BTreeSet<Class> {
        let receive = &truth.ops[touch.op];
        let found = self.invitations(truth, receive);
        found
            .into_iter()
            .flat_map(|share| share.classes.iter().copied())
            .collect()
    }

    /// The shares that fit a receive.
    pub(crate) fn invitations(&self, truth: &Truth<'h>, receive: &Op<'h>) -> Vec<&Touch<'h>> {
        let Operation::Receive {
            from,
            name,
            pointer,
            ..
        } = receive.what
        else {
            return Vec::new();
        };
        let fits = |share: &&Touch<'h>| {
            let op = &truth.ops[share.op];
            let said = op.answer().and_then(|answer| answer.pointer.as_ref());
            matches!(share.used, Use::Share(with) if with == truth.account(receive.user()))
                && share.user == from
                && op.effect != Effect::None
                && op.start < receive.end
                && name
                    .as_ref()
                    .is_none_or(|name| name.as_slice() == share.name)
                && match (pointer, said) {
                    (Some(pointer), Some(said)) => pointer == said,
                    _ => true,
                }
        };
        self.touches.iter().filter(fits).collect()
    }

    /// The files that a name may mean to an operation, by all earlier uses that bind it.
    fn bound(&self, truth: &Truth<'h>, chain: &Chain, at: usize) -> BTreeSet<Class> {
        let op = self.touches[at].op;
        self.bound_unless(truth, &self.touches[at], |delete| {
            knows_of(truth, chain, op, delete)
        })
    }

    /// The files that a name may mean to an operation that knows of some deletions.
    pub(crate) fn bound_unless(
        &self,
        truth: &Truth<'h>,
        touch: &Touch<'h>,
        knows: impl Fn(usize) -> bool,
    ) -> BTreeSet<Class> {
        let op = &truth.ops[touch.op];
        let slot: Vec<_> = self.slot(touch.user, touch.name).collect();
        let deletes: Vec<&Op<'h>> = slot
            .iter()
            .filter(|other| other.used == Use::Delete)
            .filter(|other| knows(other.op))
            .map(|other| &truth.ops[other.op])
            .collect();
        let mut classes = BTreeSet::new();
        for binder in slot {
            let bound = &truth.ops[binder.op];
            let binds = matches!(binder.used, Use::Upload(_) | Use::Receive)
                && binder.op != touch.op
                && bound.effect != Effect::None
                && bound.start < op.end;
            if binds && !deletes.iter().any(|delete| bound.before(delete)) {
                classes.extend(&binder.classes);
            }
        }
        classes
    }

    /// Whether an upload may have found its name free, and created a file.
    fn may_be_free(&self, truth: &Truth<'h>, at: usize) -> bool {
        let touch = &self.touches[at];
        let op = &truth.ops[touch.op];
        let slot: Vec<_> = self.slot(touch.user, touch.name).collect();
        let surely_bound = |binder: &&Touch<'h>| {
            let bound = &truth.ops[binder.op];
            matches!(binder.used, Use::Upload(_) | Use::Receive)
                && binder.op != touch.op
                && bound.effect == Effect::Certain
                && bound.before(op)
                && !slot.iter().any(|other| {
                    let delete = &truth.ops[other.op];
                    other.used == Use::Delete
                        && delete.effect != Effect::None
                        && delete.start < op.end
                        && !delete.before(bound)
                })
                && !(binder.used == Use::Receive && self.may_be_lost(truth, binder, op))
        };
        !slot.iter().any(surely_bound)
    }

    /// Whether a received file may have been taken away again: by a revocation, or by its owner.
    pub(crate) fn may_be_lost(&self, truth: &Truth<'h>, binder: &Touch<'h>, by: &Op<'h>) -> bool {
        self.touches.iter().any(|other| {
            let op = &truth.ops[other.op];
            let takes = match other.used {
                Use::Revoke(_) => true,
                Use::Delete => other
                    .classes
                    .iter()
                    .any(|class| self.owner(*class) == other.user),
                _ => false,
            };
            takes
                && op.effect != Effect::None
                && op.start < by.end
                && !other.classes.is_disjoint(&binder.classes)
        })
    }

    /// The users who may use a file at the time of `by`, if nobody in `without` passes it on.
    pub(crate) fn members(
        &self,
        truth: &Truth<'h>,
        class: Class,
        by: &Op<'h>,
        passes: impl Fn(&Touch<'h>, &str) -> bool,
    ) -> BTreeSet<&'h str> {
        let mut members = BTreeSet::from([self.owner(class)]);
        let shares: Vec<_> = self
            .touches
            .iter()
            .filter_map(|share| match share.used {
                Use::Share(with) if share.classes.contains(&class) => Some((share, with)),
                _ => None,
            })
            .filter(|(share, _)| {
                let op = &truth.ops[share.op];
                op.effect != Effect::None && op.start < by.end
            })
            .collect();
        let mut grown = true;
        while grown {
            grown = false;
            for (share, with) in &shares {
                if members.contains(share.user) && passes(share, with) {
                    grown |= members.insert(with);
                    // A name stands for whoever bears it.
                    for impostor in truth.impostors_of(with) {
                        grown |= members.insert(impostor);
                    }
                }
            }
        }
        members
    }
}

/// Whether an operation's device surely knew of an earlier deletion.
fn knows_of(truth: &Truth<'_>, chain: &Chain, op: usize, delete: usize) -> bool {
    let (known, knower) = (&truth.ops[delete], &truth.ops[op]);
    let own =
        known.effect == Effect::Certain && known.lineage == knower.lineage && known.before(knower);
    own || chain.past[op].contains(delete)
}

/// The operations by users whom the revocation excludes, and who are not let in again.
pub(crate) fn barred<'h>(
    truth: &Truth<'h>,
    chain: &Chain,
    names: &Names<'h>,
    class: Class,
    revocation: &Touch<'h>,
) -> Bits {
    let Use::Revoke(from) = revocation.used else {
        return Bits::default();
    };
    let revoke = &truth.ops[revocation.op];
    let mut barred = Bits::default();
    if revoke.effect != Effect::Certain || revocation.user != names.owner(class) {
        return barred;
    }
    for touch in names
        .touches
        .iter()
        .filter(|touch| touch.classes.contains(&class))
    {
        let op = &truth.ops[touch.op];
        let after = revoke.before(op) || chain.past[touch.op].contains(revocation.op);
        let writes = matches!(touch.used, Use::Upload(_) | Use::Append(_));
        if !writes || !after || barred.contains(touch.op) {
            continue;
        }
        let kept = names.members(truth, class, op, |share, with| {
            let again = truth.ops[share.op].end > revoke.start;
            again || (with != from && share.user != from)
        });
        if !kept.contains(op.user()) {
            barred.insert(touch.op);
        }
    }
    barred
}
