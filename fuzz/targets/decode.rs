//! Any bytes, as every format: what is accepted encodes to what was read.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    turncoat_adversary::fuzzing::decode(bytes);
});
