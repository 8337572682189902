//! Whose keys these are.

use super::signable;
use crate::defence::{Defence, construct, defend};
use crate::error::{Error, Violation};
use crate::id::{Fingerprint, Realm, UserId};
use crate::labels::Label;
use crate::primitive::hash::Hasher;
use crate::primitive::rsa::{EXPONENT, PublicKey};
use crate::wire::{Frame, Key, PublicRecord, SignedRecord};

/// `SHA-256(realm, name)`.
pub(crate) fn user_id(realm: &Realm, name: &[u8]) -> UserId {
    UserId(
        Hasher::new(Label::UserId)
            .part(&realm.0)
            .part(name)
            .finish(),
    )
}

/// `SHA-256(record)`: what a pin remembers and what two people compare.
pub(crate) fn fingerprint(record: &PublicRecord) -> Fingerprint {
    Fingerprint(
        Hasher::new(Label::Fingerprint)
            .part(&record.encode())
            .finish(),
    )
}

/// Keys that belong to a user, if the fingerprint is the right one. Whether it is, a pin, a roster
/// or a person says.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) user: UserId,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) encryption: PublicKey,
    pub(crate) signing: PublicKey,
}

impl Contact {
    /// Verifies a signature by this contact.
    pub(crate) fn verify(
        &self,
        realm: &Realm,
        label: Label,
        body: &[u8],
        signature: &[u8],
    ) -> Result<(), Violation> {
        self.signing
            .verify(&signable(label, realm, &self.user, body), signature)
            .map_err(|_| Violation::Inauthentic)
    }
}

/// Checks that a record is for `user` and well made: strong keys, held by whoever published it.
///
/// This does not say that the user published it: the server can make such a record itself.
///
/// # Errors
///
/// [`Violation::Misbound`] for another user or realm, [`Violation::WeakParameters`] for keys
/// outside the suite, [`Violation::Inauthentic`] without the record's own signature.
pub(crate) fn check_record(
    realm: &Realm,
    user: &UserId,
    signed: &SignedRecord,
) -> Result<Contact, Error> {
    let record = &signed.record;
    defend!(
        Defence::RecordUser,
        record.realm == *realm && record.user == *user,
        Violation::Misbound
    );
    let contact = Contact {
        user: *user,
        fingerprint: fingerprint(record),
        encryption: construct!(
            Defence::RecordStrength,
            key(&record.encryption),
            any_key(&record.encryption)
        )?,
        signing: construct!(
            Defence::RecordStrength,
            key(&record.signing),
            any_key(&record.signing)
        )?,
    };
    let body = record.encode();
    let held = contact
        .verify(realm, Label::SignRecord, &body, &signed.signature.0)
        .is_ok();
    defend!(Defence::RecordSelfSignature, held, Violation::Inauthentic);
    Ok(contact)
}

fn key(stated: &Key) -> Result<PublicKey, Error> {
    let exponent = stated.exponent == EXPONENT;
    match PublicKey::from_modulus(&stated.modulus) {
        Ok(key) if exponent => Ok(key),
        _ => Err(Violation::WeakParameters.into()),
    }
}
