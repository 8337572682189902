//! SHA-256 over a label, then parts that carry their lengths.

use sha2::{Digest, Sha256};

use crate::labels::Label;

/// SHA-256 over `label || part*`, where a part is its length as a u64 and its bytes.
///
/// Two inputs of one shape have one encoding only if they are equal. A [`number`](Self::number)
/// carries no length: where the shape of a label's input could vary, use [`part`](Self::part).
#[derive(Clone, Debug)]
pub struct Hasher {
    inner: Sha256,
}

impl Hasher {
    /// Begins a hash for the purpose that `label` names.
    #[must_use]
    pub fn new(label: Label) -> Self {
        let mut inner = Sha256::new();
        inner.update(label.as_bytes());
        Self { inner }
    }

    /// Adds the length of `bytes`, then `bytes`.
    #[must_use]
    pub fn part(self, bytes: &[u8]) -> Self {
        let mut this = self.number(length(bytes));
        this.inner.update(bytes);
        this
    }

    /// Adds a number of eight bytes, big-endian.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.inner.update(number.to_be_bytes());
        self
    }

    /// Adds bytes of a part that arrives in pieces.
    ///
    /// The caller has added the part's whole length by [`number`](Self::number) before, and adds
    /// exactly that many bytes.
    pub fn update_raw(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.inner.finalize().into()
    }
}

/// SHA-256 without a label: a checksum, never an authenticator.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The length that goes before a part.
pub(super) fn length(bytes: &[u8]) -> u64 {
    // No platform of Rust has a usize wider than 64 bits.
    bytes.len() as u64
}
