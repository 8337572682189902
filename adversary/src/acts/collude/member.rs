//! What a member who works with the server writes: leaves and chunks that open, under heads that
//! verify.

use std::collections::BTreeMap;

use turncoat_core::id::{Fingerprint, LeafId, PackId, Tag, UserId};
use turncoat_core::tree::{directory, leaf_hash, segment_hash};
use turncoat_core::wire::{
    Blob, Entry, Frame as _, Head, Leaf, PartialTrie, Reader, SegmentRecord, SignedEnvelope,
    SignedHead, SignedRecord, SignedRosterChange, View, Wire as _,
};

use super::{Colluder, Scheme};
use crate::decryptor::{Opened, Place, formula};

/// A colluder with the keys of the spaces that it belongs to.
#[derive(Debug)]
pub struct Member {
    keys: Colluder,
    record: SignedRecord,
    fingerprint: Fingerprint,
    spaces: BTreeMap<Place, [u8; 32]>,
}

impl Member {
    /// The colluder with what its keys open.
    #[must_use]
    pub fn new(keys: Colluder, opened: &Opened) -> Option<Self> {
        let record = keys.record()?;
        Some(Self {
            fingerprint: Colluder::fingerprint_of(&record)?,
            record: Reader::all(&record, SignedRecord::read).ok()?,
            spaces: opened.spaces.clone(),
            keys,
        })
    }

    /// Who it is.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.record.record.user
    }

    /// The fingerprint of its keys.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key of the space and epoch of a head.
    #[must_use]
    pub fn key_of(&self, head: &Head) -> Option<[u8; 32]> {
        let place = (head.space.0, head.epoch.0);
        self.spaces.get(&place).copied()
    }

    /// Makes the member the author of a head, and signs it.
    pub fn sign_head(&self, signed: &mut SignedHead) -> Option<()> {
        signed.head.author = self.user();
        signed.head.author_key = self.fingerprint;
        let body = signed.head.encode();
        let (user, scheme) = (self.user(), Scheme::Pss);
        signed.signature = self.keys.signature("sign-head", &user, &body, scheme)?;
        Some(())
    }

    /// Makes the member the signer of a change of a roster, and signs it.
    pub fn sign_change(&self, signed: &mut SignedRosterChange) -> Option<()> {
        signed.change.signer = self.user();
        let body = signed.change.encode();
        let (user, scheme) = (self.user(), Scheme::Pss);
        signed.signature = self.keys.signature("sign-roster", &user, &body, scheme)?;
        Some(())
    }

    /// Makes the member the sender of an envelope, and signs it.
    pub fn sign_envelope(&self, signed: &mut SignedEnvelope) -> Option<()> {
        signed.envelope.sender = self.user();
        signed.envelope.sender_key = self.fingerprint;
        self.keys.sign_envelope(signed, Scheme::Pss)
    }

    /// Opens a leaf of the head's space, and seals what is made of it under a name of its own.
    pub fn edit_leaf(
        &self,
        head: &Head,
        stored: &[u8],
        edit: impl FnOnce(&mut Leaf, &mut Entry),
    ) -> Option<Vec<u8>> {
        let key = self.key_of(head)?;
        let mut leaf = Leaf::decode(stored).ok()?;
        let (id, sealed) = (*leaf.id.as_bytes(), &leaf.sealed.0);
        let context = formula::context(formula::LEAF, &id, leaf.segments);
        let leaf_key = formula::mac(&key, "leaf-key", &[&id]);
        let opened = formula::gcm_open(&leaf_key, &formula::ONCE, &context, sealed)?;
        let mut entry = Entry::decode(&opened).ok()?;
        edit(&mut leaf, &mut entry);
        // A name that no other content has: who forges does not use a key twice either.
        let entry = entry.encode();
        let fresh = formula::hash(
            "forged leaf",
            &[stored, &entry, &leaf.segments.to_be_bytes()],
        );
        let (id, _) = fresh.split_first_chunk()?;
        let context = formula::context(formula::LEAF, id, leaf.segments);
        let leaf_key = formula::mac(&key, "leaf-key", &[id]);
        leaf.id = LeafId(*id);
        leaf.sealed = Blob(formula::gcm_seal(
            &leaf_key,
            &formula::ONCE,
            &context,
            &entry,
        ));
        Some(leaf.encode())
    }

    /// Shows another leaf in place of one of those that are shown, under a head of the member's.
    pub fn show_leaf(&self, view: &mut View, at: usize, stored: Vec<u8>) -> Option<()> {
        let View::Shown {
            head,
            directory,
            leaves,
            ..
        } = view
        else {
            return None;
        };
        let leaf = leaves.get_mut(at)?;
        let hash = leaf_hash(&leaf.0);
        let tag = directory::slots(directory)
            .find(|slot| slot.leaf == hash)?
            .tag;
        directory::set(directory, &tag, Some(leaf_hash(&stored))).ok()?;
        *leaf = Blob(stored);
        head.head.directory = directory::root_of(directory);
        self.sign_under(view)
    }

    /// Signs the head of a view, and lays the member's public record beside it.
    pub fn sign_under(&self, view: &mut View) -> Option<()> {
        let View::Shown { head, records, .. } = view else {
            return None;
        };
        self.sign_head(head)?;
        if !records.contains(&self.record) {
            records.push(self.record.clone());
            records.sort_by_key(|record| record.record.user);
        }
        Some(())
    }
}

/// The root of a directory of one slot.
#[must_use]
pub fn root_of_one(tag: &Tag, stored: &[u8]) -> turncoat_core::id::Digest {
    let mut directory = PartialTrie::Empty;
    // Nothing of it is hidden.
    let _ = directory::set(&mut directory, tag, Some(leaf_hash(stored)));
    directory::root_of(&directory)
}

/// A segment of chunks whose opened frames are these, whatever they say, and its record.
#[must_use]
pub fn seal_frames(
    content_key: &[u8; 32],
    key_index: u16,
    pack: PackId,
    frames: &[Vec<u8>],
) -> (Vec<u8>, SegmentRecord) {
    let id = pack.as_bytes();
    let mut sealed = Vec::new();
    for frame in frames {
        let offset = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let key = formula::mac(content_key, "chunk-key", &[id, &offset.to_be_bytes()]);
        let context = formula::context(formula::CHUNK, id, offset);
        sealed.extend(formula::gcm_seal(&key, &formula::ONCE, &context, frame));
    }
    let record = SegmentRecord {
        pack,
        offset: 0,
        length: u32::try_from(sealed.len()).unwrap_or(u32::MAX),
        key_index,
        hash: segment_hash(&pack, &sealed),
    };
    (sealed, record)
}
