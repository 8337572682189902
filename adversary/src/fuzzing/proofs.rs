//! Whatever a directory or a history shows under a root is what an honest one shows under it.

use std::collections::BTreeMap;

use turncoat_core::id::{Digest, Epoch, HeadHash, LeafHash, RosterNumber, Tag};
use turncoat_core::tree::directory::{
    bucket_hash, first_opaque_at_or_after, inner_hash, lookup, root_of, set, slots,
};
use turncoat_core::tree::{Lookup, Mountain, Summary, ZERO, decomposition, history_leaf};
use turncoat_core::wire::{DEPTH, Frame as _, HistoryNode, PartialTrie, Slot, slot_bit};

use crate::chooser::Chooser;

/// How many proofs came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    /// Directories that the bytes themselves are.
    pub decoded: usize,
    /// Directories that were believed.
    pub shown: usize,
    /// Directories that were changed on their way and not believed.
    pub denied: usize,
    /// Changes of a part of a directory that gave the root of the whole.
    pub changed: usize,
    /// Histories that were believed.
    pub extended: usize,
    /// Histories that were changed on their way and not believed.
    pub refused: usize,
}

/// A directory by its definition.
type Slots = BTreeMap<Tag, LeafHash>;

/// Takes the bytes as a directory; and as choices of a directory and a history, of what a server
/// shows of them, and of how it lies.
///
/// # Panics
///
/// If something is believed that is not so, or if a change of a part is not that of the whole.
#[must_use]
pub fn proofs(bytes: &[u8]) -> Proofs {
    let mut proofs = Proofs::default();
    if let Ok(trie) = PartialTrie::decode(bytes) {
        let all: Slots = slots(&trie).map(|slot| (slot.tag, slot.leaf)).collect();
        believe(&trie, &all);
        proofs.decoded += 1;
    }
    let mut chooser = Chooser::from_bytes(bytes);
    directory(&mut chooser, &mut proofs);
    history(&mut chooser, &mut proofs);
    proofs
}

fn directory(chooser: &mut Chooser, proofs: &mut Proofs) {
    let mut all = Slots::new();
    let mut whole = PartialTrie::Empty;
    for _ in 0..chooser.choose(12) {
        let (tag, leaf) = (tag(chooser), leaf(chooser));
        let before = set(&mut whole, &tag, Some(leaf));
        assert_eq!(before, Ok(all.insert(tag, leaf)));
    }
    assert_eq!(root_of(&whole), root(&all));
    let mut shown = hide(&whole, chooser);
    assert_eq!(root_of(&shown), root(&all));
    believe(&shown, &all);
    match deface(&shown, chooser) {
        // What says the same in the same place is no lie.
        Some(defaced) if root_of(&defaced) == root(&all) => {
            believe(&defaced, &all);
            proofs.shown += 1;
        }
        Some(_) | None => proofs.denied += 1,
    }
    let tag = tag(chooser);
    let leaf = (chooser.choose(3) > 0).then(|| leaf(chooser));
    let before = lookup(&shown, &tag);
    let changed = set(&mut shown, &tag, leaf);
    assert_eq!(changed.is_err(), before == Lookup::Opaque, "{tag}");
    if changed.is_ok() {
        match leaf {
            Some(leaf) => all.insert(tag, leaf),
            None => all.remove(&tag),
        };
        proofs.changed += 1;
    }
    assert_eq!(root_of(&shown), root(&all), "after {tag} became {leaf:?}");
    believe(&shown, &all);
}

/// Tags that share buckets, and tags that part early.
fn tag(chooser: &mut Chooser) -> Tag {
    let mut tag = [0; 32];
    tag[0] = [0, 1, 0x80, 0xff][chooser.choose(4) as usize];
    tag[1] = [0, 1, 0xff][chooser.choose(3) as usize];
    [.., tag[31]] = chooser.choose(4).to_be_bytes();
    Tag(tag)
}

fn leaf(chooser: &mut Chooser) -> LeafHash {
    let [.., number] = chooser.choose(256).to_be_bytes();
    LeafHash([number; 32])
}

/// The root of a directory by its definition.
fn root(all: &Slots) -> Digest {
    let slots = all.iter().map(|(&tag, &leaf)| Slot { tag, leaf });
    root_below(&slots.collect::<Vec<_>>(), 0)
}

fn root_below(slots: &[Slot], depth: u8) -> Digest {
    match slots {
        [] => ZERO,
        _ if depth == DEPTH => bucket_hash(slots),
        _ => {
            let (left, right) =
                slots.split_at(slots.partition_point(|slot| !slot_bit(&slot.tag, depth)));
            inner_hash(&root_below(left, depth + 1), &root_below(right, depth + 1))
        }
    }
}

/// What a trie shows is so, and what it does not show it does not deny.
fn believe(trie: &PartialTrie, all: &Slots) {
    let shown: Slots = slots(trie).map(|slot| (slot.tag, slot.leaf)).collect();
    for (tag, leaf) in all {
        let expected = match shown.contains_key(tag) {
            true => Lookup::Found(*leaf),
            false => Lookup::Opaque,
        };
        assert_eq!(lookup(trie, tag), expected, "{tag}");
    }
    assert!(shown.iter().all(|(tag, leaf)| all.get(tag) == Some(leaf)));
    // A page is complete up to what is not shown, wherever it begins.
    for from in all.keys() {
        let end = first_opaque_at_or_after(trie, from);
        for tag in all.range(from..).map(|(tag, _)| tag) {
            let inside = end.is_none_or(|end| *tag < end);
            assert!(!inside || shown.contains_key(tag), "a page lacks {tag}");
        }
    }
}

/// The trie with some of its subtrees shown by their hashes alone.
fn hide(node: &PartialTrie, chooser: &mut Chooser) -> PartialTrie {
    match node {
        PartialTrie::Empty => PartialTrie::Empty,
        node if chooser.choose(8) == 7 => PartialTrie::Opaque(root_of(node)),
        PartialTrie::Inner(children) => {
            let shown = (hide(&children.0, chooser), hide(&children.1, chooser));
            PartialTrie::Inner(Box::new(shown))
        }
        node => node.clone(),
    }
}

/// The trie with some bytes of its encoding replaced; none if that is no trie.
fn deface(trie: &PartialTrie, chooser: &mut Chooser) -> Option<PartialTrie> {
    let mut bytes = trie.encode();
    for _ in 0..chooser.choose(4) {
        let at = chooser.choose(1 << 16) as usize % bytes.len();
        let [.., byte] = chooser.choose(256).to_be_bytes();
        match chooser.choose(3) {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
    }
    PartialTrie::decode(&bytes).ok()
}

fn history(chooser: &mut Chooser, proofs: &mut Proofs) {
    let size = chooser.choose(40);
    let heads: Vec<HistoryNode> = (0..size).map(|number| head(number, chooser)).collect();
    let known = chooser.choose(size + 1);
    let (known, size) = (u64::from(known), u64::from(size));
    let from = range(&heads[..known as usize]);
    let to = range(&heads);
    let mut at = known as usize;
    let mut honest = Vec::new();
    for level in decomposition(known, size) {
        let end = at + (1 << level);
        honest.push(subtree(&heads[at..end], level));
        at = end;
    }
    let mut extended = from.clone();
    assert_eq!(extended.extend_to(size, &honest), Ok(()));
    assert_eq!(extended, to);
    let roster_max = heads.iter().map(|head| head.roster_max).max();
    let epoch_max = heads.iter().map(|head| head.epoch_max).max();
    assert_eq!(to.roster_max(), roster_max.unwrap_or(0));
    assert_eq!(to.epoch_max(), epoch_max.unwrap_or(0));
    let (offered, shown) = lie(size, &honest, chooser);
    let mut believed = from.clone();
    if believed.extend_to(offered, &shown).is_ok() && believed.root() == to.root() {
        assert_eq!((offered, shown), (size, honest));
        proofs.extended += 1;
    } else {
        proofs.refused += 1;
    }
}

/// The leaf of a head whose numbers rise, as a rule.
fn head(number: u32, chooser: &mut Chooser) -> HistoryNode {
    let roster = u64::from(number / 3 + chooser.choose(2));
    let epoch = u64::from(number / 5 + chooser.choose(2));
    let [.., byte] = number.to_be_bytes();
    history_leaf(&HeadHash([byte; 32]), RosterNumber(roster), Epoch(epoch))
}

fn range(heads: &[HistoryNode]) -> Mountain<HistoryNode> {
    let mut range = Mountain::new();
    for head in heads {
        assert_eq!(range.push(head.clone()), Ok(()));
    }
    range
}

/// A complete subtree by its definition.
fn subtree(heads: &[HistoryNode], level: u8) -> HistoryNode {
    match heads {
        [head] => head.clone(),
        heads => {
            let (left, right) = heads.split_at(heads.len() / 2);
            let (left, right) = (subtree(left, level - 1), subtree(right, level - 1));
            Summary::join(&left, &right, level)
        }
    }
}

/// A proof, and where it leads, with some of it changed.
fn lie(size: u64, honest: &[HistoryNode], chooser: &mut Chooser) -> (u64, Vec<HistoryNode>) {
    let (mut size, mut nodes) = (size, honest.to_vec());
    for _ in 0..chooser.choose(3) {
        let count = nodes.len().max(1);
        let one = chooser.choose(64) as usize % count;
        let other = chooser.choose(64) as usize % count;
        match chooser.choose(8) {
            0 => size = size.saturating_add(1),
            1 => size = size.saturating_sub(1),
            2 => nodes.truncate(one),
            3 => nodes.extend(honest.get(one).cloned()),
            4 if !nodes.is_empty() => nodes.swap(one, other),
            5 => nodes
                .iter_mut()
                .skip(one)
                .take(1)
                .for_each(|node| node.roster_max /= 2),
            6 => nodes
                .iter_mut()
                .skip(one)
                .take(1)
                .for_each(|node| node.epoch_max += 1),
            _ => nodes
                .iter_mut()
                .skip(one)
                .take(1)
                .for_each(|node| node.hash.0[other] ^= 1),
        }
    }
    (size, nodes)
}
