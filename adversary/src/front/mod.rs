//! The dialects in which clients reach the server.

pub mod http;
pub mod kv;
pub mod native;
pub mod turned;
