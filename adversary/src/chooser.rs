//! The one source of every choice of a run, and the random streams that devices own.

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use turncoat_core::env::Entropy;

use crate::client::DeviceName;

/// Makes choices and keeps them.
#[derive(Clone, Debug)]
pub struct Chooser {
    source: Source,
    taken: Vec<Choice>,
}

/// One choice that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How many options there were.
    pub options: u32,
    /// Which was taken, from zero.
    pub taken: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Seeded(Stream),
    /// What to take next; the first option once it runs out.
    Recorded(std::vec::IntoIter<u32>),
    Bytes(std::vec::IntoIter<u8>),
}

impl Chooser {
    /// Choices that look random and are a function of `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let stream = Stream::new(&[b"chooser", &seed.to_be_bytes()]);
        Self::new(Source::Seeded(stream))
    }

    /// Repeats choices, then takes the first option each time.
    ///
    /// A recorded choice beyond the options at hand is taken modulo their number, so that shrunk
    /// and edited records stay runnable.
    #[must_use]
    pub fn recorded(choices: Vec<u32>) -> Self {
        Self::new(Source::Recorded(choices.into_iter()))
    }

    /// Decodes choices from a fuzzer's bytes, one byte each up to 256 options, else four.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(Source::Bytes(Vec::from(bytes).into_iter()))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            taken: Vec::new(),
        }
    }

    /// Takes one of `options`, counted from zero. One option or none is no choice.
    pub fn choose(&mut self, options: u32) -> u32 {
        if options <= 1 {
            return 0;
        }
        let taken = match &mut self.source {
            // The bias is below 2^-32 and the same in every run.
            Source::Seeded(stream) => (stream.random.next_u64() % u64::from(options)) as u32,
            Source::Recorded(choices) => choices.next().unwrap_or(0) % options,
            Source::Bytes(bytes) => {
                let count = if options <= 256 { 1 } else { 4 };
                let number = bytes
                    .by_ref()
                    .take(count)
                    .fold(0_u32, |number, byte| number << 8 | u32::from(byte));
                number % options
            }
        };
        self.taken.push(Choice { options, taken });
        taken
    }

    /// What was chosen so far.
    #[must_use]
    pub fn taken(&self) -> &[Choice] {
        &self.taken
    }

    /// What was chosen, as [`Chooser::recorded`] takes it.
    #[must_use]
    pub fn record(&self) -> Vec<u32> {
        self.taken.iter().map(|choice| choice.taken).collect()
    }
}

/// Enumerates all sequences of choices depth-first: run, report what was taken, ask for the next.
#[derive(Clone, Debug, Default)]
pub struct Exhaustive {
    prefix: Vec<u32>,
}

impl Exhaustive {
    /// The chooser of the first run, and after each [`Exhaustive::next`] of the next one.
    #[must_use]
    pub fn chooser(&self) -> Chooser {
        Chooser::recorded(self.prefix.clone())
    }

    /// Moves on from the run that took `taken`. False once every sequence was run.
    pub fn next(&mut self, taken: &[Choice]) -> bool {
        let Some(at) = taken
            .iter()
            .rposition(|choice| choice.taken + 1 < choice.options)
        else {
            return false;
        };
        self.prefix = taken[..at].iter().map(|choice| choice.taken).collect();
        self.prefix.push(taken[at].taken + 1);
        true
    }
}

/// The random stream of one life of one device.
///
/// A function of (seed, device, life), so that no two lives share a byte.
#[derive(Debug)]
pub struct DeviceEntropy(Stream);

impl DeviceEntropy {
    /// The stream of the `life`-th process of a device.
    #[must_use]
    pub fn new(seed: u64, device: &DeviceName, life: u32) -> Self {
        Self(Stream::new(&[
            b"device",
            &seed.to_be_bytes(),
            device.user.as_bytes(),
            device.device.as_bytes(),
            &life.to_be_bytes(),
        ]))
    }

    /// The same stream from the same place on, for the same life in a world that was saved.
    pub(crate) fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Entropy for DeviceEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.random.fill_bytes(bytes);
    }
}

/// Bytes that no compressor shortens, a function of (seed, label, count).
#[must_use]
pub fn seeded_bytes(seed: u64, label: &str, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let parts: [&[u8]; 3] = [b"bytes", &seed.to_be_bytes(), label.as_bytes()];
    Stream::new(&parts).random.fill_bytes(&mut bytes);
    bytes
}

/// `ChaCha20(SHA-256(parts, each behind its length))`.
#[derive(Debug)]
struct Stream {
    seed: [u8; 32],
    random: Box<ChaCha20Rng>,
}

impl Stream {
    fn new(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let seed = hasher.finalize().into();
        let random = Box::new(ChaCha20Rng::from_seed(seed));
        Self { seed, random }
    }
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        let mut random = Box::new(ChaCha20Rng::from_seed(self.seed));
        random.set_word_pos(self.random.get_word_pos());
        Self {
            seed: self.seed,
            random,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chooser, DeviceEntropy, Entropy, Exhaustive};
    use crate::client::DeviceName;

    #[test]
    fn a_record_repeats_what_a_seed_chose() {
        let mut seeded = Chooser::seeded(7);
        let first: Vec<_> = (2..40).map(|options| seeded.choose(options)).collect();
        let mut recorded = Chooser::recorded(seeded.record());
        let second: Vec<_> = (2..40).map(|options| recorded.choose(options)).collect();
        assert_eq!(first, second);
        assert_eq!(seeded.taken(), recorded.taken());
        assert_ne!(seeded.record(), {
            let mut other = Chooser::seeded(8);
            (2..40).for_each(|options| {
                other.choose(options);
            });
            other.record()
        });
    }

    #[test]
    fn no_choice_is_not_recorded() {
        let mut chooser = Chooser::seeded(1);
        assert_eq!(chooser.choose(1), 0);
        assert_eq!(chooser.choose(0), 0);
        assert!(chooser.taken().is_empty());
    }

    #[test]
    fn exhaustion_visits_every_sequence_once() {
        let mut exhaustive = Exhaustive::default();
        let mut seen = Vec::new();
        loop {
            let mut chooser = exhaustive.chooser();
            // The second choice depends on the first, and the third exists on one branch only.
            let first = chooser.choose(3);
            let second = chooser.choose(first + 1);
            let third = if second == 1 { chooser.choose(2) } else { 9 };
            seen.push((first, second, third));
            if !exhaustive.next(chooser.taken()) {
                break;
            }
        }
        assert_eq!(
            seen,
            [
                (0, 0, 9),
                (1, 0, 9),
                (1, 1, 0),
                (1, 1, 1),
                (2, 0, 9),
                (2, 1, 0),
                (2, 1, 1),
                (2, 2, 9)
            ]
        );
    }

    #[test]
    fn bytes_choose_and_run_out() {
        let mut chooser = Chooser::from_bytes(&[5, 0, 0, 1, 1]);
        assert_eq!(chooser.choose(3), 2);
        assert_eq!(chooser.choose(1000), 257);
        assert_eq!(chooser.choose(7), 0);
    }

    #[test]
    fn copies_go_on_where_they_were_made() {
        let mut entropy = DeviceEntropy::new(1, &DeviceName::new("alice", "phone"), 0);
        for count in [1, 3, 300, 64, 7] {
            entropy.fill(&mut vec![0; count]);
            let mut copy = entropy.copy();
            let (mut one, mut other) = ([0; 100], [0; 100]);
            copy.fill(&mut one);
            copy.copy().fill(&mut [0; 5]);
            entropy.copy().fill(&mut other);
            assert_eq!(one, other, "after {count} bytes more");
        }
    }

    #[test]
    fn no_two_lives_share_a_stream() {
        let draw = |device: &DeviceName, life| {
            let mut bytes = [0; 32];
            DeviceEntropy::new(1, device, life).fill(&mut bytes);
            bytes
        };
        let phone = DeviceName::new("alice", "phone");
        assert_eq!(draw(&phone, 0), draw(&phone, 0));
        assert_ne!(draw(&phone, 0), draw(&phone, 1));
        // The names' lengths are part of the seed: "a"+"bc" is not "ab"+"c".
        assert_ne!(
            draw(&DeviceName::new("a", "bc"), 0),
            draw(&DeviceName::new("ab", "c"), 0)
        );
    }
}
