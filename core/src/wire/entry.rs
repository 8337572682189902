//! What sealed leaves, notes and keyrings say once they are open.

use super::{Malformed, Reader, SegmentNode, Wire, Writer, record};
use crate::id::{Digest, EnvelopeId, Epoch, FileId, Fingerprint, PackId, SpaceId, UserId};
use crate::secret::KeyBytes;
use alloc::vec::Vec;

/// Every opened leaf is padded to this many bytes.
pub const ENTRY_SIZE: usize = 1152;

/// Names up to this many bytes sit in the leaf, and all of them look alike. Longer ones get an
/// object of their own, so that no append carries them.
pub const NAME_INLINE_MAX: usize = 200;

record! {
    /// Where a sealed object lies that is no chunk: a long name, a keyring.
    pub struct Region {
        /// The pack.
        pub pack: PackId,
        /// First byte in the pack.
        pub offset: u32,
        /// Sealed bytes.
        pub length: u32,
        /// Hash of the sealed bytes.
        pub hash: Digest,
    }
}

/// A name, or where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRef {
    /// The name itself; at most [`NAME_INLINE_MAX`] bytes.
    Inline(Vec<u8>),
    /// A sealed object that holds it.
    Object(Region),
}

impl Wire for NameRef {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Inline(name) => {
                writer.u8(0);
                writer.bytes(name);
            }
            Self::Object(region) => {
                writer.u8(1);
                region.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => match reader.bytes()? {
                name if name.len() <= NAME_INLINE_MAX => Ok(Self::Inline(name.to_vec())),
                _ => Err(Malformed),
            },
            1 => Wire::read(reader).map(Self::Object),
            _ => Err(Malformed),
        }
    }
}

/// A file: its content's keys, hashes and length.
#[derive(Debug)]
pub struct FileEntry {
    /// The file, through all its versions.
    pub file: FileId,
    /// Counts its replacements.
    pub version: u64,
    /// Bytes of its content.
    pub size: u64,
    /// The key that new segments are sealed under.
    pub content_key: KeyBytes,
    /// Which key of this version that is.
    pub key_index: u16,
    /// The keys before it, sealed under it.
    pub keyring: Option<Region>,
    /// Number of segments.
    pub segments: u64,
    /// Peaks of the mountain range over the segment records, largest first.
    pub peaks: Vec<SegmentNode>,
    /// The name in this directory; empty in a shared space.
    pub name: NameRef,
}

impl Wire for FileEntry {
    fn write(&self, writer: &mut Writer) {
        self.file.write(writer);
        self.version.write(writer);
        self.size.write(writer);
        self.content_key.write(writer);
        self.key_index.write(writer);
        self.keyring.write(writer);
        self.segments.write(writer);
        self.peaks.write(writer);
        self.name.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            file: Wire::read(reader)?,
            version: Wire::read(reader)?,
            size: Wire::read(reader)?,
            content_key: Wire::read(reader)?,
            key_index: Wire::read(reader)?,
            keyring: Wire::read(reader)?,
            segments: Wire::read(reader)?,
            peaks: Wire::read(reader)?,
            name: Wire::read(reader)?,
        })
    }
}

/// A name whose file lives in a shared space.
#[derive(Debug)]
pub struct LinkEntry {
    /// The space.
    pub space: SpaceId,
    /// Its owner.
    pub owner: UserId,
    /// Its owner's keys.
    pub owner_key: Fingerprint,
    /// The newest epoch that was known when the link was written.
    pub epoch: Epoch,
    /// That epoch's key.
    pub epoch_key: KeyBytes,
    /// The name in this directory.
    pub name: NameRef,
    /// The key that a long name is sealed under.
    pub name_key: KeyBytes,
}

impl Wire for LinkEntry {
    fn write(&self, writer: &mut Writer) {
        self.space.write(writer);
        self.owner.write(writer);
        self.owner_key.write(writer);
        self.epoch.write(writer);
        self.epoch_key.write(writer);
        self.name.write(writer);
        self.name_key.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            space: Wire::read(reader)?,
            owner: Wire::read(reader)?,
            owner_key: Wire::read(reader)?,
            epoch: Wire::read(reader)?,
            epoch_key: Wire::read(reader)?,
            name: Wire::read(reader)?,
            name_key: Wire::read(reader)?,
        })
    }
}

record! {
    /// A contact's keys, as this account saw them first.
    pub struct PinEntry {
        /// The contact.
        pub user: UserId,
        /// The contact's keys.
        pub fingerprint: Fingerprint,
        /// Whether two people compared it.
        pub verified: bool,
    }
}

/// What a leaf says.
#[derive(Debug)]
pub enum Entry {
    /// A file of this space.
    File(FileEntry),
    /// A file of a shared space.
    Link(LinkEntry),
    /// A contact's keys.
    Pin(PinEntry),
    /// An invitation that was received; it is never received again.
    Received(EnvelopeId),
}

impl Wire for Entry {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::File(entry) => {
                writer.u8(0);
                entry.write(writer);
            }
            Self::Link(entry) => {
                writer.u8(1);
                entry.write(writer);
            }
            Self::Pin(entry) => {
                writer.u8(2);
                entry.write(writer);
            }
            Self::Received(envelope) => {
                writer.u8(3);
                envelope.write(writer);
            }
        }
        writer.zeros(ENTRY_SIZE.saturating_sub(writer.size()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.remaining() > ENTRY_SIZE {
            return Err(Malformed);
        }
        let entry = match reader.u8()? {
            0 => Wire::read(reader).map(Self::File),
            1 => Wire::read(reader).map(Self::Link),
            2 => Wire::read(reader).map(Self::Pin),
            3 => Wire::read(reader).map(Self::Received),
            _ => Err(Malformed),
        }?;
        reader.zeros(reader.remaining())?;
        Ok(entry)
    }
}

impl Entry {
    /// The encoding, exactly [`ENTRY_SIZE`] bytes. Sealed leaves have one kind, so no frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::within(ENTRY_SIZE);
        self.write(&mut writer);
        writer.finish()
    }

    /// Reads an opened leaf.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for any other length or content.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() != ENTRY_SIZE {
            return Err(Malformed);
        }
        Reader::all(bytes, Self::read)
    }
}
