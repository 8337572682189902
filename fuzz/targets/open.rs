//! Any bytes, as a file that a member wrote by no rules: it is read as it is, or not at all.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::fuzzing::open(bytes);
});
