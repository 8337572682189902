//! Verdicts over runs made by hand, and clients that must be convicted.

mod clients;
mod made;
mod scripts;

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Control, Plan, ScriptSubject, Target};
use crate::driver::Client;
use crate::script::Stop;
use crate::verdict::Guarantee;

fn plan() -> Plan {
    Plan {
        id: "by-hand".to_owned(),
        guarantee: Guarantee::G3,
        expected: None,
        defences: Vec::new(),
        control: Control::Planted,
        chaos: false,
        planted: None,
        depth: Default::default(),
        uncontrolled: None,
        edits: false,
        framed: false,
        crashes: false,
        two_secrets: false,
        operations: Vec::new(),
        needs: Vec::new(),
        colluders: BTreeSet::new(),
    }
}

fn ours(client: Rc<dyn Client>) -> Target {
    Target {
        client,
        ours: true,
        twin: None,
    }
}

/// A text of a script that is none of the library.
fn of(text: &str) -> ScriptSubject {
    ScriptSubject::new(text, Stop::default()).expect("the script parses")
}
