//! Writes the one canonical encoding.

use alloc::vec::Vec;

/// Collects an encoding.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty encoding.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty encoding with room for so many bytes. What holds keys has room for all that it will
    /// hold: bytes that move, as they do to grow, leave a copy where they were.
    #[must_use]
    pub fn within(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    /// The encoding.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Length so far.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends bytes as they are; their length must be fixed by the format.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a big-endian integer of two bytes.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a big-endian integer of four bytes.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a big-endian integer of eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends a flag.
    pub fn flag(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Appends bytes behind their length. Everything that is encoded is far below 4 GiB: a longer
    /// value would be cut here and refused by every reader.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.raw(bytes);
    }

    /// Appends the bytes of all parts behind their length together.
    pub fn joined(&mut self, parts: &[Vec<u8>]) {
        let size = parts
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        self.bytes.reserve(size.saturating_add(4));
        self.u32(u32::try_from(size).unwrap_or(u32::MAX));
        for part in parts {
            self.raw(part);
        }
    }

    /// Appends a value that may be absent.
    pub fn option<T>(&mut self, value: Option<&T>, encode: impl FnOnce(&mut Self, &T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            encode(self, value);
        }
    }

    /// Appends a list behind its count.
    pub fn list<T>(&mut self, items: &[T], mut encode: impl FnMut(&mut Self, &T)) {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        for item in items {
            encode(self, item);
        }
    }

    /// Appends `count` zero bytes.
    pub fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len().saturating_add(count), 0);
    }
}
