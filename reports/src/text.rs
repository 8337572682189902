//! Text that a hostile party chose, made safe to show.
//!
//! Names, errors and evidence come from servers and clients under test. Shown as they are, they
//! could move the cursor, turn the direction of a line, hide a word, or open a heading.

/// How many characters of one text a document for people shows.
const SHOWN_MAX: usize = 4000;

/// Whether a character can change how others are shown, or is not shown at all.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// One line in which every hidden character is written out: `\n`, `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> String {
    written_out(text, false)
}

/// The same over several lines: line feeds stay, all else is written out.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    written_out(text, true)
}

fn written_out(text: &str, keep_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if keep_lines && character == '\n' || !is_hidden(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

/// The beginning of a long text, and a word on how much is left out.
pub(crate) fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => {
            let (shown, rest) = text.split_at(end);
            format!(
                "{shown} ... ({} characters more in the JSON)",
                rest.chars().count()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_language_is_left_alone() {
        for text in [
            "notes.txt",
            "Gr\u{fc}\u{df}e",
            "\u{65e5}\u{672c}",
            "\u{5e9}\u{5dc}\u{5d5}",
        ] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn hidden_characters_are_written_out() {
        let cases = [
            ("a\nb", "a\\nb"),
            ("a\r\tb", "a\\r\\tb"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{7f}", "\\u{7f}"),
            ("ab\u{202e}txt.exe", "ab\\u{202e}txt.exe"),
            ("\u{2066}\u{200b}\u{feff}", "\\u{2066}\\u{200b}\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\n\rb"), "a\n\\rb");
    }

    #[test]
    fn long_text_is_clipped_between_characters() {
        let text = "\u{e9}".repeat(SHOWN_MAX);
        assert_eq!(clipped(&text), text);
        let shown = clipped(&format!("{text}\u{e9}\u{e9}"));
        assert!(shown.starts_with(&text) && shown.ends_with("(2 characters more in the JSON)"));
    }
}
