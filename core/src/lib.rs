//! The hardened client: end-to-end encrypted storage that catches a server that betrays it.
#![no_std]

extern crate alloc;

pub mod env;
mod labels;
mod primitive;
mod secret;

pub use secret::Password;

/// Sharp tools: the bare primitives, for published vectors and for benchmarks alone.
///
/// Nothing here binds what it seals to a place. A program that names this module is a test.
#[doc(hidden)]
pub mod hazmat {
    pub use crate::labels::Label;
    pub use crate::primitive::{Opaque, aead, equal, hash, kdf, mac, rsa};
}
