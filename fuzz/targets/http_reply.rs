//! Any bytes, as all that a client is answered: it has a whole reply, or none.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = turncoat_adversary::front::http::reply(bytes);
});
