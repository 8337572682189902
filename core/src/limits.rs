//! Every bound on what a server can make this device spend, with the attack that it answers.

/// Bounds on hostile input. Each is checked before allocation or derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one reply, where what was asked for does not bound it more narrowly. Answers
    /// endless data.
    pub reply_size_max: u64,
    /// Bytes of a file name that is given. A name that is fetched is what the account wrote.
    pub name_size_max: u64,
    /// Bytes of a password and of a user name; longer ones are refused before any request.
    pub credential_size_max: u64,
    /// Leaves of one view. Answers a flood of tiny entries; `pages_max` bounds a directory.
    pub entries_max: u64,
    /// Changes of one roster in the life of its space, places for removals included. Answers a
    /// flood of signatures; all clients of a deployment and its server must agree on it.
    pub roster_changes_max: u64,
    /// Envelopes of one sender that a device looks at, newest first, each time it looks. Answers an
    /// inbox flood, and bounds private-key operations.
    pub envelopes_max: u64,
    /// Pages in which those envelopes come. Answers a server that shows one at a time.
    pub inbox_pages_max: u64,
    /// Heads that one history proof may skip. Answers fast-forward: a colluding author must sign
    /// one head for each stretch of this length.
    pub skip_max: u64,
    /// Stretches that one operation walks; the next one goes on from there. Answers an endless
    /// walk.
    pub walk_max: u64,
    /// The highest height, epoch or roster number that is ever accepted. Answers fast-forward on
    /// devices that remember nothing.
    pub counter_max: u64,
    /// Times that an operation starts again after it lost a race. Answers invented conflicts.
    pub retries_max: u64,
    /// Pages of one listing. Answers a cursor that never ends.
    pub pages_max: u64,
}

impl Limits {
    /// The limits that the program uses.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            reply_size_max: 8 << 20,
            name_size_max: 16 << 10,
            credential_size_max: 64 << 10,
            entries_max: 1 << 20,
            roster_changes_max: 4096,
            envelopes_max: 1024,
            inbox_pages_max: 16,
            skip_max: 1 << 16,
            walk_max: 64,
            counter_max: 1 << 48,
            retries_max: 8,
            pages_max: 1 << 12,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::standard()
    }
}

/// Plaintext bytes of one chunk's frame.
pub const CHUNK_SIZE: usize = 64 << 10;
/// Chunks of one pack.
pub const PACK_CHUNKS_MAX: usize = 64;
/// Segments of one version of a file: its mountain range then has at most sixteen peaks.
pub const SEGMENTS_MAX: u64 = (1 << 16) - 1;
/// Bytes of a wrapped key and of a signature: RSA-3072.
pub(crate) const RSA_SIZE_MAX: usize = 384;
/// Bytes of an envelope's note: the longest name, padded and sealed.
pub(crate) const NOTE_SIZE_MAX: usize = (17 << 10) + 16;
/// Bytes of a signed envelope. Answers an inbox of few and huge ones: whoever sends one decides
/// how large it is.
pub(crate) const ENVELOPE_SIZE_MAX: usize = NOTE_SIZE_MAX + 2 * RSA_SIZE_MAX + 256;
/// Bytes of a reply that carries no content, no proof and no list.
pub(crate) const SHORT_REPLY_MAX: u64 = 64 << 10;
