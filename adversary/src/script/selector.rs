//! Reads a selector of messages, and says what is wrong with one that is none.

use super::error::{Fault, ScriptError};
use super::known;
use crate::selector::Selector;

/// Reads `[user[/device]:]message[#occurrence]`.
///
/// # Errors
///
/// A text of another shape, or a message that no front has.
pub fn read(text: &str) -> Result<Selector, ScriptError> {
    let shape = "`[user[/device]:]message[#occurrence]`, such as alice/phone:read#2";
    let Some(selector) = Selector::parse(text) else {
        let what = format!("`{text}` selects no messages");
        return Err(ScriptError::new(Fault::UnknownWord, what).expected(shape));
    };
    let messages = known::messages();
    match &selector.kind {
        Some(kind) if !messages.contains(&kind.as_str()) => Err(ScriptError::not_in(
            Fault::UnknownWord,
            "message",
            kind,
            messages,
        )),
        _ => Ok(selector),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_messages_are_selected() {
        for text in ["read", "*", "alice:commit", "alice/phone:read#2"] {
            assert_eq!(
                read(text).map(|found| found.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn misspelt_message_names_the_nearest() {
        let error = read("alice:comit").unwrap_err();
        assert_eq!(error.meant.as_deref(), Some("commit"));
    }

    #[test]
    fn broken_shape_is_shown_the_right_one() {
        let error = read("read#0").unwrap_err();
        assert!(error.to_string().contains("alice/phone:read#2"), "{error}");
    }
}
