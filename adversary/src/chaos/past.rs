//! The operations of a run as a checker sees them: who asked what, when, and what came of it.

use std::collections::BTreeSet;
use std::fmt;

use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::history::{Event, History};

/// Which content of the workload, counted from zero.
pub(super) type Piece = u16;

/// A content, as the contents of the workload that it is made of. Empty ones leave no trace.
pub(super) type Content = Vec<Piece>;

/// One operation.
#[derive(Clone, Copy)]
pub(super) struct Act<'h> {
    pub(super) id: u32,
    pub(super) device: &'h DeviceName,
    pub(super) what: &'h Operation,
    pub(super) outcome: Option<&'h Outcome>,
    /// When it started.
    pub(super) start: usize,
    /// When the client said how it ended.
    pub(super) ended: usize,
    /// When the last of it may have taken effect: later than that if it failed, and the server's
    /// record shows a write of it.
    pub(super) end: usize,
    /// Whether the network was well.
    pub(super) well: bool,
}

impl<'h> Act<'h> {
    pub(super) fn answer(&self) -> Option<&'h Answer> {
        self.outcome.and_then(|outcome| outcome.as_ref().ok())
    }

    pub(super) fn failure(&self) -> Option<&'h Failure> {
        self.outcome.and_then(|outcome| outcome.as_ref().err())
    }

    /// Whether it may have changed anything.
    pub(super) fn is_possible(&self) -> bool {
        self.failure().is_none_or(|failure| {
            // What was begun when the mistake was found out may have taken effect before.
            failure.class != Class::Usage || matches!(self.what, Operation::Delete { .. })
        })
    }
}

impl fmt::Display for Act<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "operation {} ({} {}",
            self.id,
            self.device,
            self.what.name()
        )?;
        for name in names_of(self.what) {
            write!(f, " {}", Shown(name))?;
        }
        f.write_str(")")
    }
}

/// Bytes, for people.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.0.get(..12).unwrap_or(self.0);
        let more = if part.len() < self.0.len() { ".." } else { "" };
        write!(f, "\"{}{more}\"", part.escape_ascii())
    }
}

/// The names that an operation uses, those of its own directory.
pub(super) fn names_of(what: &Operation) -> Vec<&[u8]> {
    match what {
        Operation::Upload { name, .. }
        | Operation::Append { name, .. }
        | Operation::Download { name }
        | Operation::Delete { name }
        | Operation::Share { name, .. }
        | Operation::Revoke { name, .. }
        | Operation::Receive { as_name: name, .. } => vec![name],
        Operation::UploadMany { files } => files.iter().map(|(name, _)| name.as_slice()).collect(),
        _ => Vec::new(),
    }
}

/// What an operation writes: names and contents.
pub(super) fn writes_of(what: &Operation) -> Vec<(&[u8], &[u8])> {
    match what {
        Operation::Upload { name, content } | Operation::Append { name, content } => {
            vec![(name, content)]
        }
        Operation::UploadMany { files } => files
            .iter()
            .map(|(name, content)| (name.as_slice(), content.as_slice()))
            .collect(),
        _ => Vec::new(),
    }
}

/// A moment at which an operation starts or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    Starts(usize),
    Ends(usize),
}

/// All operations of a run, in the order in which they started.
pub(super) struct Past<'h> {
    pub(super) acts: Vec<Act<'h>>,
    /// Every content of the workload that is not empty.
    pub(super) pieces: Vec<&'h [u8]>,
    /// Whose directories there are, and the names in them: the model counts both.
    pub(super) users: Vec<&'h str>,
    pub(super) names: Vec<&'h [u8]>,
}

impl<'h> Past<'h> {
    /// Reads the operations out of a history; the network was well from this event on.
    ///
    /// # Errors
    ///
    /// Contents of the workload that a read could take for each other.
    pub(super) fn of(history: &'h History, healed: usize) -> Result<Self, String> {
        let mut acts: Vec<Act<'h>> = Vec::new();
        for (at, event) in history.events().iter().enumerate() {
            match event {
                Event::OperationStarted {
                    operation,
                    device,
                    what,
                } => acts.push(Act {
                    id: *operation,
                    device,
                    what,
                    outcome: None,
                    start: at,
                    ended: usize::MAX,
                    end: usize::MAX,
                    well: at >= healed,
                }),
                Event::OperationEnded { operation, outcome } => {
                    if let Some(act) = acts.iter_mut().find(|act| act.id == *operation) {
                        (act.ended, act.end, act.outcome) = (at, at, Some(outcome));
                    }
                }
                Event::Wrote { operation, .. } | Event::Published { operation, .. } => {
                    if let Some(act) = acts.iter_mut().find(|act| act.id == *operation)
                        && act.failure().is_some()
                    {
                        act.end = at;
                    }
                }
                _ => {}
            }
        }
        let users: BTreeSet<&str> = acts.iter().map(|act| act.device.user.as_str()).collect();
        let names: BTreeSet<&[u8]> = acts.iter().flat_map(|act| names_of(act.what)).collect();
        let written = acts.iter().flat_map(|act| writes_of(act.what));
        let written = written.map(|(_, content)| content);
        let mut pieces: Vec<&[u8]> = written.filter(|content| !content.is_empty()).collect();
        pieces.sort_unstable();
        let alike = pieces.windows(2).find(|two| two[1].starts_with(two[0]));
        if let Some([one, other]) = alike {
            let (one, other) = (Shown(one), Shown(other));
            return Err(format!(
                "a read could take {one} for {other}: nothing can be told"
            ));
        }
        Ok(Self {
            acts,
            pieces,
            users: users.into_iter().collect(),
            names: names.into_iter().collect(),
        })
    }

    /// When operations start and are over, in order.
    pub(super) fn moments(&self) -> Vec<Moment> {
        let mut moments: Vec<(usize, Moment)> = Vec::new();
        for (at, act) in self.acts.iter().enumerate() {
            moments.push((act.start, Moment::Starts(at)));
            if act.end < usize::MAX {
                moments.push((act.end, Moment::Ends(at)));
            }
        }
        moments.sort_unstable();
        moments.into_iter().map(|(_, moment)| moment).collect()
    }

    /// The content that these bytes are made of; none if nobody wrote some of them.
    pub(super) fn content(&self, bytes: &[u8]) -> Option<Content> {
        let mut content = Content::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            // None of two begins with the other: those that the rest begins with are next to it.
            let after = self.pieces.partition_point(|piece| *piece <= rest);
            let at = after.checked_sub(1)?;
            rest = rest.strip_prefix(self.pieces[at])?;
            content.push(Piece::try_from(at).ok()?);
        }
        Some(content)
    }

    /// The number of a user; of one who did nothing, none.
    pub(super) fn user(&self, user: &str) -> Option<u8> {
        let at = self.users.iter().position(|own| *own == user)?;
        u8::try_from(at).ok()
    }

    /// The number of a name; of one that nobody used, none.
    pub(super) fn name(&self, name: &[u8]) -> Option<u8> {
        let at = self.names.iter().position(|own| *own == name)?;
        u8::try_from(at).ok()
    }
}
