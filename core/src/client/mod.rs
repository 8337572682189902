//! The operations of the client, one file for each family, over one session.
//!
//! The only await points are calls of [`Remote`] and [`Vault`]. A session that is dropped at any of
//! them leaves the durable state valid.

mod account;
mod append;
mod commit;
mod compare;
mod contact;
mod copy;
mod delete;
mod download;
mod download_many;
mod envelope;
mod list;
mod locate;
mod place;
mod receive;
mod revoke;
mod share;
mod space;
mod state;
mod stretch;
mod sync;
mod transport;
mod update;
mod upload;
mod version;

pub use account::Identity;
pub use append::Appending;
pub use compare::{Contradiction, Evidence};
pub use contact::{Comparison, ContactStanding, Fingerprinted};
pub use download::Downloading;
pub use download_many::Many;
pub use list::Listing;
pub use receive::Pick;
pub use revoke::Revoked;
pub use share::Invitation;
pub use update::{Compared, Comparer, Updated, Updating};
pub use upload::{BATCH_MAX, Begun, Note, Notebook, Uploading};
pub use version::Version;

use crate::config::Config;
use crate::env::{Clock, Entropy};
use crate::id::{Checkpoint, Fingerprint, SpaceId, Tag, Token, UserId};
use crate::remote::{Remote, Vault};
use crate::secret::{DecryptionKey, SigningKey};
use crate::verify::Contact;
use crate::wire::{SignedRecord, TrustedState};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use space::Space;

/// The four doors of a session.
#[derive(Debug)]
pub struct Ports<R, V, E, C> {
    /// The server.
    pub remote: R,
    /// What this device remembers.
    pub vault: V,
    /// Randomness.
    pub entropy: E,
    /// Time.
    pub clock: C,
}

/// Who this session is.
struct Account {
    user: UserId,
    fingerprint: Fingerprint,
    record: SignedRecord,
    signing: Arc<SigningKey>,
    decryption: Arc<DecryptionKey>,
}

/// One login of one account on one device.
pub struct Session<R, V, E, C> {
    ports: Ports<R, V, E, C>,
    config: Config,
    account: Account,
    token: Token,
    state: TrustedState,
    private: SpaceId,
    spaces: BTreeMap<SpaceId, Space>,
    /// Records whose own checks passed, by fingerprint.
    contacts: BTreeMap<Fingerprint, Contact>,
    /// Which space a name led to last: lets one request ask for both.
    links: BTreeMap<Tag, SpaceId>,
    /// What this session gave names last.
    written: BTreeMap<Tag, Version>,
    evidence: Vec<Evidence>,
    contradictions: Vec<Contradiction>,
    forgotten: Vec<Forgotten>,
    opened: Freshness,
}

impl<R, V, E, C> core::fmt::Debug for Session<R, V, E, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.account.user)
            .finish_non_exhaustive()
    }
}

/// A head that this device wrote and does not remember: what it remembers was put back from an
/// older copy, or a copy of it is in use elsewhere. What it saw in between is forgotten as well.
///
/// A head of its own that was given up, and that arrived after the next one was begun, looks the
/// same. One that others have written over since goes unnoticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The space.
    pub space: SpaceId,
    /// What this device remembered of it, if anything.
    pub remembered: Option<Checkpoint>,
    /// What it wrote.
    pub written: Checkpoint,
    /// When, by its clock at that time.
    pub written_ms: u64,
}

/// What is known of how current a read was, for one space. It says exactly what is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Not older than anything that this device accepted of the space before. A device that
    /// remembered nothing of it cannot say so.
    pub monotone: bool,
    /// Not older than this many milliseconds, and who vouches for it. Nobody does yet: it needs
    /// members' signed heartbeats.
    pub bound: Option<(u64, Vec<UserId>)>,
    /// Who else has seen the same head. Nobody is asked yet.
    pub witnesses: Vec<UserId>,
}

impl Freshness {
    /// What this device knows by itself.
    const fn alone(monotone: bool) -> Self {
        Self {
            monotone,
            bound: None,
            witnesses: Vec::new(),
        }
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// The account's user id.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.account.user
    }

    /// The fingerprint of the account's own keys.
    #[must_use]
    pub fn own_fingerprint(&self) -> Fingerprint {
        self.account.fingerprint
    }

    /// How current the account's own space was when this session opened it. On a device that
    /// remembered nothing, later reads are no older than that, and nobody knows how old that was.
    #[must_use]
    pub fn opened(&self) -> &Freshness {
        &self.opened
    }

    /// What this device wrote and does not remember, as far as this session came across it.
    #[must_use]
    pub fn forgotten(&self) -> &[Forgotten] {
        &self.forgotten
    }

    /// Ends the session and gives the doors back.
    #[must_use]
    pub fn into_ports(self) -> Ports<R, V, E, C> {
        self.ports
    }
}
