//! Key bytes live here alone: one type for each role, wiped on drop, printed never.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::env::Entropy;
use crate::labels::Label;
use crate::primitive::rsa::{KeyFault, KeySize, PrivateKey, PublicKey};
use crate::primitive::{Opaque, Zeroize, ZeroizeOnDrop, Zeroizing, hash, kdf, mac};
use crate::wire::{Malformed, Reader, Wire, Writer};

/// Defines a type for each role that a key of 32 bytes plays.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name {
            bytes: Box<[u8; 32]>,
        }

        impl $name {
            /// Builds the key in its final place.
            pub(crate) fn init_with(fill: impl FnOnce(&mut [u8; 32])) -> Self {
                let mut this = Self { bytes: Box::new([0; 32]) };
                fill(&mut this.bytes);
                this
            }

        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self { bytes: _ } = self;
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.bytes.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}
    )*};
}

/// Keys whose bytes a primitive asks for, or that are sealed under other keys.
macro_rules! exposed {
    ($($name:ident)*) => {$(
        impl $name {
            /// The bytes, for a primitive or for what is sealed under another key.
            pub(crate) fn expose(&self) -> &[u8; 32] {
                &self.bytes
            }
        }
    )*};
}

/// Keys that are made at random.
macro_rules! random {
    ($($name:ident)*) => {$(
        impl $name {
            /// A fresh key.
            pub(crate) fn random(entropy: &mut dyn Entropy) -> Self {
                Self::init_with(|bytes| entropy.fill(bytes))
            }
        }
    )*};
}

/// Keys that are decoded from what was sealed.
macro_rules! decoded {
    ($($name:ident)*) => {$(
        impl $name {
            /// Takes over a key that was decoded; the caller wipes what it was decoded from.
            pub(crate) fn copy_from(bytes: &[u8; 32]) -> Self {
                Self::init_with(|own| own.copy_from_slice(bytes))
            }
        }
    )*};
}

exposed!(WrapKey EpochKey LeafKey NoteKey ContentKey ChunkKey KeyringKey NameObjectKey);
random!(EpochKey ContentKey);
decoded!(EpochKey ContentKey);
#[cfg(test)]
exposed!(MasterKey NameKey);
#[cfg(test)]
decoded!(MasterKey NameKey);

keys! {
    /// What the password derives; derives everything that depends on the password.
    MasterKey,
    /// Seals the key bag.
    WrapKey,
    /// The key of one epoch of one space.
    EpochKey,
    /// Hides the names of one epoch.
    NameKey,
    /// Seals one leaf, once.
    LeafKey,
    /// Seals the note of one envelope, once.
    NoteKey,
    /// Derives the keys of the chunks of one upload.
    ContentKey,
    /// Seals one chunk, once.
    ChunkKey,
    /// Seals one keyring, once.
    KeyringKey,
    /// Seals one name object, once.
    NameObjectKey,
    /// Proves the password to the server. A secret until it is sent.
    LoginProof,
}

impl MasterKey {
    /// What logs in.
    pub(crate) fn login_proof(&self) -> LoginProof {
        LoginProof::init_with(|out| mac::mac_into(&self.bytes, Label::Login, &[], out))
    }

    /// What seals the key bag.
    pub(crate) fn wrap_key(&self) -> WrapKey {
        WrapKey::init_with(|out| mac::mac_into(&self.bytes, Label::Wrap, &[], out))
    }

    /// What commits the key bag to this master key, so that no bag opens under two passwords.
    pub(crate) fn bag_commitment(&self) -> [u8; 32] {
        mac::mac(&self.bytes, Label::BagCommitment, &[])
    }
}

impl LoginProof {
    /// Crosses from secret to public: the server is about to learn it.
    pub(crate) fn into_public(self) -> [u8; 32] {
        *self.bytes
    }
}

impl EpochKey {
    /// What commits a head of `space` to this key, so that no two members get different keys.
    pub(crate) fn commitment(&self, space: &[u8; 32], epoch: u64) -> [u8; 32] {
        mac::mac(
            &self.bytes,
            Label::EpochCommitment,
            &[space, &epoch.to_be_bytes()],
        )
    }

    /// The name under which the server finds `space` in this epoch.
    pub(crate) fn locator(&self, space: &[u8; 32]) -> [u8; 32] {
        mac::mac(&self.bytes, Label::Locator, &[space])
    }

    /// What hides the names of this epoch.
    pub(crate) fn name_key(&self) -> NameKey {
        NameKey::init_with(|out| mac::mac_into(&self.bytes, Label::Names, &[], out))
    }

    /// What seals the leaf `leaf_id`. The id is fresh at every write, so the key is used once.
    pub(crate) fn leaf_key(&self, leaf_id: &[u8; 16]) -> LeafKey {
        LeafKey::init_with(|out| mac::mac_into(&self.bytes, Label::LeafKey, &[leaf_id], out))
    }

    /// What the content of the upload `upload_id` is sealed under. The id is fresh for each upload
    /// and no secret: a device may note it, and go on with the upload after a restart.
    pub(crate) fn upload_key(&self, upload_id: &[u8; 16]) -> ContentKey {
        ContentKey::init_with(|out| mac::mac_into(&self.bytes, Label::UploadKey, &[upload_id], out))
    }

    /// What seals the note of the envelope `envelope_id`.
    pub(crate) fn note_key(&self, envelope_id: &[u8; 16]) -> NoteKey {
        NoteKey::init_with(|out| mac::mac_into(&self.bytes, Label::NoteKey, &[envelope_id], out))
    }
}

impl NameKey {
    /// The directory slot of `name` among entries of one kind.
    pub(crate) fn tag(&self, kind: u8, name: &[u8]) -> [u8; 32] {
        mac::mac(&self.bytes, Label::Tag, &[&[kind], name])
    }
}

impl ContentKey {
    /// What seals the chunk that begins at `offset` of `pack`: nothing else ever begins there.
    pub(crate) fn chunk_key(&self, pack: &[u8; 16], offset: u32) -> ChunkKey {
        ChunkKey::init_with(|out| {
            mac::mac_into(
                &self.bytes,
                Label::ChunkKey,
                &[pack, &offset.to_be_bytes()],
                out,
            );
        })
    }

    /// What seals the keyring in `pack`.
    pub(crate) fn keyring_key(&self, pack: &[u8; 16]) -> KeyringKey {
        KeyringKey::init_with(|out| mac::mac_into(&self.bytes, Label::KeyringKey, &[pack], out))
    }

    /// What seals the name object in `pack`.
    pub(crate) fn name_object_key(&self, pack: &[u8; 16]) -> NameObjectKey {
        NameObjectKey::init_with(|out| mac::mac_into(&self.bytes, Label::NameKey, &[pack], out))
    }
}

/// A key inside something that was just opened or is about to be sealed, before it has a role.
pub struct KeyBytes {
    bytes: Box<[u8; 32]>,
}

impl KeyBytes {
    /// Takes over a key's bytes, with no copy on the way.
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        let mut boxed = Box::new([0; 32]);
        boxed.copy_from_slice(bytes);
        Self { bytes: boxed }
    }

    /// The bytes, for the key's role.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes: _ } = self;
        formatter.write_str("KeyBytes(..)")
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for KeyBytes {}

impl Wire for KeyBytes {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&*self.bytes);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let bytes = reader.take(32)?.try_into().map_err(|_| Malformed)?;
        Ok(Self::new(bytes))
    }
}

/// The primes of a private key inside a key bag that was just opened or is about to be sealed.
pub struct KeyPair {
    p: Zeroizing<Vec<u8>>,
    q: Zeroizing<Vec<u8>>,
}

impl KeyPair {
    /// Takes over two primes, big-endian.
    pub(crate) fn new(p: &[u8], q: &[u8]) -> Self {
        Self {
            p: Zeroizing::new(p.to_vec()),
            q: Zeroizing::new(q.to_vec()),
        }
    }

    /// The primes.
    pub(crate) fn expose(&self) -> (&[u8], &[u8]) {
        (&self.p, &self.q)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p: _, q: _ } = self;
        formatter.write_str("KeyPair(..)")
    }
}

impl Wire for KeyPair {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.p);
        writer.bytes(&self.q);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self::new(reader.bytes()?, reader.bytes()?))
    }
}

/// A password as the user typed it.
pub struct Password {
    bytes: Box<[u8]>,
}

impl Password {
    /// Copies the password; the caller wipes its own copy.
    ///
    /// The bytes are taken as they are: a front that normalises text does so before.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Box::from(bytes),
        }
    }

    /// Bytes of the password.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Derives the master key. Slow by intent.
    ///
    /// The caller has checked `iterations` against floor and ceiling. The password is hashed
    /// first, so that no two passwords are equivalent HMAC keys.
    pub(crate) fn derive(&self, salt: &[u8; 32], iterations: u32) -> MasterKey {
        MasterKey::init_with(|out| {
            let hasher = hash::Hasher::new(Label::Password).part(&self.bytes);
            kdf::pbkdf2(&*Zeroizing::new(hasher.finish()), salt, iterations, out);
        })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes: _ } = self;
        formatter.write_str("Password(..)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for Password {}

/// Defines the type of a private key that plays one role.
macro_rules! private_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name {
            key: PrivateKey,
        }

        impl $name {
            /// A fresh key.
            pub(crate) fn generate(entropy: &mut dyn Entropy, size: KeySize) -> Self {
                Self { key: PrivateKey::generate(entropy, size) }
            }

            /// Rebuilds the key from its primes; the caller wipes what they were decoded from.
            ///
            /// # Errors
            ///
            /// [`KeyFault`] if they cannot be the primes of a key of this suite.
            pub(crate) fn from_primes(p: &[u8], q: &[u8]) -> Result<Self, KeyFault> {
                PrivateKey::from_primes(p, q).map(|key| Self { key })
            }

            /// The two primes, for what is sealed under another key.
            pub(crate) fn primes(&self) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
                self.key.primes()
            }

            /// The public half, computed from the private one.
            ///
            /// # Errors
            ///
            /// [`KeyFault`] if the modulus is one that others would refuse.
            pub(crate) fn public(&self) -> Result<PublicKey, KeyFault> {
                self.key.public()
            }
        }
    };
}

private_key! {
    /// Signs, and does nothing else.
    SigningKey
}
private_key! {
    /// Opens what was encrypted to its owner, and does nothing else.
    DecryptionKey
}

impl SigningKey {
    /// A signature of `message`, which begins with magic and label; verified before it leaves.
    ///
    /// # Errors
    ///
    /// [`Opaque`] if the machine computed wrongly.
    pub(crate) fn sign(
        &self,
        entropy: &mut dyn Entropy,
        message: &[u8],
    ) -> Result<Vec<u8>, Opaque> {
        self.key.sign(entropy, message)
    }
}

impl DecryptionKey {
    /// Opens `ciphertext`, whose sender's signature the caller has verified.
    ///
    /// # Errors
    ///
    /// [`Opaque`] if it was not made for this key and `label`.
    pub(crate) fn decrypt(
        &self,
        entropy: &mut dyn Entropy,
        label: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Opaque> {
        self.key.decrypt(entropy, label, ciphertext)
    }
}

#[cfg(test)]
mod tests;
