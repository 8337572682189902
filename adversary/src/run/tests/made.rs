//! Runs made by hand: what each comes to, for the client of this repository and for others.

use super::plan;
use crate::attack::{Attack, Expectation, Step};
use crate::client::{Answer, Claims, Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::history::{Event, History};
use crate::run::control::{Power, claim};
use crate::run::decide::both;
use crate::run::{Plan, Run, Stopped};
use crate::stage::{Acts, Fallen, Judgement};
use crate::verdict::{Breach, Guarantee, Verdict};

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
