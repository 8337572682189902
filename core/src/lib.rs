//! The hardened client: end-to-end encrypted storage that catches a server that betrays it.
#![no_std]

extern crate alloc;

mod chunk;
pub mod client;
mod config;
pub mod danger;
pub mod defence;
pub mod env;
pub mod error;
pub mod id;
mod labels;
mod limits;
mod primitive;
pub mod remote;
mod seal;
mod secret;
pub mod tree;
mod verify;
pub mod wire;

pub use client::{Freshness, Ports, Session};
pub use config::{Config, Policy};
pub use defence::Defence;
pub use error::{Error, LocalState, Unavailable, Usage, Violation};
pub use limits::{CHUNK_SIZE, Limits, PACK_CHUNKS_MAX, SEGMENTS_MAX};
pub use secret::{KeyBytes, KeyPair, Password};

/// Sharp tools: the bare primitives, for published vectors and for benchmarks alone.
///
/// Nothing here binds what it seals to a place. A program that names this module is a test.
#[doc(hidden)]
pub mod hazmat {
    pub use crate::labels::Label;
    pub use crate::primitive::{Opaque, aead, equal, hash, kdf, mac, rsa};
}
