//! collude: keys that the server holds, a member's or its own, put to use on messages.
//!
//! Written from the formats of the manual, not with the client's own code: what is forged here is
//! forged by somebody else.

pub mod member;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep, PrivateKey, PublicKey};
use sha2::{Digest, Sha256};
use turncoat_core::id::{Fingerprint, Realm, UserId};
use turncoat_core::tree::{directory, leaf_hash};
use turncoat_core::wire::{
    Blob, Envelope, Frame, Key, KeyBag, LeafChange, PartialTrie, PublicRecord, Reader,
    SignedEnvelope, SignedHead, SignedRecord, SignedRosterChange, VERSION, Wire, Writer,
};

use crate::decryptor::formula::{self, integer, private_key, wrapping_label};
use crate::front::native::{self, Value};
use crate::honest::storage::encoded;
use crate::memo::Memo;
use crate::pool;

/// How a signature is made. Only the first is one that clients may accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// PSS with SHA-256 and a salt of 32 bytes.
    Pss,
    /// PSS with SHA-256 and a salt of another length.
    PssSalt(usize),
    /// PKCS #1 version 1.5 with SHA-256.
    Pkcs1,
}

impl Scheme {
    /// Reads `pss`, `pss-salt-N` or `pkcs1`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "pss" => Some(Self::Pss),
            "pkcs1" => Some(Self::Pkcs1),
            name => {
                let size = name.strip_prefix("pss-salt-")?.parse().ok()?;
                Some(Self::PssSalt(size))
            }
        }
    }
}

/// A user's id.
#[must_use]
pub fn user_id(realm: &Realm, name: &str) -> UserId {
    UserId(formula::hash("user-id", &[&realm.0, name.as_bytes()]))
}

/// The modulus, which is that of one key, and who holds it; how it signs, and what.
type Signed = ((Vec<u8>, UserId, Scheme), Vec<u8>);

thread_local! {
    /// All runs of a script sign much the same, and the same message always gets one signature.
    static SIGNED: Memo<Signed, Vec<u8>> = const { Memo::new(1024) };
}

/// Two key pairs that the server may use as it likes.
#[derive(Debug)]
pub struct Colluder {
    realm: Realm,
    user: UserId,
    encryption: PrivateKey,
    signing: PrivateKey,
}

impl Colluder {
    /// The holder of these keys, who is called `name`.
    ///
    /// Returns nothing if they are no keys of two times 1024 bits.
    #[must_use]
    pub fn new(realm: Realm, name: &str, identity: &pool::Identity) -> Option<Self> {
        Some(Self {
            realm,
            user: user_id(&realm, name),
            encryption: private_key(&identity.encryption.p, &identity.encryption.q)?,
            signing: private_key(&identity.signing.p, &identity.signing.q)?,
        })
    }

    /// The colluder's own public record, encoded.
    #[must_use]
    pub fn record(&self) -> Option<Vec<u8>> {
        self.record_of(self.user)
    }

    /// A record of another user's name and these keys, encoded.
    #[must_use]
    pub fn record_for(&self, name: &str) -> Option<Vec<u8>> {
        self.record_of(user_id(&self.realm, name))
    }

    fn record_of(&self, user: UserId) -> Option<Vec<u8>> {
        let record = PublicRecord {
            realm: self.realm,
            user,
            key_epoch: 1,
            encryption: public(&self.encryption),
            signing: public(&self.signing),
        };
        let mut signed = SignedRecord {
            record,
            signature: Blob::default(),
        };
        self.sign_record(&mut signed, Scheme::Pss)?;
        Some(encoded(&signed))
    }

    /// The fingerprint that goes with [`record`](Self::record).
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Self::fingerprint_of(&self.record()?)
    }

    /// The fingerprint that goes with [`record_for`](Self::record_for).
    #[must_use]
    pub fn fingerprint_for(&self, name: &str) -> Option<Fingerprint> {
        Self::fingerprint_of(&self.record_for(name)?)
    }

    fn fingerprint_of(record: &[u8]) -> Option<Fingerprint> {
        let signed = Reader::all(record, SignedRecord::read).ok()?;
        let body = signed.record.encode();
        Some(Fingerprint(formula::hash("fingerprint", &[&body])))
    }

    /// The message with these keys' signature on what stands at `path`: a head, a roster change, an
    /// envelope or a record. Nothing else of it changes, whoever it says has signed it.
    #[must_use]
    pub fn sign(&self, message: &[u8], path: &str, scheme: Scheme) -> Option<Vec<u8>> {
        let Value::Bytes(bytes) = native::get(message, path)? else {
            return None;
        };
        let signed = self.signed(&bytes, scheme)?;
        native::set(message, path, &Value::Bytes(signed))
    }

    /// What is signed says by itself what it is: no two of these formats share an encoding.
    pub(crate) fn signed(&self, bytes: &[u8], scheme: Scheme) -> Option<Vec<u8>> {
        if let Ok(mut head) = Reader::all(bytes, SignedHead::read) {
            let body = head.head.encode();
            head.signature = self.signature("sign-head", &head.head.author, &body, scheme)?;
            return Some(encoded(&head));
        }
        if let Ok(mut change) = Reader::all(bytes, SignedRosterChange::read) {
            let body = change.change.encode();
            let signer = change.change.signer;
            change.signature = self.signature("sign-roster", &signer, &body, scheme)?;
            return Some(encoded(&change));
        }
        if let Ok(mut envelope) = Reader::all(bytes, SignedEnvelope::read) {
            self.sign_envelope(&mut envelope, scheme)?;
            return Some(encoded(&envelope));
        }
        let mut record = Reader::all(bytes, SignedRecord::read).ok()?;
        self.sign_record(&mut record, scheme)?;
        Some(encoded(&record))
    }

    fn sign_record(&self, signed: &mut SignedRecord, scheme: Scheme) -> Option<()> {
        let body = signed.record.encode();
        signed.signature = self.signature("sign-record", &signed.record.user, &body, scheme)?;
        Some(())
    }

    fn sign_envelope(&self, signed: &mut SignedEnvelope, scheme: Scheme) -> Option<()> {
        let body = signed.envelope.encode();
        let sender = signed.envelope.sender;
        let Blob(signature) = self.signature("sign-envelope", &sender, &body, scheme)?;
        signed.signature = Blob(signature);
        Some(())
    }

    /// The message with a key of the server's in the envelope at `path`, wrapped for the keys of
    /// `recipient`, an encoded record, under a note of that name, and signed with these keys.
    #[must_use]
    pub fn wrap(
        &self,
        message: &[u8],
        path: &str,
        recipient: &[u8],
        name: &[u8],
    ) -> Option<Vec<u8>> {
        self.wrap_key(message, path, recipient, None, name)
    }

    /// [`wrap`](Self::wrap) with `key` in place of the server's own: that of a space which the
    /// colluder belongs to, as [`Opened::key_of`](crate::decryptor::Opened::key_of) tells it.
    #[must_use]
    pub fn wrap_key(
        &self,
        message: &[u8],
        path: &str,
        recipient: &[u8],
        key: Option<[u8; 32]>,
        name: &[u8],
    ) -> Option<Vec<u8>> {
        let Value::Bytes(bytes) = native::get(message, path)? else {
            return None;
        };
        let mut signed = Reader::all(&bytes, SignedEnvelope::read).ok()?;
        let recipient = Reader::all(recipient, SignedRecord::read).ok()?.record;
        let mut rng = self.stream(&bytes);
        let key = key.unwrap_or_else(|| self.epoch_key(&signed.envelope));
        let padding = Oaep::<Sha256>::new_with_label(wrapping_label(&signed.envelope));
        let wrapped = public_key(&recipient.encryption)?.encrypt(&mut rng, padding, &key);
        signed.envelope.wrapped = Blob(wrapped.ok()?);
        signed.envelope.note = Blob(formula::seal_note(&key, &signed.envelope, name));
        self.sign_envelope(&mut signed, Scheme::Pss)?;
        native::set(message, path, &Value::Bytes(encoded(&signed)))
    }

    /// The server's own key that [`wrap`](Self::wrap) puts into an envelope of a space and epoch.
    #[must_use]
    pub fn epoch_key(&self, envelope: &Envelope) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"a key of the server's");
        let hash = hash
            .chain_update(self.user.0)
            .chain_update(envelope.space.0);
        hash.chain_update(envelope.epoch.0.to_be_bytes())
            .finalize()
            .into()
    }

    /// `magic || version || label || realm || signer || key epoch || body`, signed.
    fn signature(&self, label: &str, signer: &UserId, body: &[u8], scheme: Scheme) -> Option<Blob> {
        let mut writer = Writer::new();
        writer.raw(b"TCsign");
        writer.u8(VERSION);
        writer.bytes(format!("turncoat/1/{label}:").as_bytes());
        self.realm.write(&mut writer);
        signer.write(&mut writer);
        writer.u32(1);
        writer.bytes(body);
        let message = writer.finish();
        let made = (self.signing.n_bytes().into_vec(), self.user, scheme);
        SIGNED.with(|signed| {
            let signature = signed.get_or((made, message), |(_, message)| {
                self.signature_of(message, scheme)
            });
            signature.map(Blob)
        })
    }

    fn signature_of(&self, message: &[u8], scheme: Scheme) -> Option<Vec<u8>> {
        let hash = Sha256::digest(message);
        let mut rng = self.stream(message);
        let mut pss = |size| {
            let padding = rsa::Pss::<Sha256>::new_blinded_with_salt(size);
            self.signing.sign_with_rng(&mut rng, padding, &hash).ok()
        };
        match scheme {
            Scheme::Pss => pss(32),
            Scheme::PssSalt(size) => pss(size),
            Scheme::Pkcs1 => pkcs1(&self.signing, &hash),
        }
    }

    /// Randomness that a replay repeats: for each message its own.
    fn stream(&self, message: &[u8]) -> ChaCha20Rng {
        let hash = Sha256::new_with_prefix(b"colluder");
        let hash = hash.chain_update(self.user.0).chain_update(message);
        let mut rng = ChaCha20Rng::from_seed(hash.finalize().into());
        rng.next_u32();
        rng
    }
}

/// The hash by which others name what is at `path`: a head, a change of the roster, or leaves,
/// which are named by the directory that has them and no others.
#[must_use]
pub fn hash(message: &[u8], path: &str) -> Option<[u8; 32]> {
    let bytes = match native::get(message, path)? {
        Value::Bytes(bytes) => bytes,
        Value::List(leaves) => return directory_of(&leaves),
        _ => return None,
    };
    if let Ok(head) = Reader::all(&bytes, SignedHead::read) {
        return Some(formula::hash("head", &[&head.encode()]));
    }
    let change = Reader::all(&bytes, SignedRosterChange::read).ok()?;
    Some(formula::hash("roster", &[&change.encode()]))
}

/// The message with a key bag at `path` that opens under both passwords, and commits to the first.
#[must_use]
pub fn bag_for_two(
    realm: &Realm,
    message: &[u8],
    path: &str,
    passwords: [&[u8]; 2],
) -> Option<Vec<u8>> {
    let Value::Bytes(bytes) = native::get(message, path)? else {
        return None;
    };
    let mut bag = Reader::all(&bytes, KeyBag::read).ok()?;
    let (realm, user) = (&realm.0, &bag.user.0);
    let masters = passwords.map(|one| formula::master_key(realm, user, &bag.kdf, one));
    let keys = masters.map(|master| formula::mac(&master, "wrap", &[]));
    let context = formula::bag_context(realm, user, &bag.kdf);
    bag.sealed = Blob(formula::sealed_for_two(&keys, &bag.nonce, &context));
    bag.commitment = formula::mac(&masters[0], "bag-commitment", &[]);
    native::set(message, path, &Value::Bytes(encoded(&bag)))
}

/// The root of the directory that has these leaves of a commit. As the server hashes it.
fn directory_of(leaves: &[Value]) -> Option<[u8; 32]> {
    let mut trie = PartialTrie::Empty;
    for leaf in leaves {
        let Value::Bytes(bytes) = leaf else {
            return None;
        };
        let change = Reader::all(bytes, LeafChange::read).ok()?;
        let leaf = change.leaf.map(|Blob(stored)| leaf_hash(&stored));
        directory::set(&mut trie, &change.tag, leaf).ok()?;
    }
    Some(directory::root_of(&trie).0)
}

/// The PKCS #1 version 1.5 signature of a SHA-256 hash, by the textbook: clients have none, so
/// the crate's is not compiled in.
fn pkcs1(key: &PrivateKey, hash: &[u8]) -> Option<Vec<u8>> {
    const PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let size = key.n_bytes().len();
    let padding = size.checked_sub(3 + PREFIX.len() + hash.len())?;
    let mut padded = vec![0, 1];
    padded.resize(2 + padding, 0xff);
    padded.push(0);
    padded.extend_from_slice(&PREFIX);
    padded.extend_from_slice(hash);
    let base = integer(&padded)?;
    let mut power = BoxedUint::one_with_precision(base.bits_precision());
    for bit in (0..key.d().bits_precision()).rev() {
        power = power.mul_mod(&power, key.n());
        if key.d().bit_vartime(bit) {
            power = power.mul_mod(&base, key.n());
        }
    }
    Some(power.to_be_bytes().into_vec())
}

fn public(key: &PrivateKey) -> Key {
    Key {
        exponent: 65_537,
        modulus: key.n_bytes().into_vec(),
    }
}

fn public_key(key: &Key) -> Option<PublicKey> {
    PublicKey::new(integer(&key.modulus)?, BoxedUint::from(key.exponent)).ok()
}

#[cfg(test)]
mod tests;
