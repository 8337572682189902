//! The hardened client and its twin: one adapter over two builds of the same sources.

mod hardened;
mod twin;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use turncoat_strawman::defence::{Defence, weaken};

use super::{Accepted, Client, Declaration, Front, OwnedFuture, Process, Saved, Setting};
use crate::client::{Operation, Outcome};
use crate::script::nearest::nearest;

/// The iterations of a run, on both sides: no run can afford the real floor for each of its logins.
pub(crate) const ITERATIONS_MIN: u32 = 1_000;
/// A ceiling above the real floor: nor can it afford what a client without the real one derives.
const ITERATIONS_MAX: u32 = 1_000_000;
/// Changes of one roster in a run, on both sides: no run can afford as many as there may be.
pub(crate) const ROSTER_CHANGES_MAX: u64 = 64;
/// Envelopes of one sender that a device looks at in a run, each with a private-key operation.
const ENVELOPES_MAX: u64 = 64;

/// The deployment of every run.
pub const REALM: [u8; 32] = *b"the realm of all turncoat's runs";

/// The hardened client under test.
pub struct Hardened;

impl Client for Hardened {
    fn name(&self) -> String {
        "core".to_owned()
    }

    fn declaration(&self) -> Declaration {
        declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        Ok(Box::new(HardenedProcess(hardened::Ours::new(setting))))
    }

    fn resume(&self, setting: Setting, saved: &Saved) -> Option<Box<dyn Process>> {
        let process = hardened::Ours::resume(setting, saved)?;
        Some(Box::new(HardenedProcess(process)))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        hardened::accepted(durable)
    }
}

/// The same client without some of its defences.
pub struct Weakened {
    off: Rc<[Defence]>,
}

impl Weakened {
    /// The twin without these defences.
    ///
    /// # Errors
    ///
    /// The name of a defence that there is not.
    pub fn without(defences: &[String]) -> Result<Self, String> {
        let named = defences.iter().map(|name| {
            Defence::named(name).ok_or_else(|| {
                let known = self::defences();
                let meant = nearest(name, known.iter().copied());
                let meant = meant.map(|meant| format!("; did you mean '{meant}'?"));
                format!("there is no defence '{name}'{}", meant.unwrap_or_default())
            })
        });
        Ok(Self {
            off: named.collect::<Result<_, _>>()?,
        })
    }
}

impl Client for Weakened {
    fn name(&self) -> String {
        let names: Vec<&str> = self.off.iter().map(|defence| defence.name()).collect();
        format!("weakened:{}", names.join(","))
    }

    fn declaration(&self) -> Declaration {
        declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let _off = weaken(&self.off);
        Ok(Box::new(WeakenedProcess {
            process: twin::Ours::new(setting),
            off: Rc::clone(&self.off),
        }))
    }

    fn resume(&self, setting: Setting, saved: &Saved) -> Option<Box<dyn Process>> {
        let _off = weaken(&self.off);
        Some(Box::new(WeakenedProcess {
            process: twin::Ours::resume(setting, saved)?,
            off: Rc::clone(&self.off),
        }))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        twin::accepted(durable)
    }
}

/// A defence of the hardened client, in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefenceRow {
    /// Its name in scripts.
    pub name: &'static str,
    /// The guarantee that falls first without it.
    pub guarantee: &'static str,
    /// If it is only depth: the defence that also stands where this one is left out.
    pub partner: Option<&'static str>,
    /// What it decides, in one sentence.
    pub sentence: &'static str,
}

/// All defences, in order.
#[must_use]
pub fn defence_table() -> Vec<DefenceRow> {
    let row = |defence: &turncoat_core::Defence| DefenceRow {
        name: defence.name(),
        guarantee: defence.guarantee(),
        partner: defence.partner().map(turncoat_core::Defence::name),
        sentence: defence.sentence().trim(),
    };
    turncoat_core::Defence::ALL.iter().map(row).collect()
}

/// The names of all defences, in order.
#[must_use]
pub fn defences() -> Vec<&'static str> {
    turncoat_core::Defence::ALL
        .iter()
        .map(|defence| defence.name())
        .collect()
}

fn declaration() -> Declaration {
    let operations = [
        "sign_up",
        "login",
        "upload",
        "upload_many",
        "download",
        "append",
        "delete",
        "list",
        "share",
        "receive",
        "revoke",
        "fingerprint",
        "verify",
        "compare",
        "update",
    ];
    let claims = [
        "monotone",
        "bounded",
        "witnesses",
        "contact_verified",
        "hides-lengths",
    ];
    Declaration {
        front: Front::Native,
        operations: operations.map(str::to_owned).to_vec(),
        claims: claims.map(str::to_owned).to_vec(),
        conditional: true,
        deterministic: true,
    }
}

struct HardenedProcess(hardened::Ours);

impl Process for HardenedProcess {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        self.0.begin(operation)
    }

    fn save(&self) -> Option<Saved> {
        self.0.save()
    }
}

struct WeakenedProcess {
    process: twin::Ours,
    off: Rc<[Defence]>,
}

impl Process for WeakenedProcess {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        Box::pin(WithoutDefences {
            off: Rc::clone(&self.off),
            inner: self.process.begin(operation),
        })
    }

    fn save(&self) -> Option<Saved> {
        let _off = weaken(&self.off);
        self.process.save()
    }
}

/// Switches are of the thread, and other devices run between two polls: they are set for each.
struct WithoutDefences {
    off: Rc<[Defence]>,
    inner: OwnedFuture<Outcome>,
}

impl Future for WithoutDefences {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let _off = weaken(&self.off);
        self.inner.as_mut().poll(context)
    }
}
