//! Envelopes: how one user hands another the key of a file, in the four careful straw clients.

use crate::client::Failure;
use crate::codec::{Code as _, coded};
use crate::front::kv::{Condition, Store, Written};
use crate::strawman::account::Account;
use crate::strawman::toolkit::{Bytes32, Dice, PublicKeys, hash, open, seal};
use crate::strawman::{unavailable, violation};

/// How often a contended write is tried.
pub(crate) const ATTEMPTS: usize = 8;

coded! {
    /// Who hands which key to whom; all of it is signed.
    pub struct Address {
        /// Tells envelopes apart.
        pub id: [u8; 16],
        /// Who sends.
        pub sender: String,
        /// Who receives.
        pub recipient: String,
        /// The fingerprint of the keys that it was made for.
        pub recipient_keys: Bytes32,
        /// What it opens.
        pub file: Bytes32,
        /// The salt that ties `file` to its owner.
        pub salt: [u8; 16],
        /// Where it lies, in clients that keep a place apart from `file`.
        pub place: [u8; 16],
        /// The generation of the key.
        pub epoch: u64,
    }
}

coded! {
    /// A signed invitation, or the next key for somebody who is invited already.
    pub struct Envelope {
        /// Who hands which key to whom.
        pub address: Address,
        /// The key, under the recipient's.
        pub wrapped: Vec<u8>,
        /// The sender's name of the file, under the key.
        pub note: Vec<u8>,
        /// The sender's, over everything else.
        pub signature: Vec<u8>,
    }
}

/// An envelope whose signature was verified, opened.
pub struct Opened {
    /// Who hands which key to whom.
    pub address: Address,
    /// The key.
    pub key: Bytes32,
    /// The sender's name of the file.
    pub name: Vec<u8>,
}

fn box_id(recipient: &str, sender: &str) -> Vec<u8> {
    format!("inbox/{}:{recipient}/{sender}", recipient.len()).into_bytes()
}

fn signed_bytes(address: &Address, wrapped: &[u8], note: &[u8]) -> Vec<u8> {
    let parts = hash(&[b"envelope", &address.to_bytes(), wrapped, note]);
    [b"straw envelope ", &parts[..]].concat()
}

/// Seals and signs an envelope; `None` if the recipient's key allows none.
#[must_use]
pub fn write(
    dice: &Dice,
    account: &Account,
    to: &PublicKeys,
    address: Address,
    key: &Bytes32,
    name: &[u8],
) -> Option<Envelope> {
    let wrapped = to.encryption.wrap(dice, &address.to_bytes(), key)?;
    let note = seal(dice, key, &address.to_bytes(), name);
    let signature = account
        .keys
        .sign(dice, &signed_bytes(&address, &wrapped, &note));
    Some(Envelope {
        address,
        wrapped,
        note,
        signature,
    })
}

/// Lays an envelope into its recipient's box.
///
/// # Errors
///
/// Why the box could not be read or written.
pub async fn deliver(store: &Store, envelope: Envelope) -> Result<(), Failure> {
    let id = box_id(&envelope.address.recipient, &envelope.address.sender);
    for _ in 0..ATTEMPTS {
        let shown = store.get(&id).await?;
        let condition = match &shown {
            Some(shown) => Condition::Matches { tag: shown.tag },
            None => Condition::Absent,
        };
        let mut envelopes = match shown {
            Some(shown) => decode(&shown.bytes)?,
            None => Vec::new(),
        };
        // A write that was refused may have taken effect all the same.
        if envelopes.contains(&envelope) {
            return Ok(());
        }
        envelopes.push(envelope.clone());
        if store.put(&id, envelopes.to_bytes(), condition).await? == Written::Done {
            return Ok(());
        }
    }
    Err(unavailable("contended"))
}

/// Whether the recipient's box holds an envelope from this sender for this file and epoch.
///
/// # Errors
///
/// Why the box could not be read.
pub async fn is_delivered(
    store: &Store,
    sender: &str,
    recipient: &str,
    file: &Bytes32,
    epoch: u64,
) -> Result<bool, Failure> {
    let Some(shown) = store.get(&box_id(recipient, sender)).await? else {
        return Ok(false);
    };
    let mut envelopes = decode(&shown.bytes)?.into_iter();
    Ok(envelopes.any(|it| it.address.file == *file && it.address.epoch == epoch))
}

/// The envelopes from this sender that are in order, oldest first.
///
/// # Errors
///
/// Why the box could not be read, or a violation if anything in it is not the sender's.
pub async fn read(
    store: &Store,
    dice: &Dice,
    account: &Account,
    sender: &str,
    sender_keys: &PublicKeys,
) -> Result<Vec<Opened>, Failure> {
    let Some(shown) = store.get(&box_id(&account.user, sender)).await? else {
        return Ok(Vec::new());
    };
    let mut opened = Vec::new();
    for envelope in decode(&shown.bytes)? {
        opened.push(open_envelope(dice, account, sender, sender_keys, envelope)?);
    }
    Ok(opened)
}

fn open_envelope(
    dice: &Dice,
    account: &Account,
    sender: &str,
    sender_keys: &PublicKeys,
    envelope: Envelope,
) -> Result<Opened, Failure> {
    let Envelope {
        address,
        wrapped,
        note,
        signature,
    } = envelope;
    let signed = signed_bytes(&address, &wrapped, &note);
    // The signature first: nothing that the server made up reaches the private key.
    if !sender_keys.signing.verifies(&signed, &signature) {
        return Err(violation("inauthentic"));
    }
    let mine = account.keys.public().fingerprint();
    if address.sender != sender
        || address.recipient != account.user
        || address.recipient_keys != mine
    {
        return Err(violation("misbound"));
    }
    let context = address.to_bytes();
    let key = account.keys.unwrap(dice, &context, &wrapped);
    let key = key.and_then(|key| key.try_into().ok());
    let key: Bytes32 = key.ok_or_else(|| violation("inauthentic"))?;
    let name = open(&key, &context, &note).ok_or_else(|| violation("inauthentic"))?;
    Ok(Opened { address, key, name })
}

fn decode(bytes: &[u8]) -> Result<Vec<Envelope>, Failure> {
    Vec::from_bytes(bytes).ok_or_else(|| violation("malformed"))
}
