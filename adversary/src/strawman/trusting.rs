//! A client with binding and memory that asks the key server for every key on every use.
//!
//! Roots are signed, chained to all earlier ones and remembered: content cannot be moved, and no
//! device goes back or crosses from one branch to another. The weakness: whoever the key server
//! says is Bob is Bob. No key is pinned, and neither a roster nor a space commits to one.

use crate::strawman::Kind;
use crate::strawman::tree::{Design, Freshness, OPERATIONS, TreeClient, Trust};

/// The client that trusts the key server.
pub const KIND: Kind = Kind {
    name: "trusting",
    operations: OPERATIONS,
    claims: &["monotone"],
    accepted: TreeClient::accepted,
    conditional: true,
    start: |environment| {
        let design = Design {
            freshness: Freshness::Chained,
            trust: Trust::KeyServer,
        };
        TreeClient::start(environment, design)
    },
};
