//! Any bytes, as a script and as an attack: what is read prints as what reads the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::fuzzing::script(bytes);
});
