//! Read this first: what the client promises, how every byte is laid out, and why.

#[doc = include_str!("threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("format.md")]
pub mod format {}

#[doc = include_str!("attacks.md")]
pub mod attacks {}

#[doc = include_str!("elsewhere.md")]
pub mod elsewhere {}
