//! The honest server: rules over a store, the same for every store and every front.
//!
//! Nothing here lies. What a device is shown in place of the truth is decided below these rules,
//! when they read the store ([`acts`](crate::acts)), or above them, on the messages.

mod commit;
mod directory;
mod history;
pub mod kv;
mod members;
pub mod native;
pub mod reach;
mod read;
mod segments;
pub mod storage;
pub mod store;
pub mod view;

pub(crate) use segments::added_records;

#[cfg(test)]
mod tests;
