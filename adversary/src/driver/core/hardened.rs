//! The hardened client's side of the adapter.

use turncoat_core as subject;

#[path = "session.rs"]
mod session;

pub(super) use session::{Ours, accepted};
