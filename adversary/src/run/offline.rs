//! What is decided after a run, with the server's whole record and users' own keys in hand.

use std::collections::BTreeMap;

use super::Plan;
use crate::attack::{Expectation, Object};
use crate::decryptor::{self, Opened};
use crate::driver::{Front, REALM};
use crate::history::{History, ObjectKey};
use crate::oracle::{self, KeyUse};
use crate::stage::{Acts, Fallen, Judgement, Secrets, Stage};
use crate::verdict::{Guarantee, Verdict};

/// Opens what users' keys open, as far as the script asks for it, and judges.
///
/// An honest run is not judged: where a script has no acts, both runs are the same.
pub(super) fn examine(
    stage: &Stage,
    (acts, without): (Acts, &[String]),
    plan: &Plan,
    history: &History,
    judgements: &mut [Judgement],
) -> oracle::Judgement {
    let mut findings = oracle::Judgement::default();
    let native = stage.client().declaration().front == Front::Native;
    if acts == Acts::Evaluated || !native {
        return findings;
    }
    let mut offline = Offline {
        stage,
        opened: BTreeMap::new(),
    };
    for judgement in judgements.iter_mut() {
        offline.judge(judgement, &mut findings);
    }
    if plan.guarantee == Guarantee::G7 {
        // Who bears another's name was never let in, and what she opens is no matter of revocation.
        let users = stage.users().iter();
        for user in users.filter(|user| stage.account_of(user) == user.as_str()) {
            let reach = offline.opened_by(user).reach();
            match oracle::judge_reach(history, &reach) {
                Ok(breaches) => findings.breaches.extend(breaches),
                Err(why) => findings.undecided.push(why),
            }
        }
    }
    // Whatever a script is about, no key meets two messages. What is left out of a twin is told
    // by its own script alone.
    if plan.guarantee == Guarantee::G13 || without.is_empty() {
        let users = stage.users().iter();
        let uses: Vec<KeyUse> = users
            .flat_map(|user| offline.opened_by(user).uses.clone())
            .collect();
        if plan.guarantee == Guarantee::G13 && uses.is_empty() {
            let what = "the decryptor found no key, and so no key that is used twice";
            findings.undecided.push(what.to_owned());
        }
        findings.breaches.extend(oracle::judge_keys(&uses));
    }
    findings
}

/// What each user's keys open, computed when it is first asked for.
struct Offline<'s> {
    stage: &'s Stage,
    opened: BTreeMap<String, Opened>,
}

impl Offline<'_> {
    fn opened_by(&mut self, user: &str) -> &Opened {
        let versions = self.stage.versions();
        self.opened.entry(user.to_owned()).or_insert_with(|| {
            let history = self.stage.history();
            let password = Secrets::First.password_of(user);
            let account = self.stage.account_of(user);
            decryptor::open(&REALM, account, &password, versions, history)
        })
    }

    fn judge(&mut self, judgement: &mut Judgement, findings: &mut oracle::Judgement) {
        let (colluder, object, closed) = match &judgement.expectation {
            Expectation::ClosedTo { colluder, object } => (colluder.clone(), object, true),
            Expectation::OpenedBy { colluder, object } => (colluder.clone(), object, false),
            _ => return,
        };
        let Some(object) = self.key(object) else {
            findings
                .undecided
                .push(format!("{object} is no object of this run"));
            return;
        };
        let reach = self.opened_by(&colluder).reach();
        match (closed, reach.opened.contains(&object)) {
            (true, true) => {
                judgement.fallen = Some(Fallen::Named(Guarantee::G7));
                judgement.instead = Some(format!("{colluder} opens {object}"));
            }
            (true, false) if !reach.known.contains(&object) => {
                findings
                    .undecided
                    .push(format!("it is not known whether {object} opens"));
            }
            (false, false) => {
                let what = format!("the decryptor does not open {object} with {colluder}'s keys");
                findings.undecided.push(what);
            }
            (true, false) if judgement.instead.is_none() => {
                judgement.verdict = Some(Verdict::Caught);
            }
            (true, false) | (false, true) => {}
        }
    }

    fn key(&self, object: &Object) -> Option<ObjectKey> {
        match object {
            Object::Key { key } => Some(key.clone()),
            Object::Written { operation, index } => {
                let wrote = self.stage.versions().wrote(*operation);
                let written = wrote.get(usize::try_from(*index).ok()?)?;
                Some(ObjectKey::from(&written.key))
            }
        }
    }
}
