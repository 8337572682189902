//! What the text of an act tells: which acts only show what was stored before, and to whom.

use super::seen::Case;
use crate::history::Event;

/// The acts that show stored objects, or mangle them.
const ON_STORED: [&str; 11] = [
    "roll_back_to",
    "roll_back",
    "flip",
    "truncate",
    "extend",
    "zero",
    "replace",
    "swap",
    "hide",
    "hide_all",
    "resurrect",
];

/// The arguments of an act that only shows or mangles what was stored.
fn on_stored(act: &str) -> Option<&str> {
    let (verb, arguments) = act.strip_prefix("server.")?.split_once('(')?;
    ON_STORED.contains(&verb).then_some(arguments)
}

/// The user to whom such an act is shown, where it is shown to somebody alone.
pub(super) fn audience(act: &str) -> Option<&str> {
    let arguments = on_stored(act)?;
    let (_, last) = arguments.rsplit_once(['(', ' ']).unwrap_or(("", arguments));
    let name = last
        .trim_end_matches(';')
        .strip_suffix(')')?
        .strip_prefix('"')?
        .strip_suffix('"')?;
    name.split('/').next()
}

/// Whether the server may have shown, before an event, what it made with keys that it holds: it put
/// bytes of its own into the store or into a message.
pub(super) fn may_have_made_some(case: &Case<'_>, by: usize) -> bool {
    let made = |event: &Event| match event {
        // Bytes behind an object that was cut to nothing are an object of the server's own.
        Event::Act { text, applied } => {
            *applied && (on_stored(text).is_none() || text.starts_with("server.extend("))
        }
        _ => false,
    };
    case.history.events().iter().take(by).any(made)
}
