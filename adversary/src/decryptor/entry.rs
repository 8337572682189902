//! What opened bags and leaves say, read from their layout alone.

use turncoat_core::id::{EnvelopeId, FileId, Fingerprint, SpaceId, UserId};
use turncoat_core::wire::{Malformed, NameRef, Reader, Region, SegmentNode, VERSION, Wire};

use super::formula::Key;

/// The secrets of an account, as far as they open anything.
#[derive(Debug)]
pub(super) struct Secrets {
    /// Primes of the decryption key.
    pub(super) decryption: (Vec<u8>, Vec<u8>),
    /// The private space.
    pub(super) space: [u8; 32],
    /// The key of its first epoch.
    pub(super) epoch_key: Key,
}

impl Secrets {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Reader::all(bytes, |reader| {
            if reader.array()? != [b'T', b'C', 4, VERSION] {
                return Err(Malformed);
            }
            u64::read(reader)?;
            let pair =
                |reader: &mut Reader<'_>| Ok((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
            let decryption = pair(reader)?;
            pair(reader)?;
            let SpaceId(space) = Wire::read(reader)?;
            <[u8; 32]>::read(reader)?;
            let epoch_key = Wire::read(reader)?;
            Ok(Self {
                decryption,
                space,
                epoch_key,
            })
        })
    }
}

/// What a leaf says, as far as it opens anything.
#[derive(Debug)]
pub(super) enum Entry {
    /// A file.
    File {
        content_key: Key,
        keyring: Option<Region>,
        name: NameRef,
    },
    /// A link to a space.
    Link {
        space: [u8; 32],
        epoch: u64,
        epoch_key: Key,
        name: NameRef,
        name_key: Key,
    },
    /// Something without a key.
    Other,
}

impl Entry {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Reader::all(bytes, |reader| {
            let entry = match reader.u8()? {
                0 => Self::file(reader),
                1 => Self::link(reader),
                2 => {
                    UserId::read(reader)?;
                    Fingerprint::read(reader)?;
                    reader.flag().map(|_| Self::Other)
                }
                3 => EnvelopeId::read(reader).map(|_| Self::Other),
                _ => Err(Malformed),
            }?;
            reader.zeros(reader.remaining())?;
            Ok(entry)
        })
    }

    fn file(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        FileId::read(reader)?;
        u64::read(reader)?;
        u64::read(reader)?;
        let content_key = Wire::read(reader)?;
        u16::read(reader)?;
        let keyring = Wire::read(reader)?;
        u64::read(reader)?;
        Vec::<SegmentNode>::read(reader)?;
        Ok(Self::File {
            content_key,
            keyring,
            name: Wire::read(reader)?,
        })
    }

    fn link(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let SpaceId(space) = Wire::read(reader)?;
        UserId::read(reader)?;
        Fingerprint::read(reader)?;
        let epoch = Wire::read(reader)?;
        let epoch_key = Wire::read(reader)?;
        Ok(Self::Link {
            space,
            epoch,
            epoch_key,
            name: Wire::read(reader)?,
            name_key: Wire::read(reader)?,
        })
    }
}
