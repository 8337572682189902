//! Rust sources without comments and literals, and the words and paths in what is left.

/// The source with every comment and every literal's content blanked; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let rest = characters.get(at..).unwrap_or_default();
        let length = match character {
            '/' if rest.starts_with(&['/', '/']) => line_length(rest),
            '/' if rest.starts_with(&['/', '*']) => block_length(rest),
            '"' => quoted_length(rest, '"'),
            'r' | 'b' | 'c' if !joins(&characters, at) => raw_length(rest).unwrap_or(0),
            '\'' => literal_character_length(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            out.push(character);
            at += 1;
        } else {
            let blanked = rest.iter().take(length);
            out.extend(blanked.map(|&gone| if gone == '\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    out
}

/// Whether the character at a position goes on with a word.
fn joins(characters: &[char], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| characters.get(before))
        .is_some_and(|&before| is_word(before))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn line_length(rest: &[char]) -> usize {
    rest.iter()
        .take_while(|&&character| character != '\n')
        .count()
}

fn block_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = rest.get(at..).unwrap_or_default();
        if here.starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if here.starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(&character) = rest.get(at) {
        match character {
            '\\' => at += 2,
            _ if character == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a literal with a prefix, such as `r#"..."#`, `b"..."` or `b'.'`.
fn raw_length(rest: &[char]) -> Option<usize> {
    let prefix = rest
        .iter()
        .take_while(|&&at| matches!(at, 'r' | 'b' | 'c'))
        .count();
    let hashes = rest
        .get(prefix..)?
        .iter()
        .take_while(|&&at| at == '#')
        .count();
    let raw = rest.get(..prefix)?.contains(&'r');
    let start = prefix + hashes;
    match rest.get(start)? {
        '"' if raw => {
            let mut ending = vec!['"'];
            ending.extend(std::iter::repeat_n('#', hashes));
            let body = rest.get(start + 1..)?;
            let length = body
                .windows(ending.len())
                .position(|window| window == ending)?;
            Some(start + 1 + length + ending.len())
        }
        '"' if hashes == 0 => Some(start + quoted_length(rest.get(start..)?, '"')),
        '\'' if hashes == 0 => Some(start + literal_character_length(rest.get(start..)?)?),
        _ => None,
    }
}

/// The length of a character literal; none for a lifetime.
fn literal_character_length(rest: &[char]) -> Option<usize> {
    match (rest.get(1)?, rest.get(2)?) {
        ('\\', _) => Some(quoted_length(rest, '\'')),
        (_, '\'') => Some(3),
        _ => None,
    }
}

/// The words of a piece of code.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character| !is_word(character))
        .filter(|word| !word.is_empty())
}

/// Whether a piece of code has this word.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    words(code).any(|other| other == word)
}

/// What follows each `root::`, with its line: one name, or every name of a group. A root that is
/// named without anything behind it gives an empty name. A `root` that is itself below something
/// is another one.
pub(crate) fn names_below(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = code.get(from..).and_then(|rest| rest.find(root)) {
        let at = from + offset;
        from = at + root.len();
        let (before, after) = (code.get(..at).unwrap_or(""), code.get(from..).unwrap_or(""));
        let below = before.trim_end().ends_with("::");
        if below || before.ends_with(is_word) || after.starts_with(is_word) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        match after.trim_start().strip_prefix("::") {
            Some(below) => {
                let names = first_names(below.trim_start());
                found.extend(names.map(|name| (line, name.to_owned())));
            }
            None => found.push((line, String::new())),
        }
    }
    found
}

/// The first name of a path, or of each path in a group.
fn first_names(path: &str) -> impl Iterator<Item = &str> {
    let group = path.strip_prefix('{').unwrap_or("");
    let mut depth = 0_usize;
    let mut ended = false;
    let members = group.split(move |character: char| {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => ended = true,
            '}' => depth -= 1,
            _ => {}
        }
        !ended && depth == 0 && character == ','
    });
    let end = path
        .find(|character| !is_word(character))
        .unwrap_or(path.len());
    let single = path.get(..end).filter(|name| !name.is_empty());
    single
        .into_iter()
        .chain(members.filter_map(|member| words(member.split('}').next()?).next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text = "a // x\nb /* x /* x */ x\n */ c\nr#\"x\"x\"# d \"x\\\"x\" e b'x' '\\'' f<'g>";
        let left = code(text);
        assert_eq!(left.lines().count(), text.lines().count());
        assert_eq!(words(&left).collect::<String>(), "abcdefg");
    }

    #[test]
    fn a_word_that_ends_like_a_prefix_is_no_literal() {
        let left = code("bar\"x\" br'x'");
        assert_eq!(words(&left).next(), Some("bar"));
    }

    #[test]
    fn names_below_a_root_are_found_in_every_form() {
        let text =
            "use a::{b::{c, d}, e,\n f as g};\nuse a::h::i; a::j(); use a; ba::k; a_::l; x::a::m";
        let found = names_below(text, "a");
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["b", "e", "f", "h", "j", ""]);
        assert_eq!(found.iter().map(|(line, _)| *line).max(), Some(3));
    }
}
