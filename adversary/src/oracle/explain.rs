//! Whether some order of a file's writes gives the bytes that a read returned.
//!
//! A state of a file is one upload and the appends after it. A set of writes is a state only if it
//! holds everything that its members surely came after, nothing that excludes another, and has an
//! order in which nothing comes before what was over when it began. No more is assumed of the
//! server: a state of any branch, old or new, is a state.

use std::collections::BTreeSet;

use super::bits::Bits;
use super::chain::Chain;
use super::file::{File, Piece};
use super::truth::Truth;

/// States that one search visits at most. What it has not decided then is undecided.
const STATES_MAX: usize = 40_000;
/// Explanations that are collected at most.
const WITNESSES_MAX: usize = 64;

/// Which orders are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edges {
    /// None: any order of any of the writes.
    Loose,
    /// What the server's record of heads proves.
    Proved,
    /// Also that no device writes on a state older than what it has seen.
    Remembered,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Query<'q> {
    /// The bytes that were returned.
    pub(crate) content: &'q [u8],
    /// Whether they may be only the beginning of a state.
    pub(crate) prefix: bool,
    /// Writes that started later do not count.
    pub(crate) until: usize,
    /// Which orders are believed.
    pub(crate) edges: Edges,
    /// What the state must hold, or have replaced.
    pub(crate) required: &'q Bits,
    /// What it must not hold.
    pub(crate) excluded: &'q Bits,
}

/// One state that gives the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    /// The upload.
    pub(crate) base: usize,
    /// The upload and the appends after it.
    pub(crate) included: Bits,
}

/// All states that give the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The states, or the first of them.
    pub(crate) witnesses: Vec<Witness>,
    /// Whether these are all.
    pub(crate) complete: bool,
}

impl Found {
    /// Whether the bytes are explained.
    pub(crate) fn explained(&self) -> bool {
        !self.witnesses.is_empty()
    }

    /// Whether it is certain that nothing explains the bytes.
    pub(crate) fn refuted(&self) -> bool {
        self.witnesses.is_empty() && self.complete
    }
}

/// What the search needs to know of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'g, 'h> {
    /// The operations.
    pub(crate) truth: &'g Truth<'h>,
    /// The proved order.
    pub(crate) chain: &'g Chain,
    /// What each operation's device had seen when it started.
    pub(crate) floors: &'g [Bits],
}

impl Ground<'_, '_> {
    /// What surely comes before an operation, as far as `edges` are believed.
    fn past(&self, op: usize, edges: Edges) -> Bits {
        if edges == Edges::Loose {
            return Bits::default();
        }
        let mut past = self.chain.past[op].clone();
        if edges == Edges::Remembered {
            let mut remembered = self.floors[op].clone();
            if self.chain.visible.contains(op) {
                // Where both are in the record of heads, the record is exact.
                remembered.subtract(&self.chain.visible);
            }
            past.join(&remembered);
        }
        past
    }

    /// Whether `earlier` can stand before `later` in a chain.
    fn can_precede(&self, earlier: usize, later: usize, edges: Edges) -> bool {
        edges == Edges::Loose
            || !(self.truth.ops[later].before(&self.truth.ops[earlier])
                || self.chain.past[earlier].contains(later))
    }
}

/// A partial state.
#[derive(Clone, Debug)]
struct State {
    position: usize,
    included: Bits,
    /// All that is in the chain: the state, what it must hold, and what came before.
    world: Bits,
    /// All that can no longer be in the chain.
    banned: Bits,
    /// All that came before something in the state, and so cannot come after it.
    gone: Bits,
    /// The latest start of an append in the state: what was over by then cannot follow.
    latest: usize,
    /// How much of the content the required writes that are missing need.
    missing: usize,
}

struct Search<'s, 'g, 'h> {
    ground: Ground<'g, 'h>,
    file: &'s File<'h>,
    query: &'s Query<'s>,
    /// The past of each append, beside the lanes.
    pasts: Vec<Vec<Bits>>,
    /// What the upload at hand may have replaced.
    replaced: Bits,
    seen: BTreeSet<Vec<u64>>,
    visited: usize,
    found: Found,
}

/// Finds the states of `file` that answer `query`; stops at the first one unless `all` are wanted.
pub(crate) fn explain<'h>(
    ground: Ground<'_, 'h>,
    file: &File<'h>,
    query: &Query<'_>,
    all: bool,
) -> Found {
    let past = |piece: &Piece<'_>| ground.past(piece.op, query.edges);
    let mut search = Search {
        ground,
        file,
        query,
        pasts: file
            .lanes
            .iter()
            .map(|lane| lane.iter().map(past).collect())
            .collect(),
        replaced: Bits::default(),
        seen: BTreeSet::new(),
        visited: 0,
        found: Found {
            witnesses: Vec::new(),
            complete: true,
        },
    };
    // Later states first: the newest explanation is the most likely one.
    for base in file.bases.iter().rev() {
        search.search_after(base, if all { WITNESSES_MAX } else { 1 });
        if !search.found.complete || (!all && search.found.explained()) {
            break;
        }
    }
    search.found
}

impl Search<'_, '_, '_> {
    fn search_after(&mut self, base: &Piece<'_>, wanted: usize) {
        let content = self.query.content;
        let begins = content.starts_with(base.content)
            || (self.query.prefix && base.content.starts_with(content));
        let op = &self.ground.truth.ops[base.op];
        if !begins || op.start > self.query.until || self.query.excluded.contains(base.op) {
            return;
        }
        self.replaced = self
            .file
            .pieces()
            .map(|piece| piece.op)
            .filter(|other| *other != base.op)
            .filter(|other| self.ground.can_precede(*other, base.op, self.query.edges))
            .collect();
        if self.longest(base) < content.len() {
            return;
        }
        let Some(first) = self.first(base) else {
            return;
        };
        self.seen.clear();
        let mut stack = vec![first];
        while let Some(state) = stack.pop() {
            self.visited += 1;
            if self.visited > STATES_MAX {
                self.found.complete = false;
                return;
            }
            if !self.seen.insert(state.included.key()) {
                continue;
            }
            if state.missing == 0 && state.position >= content.len() {
                self.found.witnesses.push(Witness {
                    base: base.op,
                    included: state.included.clone(),
                });
                if self.found.witnesses.len() >= wanted {
                    self.found.complete = wanted == 1;
                    return;
                }
            }
            self.extend(&state, &mut stack);
        }
    }

    /// The length of all appends together after this upload.
    fn longest(&self, base: &Piece<'_>) -> usize {
        let counts = |piece: &&Piece<'_>| self.ground.truth.ops[piece.op].start <= self.query.until;
        let appends = self.file.lanes.iter().flatten().filter(counts);
        base.content.len() + appends.map(|piece| piece.content.len()).sum::<usize>()
    }

    /// The state right after the upload, unless it cannot hold what it must.
    fn first(&self, base: &Piece<'_>) -> Option<State> {
        let past = self.ground.past(base.op, self.query.edges);
        let mut world = self.query.required.clone();
        world.join(&past);
        world.insert(base.op);
        let mut included = Bits::default();
        included.insert(base.op);
        let mut state = State {
            position: base.content.len().min(self.query.content.len()),
            included,
            world: Bits::default(),
            banned: Bits::default(),
            gone: past,
            latest: self.ground.truth.ops[base.op].start,
            missing: 0,
        };
        for op in world.iter() {
            if let Some(conflict) = self.file.conflict(op) {
                state.banned.join(conflict);
            }
        }
        state.world = world;
        if state.world.meets(&state.banned) && self.query.edges != Edges::Loose {
            return None;
        }
        state.missing = self.needed(self.query.required, &state.included)?;
        Some(state)
    }

    /// Bytes of the writes in `wanted` that are neither in the state nor replaced; none if one of
    /// them is an upload, which no append brings.
    fn needed(&self, wanted: &Bits, included: &Bits) -> Option<usize> {
        let lacks = |piece: &&Piece<'_>| {
            wanted.contains(piece.op)
                && self.file.own.contains(piece.op)
                && !included.contains(piece.op)
                && !self.replaced.contains(piece.op)
        };
        if self.file.bases.iter().any(|base| lacks(&base)) {
            return None;
        }
        Some(
            self.file
                .lanes
                .iter()
                .flatten()
                .filter(lacks)
                .map(|piece| piece.content.len())
                .sum(),
        )
    }

    fn extend(&self, state: &State, stack: &mut Vec<State>) {
        let left = self.query.content.len() - state.position;
        if left == 0 || state.missing > left {
            return;
        }
        let mut next = Vec::new();
        for (lane, pasts) in self.file.lanes.iter().zip(&self.pasts) {
            for (at, piece) in lane.iter().enumerate() {
                if state.included.contains(piece.op) {
                    continue;
                }
                if let Some(longer) = self.with(state, piece, &pasts[at]) {
                    next.push((self.ground.truth.ops[piece.op].start, longer));
                }
                let follower = pasts
                    .get(at + 1)
                    .is_some_and(|past| past.contains(piece.op));
                if follower && self.binds(piece.op) {
                    break;
                }
            }
        }
        // The stack pops the earliest one first: honest histories are explained straight.
        next.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
        stack.extend(next.into_iter().map(|(_, longer)| longer));
    }

    /// Whether what comes after this write cannot do without it.
    fn binds(&self, op: usize) -> bool {
        self.file.own.contains(op) && !self.replaced.contains(op)
    }

    /// The state with one more append, if there can be such a state.
    fn with(&self, state: &State, piece: &Piece<'_>, past: &Bits) -> Option<State> {
        let op = &self.ground.truth.ops[piece.op];
        let rest = &self.query.content[state.position..];
        let fits = rest.starts_with(piece.content)
            || (self.query.prefix && piece.content.starts_with(rest));
        let loose = self.query.edges == Edges::Loose;
        if !fits || op.start > self.query.until || self.query.excluded.contains(piece.op) {
            return None;
        }
        if !loose && op.end < state.latest {
            return None;
        }
        let mut longer = state.clone();
        if !loose {
            let mut needs = past.clone();
            needs.keep(&self.file.own);
            needs.subtract(&self.replaced);
            let conflict = self.file.conflict(piece.op);
            let clash = conflict.is_some_and(|set| set.meets(&state.world) || set.meets(past));
            if !needs.within(&state.included) || clash || past.meets(&state.banned) {
                return None;
            }
            if state.banned.contains(piece.op) || state.gone.contains(piece.op) {
                return None;
            }
            longer.gone.join(past);
            longer.world.join(past);
            longer.world.insert(piece.op);
            if let Some(conflict) = conflict {
                longer.banned.join(conflict);
            }
        }
        longer.included.insert(piece.op);
        longer.position = (state.position + piece.content.len()).min(self.query.content.len());
        longer.latest = state.latest.max(op.start);
        if self.query.required.contains(piece.op) && self.binds(piece.op) {
            longer.missing = state.missing.saturating_sub(piece.content.len());
        }
        Some(longer)
    }
}
