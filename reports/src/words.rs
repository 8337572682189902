//! The small closed vocabularies of a result.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A word that is not in the vocabulary it was looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    pub(crate) kind: &'static str,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a known {}", self.kind)
    }
}

impl core::error::Error for UnknownWord {}

/// Stores a type as the text that it prints and parses.
macro_rules! as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use as_text;

/// Which of a script's three runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Acts are evaluated and not applied.
    Honest,
    /// Acts are applied.
    Attacked,
    /// Acts are applied to a client without the defences that the script names.
    Strawman,
}

impl RunKind {
    /// The run's one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Attacked => "attacked",
            Self::Strawman => "strawman",
        }
    }
}

/// How one operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It returned a result.
    Succeeded,
    /// It returned an error.
    Failed,
    /// The client panicked or its process ended.
    Died,
    /// It did not end within its time.
    Hung,
    /// It took more than its limits allow.
    OverLimit,
}

impl Outcome {
    /// The outcome in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Died => "died",
            Self::Hung => "hung",
            Self::OverLimit => "over its limit",
        }
    }
}

/// The class of a client's error, by what it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// The server is caught.
    Violation,
    /// No usable answer, nothing proved.
    Unavailable,
    /// The caller's mistake.
    Usage,
    /// The client did not say which.
    Untyped,
}

impl ErrorClass {
    /// The class in one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Unavailable => "unavailable",
            Self::Usage => "usage",
            Self::Untyped => "untyped",
        }
    }
}

/// Whether what a client claimed was so, by ground truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// The claim held.
    True,
    /// The claim did not hold.
    False,
    /// No oracle could decide it.
    Undecided,
}

impl Truth {
    /// The judgement in one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Undecided => "undecided",
        }
    }
}

/// Whether an operation of an external client works on an honest server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Works {
    /// Declared, and every honest workload that uses it passed.
    Works,
    /// Declared, and an honest workload failed.
    Fails,
    /// Not declared, so not tried.
    NotDeclared,
}

impl Works {
    /// The judgement in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Fails => "fails",
            Self::NotDeclared => "not declared",
        }
    }
}
