//! The hardened client with one lie: the control of scripts for which no defence can be left out.
//!
//! The lie is told after the client has done its work, so that everything else in the run is as it
//! is; what decides whether it was seen is the same oracle that finds nothing otherwise.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::core::Hardened;
use super::{Accepted, Client, Declaration, Line, OwnedFuture, Process, Saved, Setting};
use crate::client::{Answer, Class, Failure, Operation, Outcome};

/// One lie.
#[derive(Debug, PartialEq, Eq)]
pub struct Lie {
    /// Its name in headers.
    pub name: &'static str,
    /// What the client does, after \"a client that\".
    pub sentence: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AcceptsForgery,
    AcceptsInvention,
    Alarm,
    AlarmAfterRestart,
    AlarmOnLoss,
    AsksWithoutEnd,
    ChecksNobody,
    ClaimsABound,
    ForgesAfterLoss,
    ForgesContent,
    InventsName,
    Misplaces,
    ReleasesUnverified,
    RevokesNothing,
    SendsInClear,
    SignsUpAgain,
    StartsAnew,
}

impl Lie {
    /// All, by name.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "accepts-forgery",
            sentence: "returns bytes that nobody wrote where it must refuse a file",
            kind: Kind::AcceptsForgery,
        },
        Self {
            name: "accepts-invention",
            sentence: "lists a file that nobody made where it must refuse a list",
            kind: Kind::AcceptsInvention,
        },
        Self {
            name: "alarm",
            sentence: "accuses the server whatever it answers",
            kind: Kind::Alarm,
        },
        Self {
            name: "alarm-after-restart",
            sentence: "accuses the server after each restart of its own",
            kind: Kind::AlarmAfterRestart,
        },
        Self {
            name: "alarm-on-loss",
            sentence: "takes a lost or refused message for an attack",
            kind: Kind::AlarmOnLoss,
        },
        Self {
            name: "asks-without-end",
            sentence: "answers failures with thousands of requests",
            kind: Kind::AsksWithoutEnd,
        },
        Self {
            name: "checks-nobody",
            sentence: "takes a contact whom it must refuse, and claims that it was compared",
            kind: Kind::ChecksNobody,
        },
        Self {
            name: "claims-a-bound",
            sentence: "claims that what it shows is of a certain age at most",
            kind: Kind::ClaimsABound,
        },
        Self {
            name: "forges-after-loss",
            sentence: "returns bytes that nobody wrote once a message of the user's was lost",
            kind: Kind::ForgesAfterLoss,
        },
        Self {
            name: "forges-content",
            sentence: "returns bytes that nobody wrote, whatever it was shown",
            kind: Kind::ForgesContent,
        },
        Self {
            name: "invents-name",
            sentence: "lists a file that nobody made, whatever it was shown",
            kind: Kind::InventsName,
        },
        Self {
            name: "misplaces",
            sentence: "goes on where a login or an invitation must be refused, and shows another \
                       file, or a part of this one, where it must refuse a file",
            kind: Kind::Misplaces,
        },
        Self {
            name: "releases-unverified",
            sentence: "hands out bytes before it has verified them",
            kind: Kind::ReleasesUnverified,
        },
        Self {
            name: "revokes-nothing",
            sentence: "says that it revoked a member, and has asked the server for nothing",
            kind: Kind::RevokesNothing,
        },
        Self {
            name: "sends-in-clear",
            sentence: "sends a content in clear where it cannot upload it",
            kind: Kind::SendsInClear,
        },
        Self {
            name: "signs-up-again",
            sentence: "makes a new account after every failure",
            kind: Kind::SignsUpAgain,
        },
        Self {
            name: "starts-anew",
            sentence: "takes a store that is empty for a new one",
            kind: Kind::StartsAnew,
        },
    ];

    /// Whether the lie is a claim that is false whatever the server does.
    #[must_use]
    pub fn is_a_claim(&self) -> bool {
        self.kind == Kind::ClaimsABound
    }

    /// What the client makes of an outcome.
    fn told(
        &self,
        operation: &Operation,
        remembers: bool,
        lying: (&Line, bool),
        outcome: Outcome,
    ) -> Outcome {
        let (line, lost) = lying;
        let reads = matches!(operation, Operation::Download { .. });
        let lists = matches!(operation, Operation::List);
        let forged = || {
            Ok(Answer {
                content: Some(b"what nobody wrote".to_vec()),
                ..Answer::default()
            })
        };
        let invented = || {
            Ok(Answer {
                names: Some(vec![b"invented".to_vec()]),
                ..Answer::default()
            })
        };
        let alarm = || Err(Failure::new(Class::Violation, "fork"));
        match (self.kind, outcome) {
            (Kind::Alarm, _) if !matches!(operation, Operation::SignUp) => alarm(),
            (Kind::AlarmAfterRestart, Ok(_)) if remembers => alarm(),
            (Kind::AlarmOnLoss, Err(failure)) if failure.class == Class::Unavailable => alarm(),
            (Kind::ReleasesUnverified, Err(failure)) if failure.class != Class::Usage => {
                line.release(b"what the server showed".to_vec());
                Err(failure)
            }
            (Kind::ForgesContent, _) | (Kind::AcceptsForgery, Err(_)) if reads => forged(),
            (Kind::ForgesAfterLoss, _) if reads && lost => forged(),
            (Kind::InventsName, _) | (Kind::AcceptsInvention, Err(_)) if lists => invented(),
            (Kind::ChecksNobody, Err(_))
                if matches!(
                    operation,
                    Operation::Share { .. } | Operation::Receive { .. }
                ) =>
            {
                let mut answer = Answer::default();
                answer.claims.contact_verified = Some(true);
                Ok(answer)
            }
            (Kind::StartsAnew, Err(failure)) if failure.class == Class::Violation => {
                match operation {
                    Operation::Upload { .. } | Operation::Update { .. } => Ok(Answer::default()),
                    _ => Err(Failure::new(Class::Usage, "no-such-file")),
                }
            }
            (Kind::ClaimsABound, Ok(mut answer)) if answer.claims.bounded.is_some() => {
                answer.claims.bounded = Some(true);
                Ok(answer)
            }
            (_, outcome) => outcome,
        }
    }
}

/// What devices of one run uploaded, by user and name.
type Uploads = Rc<RefCell<BTreeMap<(String, Vec<u8>), Vec<u8>>>>;

/// The hardened client with one lie.
pub struct Planted {
    lie: &'static Lie,
    uploads: Uploads,
    /// Whether any operation of the run came to no answer.
    lost: Rc<Cell<bool>>,
    /// Whether it went on where it had to stop: then there is no file of the name that it took.
    let_in: Rc<Cell<bool>>,
}

impl Planted {
    /// The client, for one run.
    #[must_use]
    pub fn new(lie: &'static Lie) -> Self {
        Self {
            lie,
            uploads: Uploads::default(),
            lost: Rc::default(),
            let_in: Rc::default(),
        }
    }

    fn wrap(&self, (user, line): (String, Line), remembers: bool, process: Inner) -> Lying {
        Lying {
            lie: self.lie,
            user,
            line,
            remembers,
            uploads: Rc::clone(&self.uploads),
            lost: Rc::clone(&self.lost),
            let_in: Rc::clone(&self.let_in),
            asked: Rc::default(),
            process: Rc::new(RefCell::new(process)),
        }
    }
}

impl Client for Planted {
    fn name(&self) -> String {
        format!("planted:{}", self.lie.name)
    }

    fn declaration(&self) -> Declaration {
        Hardened.declaration()
    }

    fn start(&self, setting: Setting) -> Result<Inner, String> {
        let who = (setting.device.user.clone(), setting.line.clone());
        let remembers = setting.remembers;
        let process = Hardened.start(setting)?;
        Ok(Box::new(self.wrap(who, remembers, process)))
    }

    fn resume(&self, setting: Setting, saved: &Saved) -> Option<Inner> {
        let who = (setting.device.user.clone(), setting.line.clone());
        let remembers = setting.remembers;
        let process = Hardened.resume(setting, saved)?;
        Some(Box::new(self.wrap(who, remembers, process)))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        Hardened.accepted(durable)
    }
}

type Inner = Box<dyn Process>;

struct Lying {
    lie: &'static Lie,
    user: String,
    line: Line,
    remembers: bool,
    uploads: Uploads,
    lost: Rc<Cell<bool>>,
    let_in: Rc<Cell<bool>>,
    /// How many failures were answered with requests.
    asked: Rc<Cell<u32>>,
    process: Rc<RefCell<Inner>>,
}

/// Requests that answer one failure: more than any operation may send, and soon over. So that a run
/// of many failures ends as well, the first few of a process are answered.
const ASKED: u32 = 3_000;
const ASKED_TIMES: u32 = 3;

/// Genuine bytes that are not what was asked for: another file's, or else a part of the file.
fn misplaced(uploads: &Uploads, user: &str, name: &[u8]) -> Option<Vec<u8>> {
    let uploads = uploads.borrow();
    let mut others = uploads.iter();
    let is_this = |(by, other): &(String, Vec<u8>)| by == user && other == name;
    let other = others.find(|(key, _)| !is_this(key) && key.1 != name);
    let part = |(_, content): (_, &Vec<u8>)| content[..content.len() / 2].to_vec();
    let this = || uploads.iter().find(|(key, _)| key.1 == name).map(part);
    other.map(|(_, content)| content.clone()).or_else(this)
}

impl Process for Lying {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let (lie, line, remembers) = (self.lie, self.line.clone(), self.remembers);
        let (user, uploads) = (self.user.clone(), Rc::clone(&self.uploads));
        let (process, lost) = (Rc::clone(&self.process), Rc::clone(&self.lost));
        let (let_in, asked) = (Rc::clone(&self.let_in), Rc::clone(&self.asked));
        if let Operation::Upload { name, content } | Operation::Update { name, content } =
            &operation
        {
            let key = (user.clone(), name.clone());
            uploads.borrow_mut().insert(key, content.clone());
        }
        if let (Kind::RevokesNothing, Operation::Revoke { .. }) = (lie.kind, &operation) {
            return Box::pin(async { Ok(Answer::default()) });
        }
        let done = self.process.borrow_mut().begin(operation.clone());
        Box::pin(async move {
            let done = done.await;
            if let (Kind::SendsInClear, Operation::Upload { content, .. }, Err(_)) =
                (lie.kind, &operation, &done)
            {
                drop(line.exchange(content.clone(), 1 << 20).await);
            }
            let unavailable = |failure: &Failure| failure.class == Class::Unavailable;
            lost.set(lost.get() || done.as_ref().err().is_some_and(unavailable));
            let outcome = lie.told(&operation, remembers, (&line, lost.get()), done);
            match (lie.kind, &operation, outcome) {
                (Kind::AsksWithoutEnd, _, Err(failure)) => {
                    if asked.replace(asked.get() + 1) < ASKED_TIMES {
                        for _ in 0..ASKED {
                            drop(line.exchange(b"and again".to_vec(), 1 << 20).await);
                        }
                    }
                    Err(failure)
                }
                (Kind::SignsUpAgain, other, Err(failure)) if *other != Operation::SignUp => {
                    let again = process.borrow_mut().begin(Operation::SignUp);
                    drop(again.await);
                    Err(failure)
                }
                (Kind::Misplaces, Operation::Login | Operation::Receive { .. }, Err(failure))
                    if failure.class != Class::Usage =>
                {
                    let_in.set(true);
                    Ok(Answer::default())
                }
                (Kind::Misplaces, Operation::Download { name }, Err(failure))
                    if failure.class != Class::Usage || let_in.get() =>
                {
                    match misplaced(&uploads, &user, name) {
                        Some(content) => Ok(Answer {
                            content: Some(content),
                            ..Answer::default()
                        }),
                        None => Err(failure),
                    }
                }
                (_, _, outcome) => outcome,
            }
        })
    }

    fn save(&self) -> Option<Saved> {
        // What the run uploaded and lost is no part of a device.
        match self.lie.kind {
            Kind::Misplaces | Kind::ForgesAfterLoss => None,
            _ => self.process.borrow().save(),
        }
    }
}
