//! The seed of a run, in one spelling out and two in.

use core::fmt;
use core::str::FromStr;

use crate::words::{UnknownWord, as_text};

/// The seed of a run. It is written in hexadecimal, because JSON numbers lose digits above 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let (digits, radix) = match word.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (word, 10),
        };
        let unknown = UnknownWord {
            kind: "seed: a decimal number below 2^64, or 0x and up to 16 hexadecimal digits",
        };
        // `from_str_radix` takes a leading plus sign; a seed has one spelling less.
        if digits.is_empty() || digits.starts_with('+') {
            return Err(unknown);
        }
        u64::from_str_radix(digits, radix)
            .map(Self)
            .map_err(|_| unknown)
    }
}

as_text!(Seed);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        let good = [
            ("0", 0),
            ("42", 42),
            ("0x2a", 42),
            ("0xFFFFFFFFFFFFFFFF", u64::MAX),
        ];
        for (text, number) in good {
            assert_eq!(text.parse(), Ok(Seed(number)), "{text}");
        }
        for wrong in [
            "",
            "0x",
            "+1",
            "0x+1",
            "-1",
            "2a",
            "1_000",
            " 1",
            "18446744073709551616",
        ] {
            assert!(wrong.parse::<Seed>().is_err(), "{wrong}");
        }
        assert_eq!(Seed(u64::MAX).to_string().parse(), Ok(Seed(u64::MAX)));
    }
}
