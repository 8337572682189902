//! Prepared identities for runs, whose private keys are public and protect nothing.

use std::sync::LazyLock;

/// The committed file; its first lines say what it is.
const TEXT: &str = include_str!("../pool/identities.txt");

static IDENTITIES: LazyLock<Vec<Identity>> =
    LazyLock::new(|| parse(TEXT).expect("the committed pool parses, as a test proves"));

/// The two primes of an RSA-2048 key with exponent 65537, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// One prime, 128 bytes.
    pub p: Vec<u8>,
    /// The other prime, 128 bytes.
    pub q: Vec<u8>,
}

/// The two keys of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What opens what is encrypted to the account.
    pub encryption: Key,
    /// What signs for the account.
    pub signing: Key,
}

/// A line of a pool that is not what belongs there, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFault {
    /// The number of the line; one past the last if lines are missing.
    pub line: usize,
}

/// All prepared identities, always in the same order.
#[must_use]
pub fn identities() -> &'static [Identity] {
    &IDENTITIES
}

/// Reads a pool: comments, then for each identity its number, its encryption and its signing key.
///
/// # Errors
///
/// [`PoolFault`] names the first line that does not belong.
pub fn parse(text: &str) -> Result<Vec<Identity>, PoolFault> {
    let past_the_end = text.lines().count() + 1;
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let mut identities = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line != format!("identity {}", identities.len()) {
            return Err(PoolFault { line: number });
        }
        let mut key = |role| {
            let (number, line) = lines.next().ok_or(PoolFault { line: past_the_end })?;
            parse_key(line, role).ok_or(PoolFault { line: number })
        };
        identities.push(Identity {
            encryption: key("encryption")?,
            signing: key("signing")?,
        });
    }
    Ok(identities)
}

fn parse_key(line: &str, role: &str) -> Option<Key> {
    let mut words = line.split(' ');
    if words.next()? != role {
        return None;
    }
    let key = Key {
        p: parse_prime(words.next()?)?,
        q: parse_prime(words.next()?)?,
    };
    words.next().is_none().then_some(key)
}

fn parse_prime(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 256
        || !hex
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use rsa::BoxedUint;

    use super::{PoolFault, TEXT, identities, parse};

    #[test]
    fn the_pool_begins_with_its_warning() {
        let first = TEXT.lines().next().expect("the pool has lines");
        assert!(
            first.contains("PUBLIC") && first.contains("NO SECURITY"),
            "{first}"
        );
    }

    #[test]
    fn every_pooled_key_is_a_key_and_occurs_once() {
        let mut seen = Vec::new();
        for identity in identities() {
            for key in [&identity.encryption, &identity.signing] {
                let [p, q] = [&key.p, &key.q].map(|prime| {
                    BoxedUint::from_be_slice(prime, 1024).expect("a prime has 128 bytes")
                });
                rsa::PrivateKey::from_p_q(p, q, BoxedUint::from(65_537_u32))
                    .expect("a pooled key is a key");
                assert!(!seen.contains(&key), "a key occurs twice");
                seen.push(key);
            }
        }
        assert_eq!(seen.len(), 24);
    }

    #[test]
    fn a_pool_that_ends_early_names_the_line_after_its_last() {
        let whole: Vec<&str> = TEXT.lines().collect();
        let cut = whole[..whole.len() - 1].join("\n");
        assert_eq!(parse(&cut), Err(PoolFault { line: whole.len() }));
    }

    #[test]
    fn a_line_that_does_not_belong_is_named() {
        let check = |text: &str, line| assert_eq!(parse(text), Err(PoolFault { line }), "{text}");
        check("identity 1", 1);
        check("# comment\nidentity 0\nsigning 00 00", 3);
        check("identity 0\nencryption 00 00", 2);
        check("identity 0\nencryption 00", 2);
    }
}
