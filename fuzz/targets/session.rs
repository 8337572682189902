//! Any bytes, as a session of three devices with a server that turns: no guarantee falls.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    turncoat_adversary::fuzzing::session(bytes);
});
