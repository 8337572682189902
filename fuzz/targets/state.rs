//! Any bytes, as what a device remembers: read as it is or not at all, and never gone back on.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::fuzzing::state(bytes);
});
