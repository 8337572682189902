//! The hardened client with one lie: the control of scripts for which no defence can be left out.
//!
//! The lie is told after the client has done its work, so that everything else in the run is as it
//! is; what decides whether it was seen is the same oracle that finds nothing otherwise.

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
    Alarm,
    AlarmAfterRestart,
    AlarmOnLoss,
    ChecksNobody,
    ForgesContent,
    InventsName,
    KnowsItsAge,
    ReleasesUnverified,
}

impl Lie {
    /// All, by name.
    pub const ALL: &'static [Self] = &[
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
            name: "checks-nobody",
            sentence: "claims that every contact was compared",
            kind: Kind::ChecksNobody,
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
            name: "knows-its-age",
            sentence: "claims that what it shows is no older than anything it saw",
            kind: Kind::KnowsItsAge,
        },
        Self {
            name: "releases-unverified",
            sentence: "hands out bytes before it has verified them",
            kind: Kind::ReleasesUnverified,
        },
    ];

    /// What the client makes of an outcome.
    fn told(
        &self,
        operation: &Operation,
        remembers: bool,
        line: &Line,
        outcome: Outcome,
    ) -> Outcome {
        let reads = matches!(operation, Operation::Download { .. });
        let alarm = || Err(Failure::new(Class::Violation, "fork"));
        match (self.kind, outcome) {
            (Kind::Alarm, _) if !matches!(operation, Operation::SignUp) => alarm(),
            (Kind::AlarmAfterRestart, Ok(_)) if remembers => alarm(),
            (Kind::AlarmOnLoss, Err(failure)) if failure.class == Class::Unavailable => alarm(),
            (Kind::ReleasesUnverified, Err(failure)) if reads => {
                line.release(b"what the server showed".to_vec());
                Err(failure)
            }
            (Kind::ForgesContent, _) if reads => Ok(Answer {
                content: Some(b"what nobody wrote".to_vec()),
                ..Answer::default()
            }),
            (Kind::InventsName, _) if matches!(operation, Operation::List) => Ok(Answer {
                names: Some(vec![b"invented".to_vec()]),
                ..Answer::default()
            }),
            (kind, Ok(mut answer)) => {
                match kind {
                    Kind::ChecksNobody if answer.claims.contact_verified.is_some() => {
                        answer.claims.contact_verified = Some(true);
                    }
                    Kind::KnowsItsAge if answer.claims.monotone.is_some() => {
                        answer.claims.monotone = Some(true);
                    }
                    _ => {}
                }
                Ok(answer)
            }
            (_, outcome) => outcome,
        }
    }
}

/// The hardened client with one lie.
pub struct Planted(pub &'static Lie);

impl Planted {
    fn wrap(&self, line: Line, remembers: bool, process: Box<dyn Process>) -> Box<dyn Process> {
        Box::new(Lying {
            lie: self.0,
            line,
            remembers,
            process,
        })
    }
}

impl Client for Planted {
    fn name(&self) -> String {
        format!("planted:{}", self.0.name)
    }

    fn declaration(&self) -> Declaration {
        Hardened.declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let (line, remembers) = (setting.line.clone(), setting.remembers);
        let process = Hardened.start(setting)?;
        Ok(self.wrap(line, remembers, process))
    }

    fn resume(&self, setting: Setting, saved: &Saved) -> Option<Box<dyn Process>> {
        let (line, remembers) = (setting.line.clone(), setting.remembers);
        let process = Hardened.resume(setting, saved)?;
        Some(self.wrap(line, remembers, process))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        Hardened.accepted(durable)
    }
}

struct Lying {
    lie: &'static Lie,
    line: Line,
    remembers: bool,
    process: Box<dyn Process>,
}

impl Process for Lying {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let (lie, line, remembers) = (self.lie, self.line.clone(), self.remembers);
        let done = self.process.begin(operation.clone());
        Box::pin(async move { lie.told(&operation, remembers, &line, done.await) })
    }

    fn save(&self) -> Option<Saved> {
        self.process.save()
    }
}
