//! RSA against its vectors, and against keys and inputs that must be refused.

use turncoat_adversary::pool;
use turncoat_core::env::Entropy;
use turncoat_core::hazmat::rsa::{KeyFault, KeySize, PrivateKey, PublicKey};
use turncoat_core::hazmat::{Opaque, hash};

use crate::file::read;

/// Hashes of a counter: random enough for tests, and the same at every run.
struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&hash::sha256(&self.0.to_be_bytes())[..chunk.len()]);
        }
    }
}

fn pooled() -> PrivateKey {
    let key = &pool::identities()[0].signing;
    PrivateKey::from_primes(&key.p, &key.q).expect("a pooled key is a key")
}

fn check_pss(file: &str) {
    let vectors = read(file);
    let (key, vectors) = vectors.split_first().expect("the first block is the key");
    let key = PublicKey::from_modulus(&key.bytes("modulus")).expect("a published key is a key");
    for vector in vectors {
        let verified = key.verify(&vector.bytes("message"), &vector.bytes("signature"));
        let expected = if vector.is_valid() {
            Ok(())
        } else {
            Err(Opaque)
        };
        assert_eq!(verified, expected, "{}", vector.name());
    }
}

#[test]
fn pss_2048_agrees_with_its_vectors() {
    check_pss("rsa_pss_2048.txt");
}

#[test]
fn pss_3072_agrees_with_its_vectors() {
    check_pss("rsa_pss_3072.txt");
}

fn check_oaep(file: &str) {
    let vectors = read(file);
    let (key, vectors) = vectors.split_first().expect("the first block is the key");
    let modulus = key.bytes("modulus");
    let key = PrivateKey::from_primes(&key.bytes("p"), &key.bytes("q")).expect("a published key");
    assert_eq!(key.public().expect("its public half").modulus(), modulus);
    for vector in vectors {
        let opened = key.decrypt(
            &mut Counter(0),
            &vector.bytes("label"),
            &vector.bytes("ciphertext"),
        );
        // RFC 8017 refuses a first octet that is not zero. The `rsa` crate does not look at it, so
        // that no second kind of failure exists (Manger's attack needs one). That lets a *sender*
        // encode one message in 256 ways; the sender's signature covers the one that was sent.
        if vector.is_valid() || vector.name().ends_with("First byte is 1") {
            let opened = opened.unwrap_or_else(|Opaque| panic!("{} must open", vector.name()));
            assert_eq!(*opened, vector.bytes("message"), "{}", vector.name());
        } else {
            assert_eq!(opened.err(), Some(Opaque), "{}", vector.name());
        }
    }
}

#[test]
fn oaep_2048_agrees_with_its_vectors() {
    check_oaep("rsa_oaep_2048.txt");
}

#[test]
fn oaep_3072_agrees_with_its_vectors() {
    check_oaep("rsa_oaep_3072.txt");
}

#[test]
fn a_signature_verifies_for_its_message_alone() {
    let (key, mut entropy) = (pooled(), Counter(0));
    let public = key.public().expect("a public half");
    let signature = key.sign(&mut entropy, b"message").expect("a signature");
    assert_eq!(signature.len(), KeySize::Bits2048.bytes());
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    assert_eq!(public.verify(b"massage", &signature), Err(Opaque));
    for at in [0, 128, 255] {
        let mut flipped = signature.clone();
        flipped[at] ^= 1;
        assert_eq!(
            public.verify(b"message", &flipped),
            Err(Opaque),
            "byte {at}"
        );
    }
    let again = key.sign(&mut entropy, b"message").expect("a signature");
    assert_ne!(again, signature, "the salt is fresh");
}

#[test]
fn a_ciphertext_opens_under_its_label_alone() {
    let (key, mut entropy) = (pooled(), Counter(0));
    let public = key.public().expect("a public half");
    let ciphertext = public
        .encrypt(&mut entropy, b"context", b"key")
        .expect("it fits");
    let opened = key
        .decrypt(&mut entropy, b"context", &ciphertext)
        .expect("it opens");
    assert_eq!(*opened, b"key");
    let other = key.decrypt(&mut entropy, b"other", &ciphertext);
    assert_eq!(other.err(), Some(Opaque));
    let again = public
        .encrypt(&mut entropy, b"context", b"key")
        .expect("it fits");
    assert_ne!(again, ciphertext, "the seed is fresh");
}

#[test]
fn a_message_longer_than_the_padding_allows_is_refused() {
    let public = pooled().public().expect("a public half");
    let size_max = KeySize::Bits2048.bytes() - 66;
    assert!(
        public
            .encrypt(&mut Counter(0), b"", &vec![1; size_max])
            .is_ok()
    );
    assert_eq!(
        public.encrypt(&mut Counter(0), b"", &vec![1; size_max + 1]),
        Err(Opaque)
    );
}

#[test]
fn a_generated_key_survives_its_primes() {
    let key = PrivateKey::generate(&mut Counter(0), KeySize::Bits3072);
    let (p, q) = key.primes();
    assert_eq!([p.len(), q.len()], [192, 192]);
    let again = PrivateKey::from_primes(&p, &q).expect("its primes make a key");
    let public = again.public().expect("a public half");
    assert_eq!(public, key.public().expect("a public half"));
    assert_eq!(public.size(), KeySize::Bits3072);
    let signature = again
        .sign(&mut Counter(0), b"message")
        .expect("a signature");
    assert_eq!(public.verify(b"message", &signature), Ok(()));
}

#[test]
fn a_modulus_is_refused_for_its_first_fault() {
    let good = pooled().public().expect("a public half").modulus();
    let check = |modulus: &[u8], fault| {
        assert_eq!(PublicKey::from_modulus(modulus), Err(fault));
    };
    check(&[], KeyFault::Size);
    check(&good[1..], KeyFault::Size);
    check(&[&[0], good.as_slice()].concat(), KeyFault::Size);
    check(&[&[0; 128], good.as_slice()].concat(), KeyFault::Size);
    check(&[0xff; 512], KeyFault::Size);

    let mut short = good.clone();
    short[0] &= 0x7f;
    check(&short, KeyFault::Size);
    let mut even = good.clone();
    even[255] &= 0xfe;
    check(&even, KeyFault::SmallFactor);
    // 2^2048 - 1 is divisible by 3.
    check(&[0xff; 256], KeyFault::SmallFactor);
    assert_eq!(
        PublicKey::from_modulus(&good).map(|key| key.modulus()),
        Ok(good)
    );
}

/// Each small prime is found on its own: the neighbours of a good modulus that it divides.
#[test]
fn every_small_prime_is_tried() {
    let good = pooled().public().expect("a public half").modulus();
    let is_prime = |number: u64| (2..number).all(|divisor| !number.is_multiple_of(divisor));
    for prime in (3..=541).filter(|&number| is_prime(number)) {
        let remainder = good.iter().fold(0, |remainder, &byte| {
            (remainder << 8 | u64::from(byte)) % prime
        });
        // Subtract the remainder, and the prime once more if that leaves an even number.
        let subtract = if remainder % 2 == 0 {
            remainder
        } else {
            remainder + prime
        };
        let modulus = minus(&good, subtract);
        assert_eq!(
            PublicKey::from_modulus(&modulus),
            Err(KeyFault::SmallFactor),
            "{prime}"
        );
    }
}

fn minus(number: &[u8], subtract: u64) -> Vec<u8> {
    let (head, tail) = number.split_last_chunk::<8>().expect("a modulus is long");
    let tail = u64::from_be_bytes(*tail)
        .checked_sub(subtract)
        .expect("no borrow at this modulus");
    [head, &tail.to_be_bytes()].concat()
}

#[test]
fn primes_are_refused_for_their_first_fault() {
    let key = &pool::identities()[0].encryption;
    let (p, q) = (key.p.as_slice(), key.q.as_slice());
    let check = |p: &[u8], q: &[u8], fault| {
        assert_eq!(PrivateKey::from_primes(p, q).err(), Some(fault));
    };
    check(&[], &[], KeyFault::Size);
    check(p, &q[1..], KeyFault::Size);
    check(&p[1..], &q[1..], KeyFault::Size);
    check(p, p, KeyFault::Primes);

    let mut even = p.to_vec();
    even[127] &= 0xfe;
    check(&even, q, KeyFault::Primes);
    check(p, &even, KeyFault::Primes);
    let mut one = vec![0; 128];
    one[127] = 1;
    check(&one, q, KeyFault::Primes);
    check(&[0; 128], q, KeyFault::Primes);
    // Too small for its half: the product is some bits short.
    let mut short = p.to_vec();
    short[0] = 0;
    check(&short, q, KeyFault::Primes);
    // One bit short each: so is the product.
    let (mut shorter, mut short) = (p.to_vec(), q.to_vec());
    shorter[0] = shorter[0] & 0x7f | 0x40;
    short[0] = short[0] & 0x7f | 0x40;
    check(&shorter, q, KeyFault::Size);
    check(p, &short, KeyFault::Size);
}
