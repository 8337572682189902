//! Words of a command line, quoted so that a shell reads them back unchanged.

/// The word as a POSIX shell must be given it.
pub(crate) fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:,=@%+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A whole command line.
pub(crate) fn command_line<I: IntoIterator<Item = String>>(words: I) -> String {
    words
        .into_iter()
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// This program as it was called, so that a printed command works where it is pasted.
pub(crate) fn program() -> String {
    let called = given_words().next().filter(|name| !name.is_empty());
    quoted(&called.unwrap_or_else(|| "turncoat".to_owned()))
}

/// The words that this program was called with. A word that is no text is shown as near as can be.
pub(crate) fn given_words() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Splits a line as a POSIX shell does, as far as `quoted` uses its rules.
    pub(crate) fn words(line: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        let mut inside = false;
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            let word = found.last_mut().unwrap();
            match character {
                '\'' => inside = !inside,
                '\\' if !inside => word.push(characters.next().unwrap()),
                ' ' if !inside => found.push(String::new()),
                other => word.push(other),
            }
        }
        assert!(!inside, "{line}");
        found
    }

    #[test]
    fn plain_words_stay_plain() {
        for word in ["attack", "--seed", "0x2a", "exec:./a.py", "weakened:a,b"] {
            assert_eq!(quoted(word), word);
        }
    }

    #[test]
    fn any_word_survives_the_shell() {
        let cases = ["", "a b", "it's", "$HOME `id` \"x\"", "a\\b", "*?~#", "''"];
        for word in cases {
            assert_eq!(words(&quoted(word)), [word]);
        }
        let line = command_line(cases.map(str::to_owned));
        assert_eq!(words(&line), cases);
    }
}
