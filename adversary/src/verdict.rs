//! What a run says about a client, and which of two answers is the worse one.

use std::fmt;

use crate::codec::coded;

/// What was decided about one script and one client. Later is worse; the worst wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Declared by the client's adapter before the run.
    Inapplicable,
    /// The client failed exactly as the script names.
    Caught,
    /// The operation succeeded and was right.
    Harmless,
    /// Undetectable in principle, and the client said so.
    Admitted,
    /// The client failed closed, but for another reason than the script names.
    Refused,
    /// The client was shown nothing but the honest answers: a defect of the script.
    Inert,
    /// The testbed failed: a checker or a script crashed, or the script has no control.
    Unknown,
    /// A guarantee fell.
    Broken,
}

impl Verdict {
    /// All, best first.
    pub const ALL: [Self; 8] = [
        Self::Inapplicable,
        Self::Caught,
        Self::Harmless,
        Self::Admitted,
        Self::Refused,
        Self::Inert,
        Self::Unknown,
        Self::Broken,
    ];

    /// The worse of the two.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// The word of headers and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

    /// Reads a word of headers.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

coded! {
    /// What a client promises; the numbers and the words are those of the threat model.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Guarantee {
        /// Authenticity.
        1 => G1,
        /// Binding.
        2 => G2,
        /// Freshness.
        3 => G3,
        /// Fork consistency.
        4 => G4,
        /// Complete listings.
        5 => G5,
        /// Confidentiality.
        6 => G6,
        /// Revocation.
        7 => G7,
        /// Key authenticity.
        8 => G8,
        /// Forward secrecy.
        9 => G9,
        /// No oracles.
        10 => G10,
        /// Fail closed.
        11 => G11,
        /// Bounded resources.
        12 => G12,
        /// Key hygiene.
        13 => G13,
        /// Evidence.
        14 => G14,
        /// No false alarm.
        15 => G15,
    }
}

impl Guarantee {
    /// All, in order.
    pub const ALL: [Self; 15] = [
        Self::G1,
        Self::G2,
        Self::G3,
        Self::G4,
        Self::G5,
        Self::G6,
        Self::G7,
        Self::G8,
        Self::G9,
        Self::G10,
        Self::G11,
        Self::G12,
        Self::G13,
        Self::G14,
        Self::G15,
    ];

    /// The id that scripts, tests, errors and reports cite.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::G1 => "G1",
            Self::G2 => "G2",
            Self::G3 => "G3",
            Self::G4 => "G4",
            Self::G5 => "G5",
            Self::G6 => "G6",
            Self::G7 => "G7",
            Self::G8 => "G8",
            Self::G9 => "G9",
            Self::G10 => "G10",
            Self::G11 => "G11",
            Self::G12 => "G12",
            Self::G13 => "G13",
            Self::G14 => "G14",
            Self::G15 => "G15",
        }
    }

    /// What the id stands for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::G1 => "authenticity",
            Self::G2 => "binding",
            Self::G3 => "freshness",
            Self::G4 => "fork consistency",
            Self::G5 => "complete listings",
            Self::G6 => "confidentiality",
            Self::G7 => "revocation",
            Self::G8 => "key authenticity",
            Self::G9 => "forward secrecy",
            Self::G10 => "no oracles",
            Self::G11 => "fail closed",
            Self::G12 => "bounded resources",
            Self::G13 => "key hygiene",
            Self::G14 => "evidence",
            Self::G15 => "no false alarm",
        }
    }

    /// Reads an id.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guarantee| guarantee.id() == id)
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id(), self.name())
    }
}

coded! {
    /// A guarantee that fell in one run.
    pub struct Breach {
        /// Which.
        pub guarantee: Guarantee,
        /// Both sides of the contradiction, for people.
        pub evidence: String,
        /// The operation at which it fell, where it is one.
        pub operation: Option<u32>,
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.guarantee, self.evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::{Guarantee, Verdict};

    #[test]
    fn the_worst_verdict_wins() {
        use Verdict::{Admitted, Broken, Caught, Harmless, Inapplicable, Inert, Refused, Unknown};
        let worst_first = [
            Broken,
            Unknown,
            Inert,
            Refused,
            Admitted,
            Harmless,
            Caught,
            Inapplicable,
        ];
        for (at, worse) in worst_first.into_iter().enumerate() {
            for better in &worst_first[at..] {
                assert_eq!(worse.merge(*better), worse);
                assert_eq!(better.merge(worse), worse);
            }
        }
    }

    #[test]
    fn words_and_ids_read_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.name()), Some(verdict));
        }
        for (at, guarantee) in Guarantee::ALL.into_iter().enumerate() {
            assert_eq!(guarantee.id(), format!("G{}", at + 1));
            assert_eq!(Guarantee::parse(guarantee.id()), Some(guarantee));
        }
        assert_eq!(Verdict::parse("fine"), None);
        assert_eq!(Guarantee::parse("G16"), None);
    }
}
