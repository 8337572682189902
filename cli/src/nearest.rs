//! The known name that a mistaken one was probably meant to be.

/// The known name with the fewest changes from `word`, if they are few for its length.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A long word is not a slip of the finger, and the distance costs its square.
    if word.len() > 100 {
        return None;
    }
    let few = word.chars().count() / 3 + 1;
    let measured = known.iter().map(|name| (distance(word, name), *name));
    measured
        .filter(|&(changes, _)| changes <= few)
        .min()
        .map(|(_, name)| name)
}

/// The end of a message about an unknown name: a question, or nothing.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or(String::new(), |name| format!("; did you mean '{name}'?"))
}

/// How many single characters must be inserted, removed, replaced or swapped with a neighbour.
fn distance(from: &str, into: &str) -> usize {
    let into: Vec<char> = into.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=into.len()).collect();
    let mut previous = None;
    for (row, character) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in into.iter().enumerate() {
            let replaced = last[column] + usize::from(character != other);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = column > 0 && previous == Some(other) && into[column - 1] == character;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        previous = Some(character);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changes() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ];
        let swaps = [("niave", "naive", 1), ("ab", "ba", 1), ("head", "heda", 1)];
        for (from, into, changes) in cases.into_iter().chain(swaps) {
            assert_eq!(distance(from, into), changes, "{from} {into}");
        }
    }

    #[test]
    fn only_a_near_name_is_offered() {
        let known = ["head-rollback", "head-fork", "leaf-swap"];
        assert_eq!(nearest("head-rolback", &known), Some("head-rollback"));
        assert_eq!(nearest("haed-fork", &known), Some("head-fork"));
        assert_eq!(nearest("xyzzy", &known), None);
        assert_eq!(nearest(&"head-fork".repeat(100), &known), None);
        assert_eq!(did_you_mean("xyzzy", &known), "");
    }
}
