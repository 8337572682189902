//! Prints the pool of prepared identities: `cargo run -p turncoat-adversary --example pool`.
//!
//! The keys follow from a constant seed, so that anyone can make the same file again.

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use turncoat_core::env::Entropy;
use turncoat_core::hazmat::rsa::{KeySize, PrivateKey};

const IDENTITIES: usize = 12;
const SEED: [u8; 32] = *b"turncoat pool: provides nothing!";

const HEADING: &str = "\
# THE PRIVATE KEYS IN THIS FILE ARE PUBLIC. THEY PROVIDE NO SECURITY WHATSOEVER.
# They exist so that an attack run does not have to generate keys. Never use one for anything else.
# RSA-2048, e = 65537; each line: role, then the primes p and q in hexadecimal.
# Made by: cargo run -p turncoat-adversary --example pool
";

struct Seeded(ChaCha20Rng);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

fn main() {
    let mut entropy = Seeded(ChaCha20Rng::from_seed(SEED));
    print!("{HEADING}");
    for number in 0..IDENTITIES {
        println!("identity {number}");
        for role in ["encryption", "signing"] {
            let (p, q) = PrivateKey::generate(&mut entropy, KeySize::Bits2048).primes();
            println!("{role} {} {}", hex(&p), hex(&q));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
