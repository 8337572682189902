//! Whether the time of OAEP decryption tells what the ciphertext was, in the manner of dudect.
//!
//! RUSTSEC-2023-0071 is about this. Two classes of input, interleaved at random, timed one by one;
//! Welch's t over all samples and over the fastest shares of them. Beyond 4.5 is suspicious. This
//! cannot prove that nothing leaks, only that so many samples on this machine did not show it.

use std::hint::black_box;
use std::time::Instant;

use turncoat_adversary::pool;
use turncoat_benches::Counter;
use turncoat_core::env::Entropy;
use turncoat_core::hazmat::rsa::PrivateKey;

const SAMPLES: usize = 4_000;
const SUSPICIOUS: f64 = 4.5;

/// One ciphertext of each class, made before the clock starts.
type Class<'a> = (&'a str, Box<dyn FnMut(&mut Counter) -> Vec<u8> + 'a>);

fn main() {
    let pooled = &pool::identities()[0].encryption;
    let key = PrivateKey::from_primes(&pooled.p, &pooled.q).expect("a pooled key is a key");
    let public = key.public().expect("a public half");
    let size = public.size().bytes();
    let fixed = public
        .encrypt(&mut Counter(1), b"context", &[7; 32])
        .expect("it fits");

    let valid = |entropy: &mut Counter| {
        public
            .encrypt(entropy, b"context", &[7; 32])
            .expect("it fits")
    };
    let random = |entropy: &mut Counter| {
        let mut bytes = vec![0; size];
        entropy.fill(&mut bytes);
        // Below every modulus, whose top bit is set.
        bytes[0] &= 0x7f;
        bytes
    };
    // A multiple of a secret factor: intermediate values modulo that factor are all zero.
    let multiple_of_factor = |entropy: &mut Counter| {
        let mut bytes = vec![0; size / 2 - 1];
        entropy.fill(&mut bytes);
        multiply(&pooled.p, &bytes, size)
    };
    // Refused before the key is used, which everyone can see from the ciphertext alone. This is the
    // control: a test that finds nothing here finds nothing anywhere.
    let too_large = |_: &mut Counter| vec![0xff; size];
    let classes: [(Class<'_>, Class<'_>); 4] = [
        (
            ("control: not below the modulus", Box::new(too_large)),
            ("random", Box::new(random)),
        ),
        (
            ("one valid", Box::new(|_| fixed.clone())),
            ("fresh valid", Box::new(valid)),
        ),
        (
            ("fresh valid", Box::new(valid)),
            ("random", Box::new(random)),
        ),
        (
            ("multiples of a factor", Box::new(multiple_of_factor)),
            ("random", Box::new(random)),
        ),
    ];
    println!("OAEP decryption, RSA-2048, {SAMPLES} samples; |t| beyond {SUSPICIOUS} is suspicious");
    for ((name, mut one), (other_name, mut other)) in classes {
        let mut times = [Vec::new(), Vec::new()];
        let mut entropy = Counter(2);
        let mut coin = Counter(3);
        for _ in 0..SAMPLES {
            let mut side = [0];
            coin.fill(&mut side);
            let side = usize::from(side[0] & 1);
            let ciphertext = if side == 0 {
                one(&mut entropy)
            } else {
                other(&mut entropy)
            };
            let start = Instant::now();
            let _ = black_box(key.decrypt(&mut entropy, b"context", black_box(&ciphertext)));
            times[side].push(start.elapsed().as_nanos() as f64);
        }
        let worst = [100, 90, 75, 50]
            .map(|percent| welch_t(&fastest(&times[0], percent), &fastest(&times[1], percent)))
            .into_iter()
            .fold(
                0.0,
                |worst: f64, t| if t.abs() > worst.abs() { t } else { worst },
            );
        let word = if worst.abs() > SUSPICIOUS {
            "suspicious"
        } else {
            "nothing seen"
        };
        println!("{name} against {other_name}: t = {worst:.2}, {word}");
    }
}

/// The product of two big-endian numbers, in exactly `size` bytes.
fn multiply(one: &[u8], other: &[u8], size: usize) -> Vec<u8> {
    let mut product = vec![0_u32; size];
    for (at, &a) in one.iter().rev().enumerate() {
        let mut carry = 0;
        for (offset, digit) in product[at..].iter_mut().enumerate() {
            let b = other
                .len()
                .checked_sub(offset + 1)
                .map_or(0, |index| other[index]);
            let sum = *digit + u32::from(a) * u32::from(b) + carry;
            *digit = sum & 0xff;
            carry = sum >> 8;
        }
    }
    product.iter().rev().map(|&digit| digit as u8).collect()
}

/// The fastest `percent` of the samples: the slow ones are the machine's, not the code's.
fn fastest(times: &[f64], percent: usize) -> Vec<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(times.len() * percent / 100);
    sorted
}

/// Welch's t between two samples.
fn welch_t(one: &[f64], other: &[f64]) -> f64 {
    let describe = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (describe(one), describe(other));
    (mean - other_mean) / (error + other_error).sqrt()
}
