//! Any bytes, as what a peer says: servers answer in whole replies, and refusals change nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::front::http::requests(bytes);
    let _ = turncoat_server::fuzzing::requests(bytes);
});
