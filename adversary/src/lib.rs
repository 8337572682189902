//! The storage server that is honest until scripted.

pub mod acts;
pub mod attack;
pub mod catalogue;
pub mod chaos;
pub mod chooser;
pub mod client;
pub mod codec;
pub mod decryptor;
pub mod driver;
pub mod framing;
pub mod front;
pub mod fuzzing;
pub mod history;
pub mod honest;
mod memo;
pub mod oracle;
pub mod pool;
pub mod run;
pub mod script;
pub mod selector;
pub mod stage;
pub mod strawman;
pub mod verdict;
