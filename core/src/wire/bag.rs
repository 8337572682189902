//! The key bag: an account's secrets as the server keeps them, and how to derive what opens it.

use super::{Blob, Frame, Malformed, Reader, Wire, Writer, record};
use crate::id::{SpaceId, UserId};
use crate::secret::{KeyBytes, KeyPair};

record! {
    /// How to derive the master key of an account from its password.
    pub struct KdfParams {
        /// The suite; one is the only one.
        pub suite: u8,
        /// PBKDF2 iterations.
        pub iterations: u32,
        /// What the server contributes to the salt.
        pub salt_seed: [u8; 32],
    }
}

record! {
    /// An account's secrets under a key derived from its password.
    pub struct KeyBag {
        /// The user.
        pub user: UserId,
        /// The parameters that the bag was sealed under.
        pub kdf: KdfParams,
        /// Commitment to the wrapping key: checked before the cipher is asked.
        pub commitment: [u8; 32],
        /// The nonce.
        pub nonce: [u8; 12],
        /// The sealed [`BagSecret`].
        pub sealed: Blob,
    }
}

impl Frame for KeyBag {
    const KIND: u8 = 3;
}

/// What a key bag holds, opened. Its keys wipe themselves; `Debug` prints nothing of them.
pub struct BagSecret {
    /// Counts key bags of this account; later the defence against an old one.
    pub version: u64,
    /// The decryption key.
    pub encryption: KeyPair,
    /// The signing key.
    pub signing: KeyPair,
    /// The private space.
    pub space: SpaceId,
    /// What the private space's id was made with.
    pub space_salt: [u8; 32],
    /// The key of the private space's first epoch.
    pub epoch_key: KeyBytes,
}

impl core::fmt::Debug for BagSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            version,
            encryption: _,
            signing: _,
            space,
            space_salt: _,
            epoch_key: _,
        } = self;
        f.debug_struct("BagSecret")
            .field("version", version)
            .field("space", space)
            .finish()
    }
}

impl Wire for BagSecret {
    fn write(&self, writer: &mut Writer) {
        self.version.write(writer);
        self.encryption.write(writer);
        self.signing.write(writer);
        self.space.write(writer);
        self.space_salt.write(writer);
        self.epoch_key.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            version: Wire::read(reader)?,
            encryption: Wire::read(reader)?,
            signing: Wire::read(reader)?,
            space: Wire::read(reader)?,
            space_salt: Wire::read(reader)?,
            epoch_key: Wire::read(reader)?,
        })
    }
}

impl Frame for BagSecret {
    const KIND: u8 = 4;
    /// Four primes of 192 bytes at most, and what goes with them.
    const ROOM: usize = 1024;
}
