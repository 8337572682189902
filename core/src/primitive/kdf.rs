//! PBKDF2-HMAC-SHA256: the one derivation that is meant to be slow.

use hmac::Hmac;
use sha2::Sha256;

/// PBKDF2-HMAC-SHA256 of `secret` under `salt`, written into `output`.
///
/// The caller has checked `iterations` against its floor and ceiling. HMAC hashes keys longer than
/// 64 bytes and pads shorter ones with zeros, so two different secrets can be one HMAC key: pass a
/// hash of the password, never the password.
pub fn pbkdf2(secret: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    pbkdf2::pbkdf2::<Hmac<Sha256>>(secret, salt, iterations, output)
        .expect("HMAC takes keys of any length");
}
