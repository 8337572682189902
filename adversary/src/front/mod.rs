//! The dialects in which clients reach the server.

pub mod kv;
pub mod native;
