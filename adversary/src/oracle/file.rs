//! One file: all that was ever written to it, and by whom it may no longer be.

use std::collections::{BTreeMap, BTreeSet};

use super::bits::Bits;
use super::chain::Chain;
use super::names::{Class, Names, barred};
use super::truth::{Effect, Truth, Use};

/// One write to a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'h> {
    /// The operation's place.
    pub(crate) op: usize,
    /// The bytes.
    pub(crate) content: &'h [u8],
}

/// Everything that may have happened to one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct File<'h> {
    /// Uploads.
    pub(crate) bases: Vec<Piece<'h>>,
    /// Appends that are not empty, by the memory they ran on, in the order in which they started.
    pub(crate) lanes: Vec<Vec<Piece<'h>>>,
    /// The operations that surely wrote to this file and to no other, if they wrote at all.
    pub(crate) own: Bits,
    /// Whom an operation can never share a chain with; only where there is anyone.
    conflict: BTreeMap<usize, Bits>,
}

impl<'h> File<'h> {
    /// Collects the writes to a file.
    pub(crate) fn of(truth: &Truth<'h>, chain: &Chain, names: &Names<'h>, class: Class) -> Self {
        let mut file = Self::default();
        let mut lanes: BTreeMap<usize, Vec<Piece<'h>>> = BTreeMap::new();
        let only = BTreeSet::from([class]);
        for touch in names
            .touches
            .iter()
            .filter(|touch| touch.classes.contains(&class))
        {
            let op = &truth.ops[touch.op];
            if op.effect == Effect::None {
                continue;
            }
            let (whole, content) = match touch.used {
                Use::Upload(content) => (true, content),
                Use::Append(content) => (false, content),
                Use::Revoke(_) => {
                    for author in barred(truth, chain, names, class, touch).iter() {
                        file.conflict.entry(author).or_default().insert(touch.op);
                    }
                    continue;
                }
                _ => continue,
            };
            let piece = Piece {
                op: touch.op,
                content,
            };
            if whole {
                file.bases.push(piece);
            } else if !content.is_empty() {
                lanes.entry(op.lineage).or_default().push(piece);
            } else {
                continue;
            }
            if touch.classes == only {
                file.own.insert(touch.op);
            }
        }
        file.lanes = lanes.into_values().collect();
        for piece in file.bases.iter().chain(file.lanes.iter().flatten()) {
            let strangers = &chain.conflict[piece.op];
            if !strangers.is_empty() {
                file.conflict.entry(piece.op).or_default().join(strangers);
            }
        }
        file
    }

    /// Whom an operation can never share a chain with.
    pub(crate) fn conflict(&self, op: usize) -> Option<&Bits> {
        self.conflict.get(&op)
    }

    /// All writes.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Piece<'h>> {
        self.bases.iter().chain(self.lanes.iter().flatten())
    }
}
