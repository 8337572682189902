//! Any bytes, as what an external client says in lines: nothing is taken for more than it says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::fuzzing::lines(bytes);
});
