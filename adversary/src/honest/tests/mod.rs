//! The rules of the native server, one promise a test.

mod client;
mod reading;
mod writing;

use turncoat_core::wire::{Refusal, Reply};

fn refused(refusal: Refusal) -> Reply {
    Reply::Refused(refusal)
}
