//! Which client is put under test, as named on the command line.

use core::fmt;
use core::str::FromStr;

use crate::engine::{did_you_mean, straw_clients};

/// A client under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientChoice {
    /// The hardened client.
    Core,
    /// One of the straw clients, by its name.
    Straw(&'static str),
    /// The hardened client without these defences.
    Weakened(Vec<String>),
    /// A program of anybody's, by its command.
    External(String),
}

impl FromStr for ClientChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "core" {
            return Ok(Self::Core);
        }
        if let Some(name) = straw_clients().find(|name| *name == text) {
            return Ok(Self::Straw(name));
        }
        if let Some(list) = text.strip_prefix("weakened:") {
            let defences: Vec<_> = list.split(',').map(str::to_owned).collect();
            if defences.iter().any(String::is_empty) {
                return Err("weakened: needs the names of defences, joined by commas".to_owned());
            }
            return Ok(Self::Weakened(defences));
        }
        if let Some(command) = text.strip_prefix("exec:") {
            if command.trim().is_empty() {
                return Err("exec: needs a command, such as exec:'python3 mine.py'".to_owned());
            }
            // A line that repeats a result must be one line.
            if command.chars().any(char::is_control) {
                return Err("the command of exec: holds a control character".to_owned());
            }
            return Ok(Self::External(command.to_owned()));
        }
        let word = text.split(':').next().unwrap_or(text);
        let known = ["core", "weakened", "exec"].into_iter();
        let known: Vec<_> = known.chain(straw_clients()).collect();
        Err(format!(
            "no client has this name{}\nClients are {}, weakened:DEFENCE,... and exec:COMMAND.",
            did_you_mean(word, &known),
            ["core"]
                .into_iter()
                .chain(straw_clients())
                .collect::<Vec<_>>()
                .join(", ")
        ))
    }
}

impl fmt::Display for ClientChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core => formatter.write_str("core"),
            Self::Straw(name) => formatter.write_str(name),
            Self::Weakened(defences) => write!(formatter, "weakened:{}", defences.join(",")),
            Self::External(command) => write!(formatter, "exec:{command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_printed_as_it_is_named() {
        let others = ["core", "weakened:a,b", "exec:python3 x.py:1"].into_iter();
        for name in others.chain(straw_clients()) {
            assert_eq!(name.parse::<ClientChoice>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_mistaken_client_is_told_the_nearest() {
        let error = "niave".parse::<ClientChoice>().unwrap_err();
        assert!(error.contains("did you mean 'naive'?"), "{error}");
        let error = "weakend:x".parse::<ClientChoice>().unwrap_err();
        assert!(error.contains("did you mean 'weakened'?"), "{error}");
    }

    #[test]
    fn incomplete_clients_are_refused() {
        for text in [
            "",
            "weakened:",
            "weakened:a,,b",
            "exec:",
            "exec:  ",
            "exec:a\nb",
            "Core",
        ] {
            assert!(text.parse::<ClientChoice>().is_err(), "{text:?}");
        }
    }
}
