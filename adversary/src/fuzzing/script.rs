//! Any text as a script, any bytes as an attack: what is read prints as what reads the same.

use crate::attack::Attack;
use crate::driver::defences;
use crate::script::{self, Budget, header};

/// How far a text came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its header says all that the header of an attack says.
    pub headed: bool,
    /// It has a title, it parses, and every word of it is known.
    pub prepared: bool,
    /// It says an attack, whatever happens in a run.
    pub recorded: bool,
    /// The bytes are an attack that no script needs to say.
    pub attack: bool,
}

/// Reads the bytes as a script, and as an attack.
///
/// # Panics
///
/// If an attack that was read prints as a script that says another one.
#[must_use]
pub fn script(bytes: &[u8]) -> Read {
    let text = String::from_utf8_lossy(bytes);
    let recorded = script::parse_within(&text, small());
    if let Ok(attack) = &recorded {
        let text = print(attack);
        let again = script::parse(&text).map(|again| again.steps);
        assert_eq!(again.as_ref(), Ok(&attack.steps), "{text}");
    }
    let attack = Attack::decode(bytes).ok();
    if let Some(text) = attack.as_ref().map(print) {
        // Not everything that can be written down is something that a script can say.
        let again = script::parse(&text);
        assert!(
            again.is_err() || again.is_ok_and(|again| print(&again) == text),
            "{text}"
        );
    }
    Read {
        headed: header::read(&text, &defences()).is_ok(),
        prepared: script::prepare(&text, &small()).is_ok(),
        recorded: recorded.is_ok(),
        attack: attack.is_some(),
    }
}

fn print(attack: &Attack) -> String {
    script::print(attack, "found", "what a fuzzer found.")
}

/// What one text may cost: a fuzzer's time, where a person's script has minutes.
fn small() -> Budget {
    Budget {
        steps: 20_000,
        string_size: 1 << 16,
        list_size: 1 << 12,
        memory: 4 << 20,
        content: 1 << 20,
        text: 1 << 16,
        ..Budget::default()
    }
}
