//! The command line of a client under test: words, quotes, no shell.

use std::fmt;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
}

impl CommandLine {
    /// Splits `text` into words. Single and double quotes keep spaces, a backslash keeps the next
    /// character (not inside single quotes). Nothing else is special: no shell is involved.
    ///
    /// # Errors
    ///
    /// A sentence for the person who wrote it: no word at all, or an open quote.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut characters = text.chars();
        while let Some(one) = characters.next() {
            match (quote, one) {
                (Some(open), one) if open == one => quote = None,
                (None | Some('"'), '\\') => {
                    let kept = characters
                        .next()
                        .ok_or("the command ends with a backslash")?;
                    word.get_or_insert_default().push(kept);
                }
                (Some(_), one) => word.get_or_insert_default().push(one),
                (None, '"' | '\'') => {
                    quote = Some(one);
                    word.get_or_insert_default();
                }
                (None, one) if one.is_whitespace() => words.extend(word.take()),
                (None, one) => word.get_or_insert_default().push(one),
            }
        }
        if let Some(open) = quote {
            return Err(format!("the command has an open {open} quote"));
        }
        words.extend(word);
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self {
                program,
                arguments: words.collect(),
            }),
            _ => Err("the command is empty; write exec:'python3 mine.py'".to_owned()),
        }
    }

    /// The program to start.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.program)?;
        self.arguments
            .iter()
            .try_for_each(|one| write!(formatter, " {one}"))
    }
}

#[cfg(test)]
mod tests {
    use super::CommandLine;

    fn check(text: &str, expected: &[&str]) {
        let parsed = CommandLine::parse(text).expect("the command is well formed");
        let mut words = vec![parsed.program()];
        words.extend(parsed.arguments().iter().map(String::as_str));
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn words_are_split_at_spaces_outside_quotes() {
        check("python3 mine.py", &["python3", "mine.py"]);
        check("  a   b ", &["a", "b"]);
        check(
            "sh -c 'echo \"x\" $HOME'",
            &["sh", "-c", "echo \"x\" $HOME"],
        );
        check("a \"b c\"d ''", &["a", "b cd", ""]);
        check(r"my\ program a\'b", &["my program", "a'b"]);
        check(r#"a "b\"c""#, &["a", "b\"c"]);
    }

    #[test]
    fn a_command_that_is_no_command_is_told_why() {
        for (text, reason) in [
            ("", "the command is empty; write exec:'python3 mine.py'"),
            ("''", "the command is empty; write exec:'python3 mine.py'"),
            ("a 'b", "the command has an open ' quote"),
            ("a \"b", "the command has an open \" quote"),
            ("a\\", "the command ends with a backslash"),
        ] {
            assert_eq!(CommandLine::parse(text), Err(reason.to_owned()), "{text}");
        }
    }
}
