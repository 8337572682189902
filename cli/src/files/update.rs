//! A file of which something is stored already: only what changed of it is sent.

use std::collections::VecDeque;
use std::thread::{self, ScopedJoinHandle};

use turncoat_core::client::{Compared, Comparer};
use turncoat_core::{Error, Unavailable, Usage};

use super::connect::{Client, Update, now};
use super::content::{Failed, Moved, full, source_of, unchanged, unread};
use super::gather::Source;
use super::names::shown;
use super::progress::Progress;
use super::told::fault;

/// Stretches that are compared at a time, at most. Each takes the memory of a pack, twice.
const AT_A_TIME: usize = 4;

/// What came of it.
pub(super) enum Changes {
    /// The file is stored.
    Stored(Moved),
    /// Little of what is there can be in it: all of it is better sent so that a cut costs little.
    Unlike,
    /// It has to be sent as a whole, and why.
    Unfit(&'static str),
}

/// What keeps an update from building on what is there, and no whole upload from being done. That
/// the server is caught is nothing of the kind.
fn unfit(error: &Error) -> Option<&'static str> {
    match error {
        Error::Usage(Usage::Full) => {
            Some("what was there before is in too many pieces; all of the file was sent anew")
        }
        Error::Unavailable(Unavailable::Contended) => {
            Some("somebody else wrote to it meanwhile; all of the file was sent anew")
        }
        Error::Unavailable(Unavailable::Refused) => {
            Some("the server does not show what was there before; all of the file was sent anew")
        }
        _ => None,
    }
}

/// Stores a file, and sends what is not there already.
pub(super) fn only_changes(
    client: &mut Client,
    source: &Source,
    bar: &Progress,
) -> Result<Changes, Failed> {
    let doing = format!("put {}", shown(&source.name));
    let failed = |error: Error| match unfit(&error) {
        Some(why) => Ok(Changes::Unfit(why)),
        None => Err(Failed::All(fault(&doing, &error))),
    };
    let mut updating = match now(client.update(&source.name)) {
        Ok(updating) => updating,
        Err(error) => return failed(error),
    };
    if updating.comparer().comparable() < source.size / 2 {
        return Ok(Changes::Unlike);
    }
    // What is sent anew is counted anew, and the files before this one stay counted.
    let counted = bar.position();
    let size = match poured(&mut updating, source, bar) {
        Ok(size) => size,
        Err(Cut::Unread(failed)) => return Err(failed),
        Err(Cut::Failed(error)) => {
            bar.start_at(counted);
            return failed(error);
        }
    };
    unchanged(source, size).map_err(Failed::Alone)?;
    match now(updating.finish()) {
        Ok(done) => Ok(Changes::Stored(Moved {
            size,
            resumed: 0,
            kept: done.kept,
        })),
        Err(error) => {
            bar.start_at(counted);
            failed(error)
        }
    }
}

/// Why not all of a file went in.
enum Cut {
    Unread(Failed),
    Failed(Error),
}

/// Reads all of a file and adds it, stretch by stretch, while threads beside this one compare what
/// was read before. A stretch counts as moved once it was compared, and what had to be was sent.
fn poured(updating: &mut Update<'_>, source: &Source, bar: &Progress) -> Result<u64, Cut> {
    let unread = |error| Cut::Unread(Failed::Alone(unread(&source.path, &error)));
    let mut reader = source_of(source).map_err(unread)?;
    let comparer = updating.comparer();
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    thread::scope(|scope| {
        let mut add = |(compared, read): (ScopedJoinHandle<'_, Compared>, usize)| {
            match compared.join() {
                Ok(compared) => now(updating.add(compared)).map_err(Cut::Failed)?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
            bar.add(read as u64);
            Ok(())
        };
        let mut under_way = VecDeque::new();
        let mut size = 0;
        loop {
            let mut stretch = vec![0; Comparer::STRETCH];
            let read = full(&mut reader, &mut stretch).map_err(unread)?;
            if read == 0 {
                break;
            }
            stretch.truncate(read);
            let comparer = &comparer;
            let compared = scope.spawn(move || comparer.compare(size, stretch));
            under_way.push_back((compared, read));
            size += read as u64;
            if under_way.len() >= threads.min(AT_A_TIME) {
                under_way.pop_front().map_or(Ok(()), &mut add)?;
            }
        }
        under_way.into_iter().try_for_each(add)?;
        Ok(size)
    })
}

#[cfg(test)]
mod tests {
    use super::unfit;
    use turncoat_core::{Error, LocalState, Unavailable, Usage, Violation};

    #[test]
    fn only_what_a_whole_upload_does_without_leads_to_one() {
        let unfits: [(Error, &str); 3] = [
            (Usage::Full.into(), "in too many pieces"),
            (Unavailable::Contended.into(), "somebody else wrote to it"),
            (Unavailable::Refused.into(), "does not show what was there"),
        ];
        for (error, why) in unfits {
            let said = unfit(&error).unwrap_or_default();
            assert!(said.contains(why), "{error}: {said}");
            assert!(said.ends_with("all of the file was sent anew"), "{said}");
        }
        let ends: [Error; 11] = [
            Violation::Misbound.into(),
            Violation::Missing.into(),
            Violation::Truncated.into(),
            Violation::OutOfTurn.into(),
            Unavailable::Busy.into(),
            Unavailable::CutOff.into(),
            Unavailable::Timeout.into(),
            Unavailable::Withheld.into(),
            Unavailable::Closed.into(),
            Unavailable::LocalState(LocalState::Unwritable).into(),
            Usage::TooLong.into(),
        ];
        for error in ends {
            assert_eq!(unfit(&error), None, "{error}");
        }
    }
}
