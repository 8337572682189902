//! Directories at rest: a trie as objects of four levels each, found by the hash of their top.
//!
//! A change writes the objects on its paths anew and leaves all others, so that the directories of
//! earlier heads stay readable.

use std::collections::BTreeSet;

use turncoat_core::id::{Digest, LeafHash, Tag};
use turncoat_core::tree::{ZERO, directory};
use turncoat_core::wire::{
    DEPTH, Malformed, PartialTrie, Reader, Refusal, Slot, Wire, Writer, slot_bit,
};

use super::storage::{Batch, Key, Kind, Storage};

/// Slots that share a bucket. Tags are keyed hashes: of eight million, hardly 200 meet in one. A
/// writer who puts more there makes a bucket that is shown as a whole to whoever looks for one of
/// them.
const BUCKET_MAX: usize = 256;
/// Levels of one object. A subtree of one slot is kept with its parent, however deep.
const LEVELS: u8 = 4;

fn node_key(hash: &Digest) -> Key {
    Key::new(Kind::Node, *hash.as_bytes())
}

/// The whole directory, not opened yet.
pub(super) fn closed(root: Digest) -> PartialTrie {
    if root == ZERO {
        PartialTrie::Empty
    } else {
        PartialTrie::Opaque(root)
    }
}

/// Hides what is below, if anything is.
fn hide(node: &PartialTrie) -> PartialTrie {
    closed(directory::root_of(node))
}

/// The node with its first level shown, if the store can show it.
fn load(storage: &impl Storage, node: PartialTrie, depth: u8) -> Result<PartialTrie, Refusal> {
    let PartialTrie::Opaque(hash) = node else {
        return Ok(node);
    };
    let Some(bytes) = storage.fetch(&node_key(&hash))? else {
        return Ok(node);
    };
    let decoded = Reader::all(&bytes, |reader| read_node(reader, depth));
    match decoded {
        Ok(PartialTrie::Opaque(_)) | Err(Malformed) => Ok(node),
        Ok(shown) => Ok(shown),
    }
}

/// What to do beside the paths that are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Hide it, to show no more than was asked for.
    Hide,
    /// Leave what the objects on the paths hold, to write them anew.
    Leave,
}

/// Opens the paths to the tags, which rise strictly.
pub(super) fn open_paths(
    storage: &impl Storage,
    node: PartialTrie,
    depth: u8,
    tags: &[Tag],
    beside: Beside,
) -> Result<PartialTrie, Refusal> {
    if tags.is_empty() {
        return Ok(match beside {
            Beside::Hide => hide(&node),
            Beside::Leave => node,
        });
    }
    match load(storage, node, depth)? {
        PartialTrie::Inner(children) => {
            let (left, right) = *children;
            let middle = tags.partition_point(|tag| !slot_bit(tag, depth));
            let (left_tags, right_tags) = tags.split_at(middle);
            Ok(PartialTrie::Inner(Box::new((
                open_paths(storage, left, depth + 1, left_tags, beside)?,
                open_paths(storage, right, depth + 1, right_tags, beside)?,
            ))))
        }
        other => Ok(other),
    }
}

/// Opens everything from `from` on until `left` slots are shown; without `from`, from the start.
pub(super) fn open_page(
    storage: &impl Storage,
    node: PartialTrie,
    depth: u8,
    from: Option<&Tag>,
    left: &mut usize,
) -> Result<PartialTrie, Refusal> {
    if *left == 0 {
        return Ok(hide(&node));
    }
    match load(storage, node, depth)? {
        PartialTrie::Inner(children) => {
            let (first, second) = *children;
            let skips = from.is_some_and(|from| slot_bit(from, depth));
            let first = if skips {
                hide(&first)
            } else {
                open_page(storage, first, depth + 1, from, left)?
            };
            let from = from.filter(|_| skips);
            let second = open_page(storage, second, depth + 1, from, left)?;
            Ok(PartialTrie::Inner(Box::new((first, second))))
        }
        PartialTrie::Bucket(slots) => {
            let shown = slots.iter().filter(|slot| is_from(from, &slot.tag));
            *left = left.saturating_sub(shown.count());
            Ok(PartialTrie::Bucket(slots))
        }
        other => Ok(other),
    }
}

pub(super) fn is_from(from: Option<&Tag>, tag: &Tag) -> bool {
    from.is_none_or(|from| from <= tag)
}

/// Adds the objects of a whole directory to `reached`, and returns its leaves.
pub(super) fn reach(
    storage: &impl Storage,
    root: Digest,
    reached: &mut BTreeSet<Key>,
) -> Result<Vec<LeafHash>, Refusal> {
    let mut leaves = Vec::new();
    let mut left = vec![(closed(root), 0)];
    while let Some((node, depth)) = left.pop() {
        if let PartialTrie::Opaque(hash) = &node {
            reached.insert(node_key(hash));
        }
        match load(storage, node, depth)? {
            PartialTrie::Empty => {}
            PartialTrie::Inner(children) => {
                let (first, second) = *children;
                left.extend([(first, depth + 1), (second, depth + 1)]);
            }
            PartialTrie::Bucket(slots) => leaves.extend(slots.iter().map(|slot| slot.leaf)),
            PartialTrie::Opaque(_) => return Err(Refusal::NotFound),
        }
    }
    Ok(leaves)
}

/// Applies changes to the directory under `root`, adds the objects that are new to the batch, and
/// returns the root and by how much the number of slots grew and shrank.
pub(super) fn change(
    storage: &impl Storage,
    batch: &mut Batch,
    root: Digest,
    changes: &[(Tag, Option<LeafHash>)],
) -> Result<Changed, Refusal> {
    let tags: Vec<Tag> = changes.iter().map(|(tag, _)| *tag).collect();
    let mut trie = open_paths(storage, closed(root), 0, &tags, Beside::Leave)?;
    let mut before = Vec::new();
    let mut added: u64 = 0;
    let mut removed: u64 = 0;
    for (tag, leaf) in changes {
        // The store has lost a part of the directory.
        let was = directory::set(&mut trie, tag, *leaf).map_err(|_| Refusal::NotFound)?;
        added += u64::from(leaf.is_some());
        removed += u64::from(was.is_some());
        before.push(was);
        if leaf.is_some() && slots_beside(&trie, tag) > BUCKET_MAX {
            return Err(Refusal::TooLarge);
        }
    }
    let mut objects = Vec::new();
    let top = cut(&trie, 0, &mut objects);
    if !matches!(trie, PartialTrie::Empty | PartialTrie::Opaque(_)) {
        objects.push((top.hash, top.node));
    }
    for (hash, node) in objects {
        let key = node_key(&hash);
        if storage.fetch(&key)?.is_none() {
            let mut writer = Writer::new();
            write_node(&mut writer, &node);
            batch.put(key, writer.finish());
        }
    }
    Ok(Changed {
        root: top.hash,
        before,
        added,
        removed,
    })
}

/// How many slots share the bucket of this one.
fn slots_beside(trie: &PartialTrie, tag: &Tag) -> usize {
    let mut node = trie;
    let mut depth = 0;
    while let PartialTrie::Inner(children) = node {
        node = if slot_bit(tag, depth) {
            &children.1
        } else {
            &children.0
        };
        depth += 1;
    }
    match node {
        PartialTrie::Bucket(slots) => slots.len(),
        _ => 0,
    }
}

/// What became of a directory.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) root: Digest,
    /// What was in the slots.
    pub(super) before: Vec<Option<LeafHash>>,
    pub(super) added: u64,
    pub(super) removed: u64,
}

/// A node as its parent's object keeps it.
struct Cut {
    node: PartialTrie,
    hash: Digest,
    /// Whether there is at most one slot below, and nothing hidden.
    small: bool,
}

/// Cuts what is below `node` into objects.
fn cut(node: &PartialTrie, depth: u8, objects: &mut Vec<(Digest, PartialTrie)>) -> Cut {
    let PartialTrie::Inner(children) = node else {
        return Cut {
            node: node.clone(),
            hash: directory::root_of(node),
            small: match node {
                PartialTrie::Bucket(slots) => slots.len() <= 1,
                PartialTrie::Empty => true,
                PartialTrie::Inner(_) | PartialTrie::Opaque(_) => false,
            },
        };
    };
    let mut child = |node: &PartialTrie| {
        let below = depth + 1;
        let mut child = cut(node, below, objects);
        let stays = child.small || matches!(child.node, PartialTrie::Opaque(_));
        if below.is_multiple_of(LEVELS) && !stays {
            let whole = std::mem::replace(&mut child.node, PartialTrie::Opaque(child.hash));
            objects.push((child.hash, whole));
        }
        child
    };
    let (left, right) = (child(&children.0), child(&children.1));
    let one_is_empty = left.hash == ZERO || right.hash == ZERO;
    Cut {
        hash: directory::inner_hash(&left.hash, &right.hash),
        small: one_is_empty && left.small && right.small,
        node: PartialTrie::Inner(Box::new((left.node, right.node))),
    }
}

fn write_node(writer: &mut Writer, node: &PartialTrie) {
    match node {
        PartialTrie::Empty => writer.u8(0),
        PartialTrie::Opaque(hash) => {
            writer.u8(1);
            hash.write(writer);
        }
        PartialTrie::Inner(children) => {
            writer.u8(2);
            write_node(writer, &children.0);
            write_node(writer, &children.1);
        }
        PartialTrie::Bucket(slots) => {
            writer.u8(3);
            slots.write(writer);
        }
    }
}

/// Reads a stored node at its depth, which bounds the recursion.
fn read_node(reader: &mut Reader<'_>, depth: u8) -> Result<PartialTrie, Malformed> {
    match (reader.u8()?, depth) {
        (0, _) => Ok(PartialTrie::Empty),
        (1, _) => Wire::read(reader).map(PartialTrie::Opaque),
        (2, 0..DEPTH) => {
            let left = read_node(reader, depth + 1)?;
            let right = read_node(reader, depth + 1)?;
            Ok(PartialTrie::Inner(Box::new((left, right))))
        }
        (3, DEPTH) => Vec::<Slot>::read(reader).map(PartialTrie::Bucket),
        _ => Err(Malformed),
    }
}
