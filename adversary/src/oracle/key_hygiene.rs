//! G13: no key and nonce meet two different messages, no key serves two purposes, and no key is
//! degenerate.
//!
//! First form: the keys are those that an offline decryptor finds in use when it opens a whole
//! record with the keys that were planted.

use std::collections::BTreeMap;

use crate::verdict::{Breach, Guarantee};

/// One use of a key, as a decryptor found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: [u8; 32],
    /// The purpose that it serves here.
    pub purpose: String,
    /// The nonce of the cipher; none where the key only derives.
    pub nonce: Option<[u8; 12]>,
    /// Hash of what was sealed: associated data and plaintext.
    pub message: [u8; 32],
    /// Bytes that were sealed.
    pub length: u64,
    /// Where, for people.
    pub place: String,
}

/// Messages under random nonces that one key may seal (NIST SP 800-38D, 8.3).
const MESSAGES_MAX: u64 = 1 << 32;
/// Bytes of one message (NIST SP 800-38D, 5.2.1.1).
const LENGTH_MAX: u64 = (1 << 36) - 32;

/// Judges all uses of all keys of a run.
#[must_use]
pub fn judge_keys(uses: &[KeyUse]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut breach = |evidence: String| {
        breaches.push(Breach {
            guarantee: Guarantee::G13,
            evidence,
            operation: None,
        });
    };
    let mut nonces: BTreeMap<([u8; 32], [u8; 12]), &KeyUse> = BTreeMap::new();
    let mut purposes: BTreeMap<[u8; 32], &KeyUse> = BTreeMap::new();
    let mut messages: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    for found in uses {
        let first = purposes.entry(found.key).or_insert(found);
        if first.purpose != found.purpose {
            breach(format!(
                "one key is {:?} at {} and {:?} at {}",
                first.purpose, first.place, found.purpose, found.place
            ));
        }
        if found.key.iter().all(|byte| *byte == found.key[0]) {
            breach(format!(
                "the key at {} is one byte over and over",
                found.place
            ));
        }
        if found.length > LENGTH_MAX {
            breach(format!(
                "the message at {} is too long for GCM",
                found.place
            ));
        }
        let Some(nonce) = found.nonce else { continue };
        let first = nonces.entry((found.key, nonce)).or_insert(found);
        if first.message != found.message {
            breach(format!(
                "one key and nonce seal two messages: at {} and at {}",
                first.place, found.place
            ));
        }
        let count = messages.entry(found.key).or_default();
        *count += 1;
        if *count == MESSAGES_MAX + 1 {
            breach(format!(
                "the key at {} seals too many messages",
                found.place
            ));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::{KeyUse, judge_keys};
    use crate::verdict::Guarantee::G13;

    fn sealed(key: u8, nonce: u8, message: u8) -> KeyUse {
        let mut bytes = [key; 32];
        bytes[0] = !key;
        KeyUse {
            key: bytes,
            purpose: "chunk".to_owned(),
            nonce: Some([nonce; 12]),
            message: [message; 32],
            length: 100,
            place: format!("pack {message}"),
        }
    }

    fn breaks(uses: &[KeyUse]) {
        let breaches = judge_keys(uses);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert_eq!(breaches[0].guarantee, G13);
    }

    #[test]
    fn a_nonce_for_two_messages_is_a_breach() {
        breaks(&[sealed(1, 1, 1), sealed(2, 1, 2), sealed(1, 1, 3)]);
    }

    #[test]
    fn a_key_for_two_purposes_is_a_breach() {
        let other = KeyUse {
            purpose: "name".to_owned(),
            ..sealed(1, 2, 2)
        };
        breaks(&[sealed(1, 1, 1), other]);
        let derives = KeyUse {
            purpose: "epoch".to_owned(),
            nonce: None,
            ..sealed(1, 2, 2)
        };
        breaks(&[sealed(1, 1, 1), derives]);
    }

    #[test]
    fn a_degenerate_key_is_a_breach() {
        breaks(&[KeyUse {
            key: [0; 32],
            ..sealed(1, 1, 1)
        }]);
    }

    #[test]
    fn a_message_too_long_for_gcm_is_a_breach() {
        breaks(&[KeyUse {
            length: 1 << 36,
            ..sealed(1, 1, 1)
        }]);
    }

    #[test]
    fn one_message_found_twice_other_nonces_and_other_keys_are_no_breach() {
        let uses = [
            sealed(1, 1, 1),
            sealed(1, 1, 1),
            sealed(1, 2, 2),
            sealed(2, 1, 3),
        ];
        assert_eq!(judge_keys(&uses), []);
    }
}
