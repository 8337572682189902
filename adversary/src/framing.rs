//! What a server, or whatever stands before it, can do to the frame of HTTP around a reply.
//!
//! The bytes of the reply are the same. Over HTTP they are sent in this frame; in memory the client
//! is given what every HTTP client must make of it, so that a run shows whether ours does.

use turncoat_core::remote::Lost;

use crate::codec::coded;

coded! {
    /// How a reply is framed.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Framing {
        /// A byte less is sent than the length says.
        0 => Short,
        /// What is sent is two replies, of which nobody asked for the second.
        1 => Followed,
        /// Nothing is sent, and the connection stays open.
        2 => Silent,
        /// Half of it is sent, and the connection stays open.
        3 => Stalled,
        /// It is sent a byte at a time, so slowly that it never ends.
        4 => Dripped,
        /// It has no end.
        5 => Endless,
        /// It is elsewhere, and there it is.
        6 => Redirected,
        /// It is elsewhere, and there it is elsewhere again.
        7 => Circled,
        /// It is in many codings at once, or so it says.
        8 => Coded,
        /// A hundred thousand headers come before it.
        9 => Headed,
        /// Interim replies without end come before it.
        10 => Hinted,
        /// Trailers without end come after it.
        11 => Trailed,
        /// A piece of it has no length.
        12 => Unchunked,
        /// It has two lengths.
        13 => Measured,
        /// It ends where the connection does.
        14 => Unmeasured,
        /// It is a page for people.
        15 => Paged,
        /// It comes under the status of something that is not there.
        16 => Misnumbered,
    }
}

/// The words of scripts.
const NAMES: [(&str, Framing); 17] = [
    ("short", Framing::Short),
    ("followed", Framing::Followed),
    ("silent", Framing::Silent),
    ("stalled", Framing::Stalled),
    ("dripped", Framing::Dripped),
    ("endless", Framing::Endless),
    ("redirected", Framing::Redirected),
    ("circled", Framing::Circled),
    ("coded", Framing::Coded),
    ("headed", Framing::Headed),
    ("hinted", Framing::Hinted),
    ("trailed", Framing::Trailed),
    ("unchunked", Framing::Unchunked),
    ("measured", Framing::Measured),
    ("unmeasured", Framing::Unmeasured),
    ("paged", Framing::Paged),
    ("misnumbered", Framing::Misnumbered),
];

impl Framing {
    /// The framing that scripts call `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, framing)| *framing)
    }

    /// The word of scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(_, framing)| *framing == self);
        found.map_or("", |(name, _)| name)
    }

    /// All words of scripts.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// What a client has instead of a reply; nothing where the reply is whole all the same.
    #[must_use]
    pub const fn lost(self) -> Option<Lost> {
        match self {
            Self::Followed | Self::Misnumbered => None,
            Self::Silent | Self::Stalled | Self::Dripped => Some(Lost::Timeout),
            Self::Endless | Self::Trailed => Some(Lost::TooLarge),
            Self::Short
            | Self::Redirected
            | Self::Circled
            | Self::Coded
            | Self::Headed
            | Self::Hinted
            | Self::Unchunked
            | Self::Measured
            | Self::Unmeasured
            | Self::Paged => Some(Lost::CutOff),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Framing;
    use crate::codec::Code as _;

    #[test]
    fn every_framing_has_a_word_of_its_own() {
        for (number, name) in (0_u8..).zip(Framing::names()) {
            let framing = Framing::from_bytes(&[number]).expect("they are numbered without a gap");
            assert_eq!(framing.name(), name);
            assert_eq!(Framing::parse(name), Some(framing));
        }
        let count = u8::try_from(Framing::names().count()).expect("they are few");
        assert_eq!(Framing::from_bytes(&[count]), None);
        assert_eq!(Framing::parse("shorn"), None);
    }
}
