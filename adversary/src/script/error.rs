//! One shape for everything that can be wrong with a script: where, what, and what to do.

use super::nearest::{listed, nearest};
use std::fmt;

/// A place in a script. Lines and columns count from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Which kind of fault it is, for exit statuses and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The header is missing a line, or one of its lines does not say what it must.
    Header,
    /// The text does not parse.
    Syntax,
    /// A verb, a variable or another word that nobody defines.
    UnknownName,
    /// A word from a closed list, such as a violation, that is not in the list.
    UnknownWord,
    /// A verb was called with something that it does not take.
    WrongType,
    /// A verb was called in a way or at a time in which it means nothing.
    WrongUse,
    /// The script outgrew a budget: steps, depth, memory, time.
    Budget,
    /// An operation failed where the script does not expect a failure.
    Operation,
    /// Anything else that the script threw.
    Thrown,
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The kind of fault.
    pub fault: Fault,
    /// Where, if the fault has a place.
    pub place: Option<Place>,
    /// What is wrong, as a clause without a full stop.
    pub what: String,
    /// What was expected there, or what to do, if there is something to say.
    pub expected: Option<String>,
    /// The known name that was most likely meant.
    pub meant: Option<String>,
}

impl ScriptError {
    /// A fault without a place.
    pub fn new(fault: Fault, what: impl Into<String>) -> Self {
        Self {
            fault,
            place: None,
            what: what.into(),
            expected: None,
            meant: None,
        }
    }

    /// The fault, at a place.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.place = Some(Place { line, column });
        self
    }

    /// The fault, with what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The fault of a word that is not in a closed list.
    pub fn not_in<'a, I>(fault: Fault, kind: &str, word: &str, known: I) -> Self
    where
        I: IntoIterator<Item = &'a str> + Clone,
    {
        let mut error = Self::new(fault, format!("there is no {kind} `{word}`"))
            .expected(format!("one of {}", listed(known.clone())));
        error.meant = nearest(word, known).map(str::to_owned);
        error
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(meant) = &self.meant {
            write!(f, "; did you mean `{meant}`?")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}
