//! A script as something to run: what its header and its words say of it, and how it is played.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Control, Plan, Stopped, Subject};
use crate::attack::Expectation;
use crate::driver::{Client, defences};
use crate::script::header::{self, Header};
use crate::script::{
    Budget, Fault, Performer, Played, Script, ScriptError, Stop, Words, play, prepare,
};
use crate::selector::Selector;
use crate::stage::{Acts, Stage};
use crate::verdict::{Guarantee, Verdict};

/// A script of the library, or of anybody else.
pub struct ScriptSubject {
    script: Script,
    /// What the script says about itself; nothing if it says no more than its title.
    pub header: Option<Header>,
    plan: Plan,
    budget: Budget,
    stop: Stop,
}

impl ScriptSubject {
    /// Reads a script. `stop` ends its runs from outside.
    ///
    /// # Errors
    ///
    /// The first fault of the header or of the text.
    pub fn new(text: &str, stop: Stop) -> Result<Self, ScriptError> {
        Self::known(text, stop, |_| None)
    }

    /// Reads a script; if it has a title alone, what is known of its id serves as its header.
    ///
    /// # Errors
    ///
    /// The first fault of the header or of the text.
    pub fn known(
        text: &str,
        stop: Stop,
        known: impl FnOnce(&str) -> Option<Header>,
    ) -> Result<Self, ScriptError> {
        let budget = Budget::default();
        let script = prepare(text, &budget)?;
        let header = if header::is_bare(text) {
            known(&script.id)
        } else {
            Some(header::read(text, &defences())?)
        };
        if script.words.calls.contains("either")
            && !header.as_ref().is_some_and(|one| one.two_secrets)
        {
            let what = "`either` stands for one value alone where the script is run once";
            return Err(ScriptError::new(Fault::Header, what)
                .expected("a line `// secrets: two` in the header"));
        }
        let plan = plan(&script, header.as_ref());
        Ok(Self {
            script,
            header,
            plan,
            budget,
            stop,
        })
    }

    /// Plays the script on a stage, and finds out what is wrong with it, and where.
    #[must_use]
    pub fn played(&self, stage: &Rc<RefCell<Stage>>) -> Played {
        let stage: Rc<RefCell<dyn Performer>> = Rc::<RefCell<Stage>>::clone(stage);
        play(&self.script, stage, &self.budget, &self.stop)
    }

    /// The one verdict that the script states for the hardened client.
    #[must_use]
    pub fn expected(&self) -> Option<Verdict> {
        self.header.as_ref().map(|header| header.verdict)
    }
}

impl Subject for ScriptSubject {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn play(&self, stage: &Rc<RefCell<Stage>>) -> Option<Stopped> {
        self.played(stage).fault.map(|error| Stopped {
            by_operation: error.fault == Fault::Operation,
            text: error.to_string(),
        })
    }
}

fn plan(script: &Script, header: Option<&Header>) -> Plan {
    let words = &script.words;
    let mut needs = needs(words);
    let mut operations = operations(words);
    for need in header.iter().flat_map(|header| &header.needs) {
        match operation_of(need) {
            Some(operation) => drop(operations.insert(operation.to_owned())),
            None => drop(needs.insert(need.clone())),
        }
    }
    Plan {
        id: script.id.clone(),
        // Nothing of a script without a header depends on it: it has no control.
        guarantee: header.map_or(Guarantee::G1, |header| header.guarantee),
        expected: header.map(|header| header.verdict),
        defences: header
            .map(|header| header.defences.clone())
            .unwrap_or_default(),
        control: header.map_or(Control::Planted, |header| header.control),
        planted: header.and_then(|header| header.planted),
        depth: header
            .map(|header| header.depth.clone())
            .unwrap_or_default(),
        uncontrolled: header.and_then(|header| header.uncontrolled.clone()),
        edits: ["on_reply", "on_request"]
            .iter()
            .any(|word| words.calls.contains(*word)),
        framed: words.calls.contains("framed"),
        crashes: words.calls.contains("crash_at"),
        chaos: header.is_some_and(|header| header.class == "chaos"),
        operations: operations.into_iter().collect(),
        needs: needs.into_iter().collect(),
        two_secrets: header.is_some_and(|header| header.two_secrets),
        colluders: colluders(words),
    }
}

/// The operation that a word of `needs` stands for.
fn operation_of(need: &str) -> Option<&str> {
    match need {
        "batch" => Some("upload_many"),
        "share" | "revoke" | "append" | "delete" | "list" | "fingerprint" | "compare"
        | "update" => Some(need),
        _ => None,
    }
}

/// The operations that a client must have, by their names.
fn operations(words: &Words) -> BTreeSet<String> {
    let mut operations = BTreeSet::new();
    for word in &words.calls {
        let word = word.strip_prefix("start_").unwrap_or(word);
        let operation = match word {
            "user" | "colluder" => "sign_up",
            "device" | "restart" | "wipe" => "login",
            "receive_pointer" => "receive",
            "sign_up" | "login" | "upload" | "upload_many" | "download" | "append" | "delete"
            | "list" | "share" | "receive" | "revoke" | "fingerprint" | "verify" | "compare"
            | "update" => word,
            _ => continue,
        };
        operations.insert(operation.to_owned());
    }
    operations
}

/// What is inside messages is the native front's alone, and so are keys and the names of messages;
/// what happens to whole messages happens on any front.
fn needs(words: &Words) -> BTreeSet<String> {
    let says = |wanted: &[&str]| wanted.iter().any(|word| words.calls.contains(*word));
    let mut needs = BTreeSet::new();
    let inside = [
        "get", "has", "set", "try_set", "sign", "wrap", "hash", "fit_both", "colluder", "identity",
        "framed",
    ];
    let selects = [
        "on_reply",
        "on_request",
        "record",
        "kept",
        "hold",
        "expect_no_request",
    ];
    // A selector that is no literal may name anything.
    let of_every_front = selects
        .iter()
        .filter(|verb| words.calls.contains(**verb))
        .all(|verb| {
            let mut named = words
                .literals
                .iter()
                .filter(|(by, _)| by == verb)
                .peekable();
            named.peek().is_some()
                && named.all(|(_, text)| {
                    Selector::parse(text).is_some_and(|selector| selector.kind.is_none())
                })
                && !words.computed.contains(*verb)
        });
    if says(&inside) || !of_every_front {
        needs.insert("native".to_owned());
    }
    // What is admitted is a claim that the client must have.
    let admitted = words.literals.iter();
    for (_, admission) in admitted.filter(|(verb, _)| verb == "expect_admitted") {
        let claim = match admission.as_str() {
            "unverified-contact" => "contact_verified",
            _ => "monotone",
        };
        needs.insert(claim.to_owned());
    }
    needs
}

/// The users whose keys the script gives to the server.
fn colluders(words: &Words) -> BTreeSet<String> {
    let verbs = ["colluder", "expect_closed_to", "expect_opened_by"];
    let named = words.literals.iter();
    let named = named.filter(|(verb, _)| verbs.contains(&verb.as_str()));
    named.map(|(_, user)| user.clone()).collect()
}

/// Plays a script once in the honest mode, in which no act takes effect. Gives what it printed.
///
/// # Errors
///
/// The fault that ends it; the first expectation that an honest server does not let come true; or
/// what keeps the script from the verdict that it states, whatever a client does.
pub fn dry_run(
    subject: &ScriptSubject,
    client: Rc<dyn Client>,
    seed: u64,
) -> (Vec<String>, Result<(), ScriptError>) {
    let stage = Rc::new(RefCell::new(Stage::new(client, Acts::Evaluated, seed)));
    let Played {
        judgements,
        printed,
        fault,
    } = subject.played(&stage);
    let tried = match fault {
        Some(fault) => Err(fault),
        None => met(judgements).and_then(|()| can_be_as_stated(subject, &stage.borrow())),
    };
    (printed, tried)
}

/// Whether the verdict that the header states is one that the script can come to.
fn can_be_as_stated(subject: &ScriptSubject, stage: &Stage) -> Result<(), ScriptError> {
    let Some(stated) = subject.expected() else {
        return Ok(());
    };
    let fault =
        |what: &str, expected: &str| Err(ScriptError::new(Fault::Header, what).expected(expected));
    let judgements = stage.judgements();
    if judgements.is_empty() && !subject.plan.chaos {
        let what = "nothing is expected, so that no client can fail";
        return fault(what, "an `expect_..` or `observe` around what must notice");
    }
    let watches = judgements.iter().any(|one| {
        let expectation = &one.expectation;
        !one.is_of_an_attack() && !matches!(expectation, Expectation::Success)
    });
    if !watches && !subject.plan.chaos && !super::decide::acts(&stage.attack()) {
        let what = "nothing dishonest is done: no act, and no message that a handler changes";
        return fault(
            what,
            "an act before what must notice, or a selector that matches",
        );
    }
    let comes_to = |wanted: Verdict| {
        let mut met = judgements.iter().map(|one| met_comes_to(&one.expectation));
        met.any(|verdicts| verdicts.contains(&wanted))
    };
    match stated {
        Verdict::Caught | Verdict::Admitted if !comes_to(stated) && !subject.plan.chaos => fault(
            &format!("no expectation comes to `{stated}`, which the header states"),
            "another verdict, or an expectation that a client meets by it",
        ),
        Verdict::Harmless
            if judgements
                .iter()
                .any(|one| !met_comes_to(&one.expectation).contains(&Verdict::Harmless)) =>
        {
            let what = "`harmless` is stated, and an expectation is about a server that is caught";
            fault(what, "`caught`, or expectations of success alone")
        }
        _ => Ok(()),
    }
}

/// What an expectation that is met may come to.
fn met_comes_to(expectation: &Expectation) -> &'static [Verdict] {
    match expectation {
        Expectation::Admitted { .. } => &[Verdict::Admitted],
        Expectation::Any { outcomes } if outcomes.iter().any(|one| one == "ok") => {
            &[Verdict::Caught, Verdict::Harmless]
        }
        Expectation::Violation { .. }
        | Expectation::Unavailable { .. }
        | Expectation::Any { .. }
        | Expectation::NoRequest { .. } => &[Verdict::Caught],
        // The oracles and the decryptor decide what the rest comes to.
        Expectation::ClosedTo { .. } | Expectation::SameView { .. } => {
            &[Verdict::Caught, Verdict::Harmless]
        }
        _ => &[Verdict::Harmless],
    }
}

fn met(judgements: Vec<crate::script::Judgement>) -> Result<(), ScriptError> {
    for judgement in judgements {
        if let Some(instead) = judgement.instead {
            let expectation = judgement.expectation.to_string();
            let verb = expectation.split('(').next().unwrap_or_default();
            let what = format!("before an honest server, what `{verb}` guards came to {instead}");
            let mut error = ScriptError::new(Fault::Operation, what)
                .expected("success there, or the honest mistake of the caller as a last argument");
            error.place = judgement.place;
            return Err(error);
        }
    }
    Ok(())
}
