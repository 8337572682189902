//! What a failure of the client means to the person before the terminal.

use turncoat_core::{Error, Unavailable, Usage, Violation};

use crate::status::{Fault, Status};

/// A failure as a fault of the program: what happened, what is proved, what to do next.
pub(crate) fn fault(doing: &str, error: &Error) -> Fault {
    said_of(doing, error).named(error.name())
}

/// A failure of what is done twice if it is tried again and had been done: where no answer came,
/// nobody can say.
pub(super) fn fault_once(doing: &str, error: &Error) -> Fault {
    use Unavailable::{Busy, CutOff, LocalState, Timeout};
    const NEXT: &str = "it may have been done all the same: see before you try again";
    match error {
        Error::Unavailable(why @ (Busy | CutOff | Timeout)) => {
            no_answer(doing, *why, NEXT).named(error.name())
        }
        // The device could not note what the server had done.
        Error::Unavailable(LocalState(_)) => fault(doing, error).and(&format!("\n  {NEXT}")),
        error => fault(doing, error),
    }
}

fn no_answer(doing: &str, why: Unavailable, next: &str) -> Fault {
    let said = format!(
        "{doing}: no usable answer: {}\n  nothing is proved against the server; {next}",
        why.name()
    );
    Fault::of(Status::NoAnswer, said)
}

fn said_of(doing: &str, error: &Error) -> Fault {
    match error {
        Error::Violation(violation) => Fault::of(
            Status::Violation,
            format!(
                "{doing}: the server is caught: {name}\n{sides}  what it means: {meaning}\n  what \
                 to do: keep what you have, do not trust this server with anything new, and warn \
                 those who share with you",
                name = violation.name(),
                sides = sides(violation),
                meaning = meaning(violation),
            ),
        ),
        Error::Unavailable(Unavailable::LocalState(state)) => Fault::machine(format!(
            "{doing}: what this device remembers cannot be used; {}",
            state.advice()
        )),
        Error::Unavailable(why) => no_answer(doing, *why, next(*why)),
        Error::Usage(usage) => Fault::usage(format!("{doing}: {}", said(*usage))),
        other => Fault::machine(format!("{doing}: {other}")),
    }
}

/// Both sides of the contradiction, where there are two.
fn sides(violation: &Violation) -> String {
    let two = |trusted: String, offered: String| {
        format!("  this device trusts: {trusted}\n  the server shows:   {offered}\n")
    };
    match violation {
        Violation::Fork {
            trusted, offered, ..
        }
        | Violation::Rollback {
            trusted, offered, ..
        } => {
            let head = |at: &turncoat_core::id::Checkpoint| {
                format!("head {} at height {}", at.head, at.height)
            };
            two(head(trusted), head(offered))
        }
        Violation::KeyChanged {
            trusted, offered, ..
        }
        | Violation::Equivocation {
            trusted, offered, ..
        } => two(trusted.to_string(), offered.to_string()),
        Violation::FastForward { trusted, offered } => {
            two(format!("height {trusted}"), format!("height {offered}"))
        }
        _ => String::new(),
    }
}

/// What a violation means for the data, in one sentence.
fn meaning(violation: &Violation) -> &'static str {
    match violation {
        Violation::Rollback { .. } => {
            "an older state of your files was passed off as the current one"
        }
        Violation::Fork { .. } => {
            "your devices or those who share with you are shown different histories"
        }
        Violation::Equivocation { .. } | Violation::KeyChanged { .. } => {
            "somebody's keys were exchanged, and whoever holds the new ones could read what you \
             share with them"
        }
        Violation::UntrustedKey { .. } => "something came from keys that nobody vouches for",
        Violation::FastForward { .. } => "a counter was pushed forward so that it would run out",
        Violation::Inauthentic => "something was changed, or was never written by its author",
        Violation::Misbound => "something genuine was put where it does not belong",
        Violation::Missing => "something that is there was denied",
        Violation::Truncated => "the beginning of a file was passed off as all of it",
        Violation::RevokedAuthor { .. } => "somebody without access wrote",
        Violation::WeakParameters => {
            "the password is to be derived in another way than this device did before, or in one \
             that makes guessing it cheap: it may be another server (see --server), and nothing \
             was sent"
        }
        Violation::TooLarge => "more was sent than any honest answer holds",
        _ => "an answer is none that an honest server gives",
    }
}

fn next(why: Unavailable) -> &'static str {
    match why {
        Unavailable::Busy => "the server cannot take it now: its disk or its connections are full",
        Unavailable::Refused => "see that user and password are right",
        Unavailable::Taken => "choose another name",
        Unavailable::UnknownUser => "see that the name is right",
        Unavailable::NoInvitation => "see that it was shared with you, and under which name",
        Unavailable::Closed => {
            "your access may have been revoked; turncoat rm takes the name from your own list"
        }
        Unavailable::Spoilt { .. } => {
            "somebody who may write to it wrote what does not open; put it anew, or revoke them"
        }
        _ => "try again, and see that the server is up",
    }
}

fn said(usage: Usage) -> &'static str {
    match usage {
        Usage::AlreadyReceived => "it was received before",
        Usage::BadStatement => {
            "this is no whole statement of a device; let the other device make it again"
        }
        Usage::Full => "the file has had as many appends as it can hold; put it anew",
        Usage::TooLong => "a name, a password or a content is too long",
        Usage::NameTaken => "the name is taken",
        Usage::NoSuchFile => "there is no file of that name; turncoat ls shows what there is",
        Usage::OtherContent => {
            "it is not what an earlier run began to store under this name; put it again, from its \
             beginning"
        }
        Usage::NotShared => "it is not shared with that user",
        Usage::NotOwner => "only the owner may do this",
        Usage::EmptyName => "an account must have a name",
        Usage::Oneself => "that is you",
        Usage::UnknownContact => "you never met whoever says this; see fingerprint USER first",
        Usage::WrongDevice => {
            "this device has an account of that name already; give another one its own --state"
        }
        _ => "the client does not do that",
    }
}
