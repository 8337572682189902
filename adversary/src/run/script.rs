//! A script as something to run: what its header and its words say of it, and how it is played.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{ASTNode, Expr, Stmt};

use super::{Control, Plan, Stopped, Subject};
use crate::driver::defences;
use crate::script::header::{self, Header};
use crate::script::{Budget, Fault, Performer, Script, ScriptError, Stop, play, prepare};
use crate::stage::Stage;
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
        let budget = Budget::default();
        let script = prepare(text, &budget)?;
        let header = if header::is_bare(text) {
            None
        } else {
            Some(header::read(text, &defences())?)
        };
        let plan = plan(&script, header.as_ref());
        Ok(Self {
            script,
            header,
            plan,
            budget,
            stop,
        })
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
        let stage: Rc<RefCell<dyn Performer>> = Rc::<RefCell<Stage>>::clone(stage);
        let played = play(&self.script, stage, &self.budget, &self.stop);
        played.fault.map(|error| Stopped {
            by_operation: error.fault == Fault::Operation,
            text: error.to_string(),
        })
    }
}

fn plan(script: &Script, header: Option<&Header>) -> Plan {
    let words = Words::of(script);
    let mut needs: BTreeSet<String> = words.needs();
    let mut operations = words.operations();
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
        defences: header
            .map(|header| header.defences.clone())
            .unwrap_or_default(),
        control: match header.map(|header| header.control) {
            Some(header::Control::Defences) => Control::Defences,
            Some(header::Control::Claim) => Control::Claim,
            Some(header::Control::Planted) | None => Control::Planted,
        },
        chaos: header.is_some_and(|header| header.class == "chaos"),
        operations: operations.into_iter().collect(),
        needs: needs.into_iter().collect(),
        colluders: BTreeSet::new(),
    }
}

/// The operation that a word of `needs` stands for.
fn operation_of(need: &str) -> Option<&str> {
    match need {
        "batch" => Some("upload_many"),
        "share" | "revoke" | "append" | "delete" | "list" | "fingerprint" | "compare" => Some(need),
        _ => None,
    }
}

/// The functions that a script calls, by name.
struct Words(BTreeSet<String>);

impl Words {
    fn of(script: &Script) -> Self {
        let mut words = BTreeSet::new();
        script.ast.walk(&mut |path| {
            let call = match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)))
                | Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
                _ => return true,
            };
            words.insert(call.name.to_string());
            true
        });
        Self(words)
    }

    fn operations(&self) -> BTreeSet<String> {
        let mut operations = BTreeSet::new();
        for word in &self.0 {
            let word = word.strip_prefix("start_").unwrap_or(word);
            let operation = match word {
                "user" => "sign_up",
                "device" | "restart" | "wipe" => "login",
                "receive_pointer" => "receive",
                "sign_up" | "login" | "upload" | "upload_many" | "download" | "append"
                | "delete" | "list" | "share" | "receive" | "revoke" | "fingerprint" | "verify"
                | "compare" => word,
                _ => continue,
            };
            operations.insert(operation.to_owned());
        }
        operations
    }

    /// Acts on messages speak of the native front's.
    fn needs(&self) -> BTreeSet<String> {
        let says = |words: &[&str]| words.iter().any(|word| self.0.contains(*word));
        let mut needs = BTreeSet::new();
        let messages = [
            "on_reply",
            "on_request",
            "record",
            "kept",
            "hold",
            "expect_no_request",
        ];
        if says(&messages) {
            needs.insert("native".to_owned());
        }
        if says(&["expect_admitted"]) {
            needs.insert("claims".to_owned());
        }
        needs
    }
}
