//! Public records: whose keys these are.

use super::{Blob, Frame, Malformed, Reader, Wire, Writer, record};
use crate::id::{Realm, UserId};
use alloc::vec::Vec;

/// An RSA public key as stated: the exponent and the modulus, big-endian. Whether it is acceptable
/// is decided where it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The public exponent; only 65537 is ever accepted.
    pub exponent: u32,
    /// The modulus.
    pub modulus: Vec<u8>,
}

impl Wire for Key {
    fn write(&self, writer: &mut Writer) {
        writer.u32(self.exponent);
        writer.bytes(&self.modulus);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            exponent: reader.u32()?,
            modulus: reader.bytes()?.to_vec(),
        })
    }
}

record! {
    /// What an account publishes: its two public keys, bound to realm and user.
    pub struct PublicRecord {
        /// The realm.
        pub realm: Realm,
        /// The user.
        pub user: UserId,
        /// The generation of the account's keys; one until keys can be rotated.
        pub key_epoch: u32,
        /// The key that others wrap for (OAEP).
        pub encryption: Key,
        /// The key that this account signs with (PSS).
        pub signing: Key,
    }
}

record! {
    /// A record under its own signing key: whoever published it held the private half.
    pub struct SignedRecord {
        /// The record.
        pub record: PublicRecord,
        /// PSS signature by `record.signing`.
        pub signature: Blob,
    }
}

impl Frame for PublicRecord {
    const KIND: u8 = 1;
}

impl Frame for SignedRecord {
    const KIND: u8 = 2;
}
