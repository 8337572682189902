//! What the server's record of heads says about which operation came after which.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::truth::{Effect, Truth};
use crate::client::Operation;
use crate::history::{Event, History};

/// A head's name.
pub(crate) type HeadId = [u8; 32];
/// A space's name.
pub(crate) type SpaceId = [u8; 32];

#[derive(Clone, Debug)]
struct Head {
    space: SpaceId,
    parent: HeadId,
    height: u64,
    op: usize,
    /// The event that published it.
    published: usize,
    /// The operations whose last head in this space is this one or one before it.
    whole: Bits,
    /// The operations that have any head up to this one.
    any: Bits,
}

/// The heads of all spaces, and the order that they prove between operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    heads: BTreeMap<HeadId, Head>,
    /// Operations that published a head.
    pub(crate) visible: Bits,
    /// Operations that published several heads in one space.
    pub(crate) split: Bits,
    /// Operations, each with a space whose heads do not tell all that the operation did.
    partial: BTreeSet<(usize, SpaceId)>,
    /// For each operation, those that are surely in the chain before it.
    pub(crate) past: Vec<Bits>,
    /// For each operation, those that can never be in one chain with it.
    pub(crate) conflict: Vec<Bits>,
}

impl Chain {
    /// Reads the heads out of a history.
    pub(crate) fn of(history: &History, truth: &Truth<'_>) -> Self {
        let mut chain = Self {
            past: vec![Bits::default(); truth.ops.len()],
            conflict: vec![Bits::default(); truth.ops.len()],
            ..Self::default()
        };
        let mut order = Vec::new();
        for (at, event) in history.events().iter().enumerate() {
            if let Event::Published {
                space,
                head,
                parent,
                height,
                operation,
            } = event
                && let Some(op) = truth.index(*operation)
                && !chain.heads.contains_key(head)
            {
                order.push(*head);
                chain.visible.insert(op);
                chain.heads.insert(
                    *head,
                    Head {
                        space: *space,
                        parent: *parent,
                        height: *height,
                        op,
                        published: at,
                        whole: Bits::default(),
                        any: Bits::default(),
                    },
                );
            }
        }
        chain.part(truth);
        chain.fill(&order);
        chain.relate(&order);
        chain
    }

    /// Finds the heads that do not tell all that their operations did.
    ///
    /// In a batch, a file that is shared has a head of its own, later than that of the others, and
    /// a batch that failed may have come to any of its files. Who deletes a file that he shares
    /// empties its space first, which begins with the share: the name is in his directory until a
    /// head of that says otherwise.
    fn part(&mut self, truth: &Truth<'_>) {
        let mut spaces: BTreeMap<usize, BTreeSet<SpaceId>> = BTreeMap::new();
        let mut founders: BTreeMap<SpaceId, (u64, usize)> = BTreeMap::new();
        for head in self.heads.values() {
            spaces.entry(head.op).or_default().insert(head.space);
            let founder = (head.height, head.op);
            let first = founders.entry(head.space).or_insert(founder);
            *first = founder.min(*first);
        }
        for (at, spaces) in spaces {
            let op = &truth.ops[at];
            let one = spaces.len() == 1 && op.effect == Effect::Certain;
            let partial = |space: &SpaceId| match op.what {
                Operation::UploadMany { files } => files.len() > 1 && !one,
                Operation::Delete { .. } => {
                    let (_, founder) = founders[space];
                    matches!(truth.ops[founder].what, Operation::Share { .. })
                }
                _ => false,
            };
            let partial = spaces.into_iter().filter(partial);
            self.partial.extend(partial.map(|space| (at, space)));
        }
    }

    /// Whether what an operation did to its name stood in a head before an event, if it has heads
    /// that do not tell.
    pub(crate) fn told_by(&self, op: usize, event: usize) -> bool {
        let in_part = |space: SpaceId| self.partial.contains(&(op, space));
        let mut heads = self.heads.values().filter(|head| head.op == op);
        !heads.clone().any(|head| in_part(head.space))
            || heads.any(|head| !in_part(head.space) && head.published < event)
    }

    /// Gives each head its operations, and each operation its past.
    ///
    /// What comes after a share in the new space comes after all that was before the share in the
    /// old one, whichever of the share's heads was first: so this goes on until nothing changes.
    fn fill(&mut self, order: &[HeadId]) {
        // Where an operation publishes several heads in one space, what it did lies anywhere
        // between the first and the last of them.
        let mut ends: BTreeMap<(usize, SpaceId), (u64, u64)> = BTreeMap::new();
        for head in self.heads.values() {
            let ends = ends
                .entry((head.op, head.space))
                .or_insert((head.height, head.height));
            *ends = (ends.0.min(head.height), ends.1.max(head.height));
            if ends.0 < ends.1 {
                self.split.insert(head.op);
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            for id in order {
                let parent = self.heads.get(&self.heads[id].parent);
                let (mut whole, mut any) =
                    parent.map_or_else(Default::default, |p| (p.whole.clone(), p.any.clone()));
                let Some(head) = self.heads.get_mut(id) else {
                    continue;
                };
                let (first, last) = ends[&(head.op, head.space)];
                if head.height == first {
                    let mut before = whole.clone();
                    before.remove(head.op);
                    changed |= self.past[head.op].join(&before);
                }
                if head.height == last {
                    if !self.partial.contains(&(head.op, head.space)) {
                        whole.insert(head.op);
                    }
                    whole.join(&self.past[head.op]);
                }
                any.insert(head.op);
                changed |= head.whole.join(&whole);
                head.any.join(&any);
            }
        }
    }

    fn relate(&mut self, order: &[HeadId]) {
        let mut in_space: BTreeMap<SpaceId, Bits> = BTreeMap::new();
        let mut spaces: BTreeMap<usize, BTreeSet<SpaceId>> = BTreeMap::new();
        let mut related = vec![Bits::default(); self.past.len()];
        for id in order {
            let head = &self.heads[id];
            in_space.entry(head.space).or_default().insert(head.op);
            spaces.entry(head.op).or_default().insert(head.space);
            for other in head.any.iter() {
                related[other].insert(head.op);
                related[head.op].insert(other);
            }
        }
        for (op, spaces) in &spaces {
            for space in spaces {
                let mut strangers = in_space[space].clone();
                strangers.subtract(&related[*op]);
                strangers.remove(*op);
                self.conflict[*op].join(&strangers);
            }
        }
        let own = self.conflict.clone();
        for op in spaces.keys() {
            for before in self.past[*op].iter() {
                self.conflict[*op].join(&own[before]);
            }
        }
    }

    /// All operations that whoever accepted this head has accepted with it.
    pub(crate) fn accepted_with(&self, head: &HeadId) -> Bits {
        self.heads
            .get(head)
            .map(|head| head.whole.clone())
            .unwrap_or_default()
    }

    /// Whether the head is in the server's record.
    pub(crate) fn knows(&self, head: &HeadId) -> bool {
        self.heads.contains_key(head)
    }

    /// Whether anything was ever published.
    pub(crate) fn is_visible(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Whether `earlier` is `later` or comes before it.
    pub(crate) fn leads_to(&self, earlier: &HeadId, later: &HeadId) -> bool {
        let Some(floor) = self.heads.get(earlier).map(|head| head.height) else {
            return false;
        };
        let mut at = *later;
        loop {
            if at == *earlier {
                return true;
            }
            match self.heads.get(&at) {
                Some(head) if head.height > floor => at = head.parent,
                _ => return false,
            }
        }
    }
}
