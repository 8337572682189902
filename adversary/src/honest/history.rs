//! The history of a space at rest: every complete subtree over its heads, and each head by height.

use turncoat_core::id::{HeadHash, Height, SpaceId};
use turncoat_core::tree::{Mountain, Summary, decomposition, history_leaf};
use turncoat_core::wire::{Head, HistoryNode, Malformed, Reader, Refusal, Wire, Writer};

use super::storage::{Batch, Key, Kind, Storage, encoded};

fn node_key(space: &SpaceId, level: u8, index: u64) -> Key {
    let mut id = space.as_bytes().to_vec();
    id.push(level);
    id.extend_from_slice(&index.to_be_bytes());
    Key::new(Kind::History, id)
}

fn height_key(space: &SpaceId, height: u64) -> Key {
    let mut id = space.as_bytes().to_vec();
    id.extend_from_slice(&height.to_be_bytes());
    Key::new(Kind::Height, id)
}

/// What the rules need to know of a head. The signed head itself is only passed on.
#[derive(Clone, Debug)]
pub(super) struct Indexed {
    pub(super) hash: HeadHash,
    pub(super) head: Head,
}

impl Wire for Indexed {
    fn write(&self, writer: &mut Writer) {
        self.hash.write(writer);
        self.head.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            hash: Wire::read(reader)?,
            head: Wire::read(reader)?,
        })
    }
}

/// The head that the space had at that height.
pub(super) fn head_at(
    storage: &impl Storage,
    space: &SpaceId,
    height: Height,
) -> Result<Option<Indexed>, Refusal> {
    let bytes = storage.fetch(&height_key(space, height.0))?;
    let Some(bytes) = bytes else { return Ok(None) };
    match Reader::all(&bytes, Indexed::read) {
        Ok(indexed) => Ok(Some(indexed)),
        Err(Malformed) => Err(Refusal::NotFound),
    }
}

fn node(
    storage: &impl Storage,
    space: &SpaceId,
    level: u8,
    index: u64,
) -> Result<HistoryNode, Refusal> {
    let bytes = storage.fetch(&node_key(space, level, index))?;
    let node = bytes.and_then(|bytes| Reader::all(&bytes, HistoryNode::read).ok());
    node.ok_or(Refusal::NotFound)
}

/// The largest complete subtrees over the heads `from..to`.
pub(super) fn proof(
    storage: &impl Storage,
    space: &SpaceId,
    from: u64,
    to: u64,
) -> Result<Vec<HistoryNode>, Refusal> {
    let mut at = from;
    let mut nodes = Vec::new();
    for level in decomposition(from, to) {
        nodes.push(node(storage, space, level, at >> level)?);
        at += 1 << level;
    }
    Ok(nodes)
}

/// The mountain range over the heads before `height`.
pub(super) fn range(
    storage: &impl Storage,
    space: &SpaceId,
    height: u64,
) -> Result<Mountain<HistoryNode>, Refusal> {
    let peaks = proof(storage, space, 0, height)?;
    Mountain::from_parts(height, peaks).map_err(|_| Refusal::Invalid)
}

/// Adds the head of `height` and every subtree that it completes to the batch.
pub(super) fn push(
    storage: &impl Storage,
    batch: &mut Batch,
    indexed: &Indexed,
) -> Result<(), Refusal> {
    let Indexed { hash, head } = indexed;
    let space = &head.space;
    batch.put(height_key(space, head.height.0), encoded(indexed));
    let mut complete = history_leaf(hash, head.roster, head.epoch);
    let (mut level, mut index) = (0, head.height.0);
    loop {
        batch.put(node_key(space, level, index), encoded(&complete));
        if index % 2 == 0 {
            return Ok(());
        }
        let left = node(storage, space, level, index - 1)?;
        level += 1;
        index /= 2;
        complete = HistoryNode::join(&left, &complete, level);
    }
}
