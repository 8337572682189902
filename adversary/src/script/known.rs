//! The closed lists of words that headers and expectations draw from.

use super::error::{Fault, ScriptError};
use crate::framing::Framing;
use crate::front::native;

/// The classes of the catalogue: the folders of the script library.
pub const CLASSES: [&str; 14] = [
    "keybag",
    "directory",
    "object",
    "freshness",
    "namespace",
    "aead",
    "rsa-sig",
    "leakage",
    "confusion",
    "parser",
    "http",
    "store-state",
    "limits",
    "chaos",
];

/// The violations that a client can report, by the names that `turncoat_core::Violation` gives.
pub const VIOLATIONS: [&str; 16] = [
    "bad-proof",
    "equivocation",
    "fast-forward",
    "fork",
    "inauthentic",
    "key-changed",
    "malformed",
    "misbound",
    "missing",
    "out-of-turn",
    "revoked-author",
    "rollback",
    "too-large",
    "truncated",
    "untrusted-key",
    "weak-parameters",
];

/// The ways in which an answer can be unavailable, by the names that the client gives them.
pub const UNAVAILABLES: [&str; 16] = [
    "busy",
    "closed",
    "contended",
    "cut-off",
    "no-invitation",
    "refused",
    "spoilt",
    "state-foreign",
    "state-newer",
    "state-torn",
    "state-unreadable",
    "state-unwritable",
    "taken",
    "timeout",
    "unknown-user",
    "withheld",
];

/// The mistakes of a caller, by the names that the client gives them.
pub const USAGES: [&str; 13] = [
    "already-received",
    "bad-statement",
    "empty-name",
    "full",
    "name-taken",
    "no-such-file",
    "not-owner",
    "not-shared",
    "oneself",
    "other-content",
    "too-long",
    "unknown-contact",
    "wrong-device",
];

/// What a client can admit that it cannot know.
pub const ADMISSIONS: [&str; 2] = ["no-freshness", "unverified-contact"];

/// The verdicts that a script may expect of the hardened client.
pub const VERDICTS: [&str; 3] = ["caught", "harmless", "admitted"];

/// What a script can need of a client and its front.
pub const NEEDS: [&str; 17] = [
    "native",
    "kv",
    "conditional",
    "monotone",
    "contact_verified",
    "hides-lengths",
    "share",
    "revoke",
    "append",
    "delete",
    "list",
    "several-devices",
    "several-users",
    "fingerprint",
    "compare",
    "batch",
    "update",
];

/// The messages of both fronts, by the words that selectors use.
#[must_use]
pub fn messages() -> Vec<&'static str> {
    let key_value = ["get", "put", "delete", "get-pub", "put-pub"];
    native::KINDS.iter().copied().chain(key_value).collect()
}

/// Checks the name of an answer with which a message act can refuse.
///
/// # Errors
///
/// An unknown name, with the nearest known one.
pub fn check_refusal(name: &str) -> Result<(), ScriptError> {
    let known = native::REFUSALS.iter().copied();
    check(Fault::UnknownWord, "refusal", name, known)
}

/// The framing that a script names.
///
/// # Errors
///
/// An unknown name, with the nearest known one.
pub(crate) fn framing(name: &str) -> Result<Framing, ScriptError> {
    check(Fault::UnknownWord, "frame", name, Framing::names())?;
    Ok(Framing::parse(name).unwrap_or(Framing::Short))
}

/// Checks the name of what a client can admit.
///
/// # Errors
///
/// An unknown name, with the nearest known one.
pub fn check_admission(name: &str) -> Result<(), ScriptError> {
    check(Fault::UnknownWord, "admission", name, ADMISSIONS)
}

fn check<'a, I>(fault: Fault, kind: &str, word: &str, known: I) -> Result<(), ScriptError>
where
    I: IntoIterator<Item = &'a str> + Clone,
{
    if known.clone().into_iter().any(|name| name == word) {
        return Ok(());
    }
    Err(ScriptError::not_in(fault, kind, word, known))
}

/// Which class of failure a word belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The server is caught.
    Violation,
    /// No usable answer.
    Unavailable,
    /// The caller's mistake.
    Usage,
}

impl FailureClass {
    /// The word for the class.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Unavailable => "unavailable",
            Self::Usage => "usage",
        }
    }

    /// The words of the class.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Violation => &VIOLATIONS,
            Self::Unavailable => &UNAVAILABLES,
            Self::Usage => &USAGES,
        }
    }

    /// Checks a word of this class.
    ///
    /// # Errors
    ///
    /// An unknown word, with the nearest known one, and the class that knows it if another does.
    pub fn check(self, word: &str) -> Result<(), ScriptError> {
        if self.words().contains(&word) {
            return Ok(());
        }
        let words = self.words().iter().copied();
        let mut error = ScriptError::not_in(Fault::UnknownWord, self.name(), word, words);
        for other in [Self::Violation, Self::Unavailable, Self::Usage] {
            if other.words().contains(&word) {
                error.expected = Some(format!(
                    "the name of a {}; `{word}` names a {}, so use expect_{}",
                    self.name(),
                    other.name(),
                    other.name()
                ));
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The client's enums are open to more variants, so that no match from here can be complete.
    const SOURCE: &str = include_str!("../../../core/src/error.rs");

    #[test]
    fn words_are_exactly_those_that_the_client_says() {
        let classes = [
            FailureClass::Violation,
            FailureClass::Unavailable,
            FailureClass::Usage,
        ];
        let names = SOURCE.lines().filter_map(|line| {
            let (_, name) = line.split_once("=> \"")?;
            let name = name.split('"').next().unwrap_or_default();
            // A sentence is what to do, and no name.
            (!name.contains(' ')).then_some(name)
        });
        let said: BTreeSet<&str> = names
            .filter(|name| classes.iter().all(|class| class.name() != *name))
            .collect();
        let words = classes.iter().flat_map(|class| class.words());
        assert_eq!(words.copied().collect::<BTreeSet<_>>(), said);
    }

    #[test]
    fn word_of_another_class_names_its_class() {
        let error = FailureClass::Violation.check("withheld").unwrap_err();
        assert!(
            error.to_string().contains("use expect_unavailable"),
            "{error}"
        );
    }

    #[test]
    fn misspelt_violation_names_the_nearest() {
        let error = FailureClass::Violation.check("rolback").unwrap_err();
        assert_eq!(error.meant.as_deref(), Some("rollback"));
        assert_eq!(error.fault, Fault::UnknownWord);
    }
}
