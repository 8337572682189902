//! The twin's side of the adapter: the same file, compiled against the other build.

use turncoat_strawman as subject;

#[expect(
    clippy::duplicate_mod,
    reason = "the twin is the same client from the same sources, and so is its adapter"
)]
#[path = "session.rs"]
mod session;

pub(super) use session::{Ours, accepted};
