//! The hardened client: end-to-end encrypted storage that catches a server that betrays it.
//!
//! A [`Session`] is one login of one account on one device. Time, randomness, the server and what
//! the device must remember enter through the four doors of [`Ports`] and through nothing else:
//! this crate does no I/O, reads no clock and has no globals. Content enters and leaves by push and
//! pull calls. Every operation is an `async fn` that needs no runtime; it waits for the server and
//! for durable state alone, and may be dropped wherever it waits.
//!
//! A failure is an [`Error`] of one of three classes: the server is caught, there is no usable
//! answer, or the call was wrong. The [`manual`] has the threat model, the layout of every byte,
//! and each decision with the attack that it answers. Every security decision is named in
//! [`Defence`].
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
pub mod manual;
mod primitive;
pub mod remote;
mod seal;
mod secret;
pub mod tree;
pub mod verify;
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
