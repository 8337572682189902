//! Any bytes, as a session of three devices with a server that turns: no guarantee falls.
#![no_main]

use turncoat_adversary::fuzzing::{Share, session};

/// Random lies die at the first check: this tells how many do not.
static SHARE: Share = Share::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(line) = SHARE.count(session(bytes)) {
        eprintln!("{line}");
    }
});
