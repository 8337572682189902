//! The storage server that is honest until scripted.

pub mod pool;
