//! Clients that accuse an honest server, or refuse for ever after a lie: who of them is convicted.

use std::cell::Cell;
use std::rc::Rc;

use super::{of, ours};
use crate::catalogue::Catalogue;
use crate::client::{Class, Failure, Operation, Outcome};
use crate::driver::{Client, Declaration, Hardened, Lie, OwnedFuture, Planted, Process, Setting};
use crate::run::{ScriptSubject, Target, run};
use crate::script::Stop;
use crate::verdict::{Guarantee, Verdict};

fn script(id: &str) -> ScriptSubject {
    let catalogue = Catalogue::built_in().expect("the library is whole");
    let entry = catalogue.find(id).expect("the library has it");
    let subject = catalogue.read(entry.text, Stop::default());
    subject.expect("a script of the library parses")
}

fn lie(name: &str) -> &'static Lie {
    let named = Lie::ALL.iter().find(|lie| lie.name == name);
    named.expect("there is such a lie")
}

#[test]
fn a_client_that_takes_a_lost_reply_for_an_attack_is_convicted() {
    for id in ["honest-lost-replies", "honest-busy"] {
        let client = Planted::new(lie("alarm-on-loss"));
        let report = run(&script(id), &ours(Rc::new(client)), 1);
        assert_eq!(report.verdict, Verdict::Broken, "{id}: {}", report.reason);
        let mut fallen = report.breaches.iter();
        assert!(
            fallen.any(|breach| breach.guarantee == Guarantee::G15),
            "{id}"
        );
    }
}

/// The hardened client, but once it has caught the server, it refuses whatever is asked.
struct Sulking {
    /// Whether a process that starts anew refuses as well.
    for_ever: bool,
    says_so: bool,
    sulks: Rc<Cell<bool>>,
}

struct SulkingProcess(Box<dyn Process>, Rc<Cell<bool>>);

impl Client for Sulking {
    fn name(&self) -> String {
        "sulking".to_owned()
    }

    fn declaration(&self) -> Declaration {
        let mut declared = Hardened.declaration();
        if self.says_so {
            declared.claims.push("quarantines".to_owned());
        }
        declared
    }

    fn begin_run(&self) -> Result<(), String> {
        self.sulks.set(false);
        Ok(())
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        if !self.for_ever {
            self.sulks.set(false);
        }
        let process = Hardened.start(setting)?;
        Ok(Box::new(SulkingProcess(process, Rc::clone(&self.sulks))))
    }
}

impl Process for SulkingProcess {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let (begun, sulks) = (self.0.begin(operation), Rc::clone(&self.1));
        Box::pin(async move {
            if sulks.get() {
                return Err(Failure::new(Class::Violation, "rollback"));
            }
            let outcome = begun.await;
            sulks.set(matches!(&outcome, Err(failure) if failure.class == Class::Violation));
            outcome
        })
    }
}

#[test]
fn a_client_that_never_works_again_does_not_fail_closed() {
    for (for_ever, says_so, wanted) in [
        (true, false, Verdict::Broken),
        (true, true, Verdict::Caught),
        (false, false, Verdict::Caught),
    ] {
        let text = "// by-hand: alice is rolled back.\n\
            let alice = user(\"alice\");\nalice.upload(\"n\", \"1\");\n\
            let before = server.snapshot();\nalice.upload(\"n\", \"2\");\n\
            server.roll_back_to(before);\n\
            expect_violation(\"rollback\", || alice.download(\"n\"));\n";
        let sulks = Rc::default();
        let target = Target {
            client: Rc::new(Sulking {
                for_ever,
                says_so,
                sulks,
            }),
            ours: false,
            twin: None,
        };
        let report = run(&of(text), &target, 1);
        assert_eq!(report.verdict, wanted, "{for_ever}: {}", report.reason);
        let fell = report
            .breaches
            .iter()
            .any(|one| one.guarantee == Guarantee::G11);
        assert_eq!(fell, wanted == Verdict::Broken);
        // What the script itself does after the attack says no less.
        let goes_on = format!("{text}server.heal();\nalice.download(\"n\");\n");
        let report = run(&of(&goes_on), &target, 1);
        let fell = report
            .breaches
            .iter()
            .any(|one| one.guarantee == Guarantee::G11);
        assert_eq!(fell, wanted == Verdict::Broken, "{}", report.reason);
    }
}

#[test]
fn a_write_that_follows_a_lie_excuses_who_refuses_for_ever() {
    let text = "// by-hand: alice writes on what she was shown.\n\
        let alice = user(\"alice\");\nalice.upload(\"n\", \"1\");\n\
        let before = server.snapshot();\nalice.upload(\"n\", \"2\");\n\
        server.roll_back_to(before);\n\
        expect_violation(\"rollback\", || { user(\"bob\").upload(\"m\", \"1\"); \
        alice.download(\"n\") });\n";
    let target = Target {
        client: Rc::new(Sulking {
            for_ever: true,
            says_so: false,
            sulks: Rc::default(),
        }),
        ours: false,
        twin: None,
    };
    let report = run(&of(text), &target, 1);
    assert_eq!(report.verdict, Verdict::Caught, "{}", report.reason);
}
