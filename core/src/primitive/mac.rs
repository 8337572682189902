//! HMAC-SHA256 over a label, then parts that carry their lengths.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Zeroize;
use super::hash::length;
use crate::labels::Label;

/// HMAC-SHA256 over `label || (length || part)*`, written into `output`.
///
/// For results that are keys: `output` is the key's own memory, and no copy stays behind here.
pub fn mac_into(key: &[u8; 32], label: Label, parts: &[&[u8]], output: &mut [u8; 32]) {
    let mut mac = keyed(key);
    mac.update(label.as_bytes());
    for part in parts {
        mac.update(&length(part).to_be_bytes());
        mac.update(part);
    }
    let mut result = mac.finalize().into_bytes();
    output.copy_from_slice(&result);
    result.as_mut_slice().zeroize();
}

/// HMAC-SHA256 over `label || (length || part)*`, for results that are public.
#[must_use]
pub fn mac(key: &[u8; 32], label: Label, parts: &[&[u8]]) -> [u8; 32] {
    let mut output = [0; 32];
    mac_into(key, label, parts, &mut output);
    output
}

/// HMAC-SHA256 of bare bytes under a key of any length: for published vectors.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
