//! Verdicts over runs made by hand, and clients that must be convicted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::control::{Power, claim};
use super::decide::both;
use super::{Control, Plan, Play, Run, ScriptSubject, Stopped, Subject, Target, once_with, run};
use crate::attack::{Attack, Expectation, Step};
use crate::catalogue::Catalogue;
use crate::client::{Answer, Claims, Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{
    Client, Declaration, Hardened, Lie, OwnedFuture, Planted, Process, Setting, Weakened,
};
use crate::history::{Event, History};
use crate::script::Stop;
use crate::stage::{Acts, Fallen, Judgement, Only, Stage};
use crate::verdict::{Breach, Guarantee, Verdict};

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

/// A run in which one download ended like this, after a reply of these bytes.
fn made(acts: Acts, shown: &[u8], outcome: Outcome) -> Run {
    let mut history = History::new();
    let bytes = |bytes: &[u8]| Some(Bytes::from(bytes.to_vec()));
    let device = DeviceName::first("alice");
    history.push(Event::OperationStarted {
        operation: 0,
        device,
        what: Operation::Download {
            name: b"n".to_vec(),
        },
    });
    history.push(Event::Reply {
        request: 0,
        honest: bytes(b"honest"),
        shown: bytes(shown),
    });
    history.push(Event::OperationEnded {
        operation: 0,
        outcome,
    });
    Run {
        acts,
        without: Vec::new(),
        history,
        attack: Attack {
            steps: vec![Step::Heal],
            ..Attack::default()
        },
        judgements: Vec::new(),
        guarded: vec![0],
        faults: Vec::new(),
        stray: Vec::new(),
        stopped: None,
        breaches: Vec::new(),
        admitted: Vec::new(),
        undecided: Vec::new(),
        lied: acts == Acts::Applied,
    }
}

fn honest() -> Run {
    made(Acts::Evaluated, b"honest", Ok(Answer::default()))
}

fn attacked() -> Run {
    made(Acts::Applied, b"a lie", Ok(Answer::default()))
}

fn breach(guarantee: Guarantee) -> Breach {
    Breach {
        guarantee,
        evidence: "by hand".to_owned(),
        operation: Some(0),
    }
}

fn judgement(
    expectation: Expectation,
    verdict: Option<Verdict>,
    instead: Option<&str>,
) -> Judgement {
    Judgement {
        expectation,
        operations: vec![0],
        verdict,
        fallen: None,
        instead: instead.map(str::to_owned),
        deceived: true,
    }
}

fn violation() -> Expectation {
    Expectation::Violation {
        name: "rollback".to_owned(),
        honest: None,
    }
}

fn stopped(by_operation: bool) -> Option<Stopped> {
    Some(Stopped {
        by_operation,
        text: "stopped".to_owned(),
    })
}

#[track_caller]
fn comes_to(honest: &Run, attacked: &Run, ours: Verdict, foreign: Verdict) {
    let of = |ours| both(&plan(), honest, attacked, ours).verdict;
    assert_eq!((of(true), of(false)), (ours, foreign));
}

#[test]
fn without_any_judgement_a_run_that_ends_is_harmless_and_never_caught() {
    comes_to(&honest(), &attacked(), Verdict::Harmless, Verdict::Harmless);
    let mut run = attacked();
    run.judgements = vec![
        judgement(Expectation::Anything, None, None),
        judgement(Expectation::Unchanged, None, None),
    ];
    comes_to(&honest(), &run, Verdict::Harmless, Verdict::Harmless);
}

#[test]
fn what_expectations_come_to_is_the_verdict() {
    let rows = [
        (Some(Verdict::Caught), None, Verdict::Caught),
        (Some(Verdict::Refused), Some("another"), Verdict::Refused),
        (Some(Verdict::Harmless), Some("success"), Verdict::Harmless),
        (None, Some("nothing inside"), Verdict::Unknown),
    ];
    for (verdict, instead, expected) in rows {
        let mut run = attacked();
        run.judgements = vec![judgement(violation(), verdict, instead)];
        comes_to(&honest(), &run, expected, expected);
    }
}

#[test]
fn a_run_that_shows_nothing_but_honest_bytes_is_inert() {
    let same = made(Acts::Applied, b"honest", Ok(Answer::default()));
    comes_to(&honest(), &same, Verdict::Inert, Verdict::Inert);
}

#[test]
fn an_expectation_of_an_attack_before_which_there_was_none_is_inert() {
    let with = |second: Expectation, verdict, deceived| {
        let mut run = attacked();
        let mut idle = judgement(second, Some(verdict), None);
        idle.deceived = deceived;
        run.judgements = vec![judgement(violation(), Some(Verdict::Caught), None), idle];
        run
    };
    let idle = with(violation(), Verdict::Caught, false);
    comes_to(&honest(), &idle, Verdict::Inert, Verdict::Caught);
    let reached = with(violation(), Verdict::Caught, true);
    comes_to(&honest(), &reached, Verdict::Caught, Verdict::Caught);
    // In a sweep, what is rightly fine where nothing was done says nothing.
    let any = || Expectation::Any {
        outcomes: vec!["ok".to_owned(), "unavailable:any".to_owned()],
    };
    let fine = with(any(), Verdict::Harmless, false);
    comes_to(&honest(), &fine, Verdict::Caught, Verdict::Caught);
    let failed = with(any(), Verdict::Caught, false);
    comes_to(&honest(), &failed, Verdict::Inert, Verdict::Caught);
    let mut none = with(any(), Verdict::Harmless, false);
    none.judgements.remove(0);
    comes_to(&honest(), &none, Verdict::Inert, Verdict::Inert);
    let guarded = with(Expectation::Success, Verdict::Harmless, false);
    comes_to(&honest(), &guarded, Verdict::Caught, Verdict::Caught);
}

#[test]
fn crashes_that_never_come_are_inert() {
    let plan = Plan {
        chaos: true,
        crashes: true,
        ..plan()
    };
    let mut run = made(Acts::Applied, b"honest", Ok(Answer::default()));
    run.attack.steps.clear();
    assert_eq!(both(&plan, &honest(), &run, true).verdict, Verdict::Inert);
    let device = DeviceName::first("alice");
    run.history.push(Event::Crashed { device });
    assert_eq!(
        both(&plan, &honest(), &run, true).verdict,
        Verdict::Harmless
    );
}

#[test]
fn a_bad_network_that_touches_no_message_is_inert() {
    let chaos = |edits, steps: &[Step]| {
        let plan = Plan {
            chaos: true,
            edits,
            ..plan()
        };
        let mut run = made(Acts::Applied, b"honest", Ok(Answer::default()));
        run.attack.steps = steps.to_vec();
        both(&plan, &honest(), &run, true).verdict
    };
    assert_eq!(chaos(true, &[]), Verdict::Inert);
    assert_eq!(chaos(true, &[Step::Heal]), Verdict::Inert);
    assert_eq!(chaos(false, &[]), Verdict::Harmless);
    let edit = Step::EditReply {
        request: 0,
        edits: vec![crate::attack::Edit::Delay { duration_ms: 1 }],
    };
    assert_eq!(chaos(true, &[edit]), Verdict::Harmless);
}

#[test]
fn whatever_stops_an_attacked_run_is_never_dropped() {
    for (by_operation, expected) in [(true, Verdict::Refused), (false, Verdict::Unknown)] {
        let mut run = attacked();
        run.judgements = vec![judgement(violation(), Some(Verdict::Caught), None)];
        run.stopped = stopped(by_operation);
        comes_to(&honest(), &run, expected, expected);
    }
}

#[test]
fn a_breach_under_attack_is_broken() {
    let mut run = attacked();
    run.breaches = vec![breach(Guarantee::G3)];
    comes_to(&honest(), &run, Verdict::Broken, Verdict::Broken);
}

#[test]
fn a_breach_before_an_honest_server_convicts_ours_and_leaves_others_unknown() {
    let mut wrong = honest();
    wrong.breaches = vec![breach(Guarantee::G3)];
    comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Unknown);
    // The same breach under attack is no attack's work.
    let mut run = attacked();
    run.breaches = wrong.breaches.clone();
    comes_to(&wrong, &run, Verdict::Broken, Verdict::Unknown);
    // A secret may fall before a server that only watches.
    wrong.breaches = vec![breach(Guarantee::G6)];
    comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Harmless);
}

#[test]
fn wrong_bytes_and_wrong_lists_convict_others_before_an_honest_server() {
    for guarantee in [Guarantee::G1, Guarantee::G5] {
        let mut wrong = honest();
        wrong.breaches = vec![breach(guarantee)];
        comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Broken);
        let reason = both(&plan(), &wrong, &attacked(), false).reason;
        assert!(reason.contains("honest server"), "{reason}");
    }
    for guarantee in [Guarantee::G2, Guarantee::G4, Guarantee::G15] {
        let mut wrong = honest();
        wrong.breaches = vec![breach(guarantee)];
        comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Unknown);
    }
}

#[test]
fn what_the_client_admits_is_admitted_at_most() {
    let mut run = attacked();
    run.judgements = vec![judgement(
        violation(),
        Some(Verdict::Harmless),
        Some("success"),
    )];
    run.admitted = vec![breach(Guarantee::G3)];
    comes_to(&honest(), &run, Verdict::Admitted, Verdict::Admitted);
    run.breaches = vec![breach(Guarantee::G3)];
    comes_to(&honest(), &run, Verdict::Broken, Verdict::Broken);
    // An honest server gives no reason to admit anything.
    let mut wrong = honest();
    wrong.admitted = vec![breach(Guarantee::G3)];
    comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Unknown);
}

#[test]
fn an_expectation_that_is_not_met_is_hidden_by_no_other() {
    let stated = |expected| Plan {
        expected: Some(expected),
        ..plan()
    };
    let of = |expected, run: &Run, ours| both(&stated(expected), &honest(), run, ours).verdict;
    let unmet = || judgement(violation(), Some(Verdict::Harmless), Some("success"));
    let mut run = attacked();
    run.judgements = vec![unmet()];
    assert_eq!(of(Verdict::Harmless, &run, true), Verdict::Unknown);
    assert_eq!(of(Verdict::Harmless, &run, false), Verdict::Harmless);
    // Where it is another verdict than the stated one anyhow, that is what people are told.
    assert_eq!(of(Verdict::Caught, &run, true), Verdict::Harmless);
    let claim = "no-freshness".to_owned();
    let admits = Expectation::Admitted { claim };
    run.judgements = vec![judgement(admits, Some(Verdict::Admitted), None), unmet()];
    assert_eq!(of(Verdict::Admitted, &run, true), Verdict::Unknown);
    run.judgements.pop();
    assert_eq!(of(Verdict::Admitted, &run, true), Verdict::Admitted);
}

#[test]
fn an_expectation_that_fell_in_the_honest_run_leaves_others_unknown() {
    let mut wrong = honest();
    let mut changed = judgement(Expectation::Unchanged, None, Some("changed"));
    changed.fallen = Some(Fallen::Named(Guarantee::G11));
    wrong.judgements = vec![changed];
    comes_to(&wrong, &attacked(), Verdict::Broken, Verdict::Unknown);
}

#[test]
fn a_break_of_ours_is_not_hidden_by_an_honest_run_that_fails() {
    let mut wrong = honest();
    wrong.stopped = stopped(false);
    let mut run = attacked();
    run.breaches = vec![breach(Guarantee::G1)];
    comes_to(&wrong, &run, Verdict::Broken, Verdict::Unknown);
}

#[test]
fn death_breaks_ours_and_is_a_refusal_of_others() {
    let ended = |name: &str| {
        let mut run = made(
            Acts::Applied,
            b"a lie",
            Err(Failure::new(Class::Other, name)),
        );
        run.faults = vec![breach(Guarantee::G12)];
        run
    };
    comes_to(
        &honest(),
        &ended(Failure::PANICKED),
        Verdict::Broken,
        Verdict::Refused,
    );
    comes_to(
        &honest(),
        &ended(Failure::EXHAUSTED),
        Verdict::Broken,
        Verdict::Broken,
    );
}

#[test]
fn a_panic_or_a_limit_is_no_control() {
    let ended = |outcome: Outcome, guarantee| {
        let mut run = made(Acts::Applied, b"a lie", outcome);
        run.breaches = vec![breach(guarantee)];
        run.breaks(guarantee)
    };
    for name in [Failure::PANICKED, Failure::EXHAUSTED] {
        let died = Err(Failure::new(Class::Other, name));
        assert!(!ended(died, Guarantee::G12), "{name}");
    }
    assert!(ended(Ok(Answer::default()), Guarantee::G12));
    assert!(ended(Ok(Answer::default()), Guarantee::G3));
}

#[test]
fn a_breach_where_the_script_guards_nothing_is_no_control() {
    let mut run = attacked();
    run.breaches = vec![breach(Guarantee::G3)];
    run.guarded.clear();
    assert!(!run.breaks(Guarantee::G3));
    run.guarded = vec![0];
    assert!(run.breaks(Guarantee::G3) && !run.breaks(Guarantee::G1));
}

#[test]
fn an_admission_needs_a_claim_elsewhere() {
    let with = |monotone| {
        let answer = Answer {
            claims: Claims {
                monotone,
                ..Claims::default()
            },
            ..Answer::default()
        };
        let mut run = made(Acts::Applied, b"a lie", Ok(answer));
        let claim = "no-freshness".to_owned();
        run.judgements = vec![judgement(
            Expectation::Admitted { claim },
            Some(Verdict::Admitted),
            None,
        )];
        run
    };
    let power = claim(&honest(), &with(Some(true)));
    assert_eq!(power, Power::Elsewhere);
    let power = claim(&honest(), &with(Some(false)));
    assert!(matches!(power, Power::None(_)), "{power:?}");
    let power = claim(&honest(), &attacked());
    assert!(matches!(power, Power::None(_)), "{power:?}");
}

fn script(id: &str) -> ScriptSubject {
    let catalogue = Catalogue::built_in().expect("the library is whole");
    let entry = catalogue.find(id).expect("the library has it");
    let subject = catalogue.read(entry.text, Stop::default());
    subject.expect("a script of the library parses")
}

fn ours(client: Rc<dyn Client>) -> Target {
    Target {
        client,
        ours: true,
        twin: None,
    }
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

/// A text of a script that is none of the library.
fn of(text: &str) -> ScriptSubject {
    ScriptSubject::new(text, Stop::default()).expect("the script parses")
}

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
fn with_two_secrets(body: &str) -> super::Report {
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
