//! Scripts by hand: what power each has, what it breaks and what it needs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{of, ours, plan};
use crate::driver::{Hardened, Weakened};
use crate::run::control::Power;
use crate::run::{Plan, Play, Report, ScriptSubject, Stopped, Subject, Target, once_with, run};
use crate::script::Stop;
use crate::stage::{Acts, Only, Stage};
use crate::verdict::{Guarantee, Verdict};

/// The power that a script by hand is found to have.
fn power(header: &str, body: &str) -> Power {
    let text =
        format!("// by-hand: a trial.\n// class: object\n// source: by hand\n{header}\n{body}");
    let target = Target {
        client: Rc::new(Hardened),
        ours: true,
        twin: Some(Box::new(|defences| {
            Ok(Rc::new(Weakened::without(defences)?))
        })),
    };
    run(&of(&text), &target, 1).power
}

const ONE_BYTE_MORE: &str = "let alice = user(\"alice\");\nalice.upload(\"n\", \"1\");\n\
    alice.download(\"n\");\nserver.on_reply(\"alice:read\", |m| m.extend(1));\n\
    expect_violation(\"malformed\", || alice.download(\"n\"));\n";

#[test]
fn a_lie_that_is_told_whatever_is_done_is_no_control() {
    let header = |guarantee: &str, lie: &str| {
        format!(
            "// guarantee: {guarantee}\n// defences: none\n// control: planted {lie}\n\
             // verdict: caught"
        )
    };
    // Told before an honest server, too; and told where the script guards nothing.
    for (guarantee, lie) in [("G1", "forges-content"), ("G3", "claims-a-bound")] {
        let power = power(&header(guarantee, lie), ONE_BYTE_MORE);
        assert!(matches!(power, Power::None(_)), "{lie}: {power:?}");
    }
    // Told where the client must refuse, and so because of the attack.
    let power = power(&header("G1", "accepts-forgery"), ONE_BYTE_MORE);
    assert_eq!(power, Power::Planted("accepts-forgery"));
}

#[test]
fn a_sweep_has_the_power_that_each_of_its_parts_has() {
    let header = "// guarantee: G3\n// defences: head-rollback\n// verdict: caught";
    let meaningless = "server.on_reply(\"alice:read\", |m| m.extend(1));\n\
        expect_violation(\"malformed\", || alice.download(\"n\"));\nserver.heal();\n";
    let meaningful = "let before = server.snapshot();\nalice.upload(\"n\", \"2\");\n\
        server.roll_back_to(before);\nexpect_violation(\"rollback\", || alice.download(\"n\"));\n\
        server.heal();\n";
    let begin = "let alice = user(\"alice\");\nalice.upload(\"n\", \"1\");\n";
    let sweep = vec![meaningless, meaningful, meaningless];
    for (parts, depth, wanted) in [
        (vec![meaningful], "", Some((1, 1))),
        (
            sweep.clone(),
            "\n// depth: 2, a longer reply is malformed",
            Some((1, 3)),
        ),
        (
            sweep.clone(),
            "\n// depth: 1, a longer reply is malformed",
            None,
        ),
        (sweep, "", None),
    ] {
        let header = format!("{header}{depth}");
        match power(&header, &format!("{begin}{}", parts.concat())) {
            Power::Shown { reached, .. } => assert_eq!(Some(reached), wanted),
            Power::None(why) => assert!(wanted.is_none() && why.contains("1 of 3"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// What a script by hand that says `secrets: two` comes to with our client.
fn with_two_secrets(body: &str) -> Report {
    let text = format!(
        "// by-hand: a trial.\n// class: leakage\n// guarantee: G6\n// source: by hand\n\
         // defences: padding\n// verdict: harmless\n// secrets: two\n\
         let alice = user(\"alice\");\n{body}"
    );
    run(&of(&text), &ours(Rc::new(Hardened)), 1)
}

#[test]
fn whatever_the_server_sees_of_a_secret_is_a_breach() {
    for leak in [
        // Another size class, an operation that is not always asked for, an id that comes again.
        "observe(|| alice.upload(\"n\", either(bytes(1), bytes(5_000))));",
        "observe(|| { alice.upload(\"n\", \"1\"); either(1, 2) == 1 && alice.list() != 0; });",
        "alice.upload(\"a\", \"1\"); alice.upload(\"b\", \"1\");\n\
         observe(|| { alice.append(\"a\", \"2\"); alice.append(either(\"a\", \"b\"), \"2\"); });",
    ] {
        let report = with_two_secrets(leak);
        let fell = report
            .breaches
            .iter()
            .any(|one| one.guarantee == Guarantee::G6);
        let undecided = report.verdict == Verdict::Unknown;
        assert!(
            fell || undecided,
            "{leak}: {} {}",
            report.verdict,
            report.reason
        );
        assert_eq!(
            undecided,
            leak.contains("list"),
            "{leak}: {}",
            report.reason
        );
    }
    for blind in [
        "observe(|| alice.upload(\"n\", either(bytes(1), bytes(256))));",
        "observe(|| alice.upload(either(\"n\", \"another name\"), secret(40)));",
        "alice.upload(\"a\", \"1\"); alice.upload(\"b\", \"1\");\n\
         observe(|| alice.append(either(\"a\", \"a\"), bytes(20)));",
    ] {
        let report = with_two_secrets(blind);
        assert_eq!(
            report.verdict,
            Verdict::Harmless,
            "{blind}: {}",
            report.reason
        );
    }
}

#[test]
fn a_value_that_is_never_the_other_one_is_a_fault() {
    let text = "// by-hand: a trial.\nlet alice = user(\"alice\");\n\
        alice.upload(\"n\", either(\"1\", \"2\"));\n";
    let fault = ScriptSubject::new(text, Stop::default()).err();
    let fault = fault.expect("it is run once").to_string();
    assert!(fault.contains("secrets: two"), "{fault}");
}

#[test]
fn acts_take_effect_before_the_expectations_that_they_are_for() {
    let text = "// by-hand: three times.\nlet alice = user(\"alice\");\nlet i = 0;\n\
        while i < 3 { alice.upload(\"n\", `${i}`); let before = server.snapshot();\n\
        alice.upload(\"n\", \"more\"); server.roll_back_to(before);\n\
        expect_violation(\"rollback\", || alice.download(\"n\")); server.heal();\n\
        expect_ok(|| alice.download(\"n\")); i += 1; }\n";
    let play = Play {
        only: Some(Only {
            counted: [0, 2, 4].into(),
            attacked: [2].into(),
        }),
        ..Play::of(Acts::Applied)
    };
    let run = once_with(&of(text), Rc::new(Hardened), play, 1);
    let caught: Vec<bool> = run
        .judgements
        .iter()
        .map(|one| one.verdict == Some(Verdict::Caught))
        .collect();
    assert_eq!(caught, [false, false, true, false, false, false]);
}

#[test]
fn what_must_not_be_sent_is_sent_in_an_honest_run() {
    let head = "// by-hand: one request.\n";
    for (selector, verdict) in [
        ("alice:commit", Verdict::Broken),
        ("alice:login", Verdict::Unknown),
    ] {
        let text = format!(
            "{head}let alice = user(\"alice\");\n\
             expect_no_request(\"{selector}\", || alice.upload(\"n\", \"1\"));\n"
        );
        let report = run(&of(&text), &ours(Rc::new(Hardened)), 1);
        assert_eq!(report.verdict, verdict, "{selector}: {}", report.reason);
    }
}

/// Something that plays no script.
struct Crash(Plan);

impl Subject for Crash {
    fn plan(&self) -> &Plan {
        &self.0
    }

    fn play(&self, _: &Rc<RefCell<Stage>>) -> Option<Stopped> {
        panic!("a bug of the testbed")
    }
}

#[test]
fn a_testbed_that_crashes_knows_nothing() {
    let report = run(&Crash(plan()), &ours(Rc::new(Hardened)), 1);
    assert_eq!(report.verdict, Verdict::Unknown, "{}", report.reason);
}

#[test]
fn keys_of_a_user_who_does_not_collude_sign_nothing() {
    let text = |who: &str| {
        format!(
            "// by-hand: alice's head, signed anew.\n\
             let alice = user(\"alice\");\nlet eve = colluder(\"eve\");\n\
             alice.upload(\"n\", \"1\");\n\
             server.on_reply(\"alice:read\", |m| m.sign(\"head\", {who}));\n\
             try_op(|| alice.download(\"n\"));\n"
        )
    };
    let report = run(&of(&text("alice")), &ours(Rc::new(Hardened)), 1);
    assert_eq!(report.verdict, Verdict::Unknown, "{}", report.reason);
    assert!(report.reason.contains("colluder"), "{}", report.reason);
    let report = run(&of(&text("eve")), &ours(Rc::new(Hardened)), 1);
    assert_ne!(report.verdict, Verdict::Unknown, "{}", report.reason);
}

#[test]
fn whoever_is_made_a_colluder_as_a_script_runs_is_one() {
    let text = "// by-hand: a user by another name.\n\
        let alice = user(\"alice\");\nlet bob = user(\"bob\");\nlet who = \"bob\";\n\
        alice.upload(\"n\", \"1\");\nexpect_closed_to(who, alice.wrote());\n";
    let stage = Stage::new(Rc::new(Hardened), Acts::Applied, 1);
    let stage = Rc::new(RefCell::new(stage));
    assert!(of(text).play(&stage).is_none());
    let colluders = stage.borrow().colluders().clone();
    assert_eq!(colluders, BTreeSet::from(["bob".to_owned()]));
}

#[test]
fn a_field_that_is_not_there_is_a_fault_of_the_script() {
    let text = |verb: &str| {
        format!(
            "// by-hand: a slip.\nlet alice = user(\"alice\");\nalice.upload(\"n\", \"1\");\n\
             server.on_reply(\"alice:read\", |m| m.{verb}(\"heed.height\", 1));\n\
             try_op(|| alice.download(\"n\"));\n"
        )
    };
    let verdict = |verb| run(&of(&text(verb)), &ours(Rc::new(Hardened)), 1).verdict;
    assert_eq!(verdict("set"), Verdict::Unknown);
    assert_eq!(verdict("try_set"), Verdict::Inert);
}

#[test]
fn what_happens_to_whole_messages_happens_on_every_front() {
    let needs = |text: &str| {
        of(&format!("// by-hand: a need.\n{text}\n"))
            .plan()
            .needs
            .clone()
    };
    let native = [
        "server.on_reply(\"alice:read\", |m| m.drop());",
        "server.on_reply(\"*\", |m| m.set(\"head.height\", 1));",
        "let kind = \"read\"; server.on_reply(kind, |m| m.drop());",
        "server.on_reply(`alice:${1}`, |m| m.drop());",
        "server.identity(\"eve\");",
    ];
    for text in native {
        assert_eq!(needs(text), ["native"], "{text}");
    }
    let any = [
        "server.on_request(\"*\", |m| m.drop());",
        "server.on_reply(\"alice:*#2\", |m| m.drop());",
        "for n in 1..3 { server.on_request(`alice:*#${n}`, |m| m.refuse(\"busy\")); }",
        "let held = server.hold(\"alice/first:*\");",
    ];
    for text in any {
        assert!(needs(text).is_empty(), "{text}");
    }
}
