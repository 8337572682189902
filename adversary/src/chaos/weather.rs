//! What a bad network does to the messages of an honest server: it changes none of them.

use std::collections::BTreeMap;

use crate::attack::Edit;
use crate::chooser::Chooser;
use crate::framing::Framing;
use crate::script::performer::Direction;

/// One kind of trouble.
#[derive(Clone, Copy)]
enum Trouble {
    /// The server answers that it is busy, before it acted or after.
    Busy,
    /// The connection ends in the middle of a reply, or a proxy answers in the server's place.
    Cut,
    /// A message takes its time.
    Delayed,
    /// The server is asked twice.
    Doubled,
    /// Its sender has given up when a request arrives.
    Late,
    /// A message is lost.
    Lost,
    /// A reply comes in an odd frame, and is whole.
    Reframed,
}

const ALL: [Trouble; 7] = [
    Trouble::Busy,
    Trouble::Cut,
    Trouble::Delayed,
    Trouble::Doubled,
    Trouble::Late,
    Trouble::Lost,
    Trouble::Reframed,
];

/// Frames in which a reply is lost.
const CUTS: [Framing; 7] = [
    Framing::Short,
    Framing::Silent,
    Framing::Stalled,
    Framing::Unchunked,
    Framing::Unmeasured,
    Framing::Paged,
    Framing::Redirected,
];

/// The longest delay of one message.
const DELAY_MAX_MS: u32 = 60_000;

/// Before how many later requests a late one arrives, at most.
const LATE_MAX: u32 = 12;

/// The network of one run: each has troubles of its own, and some have none of many kinds.
pub(super) struct Weather {
    /// One message in so many is in trouble; none with zero.
    one_in: u32,
    /// What kinds there are, each as often as it is likely.
    kinds: Vec<Trouble>,
}

impl Weather {
    pub(super) fn new(chooser: &mut Chooser) -> Self {
        let one_in = [0, 2, 3, 4, 5, 8, 13][chooser.choose(7) as usize];
        let mut kinds = Vec::new();
        for trouble in ALL {
            let weight = [0, 0, 1, 1, 5][chooser.choose(5) as usize];
            kinds.extend(std::iter::repeat_n(trouble, weight));
        }
        Self { one_in, kinds }
    }

    /// What happens to one message on its way.
    pub(super) fn edits(
        &self,
        chooser: &mut Chooser,
        direction: Direction,
        counts: &mut BTreeMap<&'static str, u64>,
    ) -> Vec<Edit> {
        if self.one_in == 0 || self.kinds.is_empty() || chooser.choose(self.one_in) > 0 {
            return Vec::new();
        }
        let kinds = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        let trouble = self.kinds[chooser.choose(kinds) as usize];
        let busy = || "busy".to_owned();
        let (name, edit) = match (trouble, direction) {
            (Trouble::Busy, Direction::Request) => match chooser.choose(2) {
                0 => ("5xx before it acted", Edit::Refuse { name: busy() }),
                _ => ("5xx after it acted", Edit::StoreBut { name: busy() }),
            },
            (Trouble::Busy, Direction::Reply) => {
                ("5xx after it acted", Edit::Refuse { name: busy() })
            }
            (Trouble::Delayed, _) => {
                let duration_ms = u64::from(1 + chooser.choose(DELAY_MAX_MS));
                ("delayed", Edit::Delay { duration_ms })
            }
            (Trouble::Lost | Trouble::Cut, Direction::Request) => ("requests lost", Edit::Drop),
            (Trouble::Lost, Direction::Reply) => ("replies lost", Edit::Drop),
            (Trouble::Doubled, Direction::Request) => ("requests doubled", Edit::Twice),
            (Trouble::Late, Direction::Request) => {
                let requests = 1 + chooser.choose(LATE_MAX);
                ("requests late", Edit::Late { requests })
            }
            (Trouble::Cut, Direction::Reply) => {
                let cuts = u32::try_from(CUTS.len()).unwrap_or(u32::MAX);
                let framing = CUTS[chooser.choose(cuts) as usize];
                ("connections reset", Edit::Framed { framing })
            }
            (Trouble::Reframed, Direction::Reply) => {
                let whole = [Framing::Followed, Framing::Misnumbered];
                let framing = whole[chooser.choose(2) as usize];
                ("replies reframed", Edit::Framed { framing })
            }
            (Trouble::Doubled | Trouble::Late, Direction::Reply)
            | (Trouble::Reframed, Direction::Request) => return Vec::new(),
        };
        *counts.entry(name).or_default() += 1;
        vec![edit]
    }
}
