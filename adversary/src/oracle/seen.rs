//! What every device had seen when it started each operation, and what explains each read.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::chain::Chain;
use super::explain::{Edges, Found, Ground, Query, Witness, explain};
use super::file::File;
use super::names::{Class, Names, Touch};
use super::truth::{Effect, Truth, Use, uses};
use crate::client::Operation;
use crate::history::{Event, History};

/// What was decided about one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// A state of the file, no older than what the device had seen.
    Fresh,
    /// A state of the file, but an older one.
    Stale,
    /// A state that only exists if somebody wrote on a state older than they had seen.
    Regressed,
    /// A state that holds what somebody wrote whom, as this device knows, the file had excluded.
    Unauthorised,
    /// No state of the file.
    Foreign,
    /// The search was given up.
    Undecided,
}

/// One successful read.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'h> {
    /// The operation's place.
    pub(crate) op: usize,
    /// The bytes.
    pub(crate) content: &'h [u8],
    /// The files that the name may mean to a device that has seen what this one has.
    pub(crate) classes: BTreeSet<Class>,
    /// What was decided.
    pub(crate) standing: Standing,
    /// For a fresh read, all that explains it, if there are not too many.
    pub(crate) witnesses: Vec<(Class, Witness)>,
}

/// All that oracles share about one run.
#[derive(Debug)]
pub(crate) struct Case<'h> {
    /// The run.
    pub(crate) history: &'h History,
    /// Its operations.
    pub(crate) truth: Truth<'h>,
    /// The record of heads.
    pub(crate) chain: Chain,
    /// The names.
    pub(crate) names: Names<'h>,
    /// For each operation, what its device had surely seen when it started.
    pub(crate) floors: Vec<Bits>,
    /// The same, of what the process that it runs in has seen itself.
    pub(crate) lives: Vec<Bits>,
    /// The successful reads.
    pub(crate) readings: Vec<Reading<'h>>,
    files: BTreeMap<Class, File<'h>>,
}

impl<'h> Case<'h> {
    /// Works a history out.
    pub(crate) fn of(history: &'h History) -> Self {
        let truth = Truth::of(history);
        let chain = Chain::of(history, &truth);
        let names = Names::of(&truth, &chain);
        let classes: BTreeSet<Class> = names
            .touches
            .iter()
            .flat_map(|touch| touch.classes.iter().copied())
            .collect();
        let files = classes
            .into_iter()
            .map(|class| (class, File::of(&truth, &chain, &names, class)))
            .collect();
        let floors = vec![Bits::default(); truth.ops.len()];
        let lives = floors.clone();
        let mut case = Self {
            history,
            truth,
            chain,
            names,
            floors,
            lives,
            readings: Vec::new(),
            files,
        };
        case.walk();
        case
    }

    /// What explanations are searched on.
    pub(crate) fn ground(&self) -> Ground<'_, 'h> {
        self.ground_on(&self.floors)
    }

    fn ground_on<'c>(&'c self, floors: &'c [Bits]) -> Ground<'c, 'h> {
        Ground {
            truth: &self.truth,
            chain: &self.chain,
            floors,
        }
    }

    /// Whether a read shows nothing older than what was seen in the same process, if every process
    /// knows only what it has seen itself.
    pub(crate) fn is_fresh_in_its_life(&self, reading: &Reading<'h>) -> bool {
        let Some(touch) = self.names.of_op(reading.op).next() else {
            return false;
        };
        let floor = &self.lives[reading.op];
        let query = Query {
            content: reading.content,
            prefix: false,
            until: self.truth.ops[reading.op].end,
            edges: Edges::Remembered,
            required: floor,
            excluded: &Bits::default(),
        };
        self.known_classes(touch, floor).into_iter().any(|class| {
            explain(self.ground_on(&self.lives), self.file(class), &query, false).explained()
        })
    }

    /// Whether what was read is a state that a file had without some of its writes.
    pub(crate) fn is_state(&self, reading: &Reading<'_>, class: Class, without: &Bits) -> bool {
        let query = Query {
            content: reading.content,
            prefix: false,
            until: self.truth.ops[reading.op].end,
            edges: Edges::Proved,
            required: &Bits::default(),
            excluded: without,
        };
        explain(self.ground(), self.file(class), &query, false).explained()
    }

    /// A file.
    pub(crate) fn file(&self, class: Class) -> &File<'h> {
        &self.files[&class]
    }

    /// All files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (Class, &File<'h>)> {
        self.files.iter().map(|(class, file)| (*class, file))
    }

    /// Goes through the run, and gives each device what it learns.
    fn walk(&mut self) {
        let mut seen: BTreeMap<usize, Bits> = BTreeMap::new();
        let mut in_life: BTreeMap<usize, Bits> = BTreeMap::new();
        // Batches of which only what they did under one name is known.
        let mut parts: BTreeMap<(usize, &[u8]), Bits> = BTreeMap::new();
        for (at, event) in self.history.events().iter().enumerate() {
            match event {
                Event::OperationStarted { operation, .. } => {
                    if let Some(op) = self.truth.index(*operation) {
                        let (lineage, life) = (self.truth.ops[op].lineage, self.truth.ops[op].life);
                        let mut floor = seen.get(&lineage).cloned().unwrap_or_default();
                        let names = uses(self.truth.ops[op].what);
                        for ((whose, name), part) in &parts {
                            let same = names.iter().any(|(own, _)| own == name);
                            // A list is of all names.
                            if *whose == lineage && (same || names.is_empty()) {
                                floor.join(part);
                            }
                        }
                        self.floors[op] = floor;
                        self.lives[op] = in_life.get(&life).cloned().unwrap_or_default();
                    }
                }
                Event::Accepted { device, head, .. } => {
                    let accepted = self.whole(self.chain.accepted_with(head), at);
                    if let Some(lineage) = self.truth.lineage(device, at) {
                        seen.entry(lineage).or_default().join(&accepted);
                    }
                    if let Some(op) = self.truth.busy(device, at) {
                        let life = self.truth.ops[op].life;
                        in_life.entry(life).or_default().join(&accepted);
                    }
                }
                Event::OperationEnded { operation, .. } => {
                    if let Some(op) = self.truth.index(*operation) {
                        let learnt = self.learnt(op);
                        let (lineage, life) = (self.truth.ops[op].lineage, self.truth.ops[op].life);
                        let whole = self.whole(learnt.clone(), at);
                        for (name, part) in self.parts(op, &learnt, &whole) {
                            parts.entry((lineage, name)).or_default().join(&part);
                        }
                        let learnt = whole;
                        seen.entry(lineage).or_default().join(&learnt);
                        in_life.entry(life).or_default().join(&learnt);
                    }
                }
                _ => {}
            }
        }
    }

    /// Those of the operations that whoever saw any of them at this moment has seen as a whole. A
    /// batch that failed, or goes on, may have come to one of its files and not to another.
    fn whole(&self, mut seen: Bits, at: usize) -> Bits {
        let in_part = |op: &usize| {
            let found = &self.truth.ops[*op];
            let several = matches!(found.what, Operation::UploadMany { files } if files.len() > 1);
            several && !(found.effect == Effect::Certain && found.ended <= at)
        };
        for op in seen.iter().filter(in_part).collect::<Vec<_>>() {
            seen.remove(op);
        }
        seen
    }

    /// What an operation tells of batches that are not known as a whole: under its own name what
    /// they did there, and under each name of a list that they made it.
    fn parts(&self, op: usize, learnt: &Bits, whole: &Bits) -> Vec<(&'h [u8], Bits)> {
        let mut part = learnt.clone();
        part.subtract(whole);
        let found = &self.truth.ops[op];
        let listed = found.answer().and_then(|answer| answer.names.as_deref());
        let names: Vec<&[u8]> = match listed {
            Some(names) => names.iter().map(Vec::as_slice).collect(),
            None => uses(found.what).into_iter().map(|(name, _)| name).collect(),
        };
        let made = |name: &[u8], batch: &usize| {
            let files = uses(self.truth.ops[*batch].what);
            let only = listed.is_none() || self.only(op, name, true) == Some(*batch);
            only && files.iter().any(|(own, _)| *own == name)
        };
        let told = names.into_iter().map(|name| {
            let batches = part.iter().filter(|batch| made(name, batch));
            (name, batches.collect())
        });
        told.collect()
    }

    /// What a device surely knows once this operation has ended.
    fn learnt(&mut self, op: usize) -> Bits {
        let found = &self.truth.ops[op];
        if found.effect != Effect::Certain {
            return self.told_missing(op);
        }
        if let Some(names) = found.answer().and_then(|answer| answer.names.as_deref()) {
            let mut learnt = self.told_by_list(op, names);
            learnt.insert(op);
            return learnt;
        }
        let reads = self
            .names
            .of_op(op)
            .any(|touch| touch.used == Use::Download);
        match found.answer().and_then(|answer| answer.content.as_deref()) {
            Some(content) if reads => {
                let reading = self.read(op, content);
                let learnt = self.certain(&reading);
                self.readings.push(reading);
                learnt
            }
            _ => [op].into_iter().collect(),
        }
    }

    /// What a list tells: who made the names that it shows, and who deleted those that this device
    /// knew and that it does not show, where there is only one who can have.
    fn told_by_list(&self, op: usize, names: &[Vec<u8>]) -> Bits {
        let user = self.truth.ops[op].user();
        let shown: BTreeSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let mut told: Bits = shown
            .iter()
            .filter_map(|name| self.only(op, name, true))
            .collect();
        let known: BTreeSet<&[u8]> = self
            .names
            .touches
            .iter()
            .filter(|touch| touch.user == user && !shown.contains(touch.name))
            .map(|touch| touch.name)
            .collect();
        for name in known {
            told.join(&self.only_delete(op, name));
        }
        told
    }

    /// What a device knows that is told of a name which it had seen that there is no such file.
    fn told_missing(&self, op: usize) -> Bits {
        let found = &self.truth.ops[op];
        let denied = found
            .failure()
            .is_some_and(|failure| failure.name == "no-such-file");
        let names = uses(found.what);
        match names.as_slice() {
            [(name, used)] if denied && !matches!(used, Use::Upload(_) | Use::Receive) => {
                // Of a file that is only emptied yet, the name is in the directory.
                let deletes = self.only_delete(op, name);
                let ended = found.ended;
                deletes
                    .iter()
                    .filter(|delete| self.chain.told_by(*delete, ended))
                    .collect()
            }
            _ => Bits::default(),
        }
    }

    /// The one delete of a name that this device had seen, if it cannot be missing otherwise.
    fn only_delete(&self, op: usize, name: &[u8]) -> Bits {
        let by = &self.truth.ops[op];
        let bound = self.names.slot(by.user(), name).any(|touch| {
            matches!(touch.used, Use::Upload(_) | Use::Receive)
                && self.floors[op].contains(touch.op)
        });
        let lost = self.names.slot(by.user(), name).any(|touch| {
            matches!(touch.used, Use::Upload(_) | Use::Receive)
                && self.names.may_be_lost(&self.truth, touch, by)
                && !self.owns(touch)
        });
        if !bound || lost {
            return Bits::default();
        }
        self.only(op, name, false).into_iter().collect()
    }

    /// Whether the name means a file of its user's own, which nobody can take away.
    fn owns(&self, touch: &Touch<'h>) -> bool {
        let mut classes = touch.classes.iter();
        classes.all(|class| self.names.owner(*class) == touch.user)
    }

    /// The operation that bound a name of the user's, or deleted it, if it is the only one that
    /// may have before this one ended.
    fn only(&self, op: usize, name: &[u8], binds: bool) -> Option<usize> {
        let by = &self.truth.ops[op];
        let mut may = self.names.slot(by.user(), name).filter(|touch| {
            let other = &self.truth.ops[touch.op];
            let fits = match touch.used {
                Use::Upload(_) | Use::Receive => binds,
                Use::Delete => !binds,
                _ => false,
            };
            fits && other.effect != Effect::None && other.start < by.end
        });
        let only = may.next()?.op;
        may.next().is_none().then_some(only)
    }

    fn read(&self, op: usize, content: &'h [u8]) -> Reading<'h> {
        let touch = self.names.of_op(op).next();
        let floor = &self.floors[op];
        let classes = touch
            .map(|touch| self.known_classes(touch, floor))
            .unwrap_or_default();
        let mut reading = Reading {
            op,
            content,
            classes,
            standing: Standing::Foreign,
            witnesses: Vec::new(),
        };
        let found = self.search(
            &reading.classes,
            op,
            content,
            Edges::Remembered,
            floor,
            true,
        );
        if found.iter().any(|(_, found)| found.explained()) {
            reading.standing = Standing::Fresh;
            if found.iter().all(|(_, found)| found.complete) {
                reading.witnesses = found
                    .into_iter()
                    .flat_map(|(class, found)| found.witnesses.into_iter().map(move |w| (class, w)))
                    .collect();
            }
            return reading;
        }
        // What a deleted name meant is still a state, if an old one.
        let all = touch
            .map(|touch| self.names.bound_unless(&self.truth, touch, |_| false))
            .unwrap_or_default();
        let nothing = Bits::default();
        let revoked = self.revocations_in(floor);
        let mut undecided = found.iter().any(|(_, found)| !found.complete);
        for (edges, required, standing) in [
            (Edges::Remembered, &revoked, Standing::Stale),
            (Edges::Proved, &revoked, Standing::Regressed),
            (Edges::Proved, &nothing, Standing::Unauthorised),
        ] {
            let found = self.search(&all, op, content, edges, required, false);
            if found.iter().any(|(_, found)| found.explained()) {
                reading.standing = if undecided {
                    Standing::Undecided
                } else {
                    standing
                };
                return reading;
            }
            undecided |= found.iter().any(|(_, found)| !found.complete);
        }
        if undecided {
            reading.standing = Standing::Undecided;
        }
        reading
    }

    fn revocations_in(&self, floor: &Bits) -> Bits {
        let revokes = |op: &usize| self.names.of_op(*op).any(|touch| touch.is_revocation());
        floor.iter().filter(revokes).collect()
    }

    /// The files that a name may mean to a device that has seen `floor`.
    pub(crate) fn known_classes(&self, touch: &Touch<'h>, floor: &Bits) -> BTreeSet<Class> {
        self.names
            .bound_unless(&self.truth, touch, |delete| floor.contains(delete))
    }

    fn search(
        &self,
        classes: &BTreeSet<Class>,
        op: usize,
        content: &[u8],
        edges: Edges,
        required: &Bits,
        all: bool,
    ) -> Vec<(Class, Found)> {
        let query = Query {
            content,
            prefix: false,
            until: self.truth.ops[op].end,
            edges,
            required,
            excluded: &Bits::default(),
        };
        classes
            .iter()
            .map(|class| {
                (
                    *class,
                    explain(self.ground(), self.file(*class), &query, all),
                )
            })
            .collect()
    }

    /// The writes that every explanation of a read holds, or has surely replaced.
    fn certain(&self, reading: &Reading<'h>) -> Bits {
        let Some((_, first)) = reading.witnesses.first() else {
            return Bits::default();
        };
        let ops = &self.truth.ops;
        let holds = |witness: &Witness, op: usize| {
            witness.included.contains(op) || ops[op].before(&ops[witness.base])
        };
        first
            .included
            .iter()
            .filter(|op| {
                reading
                    .witnesses
                    .iter()
                    .all(|(_, witness)| holds(witness, *op))
            })
            .collect()
    }
}
