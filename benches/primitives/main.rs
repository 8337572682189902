//! What each primitive costs, as the client uses it, beside the cost of moving the same bytes.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use turncoat_adversary::pool;
use turncoat_benches::Counter;
use turncoat_core::hazmat::rsa::{KeySize, PrivateKey};
use turncoat_core::hazmat::{Label, aead, hash, kdf, mac};

#[cfg(feature = "others")]
mod others;

const CHUNK_SIZE: usize = 64 * 1024;
const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [0; 12];

fn bulk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bulk 64 KiB");
    group.throughput(Throughput::Bytes(CHUNK_SIZE as u64));
    let mut data = vec![0x5a; CHUNK_SIZE];

    let source = data.clone();
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| {
            data.copy_from_slice(black_box(&source));
            black_box(&mut data);
        });
    });
    group.bench_function("aes-256-gcm seal", |bencher| {
        bencher.iter(|| aead::seal_slice(black_box(&KEY), &NONCE, b"context", &mut data));
    });
    // Opening restores the plaintext, so each round opens a fresh copy; the copy is not timed.
    let tag = aead::seal_slice(&KEY, &NONCE, b"context", &mut data);
    group.bench_function("aes-256-gcm open", |bencher| {
        bencher.iter_batched_ref(
            || data.clone(),
            |sealed| aead::open_slice(black_box(&KEY), &NONCE, b"context", sealed, &tag),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("sha-256", |bencher| {
        bencher.iter(|| {
            hash::Hasher::new(Label::Segment)
                .part(black_box(&data))
                .finish()
        });
    });
    group.bench_function("hmac-sha-256", |bencher| {
        bencher.iter(|| mac::mac(black_box(&KEY), Label::Tag, &[black_box(&data)]));
    });
    group.finish();
}

fn small(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("small");
    group.bench_function("hmac-sha-256, one derivation", |bencher| {
        bencher.iter(|| mac::mac(black_box(&KEY), Label::ChunkKey, &[&[1; 16], &[0; 4]]));
    });
    let mut leaf = vec![0; 1024];
    group.bench_function("aes-256-gcm seal 1 KiB", |bencher| {
        bencher.iter(|| aead::seal_slice(black_box(&KEY), &NONCE, b"context", &mut leaf));
    });
    group.finish();
}

fn password(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("password");
    group.sample_size(10);
    group.bench_function("pbkdf2-hmac-sha-256, 600,000", |bencher| {
        bencher.iter(|| {
            let mut output = [0; 32];
            kdf::pbkdf2(black_box(&KEY), &[3; 32], 600_000, &mut output);
            output
        });
    });
    group.finish();
}

fn rsa(criterion: &mut Criterion) {
    let pooled = &pool::identities()[0].signing;
    let keys = [
        PrivateKey::from_primes(&pooled.p, &pooled.q).expect("a pooled key is a key"),
        PrivateKey::generate(&mut Counter(0), KeySize::Bits3072),
    ];
    for key in keys {
        let public = key.public().expect("a public half");
        let mut group = criterion.benchmark_group(format!("rsa-{}", public.size().bits()));
        let mut entropy = Counter(0);
        let signature = key.sign(&mut entropy, b"message").expect("a signature");
        let ciphertext = public
            .encrypt(&mut entropy, b"context", &KEY)
            .expect("it fits");
        let modulus = public.modulus();
        let (p, q) = key.primes();

        group.bench_function("parse public key", |bencher| {
            bencher.iter(|| turncoat_core::hazmat::rsa::PublicKey::from_modulus(&modulus));
        });
        group.bench_function("pss verify", |bencher| {
            bencher.iter(|| public.verify(black_box(b"message"), &signature));
        });
        group.bench_function("oaep encrypt", |bencher| {
            bencher.iter(|| public.encrypt(&mut entropy, b"context", black_box(&KEY)));
        });
        group.sample_size(20);
        group.bench_function("pss sign, verified", |bencher| {
            bencher.iter(|| key.sign(&mut entropy, black_box(b"message")));
        });
        group.bench_function("oaep decrypt", |bencher| {
            bencher.iter(|| key.decrypt(&mut entropy, b"context", black_box(&ciphertext)));
        });
        group.bench_function("private key from primes", |bencher| {
            bencher.iter(|| PrivateKey::from_primes(black_box(&p), &q));
        });
        group.finish();
    }
}

/// Those of other libraries, in the same run: `--features others`.
#[cfg(feature = "others")]
fn elsewhere(criterion: &mut Criterion) {
    for bits in [2048, 3072] {
        let key = others::key(bits);
        others::ring(criterion, &key, bits);
        others::aws_lc_rs(criterion, &key, bits);
    }
}

#[cfg(not(feature = "others"))]
fn elsewhere(_: &mut Criterion) {}

criterion_group!(benches, bulk, small, password, rsa, elsewhere);
criterion_main!(benches);
