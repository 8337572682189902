//! The offline decryptor: what one user's password opens of everything that the server ever had.
//!
//! A server has what it was sent, whether or not it took it.
//!
//! It is a second implementation, written from the formats: it shares with the client how bytes are
//! laid out, and no derivation and no cipher. It asks for no permission: every key that it finds is
//! tried on everything.

mod entry;
pub(crate) mod formula;
mod sealed;

use std::collections::{BTreeMap, BTreeSet};

use rsa::PrivateKey;
use turncoat_core::wire::{
    Blob, Commit, Envelope, Frame, KeyBag, Leaf, NameRef, Pack, Reader, Region, Request,
    RequestBody, SignedEnvelope, Wire,
};

use crate::codec::Bytes;
use crate::history::{Event, History, ObjectKey};
use crate::honest::added_records;
use crate::honest::storage::{self, Kind};
use crate::honest::store::Versions;
use crate::oracle::{KeyUse, Reach};
use entry::{Entry, Secrets};
use formula::{KEYRING, Key, NAME, NOTE, ONCE};
use sealed::{Sealed, open_leaf, open_segment};

/// A space, and the epoch of a key of it.
pub type Place = ([u8; 32], u64);

/// What was opened, and with what.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The user.
    pub user: String,
    /// Keys of spaces, where bags, links and envelopes say that they belong.
    pub spaces: BTreeMap<Place, [u8; 32]>,
    /// Keys of contents.
    pub contents: BTreeSet<[u8; 32]>,
    /// Objects that opened; of a pack, anything inside is enough.
    pub objects: BTreeSet<ObjectKey>,
    /// Every pack that there is: what is not among the opened objects stayed closed.
    pub packs: BTreeSet<ObjectKey>,
    /// Names of files.
    pub names: BTreeSet<Vec<u8>>,
    /// Every use that was made of every key that was found.
    pub uses: Vec<KeyUse>,
}

impl Opened {
    /// What the oracle of revocations asks for.
    ///
    /// Of packs it is known whether they open. A leaf that stays closed may be anybody's.
    #[must_use]
    pub fn reach(&self) -> Reach {
        Reach {
            user: self.user.clone(),
            known: self.packs.union(&self.objects).cloned().collect(),
            opened: self.objects.clone(),
        }
    }

    /// The key of a space, by what an envelope says of itself.
    #[must_use]
    pub fn key_of(&self, envelope: &turncoat_core::wire::Envelope) -> Option<[u8; 32]> {
        let place = (envelope.space.0, envelope.epoch.0);
        self.spaces.get(&place).copied()
    }
}

/// Opens all that the user's password opens, of every version of every object, and of everything
/// that was sent to be stored and never was.
#[must_use]
pub fn open(
    realm: &[u8; 32],
    user: &str,
    password: &[u8],
    record: &Versions,
    history: &History,
) -> Opened {
    let id = formula::hash("user-id", &[realm, user.as_bytes()]);
    let mut work = Work::of(record);
    for event in history.events() {
        if let Event::Request { bytes, .. } = event {
            work.sort_sent(bytes);
        }
    }
    work.opened.user = user.to_owned();
    let mut tried = BTreeSet::new();
    for (key, bag) in std::mem::take(&mut work.bags) {
        if bag.user.0 == id
            && let Some(secrets) = work.open_bag(realm, password, &bag)
        {
            work.opens(&key);
            work.epoch_key((secrets.space, 1), secrets.epoch_key);
            // What stayed closed to a key stays closed to it.
            if let Some(decryption) = decryption_key(&secrets)
                && tried.insert(secrets.decryption)
            {
                work.open_envelopes(&decryption);
            }
        }
    }
    work.open_leaves();
    work.open_packs();
    work.opened
}

fn decryption_key(secrets: &Secrets) -> Option<PrivateKey> {
    let (p, q) = &secrets.decryption;
    formula::private_key(p, q)
}

/// The record, sorted by what is to be opened, and what is known so far.
#[derive(Default)]
struct Work {
    bags: Vec<(storage::Key, KeyBag)>,
    envelopes: Vec<(storage::Key, SignedEnvelope)>,
    closed: Vec<(storage::Key, Leaf)>,
    packs: BTreeMap<[u8; 16], Vec<Bytes>>,
    /// First bytes and lengths of the segments of each pack.
    segments: BTreeMap<[u8; 16], BTreeSet<(u32, u32)>>,
    /// Every key of a space that was found, wherever it belongs.
    epochs: BTreeSet<Key>,
    opened: Opened,
}

impl Work {
    fn of(record: &Versions) -> Self {
        let mut work = Self::default();
        for (key, bytes) in record.everything() {
            work.sort(key, bytes);
        }
        work
    }

    /// Sorts what a request carries, beside what the record holds already.
    fn sort_sent(&mut self, bytes: &[u8]) {
        let Ok(request) = Request::decode(bytes) else {
            return;
        };
        match request.body {
            RequestBody::Store { pack } => self.sort_pack(pack),
            RequestBody::Commit(commit) => self.sort_commit(*commit),
            RequestBody::Register { bag, space, .. } => {
                let bag = (storage::Key::new(Kind::Bag, *bag.user.as_bytes()), bag);
                if !self.bags.contains(&bag) {
                    self.bags.push(bag);
                }
                self.sort_commit(*space);
            }
            _ => {}
        }
    }

    fn sort_commit(&mut self, commit: Commit) {
        for signed in commit.envelopes {
            let id = *signed.envelope.id.as_bytes();
            let envelope = (storage::Key::new(Kind::Envelope, id), signed);
            if !self.envelopes.contains(&envelope) {
                self.envelopes.push(envelope);
            }
        }
        for change in commit.leaves {
            for record in change.add {
                let segments = self.segments.entry(record.pack.0).or_default();
                segments.insert((record.offset, record.length));
            }
            let leaf = change
                .leaf
                .and_then(|Blob(bytes)| Leaf::decode(&bytes).ok());
            if let Some(leaf) = leaf.filter(|leaf| self.closed.iter().all(|(_, own)| own != leaf)) {
                // It is in no record: its name there is nobody's.
                let id = formula::hash("sent", &[&leaf.encode()]);
                self.closed.push((storage::Key::new(Kind::Leaf, id), leaf));
            }
        }
        if let Some(pack) = commit.pack {
            self.sort_pack(pack);
        }
    }

    fn sort_pack(&mut self, pack: Pack) {
        let Blob(bytes) = pack.bytes;
        let bytes = Bytes::from(bytes);
        let known = self.packs.get(&pack.id.0);
        if !known.is_some_and(|versions| versions.contains(&bytes)) {
            self.sort(&storage::Key::new(Kind::Pack, pack.id.0), &bytes);
        }
    }

    fn sort(&mut self, key: &storage::Key, bytes: &Bytes) {
        match key.kind {
            Kind::Bag => {
                let bag = Reader::all(bytes, KeyBag::read).ok();
                self.bags.extend(bag.map(|bag| (key.clone(), bag)));
            }
            Kind::Envelope => {
                let envelope = Reader::all(bytes, SignedEnvelope::read).ok();
                let envelope = envelope.map(|envelope| (key.clone(), envelope));
                self.envelopes.extend(envelope);
            }
            Kind::Leaf => {
                let leaf = Leaf::decode(bytes).ok();
                self.closed.extend(leaf.map(|leaf| (key.clone(), leaf)));
            }
            Kind::Pack => {
                if let Ok(id) = <[u8; 16]>::try_from(key.id.as_slice()) {
                    self.packs.entry(id).or_default().push(bytes.clone());
                    self.opened.packs.insert(key.into());
                }
            }
            Kind::Records => {
                for record in added_records(bytes) {
                    let segments = self.segments.entry(record.pack.0).or_default();
                    segments.insert((record.offset, record.length));
                }
            }
            _ => {}
        }
    }

    fn open_bag(&mut self, realm: &[u8; 32], password: &[u8], bag: &KeyBag) -> Option<Secrets> {
        let master = formula::master_key(realm, &bag.user.0, &bag.kdf, password);
        let wrap = formula::mac(&master, "wrap", &[]);
        let context = formula::bag_context(realm, &bag.user.0, &bag.kdf);
        let sealed = Sealed {
            key: wrap,
            nonce: bag.nonce,
            context,
            bytes: &bag.sealed.0,
        };
        let (opened, used) = sealed.open("a key bag", || "a key bag".to_owned())?;
        self.opened.uses.push(used);
        self.derives(master, "the password's");
        Secrets::decode(&opened).ok()
    }

    /// Notes that a key derives others.
    fn derives(&mut self, key: Key, purpose: &str) {
        self.opened.uses.push(KeyUse {
            key,
            purpose: format!("derives {purpose} keys"),
            nonce: None,
            message: [0; 32],
            length: 0,
            place: format!("a key of {}", self.opened.user),
        });
    }

    fn content_key(&mut self, key: Key) {
        if self.opened.contents.insert(key) {
            self.derives(key, "a content's");
        }
    }

    fn opens(&mut self, key: &storage::Key) {
        self.opened.objects.insert(key.into());
    }

    fn epoch_key(&mut self, place: Place, key: Key) {
        if self.epochs.insert(key) {
            self.derives(key, "an epoch's");
        }
        self.opened.spaces.entry(place).or_insert(key);
    }

    /// Tries the key on every envelope: what says that it is somebody else's may have been wrapped
    /// for this user's key.
    fn open_envelopes(&mut self, decryption: &PrivateKey) {
        for (key, signed) in std::mem::take(&mut self.envelopes) {
            let envelope = &signed.envelope;
            let Some(epoch_key) = formula::unwrap(decryption, envelope) else {
                self.envelopes.push((key, signed));
                continue;
            };
            self.opens(&key);
            self.epoch_key((envelope.space.0, envelope.epoch.0), epoch_key);
            self.open_note(&epoch_key, envelope);
        }
    }

    fn open_note(&mut self, epoch_key: &Key, envelope: &Envelope) {
        let id = envelope.id.as_bytes();
        let sealed = Sealed {
            key: formula::mac(epoch_key, "note-key", &[id]),
            nonce: ONCE,
            context: formula::context(NOTE, id, 0),
            bytes: &envelope.note.0,
        };
        if let Some((opened, used)) = sealed.open("a note", || format!("envelope {}", envelope.id))
        {
            self.opened.uses.push(used);
            let name = formula::unpadded(&opened).map(<[u8]>::to_vec);
            self.opened.names.extend(name);
        }
    }

    /// Tries every key on every leaf, until no leaf tells of a key that is new.
    fn open_leaves(&mut self) {
        let mut tried = BTreeSet::new();
        loop {
            let fresh: Vec<Key> = self.epochs.difference(&tried).copied().collect();
            if fresh.is_empty() {
                return;
            }
            tried.extend(fresh.iter().copied());
            for (key, leaf) in std::mem::take(&mut self.closed) {
                match fresh.iter().find_map(|epoch| open_leaf(epoch, &leaf)) {
                    Some((entry, used)) => {
                        self.opens(&key);
                        self.opened.uses.push(used);
                        self.learn(entry);
                    }
                    None => self.closed.push((key, leaf)),
                }
            }
        }
    }

    fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::File {
                content_key,
                keyring,
                name,
            } => {
                self.content_key(content_key);
                if let Some(region) = &keyring {
                    self.open_keyring(&content_key, region);
                }
                self.learn_name(&content_key, name);
            }
            Entry::Link {
                space,
                epoch,
                epoch_key,
                name,
                name_key,
            } => {
                self.epoch_key((space, epoch), epoch_key);
                self.learn_name(&name_key, name);
            }
            Entry::Other => {}
        }
    }

    fn learn_name(&mut self, key: &Key, name: NameRef) {
        let name = match name {
            NameRef::Inline(name) => Some(name),
            NameRef::Object(region) => self.open_region(key, ("name-key", "a name"), NAME, &region),
        };
        self.opened.names.extend(name);
    }

    fn open_keyring(&mut self, newest: &Key, region: &Region) {
        let Some(opened) = self.open_region(newest, ("keyring-key", "a keyring"), KEYRING, region)
        else {
            return;
        };
        if let Ok(keys) = Reader::all(&opened, Vec::<Key>::read) {
            for key in keys {
                self.content_key(key);
            }
        }
    }

    /// A sealed object in a pack that is no chunk.
    fn open_region(
        &mut self,
        key: &Key,
        (label, what): (&str, &str),
        kind: u8,
        region: &Region,
    ) -> Option<Vec<u8>> {
        let id = region.pack.as_bytes();
        let mut found = None;
        for pack in self.packs.get(id)? {
            let Some(bytes) = part(pack, region.offset, region.length) else {
                continue;
            };
            let sealed = Sealed {
                key: formula::mac(key, label, &[id]),
                nonce: ONCE,
                context: formula::context(kind, id, region.offset),
                bytes,
            };
            let place = || format!("pack {} at {}", region.pack, region.offset);
            found = sealed.open(what, place);
            if found.is_some() {
                break;
            }
        }
        let (opened, used) = found?;
        self.opened.uses.push(used);
        let pack = ObjectKey::new(Kind::Pack.name(), *id);
        self.opened.objects.insert(pack);
        formula::unpadded(&opened).map(<[u8]>::to_vec)
    }

    /// Tries every content key on every segment of every version of every pack.
    fn open_packs(&mut self) {
        let mut uses = Vec::new();
        for (id, versions) in &self.packs {
            let before = uses.len();
            for (offset, length) in self.segments.get(id).into_iter().flatten() {
                for segment in versions
                    .iter()
                    .filter_map(|pack| part(pack, *offset, *length))
                {
                    let mut keys = self.opened.contents.iter();
                    uses.extend(
                        keys.find_map(|key| open_segment(key, id, *offset, segment))
                            .into_iter()
                            .flatten(),
                    );
                }
            }
            if uses.len() > before {
                let key = ObjectKey::new(Kind::Pack.name(), *id);
                self.opened.objects.insert(key);
            }
        }
        self.opened.uses.extend(uses);
    }
}

fn part(pack: &Bytes, offset: u32, length: u32) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    let end = offset.checked_add(usize::try_from(length).ok()?)?;
    pack.get(offset..end)
}

#[cfg(test)]
mod tests;
