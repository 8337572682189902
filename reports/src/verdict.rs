//! The eight verdicts and their order.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::words::UnknownWord;

/// What became of one script against one client, ordered so that `max` merges to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The client's adapter declared, before the run, that the script does not apply.
    Inapplicable,
    /// The exact outcome that the script names.
    Caught,
    /// The operation succeeded and was right.
    Harmless,
    /// Undetectable in principle, and the client said so.
    Admitted,
    /// Failed closed, but for the wrong reason.
    Refused,
    /// Nothing that the client was shown differed from the honest answer.
    Inert,
    /// A checker, a control or the script itself failed.
    Unknown,
    /// A guarantee fell.
    Broken,
}

impl Verdict {
    /// All verdicts, worst first.
    pub const WORST_FIRST: [Self; 8] = [
        Self::Broken,
        Self::Unknown,
        Self::Inert,
        Self::Refused,
        Self::Admitted,
        Self::Harmless,
        Self::Caught,
        Self::Inapplicable,
    ];

    /// The verdict's one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Inapplicable => "inapplicable",
            Self::Caught => "caught",
            Self::Harmless => "harmless",
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Inert => "inert",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }

    /// What the verdict means, in one line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Inapplicable => "the client declared before the run that this does not apply",
            Self::Caught => "the client named the violation that the script expects",
            Self::Harmless => "the operation succeeded and its result was right",
            Self::Admitted => "undetectable in principle, and the client said so",
            Self::Refused => "failed closed, but for the wrong reason",
            Self::Inert => "the attack changed nothing that the client was shown",
            Self::Unknown => "the testbed itself failed, or there was no control",
            Self::Broken => "a guarantee fell",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::WORST_FIRST
            .into_iter()
            .find(|verdict| verdict.word() == word);
        found.ok_or(UnknownWord { kind: "verdict" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_first_is_the_reverse_of_the_order_and_complete() {
        let mut sorted = Verdict::WORST_FIRST;
        sorted.sort();
        sorted.reverse();
        assert_eq!(sorted, Verdict::WORST_FIRST);
        assert_eq!(sorted.iter().max(), Some(&Verdict::Broken));
        for verdict in sorted {
            assert_eq!(verdict.word().parse(), Ok(verdict));
        }
        assert!("Broken".parse::<Verdict>().is_err());
    }
}
