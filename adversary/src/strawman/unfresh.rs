//! A client with a complete tree of hashes under a signed root, and no memory.
//!
//! Content is bound to account, file, position and length; listings are complete; invitations are
//! signed; contacts are pinned. The weakness: a device keeps nothing, so the server chooses which
//! of all the signed states that there ever were is the present one.

use crate::strawman::tree::{Design, Freshness, OPERATIONS, TreeClient, Trust};
use crate::strawman::{Kind, accepted_nothing};

/// The client without freshness.
pub const KIND: Kind = Kind {
    name: "unfresh",
    operations: OPERATIONS,
    claims: &["contact_verified"],
    accepted: accepted_nothing,
    conditional: true,
    start: |environment| {
        let design = Design {
            freshness: Freshness::Forgotten,
            trust: Trust::Pinned,
        };
        TreeClient::start(environment, design)
    },
};
