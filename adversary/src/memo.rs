//! Remembers what costs much to compute and always comes to the same.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Results of a function that depends on its argument alone, up to a number of them.
#[derive(Debug)]
pub(crate) struct Memo<K, V> {
    most: usize,
    known: RefCell<BTreeMap<K, V>>,
}

impl<K: Ord, V: Clone> Memo<K, V> {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            known: RefCell::new(BTreeMap::new()),
        }
    }

    /// What is known of `key`, or else what `make` says of it. That there is no result is not
    /// remembered.
    pub(crate) fn get_or(&self, key: K, make: impl FnOnce(&K) -> Option<V>) -> Option<V> {
        if let Some(value) = self.known.borrow().get(&key) {
            return Some(value.clone());
        }
        let value = make(&key)?;
        let mut known = self.known.borrow_mut();
        // Whatever is asked for often is soon known again.
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(key, value.clone());
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;

    #[test]
    fn each_key_is_computed_once_until_there_are_too_many() {
        let memo = Memo::new(2);
        let mut computed = Vec::new();
        for key in [1, 1, 2, 1, 3, 3, 1] {
            let value = memo.get_or(key, |key| {
                computed.push(*key);
                Some(key * 10)
            });
            assert_eq!(value, Some(key * 10));
        }
        assert_eq!(computed, [1, 2, 3, 1]);
        assert_eq!(memo.get_or(4, |_| None), None);
        assert_eq!(memo.get_or(4, |_| Some(40)), Some(40));
    }
}
