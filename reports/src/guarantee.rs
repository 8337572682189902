//! The fifteen guarantees by id and name.

use core::fmt;
use core::str::FromStr;

use crate::words::{UnknownWord, as_text};

/// One of the guarantees G1 to G15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guarantee(u8);

/// The names of G1 to G15, in their order.
const GUARANTEES: [&str; 15] = [
    "authenticity",
    "binding",
    "freshness",
    "fork consistency",
    "complete listings",
    "confidentiality",
    "revocation",
    "key authenticity",
    "forward secrecy",
    "no oracles",
    "fail closed",
    "bounded resources",
    "key hygiene",
    "evidence",
    "no false alarm",
];

/// What each guarantee says, in their order.
const MEANINGS: [&str; 15] = [
    "a successful read returns bytes that an authorised member wrote to that file",
    "content belongs to its account, space, path, file, version, position and length",
    "no device accepts an older state than it has seen, and a read claims no more than is true",
    "views once forked are never silently joined, and any contact exposes the fork",
    "a list is exactly the directory at one accepted head",
    "the server's record depends on secrets only as the published leakage profile allows",
    "what is written after a revocation was seen stays closed to the revoked member",
    "keys are pinned, a change is reported, and first contact is honest about what was checked",
    "a later compromise does not open what rotation left behind, nor an earlier one what follows",
    "nothing that the server sees depends on why a secret-key operation failed",
    "an error releases nothing that was not verified, harms nothing, and the next honest run works",
    "hostile input costs bounded memory, processor time, disk, requests and time",
    "no key and nonce meet two plaintexts, and no key serves two purposes",
    "a fork yields a file that a stand-alone verifier accepts",
    "an honest server behind a bad network is never accused",
];

impl Guarantee {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=15).map(Self)
    }

    /// What it says, in one line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        let at = usize::from(self.0).saturating_sub(1);
        MEANINGS.get(at).copied().unwrap_or("")
    }

    /// The guarantee with this number, from 1 to 15.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        (1..=15).contains(&number).then_some(Self(number))
    }

    /// The number in the guarantee's id.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The guarantee's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        GUARANTEES
            .get(usize::from(self.0).saturating_sub(1))
            .copied()
            .unwrap_or("")
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "G{}", self.0)
    }
}

impl FromStr for Guarantee {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord {
            kind: "guarantee: one of G1 to G15",
        };
        let found = (1..=15)
            .map(Self)
            .find(|guarantee| guarantee.to_string() == word);
        found.ok_or(unknown)
    }
}

as_text!(Guarantee);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarantees_have_fifteen_ids_and_names() {
        assert_eq!(Guarantee::numbered(0), None);
        assert_eq!(Guarantee::numbered(16), None);
        let third = Guarantee::numbered(3).unwrap();
        assert_eq!(
            (third.to_string().as_str(), third.name()),
            ("G3", "freshness")
        );
        assert_eq!("G15".parse::<Guarantee>().unwrap().name(), "no false alarm");
        for wrong in ["G0", "G16", "g3", "G03", "3", ""] {
            assert!(wrong.parse::<Guarantee>().is_err(), "{wrong}");
        }
    }
}
