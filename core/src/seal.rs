//! Seals and opens everything that is small: leaves, long names, keyrings, notes and key bags.

use crate::defence::{Defence, construct, defend};
use crate::env::Entropy;
use crate::error::{Error, Usage, Violation};
use crate::id::{Digest, LeafId, PackId, Realm, UserId};
use crate::limits::SEGMENTS_MAX;
use crate::primitive::{Zeroizing, aead};
use crate::secret::{ContentKey, EpochKey, KeyBytes, NameObjectKey, WrapKey};
use crate::tree::{Mountain, segment_hash};
use crate::wire::{
    BagSecret, Blob, Entry, Frame, KdfParams, KeyBag, Leaf, Reader, Region, Wire, Writer,
};
use alloc::vec::Vec;

/// A key that is used for one message needs no other nonce.
pub(crate) const ONCE: [u8; aead::NONCE_SIZE] = [0; aead::NONCE_SIZE];

/// What sealed bytes are; the first byte of all associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bag = 1,
    Leaf = 2,
    Chunk = 3,
    Name = 4,
    Keyring = 5,
    Note = 6,
}

/// What can never change for something sealed: its kind, its own name or that of its pack, and a
/// number: where it lies in its pack, or how many segments its leaf counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) kind: Kind,
    pub(crate) id: [u8; 16],
    pub(crate) number: u32,
}

impl Context {
    /// The associated data.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&[b'T', b'C', self.kind as u8, crate::wire::VERSION]);
        writer.raw(&self.id);
        writer.u32(self.number);
        writer.finish()
    }
}

/// A fresh random name.
pub(crate) fn fresh_id(entropy: &mut dyn Entropy) -> [u8; 16] {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    id
}

/// What a leaf says in clear of an entry's segments: how many, and the root over their records.
fn in_clear(entry: &Entry) -> Result<(u32, Digest), Error> {
    let range = match entry {
        Entry::File(file) => Mountain::from_parts(file.segments, file.peaks.clone())
            .map_err(|_| Violation::Malformed)?,
        Entry::Link(_) | Entry::Pin(_) | Entry::Received(_) => Mountain::new(),
    };
    match u32::try_from(range.size()) {
        Ok(segments) if range.size() <= SEGMENTS_MAX => Ok((segments, range.root())),
        _ => Err(Usage::Full.into()),
    }
}

/// Seals a leaf under a key that its fresh id selects.
///
/// # Errors
///
/// [`Usage::Full`] for more segments than a file can have.
pub(crate) fn seal_leaf(
    entropy: &mut dyn Entropy,
    key: &EpochKey,
    entry: &Entry,
) -> Result<Vec<u8>, Error> {
    let (segments, root) = in_clear(entry)?;
    let id = LeafId(fresh_id(entropy));
    let mut sealed = construct!(Defence::Padding, entry.encode(), unfilled(entry));
    let context = Context {
        kind: Kind::Leaf,
        id: id.0,
        number: segments,
    };
    aead::seal_in_place(
        key.leaf_key(&id.0).expose(),
        &ONCE,
        &context.encode(),
        &mut sealed,
    );
    let leaf = Leaf {
        id,
        segments,
        root,
        sealed: Blob(sealed),
    };
    Ok(leaf.encode())
}

/// Opens a leaf whose hash the directory vouches for. What is wrong with it is its author's doing.
pub(crate) fn open_leaf(key: &EpochKey, stored: &[u8]) -> Result<Entry, Error> {
    let leaf = Leaf::decode(stored)?;
    let context = Context {
        kind: Kind::Leaf,
        id: leaf.id.0,
        number: leaf.segments,
    };
    let mut opened = Zeroizing::new(leaf.sealed.0);
    let leaf_key = key.leaf_key(&leaf.id.0);
    construct!(
        Defence::LeafSeal,
        aead::open_in_place(leaf_key.expose(), &ONCE, &context.encode(), &mut opened),
        open_blindly_in_place(leaf_key.expose(), &ONCE, &mut opened)
    )
    .map_err(|_| Violation::Inauthentic)?;
    let entry = construct!(
        Defence::Padding,
        Entry::decode(&opened),
        decode_filled(&opened)
    )?;
    match in_clear(&entry)? == (leaf.segments, leaf.root) {
        true => Ok(entry),
        false => Err(Violation::Misbound.into()),
    }
}

/// The key of a name object: a fresh one for each entry.
pub(crate) fn name_object_key(entry_key: &KeyBytes, pack: &PackId) -> NameObjectKey {
    ContentKey::copy_from(entry_key.expose()).name_object_key(&pack.0)
}

/// Pads to a whole number of kibibytes behind a length.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len().saturating_add(4).next_multiple_of(1024);
    let mut writer = Writer::within(size);
    writer.bytes(bytes);
    writer.zeros(size.saturating_sub(writer.size()));
    writer.finish()
}

fn unpadded(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(Reader::all(bytes, |reader| {
        let inner = reader.bytes()?.to_vec();
        reader.zeros(reader.remaining())?;
        Ok(inner)
    })?)
}

/// A sealed object that is no chunk: its bytes, to be put into `pack` at `offset`.
fn seal_object(
    key: &[u8; 32],
    kind: Kind,
    pack: PackId,
    offset: u32,
    plain: &[u8],
) -> (Region, Vec<u8>) {
    let mut sealed = padded(plain);
    let context = Context {
        kind,
        id: pack.0,
        number: offset,
    };
    aead::seal_in_place(key, &ONCE, &context.encode(), &mut sealed);
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    (
        Region {
            pack,
            offset,
            length,
            hash: segment_hash(&pack, &sealed),
        },
        sealed,
    )
}

fn open_object(
    key: &[u8; 32],
    kind: Kind,
    region: &Region,
    sealed: Vec<u8>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bound = segment_hash(&region.pack, &sealed) == region.hash;
    defend!(Defence::SegmentHash, bound, Violation::Misbound);
    let context = Context {
        kind,
        id: region.pack.0,
        number: region.offset,
    };
    let mut opened = Zeroizing::new(sealed);
    aead::open_in_place(key, &ONCE, &context.encode(), &mut opened)
        .map_err(|_| Violation::Inauthentic)?;
    unpadded(&opened).map(Zeroizing::new)
}

/// Seals a name that is too long for a leaf.
pub(crate) fn seal_name(
    entry_key: &KeyBytes,
    pack: PackId,
    offset: u32,
    name: &[u8],
) -> (Region, Vec<u8>) {
    seal_object(
        name_object_key(entry_key, &pack).expose(),
        Kind::Name,
        pack,
        offset,
        name,
    )
}

/// Opens a long name.
pub(crate) fn open_name(
    entry_key: &KeyBytes,
    region: &Region,
    sealed: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let key = name_object_key(entry_key, &region.pack);
    open_object(key.expose(), Kind::Name, region, sealed).map(|opened| opened.to_vec())
}

/// Seals a file's older content keys under its newest one.
pub(crate) fn seal_keyring(
    newest: &ContentKey,
    pack: PackId,
    offset: u32,
    older: &[KeyBytes],
) -> (Region, Vec<u8>) {
    let mut writer = Writer::within(older.len().saturating_mul(32).saturating_add(4));
    writer.list(older, |writer, key| key.write(writer));
    let plain = Zeroizing::new(writer.finish());
    seal_object(
        newest.keyring_key(&pack.0).expose(),
        Kind::Keyring,
        pack,
        offset,
        &plain,
    )
}

/// Opens a keyring.
pub(crate) fn open_keyring(
    newest: &ContentKey,
    region: &Region,
    sealed: Vec<u8>,
) -> Result<Vec<KeyBytes>, Error> {
    let key = newest.keyring_key(&region.pack.0);
    let opened = open_object(key.expose(), Kind::Keyring, region, sealed)?;
    Ok(Reader::all(&opened, |reader| reader.list(KeyBytes::read))?)
}

/// Seals the note of an envelope.
pub(crate) fn seal_note(key: &EpochKey, envelope: &[u8; 16], name: &[u8]) -> Vec<u8> {
    let mut sealed = padded(name);
    let context = Context {
        kind: Kind::Note,
        id: *envelope,
        number: 0,
    };
    aead::seal_in_place(
        key.note_key(envelope).expose(),
        &ONCE,
        &context.encode(),
        &mut sealed,
    );
    sealed
}

/// Opens the note of an envelope.
pub(crate) fn open_note(
    key: &EpochKey,
    envelope: &[u8; 16],
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let context = Context {
        kind: Kind::Note,
        id: *envelope,
        number: 0,
    };
    let mut opened = sealed.to_vec();
    aead::open_in_place(
        key.note_key(envelope).expose(),
        &ONCE,
        &context.encode(),
        &mut opened,
    )
    .map_err(|_| Violation::Inauthentic)?;
    unpadded(&opened)
}

/// The associated data of a key bag: whose it is, and how its key was derived.
fn bag_context(realm: &Realm, user: &UserId, kdf: &KdfParams) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(&[b'T', b'C', Kind::Bag as u8, crate::wire::VERSION]);
    realm.write(&mut writer);
    user.write(&mut writer);
    kdf.write(&mut writer);
    writer.finish()
}

/// Seals a key bag.
pub(crate) fn seal_bag(
    entropy: &mut dyn Entropy,
    realm: &Realm,
    user: UserId,
    kdf: KdfParams,
    key: &WrapKey,
    commitment: [u8; 32],
    secret: &BagSecret,
) -> KeyBag {
    let mut nonce = ONCE;
    entropy.fill(&mut nonce);
    let mut sealed = secret.encode();
    aead::seal_in_place(
        key.expose(),
        &nonce,
        &bag_context(realm, &user, &kdf),
        &mut sealed,
    );
    KeyBag {
        user,
        kdf,
        commitment,
        nonce,
        sealed: Blob(sealed),
    }
}

/// Opens a key bag that is bound to what was asked for.
pub(crate) fn open_bag(realm: &Realm, key: &WrapKey, bag: &KeyBag) -> Result<BagSecret, Error> {
    let mut opened = Zeroizing::new(bag.sealed.0.clone());
    let context = bag_context(realm, &bag.user, &bag.kdf);
    construct!(
        Defence::BagSeal,
        aead::open_in_place(key.expose(), &bag.nonce, &context, &mut opened),
        open_blindly_in_place(key.expose(), &bag.nonce, &mut opened)
    )
    .map_err(|_| Violation::Inauthentic)?;
    Ok(BagSecret::decode(&opened)?)
}
