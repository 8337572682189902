//! The honest server over a durable store, behind a REST API.
//!
//! What it acknowledges is durable. It keeps strangers out and stays within its bounds; it cannot
//! be trusted by its users all the same, and a client of Turncoat does not.

pub mod api;
pub mod door;
pub mod fuzzing;
pub mod http;
pub mod service;
pub mod shelf;
pub mod store;
