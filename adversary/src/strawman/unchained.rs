//! A client that signs version numbers and remembers them, and chains nothing.
//!
//! Content is bound, contacts are pinned, and no device accepts a version lower than the last that
//! it saw. The weakness: a version number says how many roots there were and not which. Another
//! root of the same number, or a later one from another branch, is accepted.

use crate::strawman::Kind;
use crate::strawman::tree::{Design, Freshness, OPERATIONS, TreeClient, Trust};

/// The client whose versions are not chained.
pub const KIND: Kind = Kind {
    name: "unchained",
    operations: OPERATIONS,
    claims: &["monotone", "contact_verified"],
    accepted: TreeClient::accepted,
    conditional: true,
    start: |environment| {
        let design = Design {
            freshness: Freshness::Versions,
            trust: Trust::Pinned,
        };
        TreeClient::start(environment, design)
    },
};
