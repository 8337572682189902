//! The fifteen guarantees by id and name.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::words::UnknownWord;

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

impl Guarantee {
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

impl Serialize for Guarantee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guarantee {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

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
