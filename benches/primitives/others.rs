//! The same primitives of two libraries that are written in assembly and C.

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{Criterion, Throughput};

/// Measures one library. Both have the same functions under the same names.
macro_rules! measure {
    ($function:ident, $library:ident) => {
        pub(crate) fn $function(criterion: &mut Criterion, pkcs8: &[u8], bits: usize) {
            use $library::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
            use $library::rand::SystemRandom;
            use $library::{digest, hmac, pbkdf2, rsa, signature};

            const LIBRARY: &str = stringify!($library);
            let mut data = vec![0x5a; super::CHUNK_SIZE];

            let mut group = criterion.benchmark_group(format!("bulk 64 KiB, {LIBRARY}"));
            group.throughput(Throughput::Bytes(super::CHUNK_SIZE as u64));
            // A key of its own for each chunk, as the client has.
            group.bench_function("aes-256-gcm seal", |bencher| {
                bencher.iter(|| {
                    let key = UnboundKey::new(&AES_256_GCM, black_box(&super::KEY));
                    let key = LessSafeKey::new(key.expect("a key of 32 bytes"));
                    let nonce = Nonce::assume_unique_for_key(super::NONCE);
                    let context = Aad::from(b"context");
                    key.seal_in_place_separate_tag(nonce, context, &mut data)
                        .expect("it is short enough")
                });
            });
            group.bench_function("sha-256", |bencher| {
                bencher.iter(|| digest::digest(&digest::SHA256, black_box(&data)));
            });
            let key = hmac::Key::new(hmac::HMAC_SHA256, &super::KEY);
            group.bench_function("hmac-sha-256", |bencher| {
                bencher.iter(|| hmac::sign(&key, black_box(&data)));
            });
            group.finish();

            let mut group = criterion.benchmark_group(format!("password, {LIBRARY}"));
            group.sample_size(10);
            let iterations = NonZeroU32::new(600_000).expect("it is not zero");
            group.bench_function("pbkdf2-hmac-sha-256, 600,000", |bencher| {
                bencher.iter(|| {
                    let mut output = [0; 32];
                    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
                    pbkdf2::derive(
                        algorithm,
                        iterations,
                        &[3; 32],
                        black_box(&super::KEY),
                        &mut output,
                    );
                    output
                });
            });
            group.finish();

            let key = rsa::KeyPair::from_pkcs8(pkcs8).expect("a key of the other library");
            let random = SystemRandom::new();
            let mut signed = vec![0; bits / 8];
            let mut sign = |message: &[u8]| {
                key.sign(&signature::RSA_PSS_SHA256, &random, message, &mut signed)
                    .expect("it signs");
                signed.clone()
            };
            let made = sign(b"message");
            let public = signature::UnparsedPublicKey::new(
                &signature::RSA_PSS_2048_8192_SHA256,
                signature::KeyPair::public_key(&key),
            );
            let mut group = criterion.benchmark_group(format!("rsa-{bits}, {LIBRARY}"));
            group.bench_function("parse public key and pss verify", |bencher| {
                bencher.iter(|| public.verify(black_box(b"message"), &made));
            });
            group.sample_size(20);
            group.bench_function("pss sign", |bencher| {
                bencher.iter(|| sign(black_box(b"message")));
            });
            group.finish();
        }
    };
}

measure!(ring, ring);
measure!(aws_lc_rs, aws_lc_rs);

/// A key that both read.
pub(crate) fn key(bits: usize) -> Vec<u8> {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};

    let size = match bits {
        2048 => KeySize::Rsa2048,
        _ => KeySize::Rsa3072,
    };
    let key = KeyPair::generate(size).expect("there is randomness");
    let encoded: Pkcs8V1Der<'_> = key.as_der().expect("it encodes");
    encoded.as_ref().to_vec()
}
