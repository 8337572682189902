//! What the server sees of a run beside ciphertext: who, what kind, how long, and which ids again.

use std::collections::BTreeMap;

use crate::client::DeviceName;
use crate::history::{Event, History};

/// Finds the ids inside a message, so that a skeleton can say which of them are equal.
pub trait Anatomy {
    /// The ids inside a request of this kind, in order; each is replaced by its first use.
    ///
    /// They come in groups. Within one, their order says nothing, as where a message has them
    /// sorted: those that are first seen in one group are not told apart later.
    fn ids(&self, kind: &str, request: &[u8]) -> Vec<Vec<Vec<u8>>>;

    /// Numbers inside a request that the server sees in clear, such as counts and heights.
    fn numbers(&self, kind: &str, request: &[u8]) -> Vec<u64>;
}

/// An anatomy for messages of unknown shape: their length alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths;

impl Anatomy for Lengths {
    fn ids(&self, _: &str, _: &[u8]) -> Vec<Vec<Vec<u8>>> {
        Vec::new()
    }

    fn numbers(&self, _: &str, _: &[u8]) -> Vec<u64> {
        Vec::new()
    }
}

/// One message without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bone<'h> {
    /// A request.
    Request {
        /// Who sent it.
        device: &'h DeviceName,
        /// The name of the message.
        kind: &'h str,
        /// Its length.
        length: usize,
        /// Its ids, each by the group of its first use.
        ids: Vec<usize>,
        /// Its numbers.
        numbers: Vec<u64>,
    },
    /// What the client was shown.
    Reply {
        /// Its length; none if it was lost.
        length: Option<usize>,
    },
}

/// All messages of a run without their secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton<'h> {
    pub(super) bones: Vec<(u32, Bone<'h>)>,
}

impl<'h> Skeleton<'h> {
    /// Takes the skeleton out of a history. With `only`, of one user's messages.
    pub fn of(history: &'h History, anatomy: &dyn Anatomy, only: Option<&str>) -> Self {
        let mut uses: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut groups = 0;
        let mut asked: BTreeMap<u32, u32> = BTreeMap::new();
        let mut bones = Vec::new();
        for event in history.events() {
            match event {
                Event::Request {
                    request,
                    device,
                    operation,
                    kind,
                    bytes,
                } if only.is_none_or(|user| device.user == user) => {
                    let mut ids = Vec::new();
                    for group in anatomy.ids(kind, bytes) {
                        groups += 1;
                        let group = group.into_iter();
                        let used = group.map(|id| *uses.entry(id).or_insert(groups));
                        let mut used: Vec<usize> = used.collect();
                        used.sort_unstable();
                        ids.extend(used);
                    }
                    let numbers = anatomy.numbers(kind, bytes);
                    let length = bytes.len();
                    asked.insert(*request, *operation);
                    bones.push((
                        *operation,
                        Bone::Request {
                            device,
                            kind,
                            length,
                            ids,
                            numbers,
                        },
                    ));
                }
                Event::Reply { request, shown, .. } => {
                    if let Some(operation) = asked.get(request) {
                        let length = shown.as_ref().map(|shown| shown.len());
                        bones.push((*operation, Bone::Reply { length }));
                    }
                }
                _ => {}
            }
        }
        Self { bones }
    }
}
