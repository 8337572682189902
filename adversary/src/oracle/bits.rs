//! Sets of small numbers, for the operations of a run.

/// A set of numbers below a bound that is never stated: the set grows as it must.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Adds a number; returns whether it is new.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1_u64 << (number % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    /// Whether the number is in the set.
    pub(crate) fn contains(&self, number: usize) -> bool {
        let word = self.words.get(number / 64).copied().unwrap_or(0);
        word & (1 << (number % 64)) != 0
    }

    /// Takes a number out.
    pub(crate) fn remove(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Adds all of the other set; returns whether anything was new.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        let mut grown = false;
        for (own, word) in self.words.iter_mut().zip(&other.words) {
            grown |= *word & !*own != 0;
            *own |= word;
        }
        grown
    }

    /// Keeps what the other set has, too.
    pub(crate) fn keep(&mut self, other: &Self) {
        for (at, own) in self.words.iter_mut().enumerate() {
            *own &= other.words.get(at).copied().unwrap_or(0);
        }
    }

    /// Takes out what the other set has.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (own, word) in self.words.iter_mut().zip(&other.words) {
            *own &= !word;
        }
    }

    /// Whether the two sets share a number.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.words
            .iter()
            .zip(&other.words)
            .any(|(own, word)| own & word != 0)
    }

    /// Whether every number of this set is in the other one.
    pub(crate) fn within(&self, other: &Self) -> bool {
        let word = |at: usize| other.words.get(at).copied().unwrap_or(0);
        self.words
            .iter()
            .enumerate()
            .all(|(at, own)| own & !word(at) == 0)
    }

    /// The numbers, rising.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| at * 64 + bit)
        })
    }

    /// Whether the set is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// One form for equal sets, to remember them by.
    pub(crate) fn key(&self) -> Vec<u64> {
        let used = self
            .words
            .iter()
            .rposition(|&word| word != 0)
            .map_or(0, |at| at + 1);
        self.words[..used].to_vec()
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut bits = Self::default();
        for number in numbers {
            bits.insert(number);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn sets_of_different_lengths_compare_by_content() {
        let small: Bits = [1, 2].into_iter().collect();
        let mut large: Bits = [1, 2, 200].into_iter().collect();
        assert!(small.within(&large) && !large.within(&small));
        assert!(small.meets(&large));
        large.remove(200);
        assert_eq!(large.key(), small.key());
        assert!(large.within(&small));
        large.subtract(&small);
        assert!(large.is_empty() && !large.meets(&small));
    }

    #[test]
    fn joining_says_whether_anything_is_new() {
        let mut set: Bits = [70].into_iter().collect();
        assert!(set.join(&[3].into_iter().collect()));
        assert!(!set.join(&[3, 70].into_iter().collect()));
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 70]);
        set.keep(&[70].into_iter().collect());
        assert!(set.contains(70) && !set.contains(3));
    }
}
