//! Cuts content into chunks of one size, and seals and opens segments of them.

use crate::defence::{Defence, construct, defend};
use crate::error::{Error, Violation};
use crate::id::PackId;
use crate::limits::{CHUNK_SIZE, PACK_CHUNKS_MAX};
use crate::primitive::aead;
use crate::seal::{Context, Kind, ONCE};
use crate::secret::ContentKey;
use crate::tree::segment_hash;
use crate::wire::SegmentRecord;
use alloc::vec::Vec;

/// Bytes before the content of a chunk: how much of the chunk is content.
const PREFIX: usize = 4;
/// Content bytes of a full chunk.
pub(crate) const CONTENT_MAX: usize = CHUNK_SIZE - PREFIX;
/// Bytes of the tag at the end of a sealed chunk.
pub(crate) const TAG_SIZE: usize = aead::TAG_SIZE;
/// Sealed bytes of a full chunk.
pub(crate) const SEALED_MAX: usize = CHUNK_SIZE + aead::TAG_SIZE;

/// Content bytes of a full segment.
pub(crate) const SEGMENT_CONTENT_MAX: usize = CONTENT_MAX * PACK_CHUNKS_MAX;
/// Sealed bytes of a full segment.
pub(crate) const SEGMENT_SEALED_MAX: usize = SEALED_MAX * PACK_CHUNKS_MAX;

/// The padded size of the last `size` bytes of a content: rounded up to a multiple of
/// `max(256, 2^floor(log2(size / 256)))`, so less than 0.4 % from 64 KiB on; but never beyond a
/// full segment.
pub(crate) const fn padded_size(size: usize) -> usize {
    let unit = match (size / 256).checked_ilog2() {
        Some(bits) if bits > 8 => 1 << bits,
        _ => 256,
    };
    let padded = if size == 0 {
        unit
    } else {
        size.next_multiple_of(unit)
    };
    if padded > SEGMENT_CONTENT_MAX {
        SEGMENT_CONTENT_MAX
    } else {
        padded
    }
}

/// Appends the sealed chunks of `content` to `pack`, and says where they are.
///
/// `content` is at most [`SEGMENT_CONTENT_MAX`] bytes. No chunk key is used twice: it is that of a
/// place in a pack, and a pack is filled once.
pub(crate) fn seal_segment(
    key: &ContentKey,
    key_index: u16,
    id: PackId,
    pack: &mut Vec<u8>,
    content: &[u8],
) -> SegmentRecord {
    let whole = construct!(
        Defence::Padding,
        padded_size(content.len()),
        exact_size(content.len())
    );
    seal_into(key, key_index, id, pack, content, whole)
}

/// The same for content that more content follows: full chunks, whose length tells nothing but how
/// many they are. `content` is a multiple of [`CONTENT_MAX`].
pub(crate) fn seal_run(
    key: &ContentKey,
    key_index: u16,
    id: PackId,
    pack: &mut Vec<u8>,
    content: &[u8],
) -> SegmentRecord {
    seal_into(key, key_index, id, pack, content, content.len())
}

fn seal_into(
    key: &ContentKey,
    key_index: u16,
    id: PackId,
    pack: &mut Vec<u8>,
    content: &[u8],
    whole: usize,
) -> SegmentRecord {
    let start = pack.len();
    let offset = u32::try_from(start).unwrap_or(u32::MAX);
    seal_chunks(key, (id, offset), pack, content, whole);
    let sealed = pack.get(start..).unwrap_or_default();
    record_of((id, offset), key_index, sealed)
}

/// The record of sealed bytes at a place.
pub(crate) fn record_of(
    (pack, offset): (PackId, u32),
    key_index: u16,
    sealed: &[u8],
) -> SegmentRecord {
    SegmentRecord {
        pack,
        offset,
        length: u32::try_from(sealed.len()).unwrap_or(u32::MAX),
        key_index,
        hash: segment_hash(&pack, sealed),
    }
}

/// Appends the chunks of `content`, filled up to `whole` bytes of content, sealed for their place.
fn seal_chunks(
    key: &ContentKey,
    (id, offset): (PackId, u32),
    sealed: &mut Vec<u8>,
    content: &[u8],
    whole: usize,
) {
    let start = sealed.len();
    let chunks = whole.div_ceil(CONTENT_MAX).max(1);
    sealed.reserve(whole.saturating_add(chunks.saturating_mul(PREFIX + aead::TAG_SIZE)));
    let mut rest = content;
    let mut room = whole;
    for _ in 0..chunks {
        let size = room.min(CONTENT_MAX);
        let (now, later) = rest.split_at(rest.len().min(size));
        let at = u32::try_from(sealed.len().saturating_sub(start)).unwrap_or(u32::MAX);
        seal_chunk(key, (id, offset.saturating_add(at)), sealed, now, size);
        rest = later;
        room = room.saturating_sub(size);
    }
}

/// Content bytes that a record's chunks have room for, if its length is one that sealing gives, and
/// of one segment at most: a record is what its author wrote, and its length is sealed and hashed.
pub(crate) fn room_of(record: &SegmentRecord) -> Option<usize> {
    let length = usize::try_from(record.length).ok();
    let length = length.filter(|length| *length <= SEGMENT_SEALED_MAX)?;
    let chunks = length.div_ceil(SEALED_MAX).max(1);
    let room = length.checked_sub(chunks.checked_mul(PREFIX + aead::TAG_SIZE)?)?;
    (room.div_ceil(CONTENT_MAX).max(1) == chunks).then_some(room)
}

/// Content bytes of a record whose chunks are all full, if they may be: more content may follow
/// only then without a gap.
pub(crate) fn full_content_of(record: &SegmentRecord) -> Option<usize> {
    let length = usize::try_from(record.length).ok()?;
    (length > 0 && length.is_multiple_of(SEALED_MAX)).then_some(())?;
    room_of(record)
}

/// The very bytes that `content`, sealed for the place of the record's chunks, must be there, were
/// it theirs; nothing if there is more of it than they have room for. They are compared, and never
/// sent: another content would be a second one under the keys of the first.
pub(crate) fn resealed(
    key: &ContentKey,
    record: &SegmentRecord,
    content: &[u8],
) -> Option<Vec<u8>> {
    let whole = room_of(record).filter(|room| content.len() <= *room)?;
    let mut sealed = Vec::new();
    seal_chunks(
        key,
        (record.pack, record.offset),
        &mut sealed,
        content,
        whole,
    );
    Some(sealed)
}

/// Whether content, sealed anew, gave the very bytes of the record.
pub(crate) fn is_of(record: &SegmentRecord, sealed: &[u8]) -> bool {
    u32::try_from(sealed.len()) == Ok(record.length)
        && segment_hash(&record.pack, sealed) == record.hash
}

/// Whether `content`, sealed anew, gives the very bytes of the record; they are returned.
///
/// So content that was kept aside is held against what was sealed, and against nothing else. What
/// does not fit is dropped here.
pub(crate) fn sealed_as(
    key: &ContentKey,
    record: &SegmentRecord,
    content: &[u8],
) -> Option<Vec<u8>> {
    resealed(key, record, content).filter(|sealed| is_of(record, sealed))
}

fn seal_chunk(
    key: &ContentKey,
    (id, offset): (PackId, u32),
    pack: &mut Vec<u8>,
    content: &[u8],
    size: usize,
) {
    let start = pack.len();
    pack.extend_from_slice(
        &u32::try_from(content.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    pack.extend_from_slice(content);
    pack.resize(start.saturating_add(PREFIX).saturating_add(size), 0);
    let context = Context {
        kind: Kind::Chunk,
        id: id.0,
        number: offset,
    };
    let frame = pack.get_mut(start..).unwrap_or_default();
    let chunk_key = key.chunk_key(&id.0, offset);
    let tag = aead::seal_slice(chunk_key.expose(), &ONCE, &context.encode(), frame);
    pack.extend_from_slice(&tag);
}

/// Opens a segment whose record the leaf's peaks vouch for, and appends its content to `content`.
///
/// # Errors
///
/// [`Violation::Misbound`] if the bytes are not those of the record, [`Violation::Inauthentic`] if
/// a chunk does not open. `content` is then as it was.
pub(crate) fn open_segment(
    key: &ContentKey,
    record: &SegmentRecord,
    sealed: &mut [u8],
    content: &mut Vec<u8>,
) -> Result<(), Error> {
    let bound = segment_hash(&record.pack, sealed) == record.hash;
    defend!(Defence::SegmentHash, bound, Violation::Misbound);
    let before = content.len();
    content.reserve(sealed.len());
    let mut offset = record.offset;
    for chunk in sealed.chunks_mut(SEALED_MAX) {
        if let Err(error) = open_chunk(key, record.pack, offset, chunk, content) {
            content.truncate(before);
            return Err(error);
        }
        offset = u32::try_from(chunk.len()).map_or(u32::MAX, |size| offset.saturating_add(size));
    }
    Ok(())
}

fn open_chunk(
    key: &ContentKey,
    id: PackId,
    offset: u32,
    chunk: &mut [u8],
    content: &mut Vec<u8>,
) -> Result<(), Error> {
    let (frame, tag) = chunk
        .split_last_chunk_mut::<{ aead::TAG_SIZE }>()
        .ok_or(Violation::Malformed)?;
    let context = Context {
        kind: Kind::Chunk,
        id: id.0,
        number: offset,
    };
    let chunk_key = key.chunk_key(&id.0, offset);
    construct!(
        Defence::ChunkSeal,
        aead::open_slice(chunk_key.expose(), &ONCE, &context.encode(), frame, tag),
        open_blindly(chunk_key.expose(), &ONCE, frame)
    )
    .map_err(|_| Violation::Inauthentic)?;
    let (size, rest) = frame
        .split_first_chunk::<PREFIX>()
        .ok_or(Violation::Malformed)?;
    let size = usize::try_from(u32::from_be_bytes(*size)).map_err(|_| Violation::Malformed)?;
    let (real, padding) = rest.split_at_checked(size).ok_or(Violation::Malformed)?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(Violation::Malformed.into());
    }
    content.extend_from_slice(real);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        CONTENT_MAX, SEALED_MAX, SEGMENT_CONTENT_MAX, SEGMENT_SEALED_MAX, room_of, seal_segment,
        sealed_as,
    };
    use crate::id::PackId;
    use crate::secret::ContentKey;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn only_lengths_that_sealing_gives_have_room() {
        let key = ContentKey::copy_from(&[7; 32]);
        let sizes = [0, 1, CONTENT_MAX, CONTENT_MAX + 1, SEGMENT_CONTENT_MAX];
        for size in sizes {
            let content = vec![3; size];
            let mut pack = Vec::new();
            let record = seal_segment(&key, 0, PackId([1; 16]), &mut pack, &content);
            let room = room_of(&record).unwrap();
            assert!(room >= size && room.div_ceil(CONTENT_MAX).max(1) * 20 + room == pack.len());
            assert_eq!(sealed_as(&key, &record, &content), Some(pack));
            // A member may give any length to what is hashed rightly.
            for more in 1..=20 {
                let mut longer = record.clone();
                longer.length += more;
                assert_eq!(
                    sealed_as(&key, &longer, &content),
                    None,
                    "{size} and {more}"
                );
            }
            for length in [
                SEALED_MAX + 1,
                SEALED_MAX + 20,
                SEGMENT_SEALED_MAX + SEALED_MAX,
                u32::MAX as usize,
            ] {
                let mut other = record.clone();
                other.length = u32::try_from(length).unwrap();
                assert_eq!(room_of(&other), None, "{length}");
            }
        }
    }
}
