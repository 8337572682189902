//! Any bytes, as what a server shows of directories and histories: no lie is believed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::fuzzing::proofs(bytes);
});
