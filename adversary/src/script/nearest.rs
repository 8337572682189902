//! Finds the known name that a misspelt one most likely meant.

/// The longest word, in bytes, that is compared.
const WORD_MAX: usize = 64;

/// The known name nearest to `word`, if one is near enough to be worth saying.
///
/// Near enough is one edit for every three letters, and at least one. Ties go to the first name.
/// A very long word is no slip of the finger, and the distance costs its square.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let distance = edits(word, name);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The number of letters to insert, remove, replace, or swap with a neighbour.
fn edits(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().take(WORD_MAX).collect();
    let width = right.len() + 1;
    let mut before = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, b) in right.iter().enumerate() {
            let replaced = above[j] + usize::from(a != b);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b;
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        before = std::mem::replace(&mut above, row);
    }
    above[width - 1]
}

/// A list of names for a message: the first few, then how many more.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.len().min(24);
    let mut text = names[..shown].join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_name_finds_its_nearest() {
        let known = ["rollback", "fork", "misbound", "missing"];
        assert_eq!(nearest("rolback", known), Some("rollback"));
        assert_eq!(nearest("rollbcak", known), Some("rollback"));
        assert_eq!(nearest("frok", known), Some("fork"));
        assert_eq!(nearest("misbond", known), Some("misbound"));
    }

    #[test]
    fn foreign_name_finds_nothing() {
        assert_eq!(nearest("teapot", ["rollback", "fork"]), None);
        assert_eq!(nearest("", ["rollback", "fork"]), None);
        assert_eq!(nearest(&"fork".repeat(100), ["rollback", "fork"]), None);
    }

    #[test]
    fn neighbouring_letters_swapped_are_one_edit() {
        assert_eq!(edits("ab", "ba"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }
}
