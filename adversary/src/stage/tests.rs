//! The stage with a tiny client and tiny rules of its own.

use std::rc::Rc;

use super::{Acts, Answered, Budget, Rules, Stage};
use crate::attack::{Attack, Edit, Expectation, Object, Step};
use crate::chooser::{Chooser, Exhaustive};
use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::driver::{Client, Declaration, Front, Line, OwnedFuture, Process, Setting, Straw};
use crate::history::Event;
use crate::honest::storage::{Batch, Key, Kind, Storage};
use crate::script::performer::{Direction, Performer as _, Progress};
use crate::selector::{Audience, Selector};

/// Keeps a file under its name, and remembers durably how often it wrote.
struct Tiny;

struct TinyProcess(Line);

impl Client for Tiny {
    fn name(&self) -> String {
        "tiny".to_owned()
    }

    fn declaration(&self) -> Declaration {
        Declaration {
            front: Front::KeyValue,
            operations: vec!["upload".to_owned(), "download".to_owned()],
            claims: Vec::new(),
            conditional: false,
            deterministic: true,
        }
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        Ok(Box::new(TinyProcess(setting.line)))
    }
}

impl Process for TinyProcess {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        Box::pin(perform(self.0.clone(), operation))
    }
}

async fn perform(line: Line, operation: Operation) -> Outcome {
    let lost = |_| Failure::new(Class::Unavailable, "cut-off");
    match operation {
        Operation::Upload { name, content } => {
            let count = line.load().await.map_or(0, |state| state[0]);
            line.save(vec![count + 1]).await;
            let request = [b"put ", name.as_slice(), b"=", &content].concat();
            let reply = line.exchange(request, 1000).await.map_err(lost)?;
            match reply.as_slice() {
                b"done" => Ok(Answer::default()),
                _ => Err(Failure::new(Class::Unavailable, "refused")),
            }
        }
        Operation::Download { name } => {
            let request = [b"get ", name.as_slice()].concat();
            let reply = line.exchange(request, 1000).await.map_err(lost)?;
            Ok(Answer {
                content: Some(reply),
                ..Answer::default()
            })
        }
        Operation::Delete { .. } => panic!("a bug"),
        Operation::List => std::future::pending().await,
        _ => loop {
            line.exchange(b"get x".to_vec(), 1000).await.map_err(lost)?;
        },
    }
}

struct TinyRules;

impl Rules for TinyRules {
    fn kind(&self, request: &[u8]) -> &'static str {
        if request.starts_with(b"put ") {
            "put"
        } else {
            "get"
        }
    }

    fn answer(&mut self, store: &mut dyn Storage, _: &DeviceName, request: &[u8]) -> Answered {
        Answered {
            reply: answer(store, request),
            published: None,
        }
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        Some(name.as_bytes().to_vec())
    }

    fn acknowledgement(&self) -> Vec<u8> {
        b"done".to_vec()
    }

    fn twin(&self) -> Box<dyn Rules> {
        Box::new(Self)
    }
}

fn answer(store: &mut dyn Storage, request: &[u8]) -> Vec<u8> {
    let key = |name: &[u8]| Key::new(Kind::Object, name);
    if let Some(write) = request.strip_prefix(b"put ") {
        let at = write
            .iter()
            .position(|byte| *byte == b'=')
            .expect("a put has a value");
        let mut batch = Batch::new();
        batch.put(key(&write[..at]), write[at + 1..].to_vec());
        store.apply(batch).expect("the store of a run takes it");
        return b"done".to_vec();
    }
    let found = store
        .fetch(&key(&request[4..]))
        .expect("the store of a run answers");
    found.map_or_else(|| b"absent".to_vec(), |bytes| bytes.to_vec())
}

fn stage(acts: Acts) -> Stage {
    Stage::with_rules(Rc::new(Tiny), Box::new(TinyRules), acts, 1)
}

fn upload(content: &str) -> Operation {
    Operation::Upload {
        name: b"n".to_vec(),
        content: content.as_bytes().to_vec(),
    }
}

fn download() -> Operation {
    Operation::Download {
        name: b"n".to_vec(),
    }
}

fn run(who: &str, operation: Operation) -> Step {
    Step::Run {
        device: DeviceName::parse(who),
        operation,
    }
}

fn start(who: &str, operation: Operation) -> Step {
    Step::Start {
        device: DeviceName::parse(who),
        operation,
    }
}

fn content(progress: &Progress) -> &[u8] {
    match progress {
        Progress::Ended(ended) => match &ended.last().expect("an operation ended").1 {
            Ok(answer) => answer.content.as_deref().expect("a download has content"),
            Err(failure) => panic!("{failure}"),
        },
        other => panic!("{other:?}"),
    }
}

fn failure(progress: &Progress) -> String {
    match progress {
        Progress::Ended(ended) => match &ended.last().expect("an operation ended").1 {
            Ok(answer) => panic!("{answer:?}"),
            Err(failure) => failure.to_string(),
        },
        other => panic!("{other:?}"),
    }
}

fn written(operation: u32) -> Object {
    Object::Written {
        operation,
        index: 0,
    }
}

#[test]
fn what_was_uploaded_is_downloaded_by_everyone() {
    let mut stage = stage(Acts::Applied);
    stage.perform(run("alice", upload("v1")));
    assert_eq!(content(&stage.perform(run("bob/phone", download()))), b"v1");
}

#[test]
fn an_honest_run_evaluates_acts_and_applies_none() {
    for (acts, shown) in [(Acts::Applied, b"\xf61"), (Acts::Evaluated, b"v1")] {
        let mut stage = stage(acts);
        stage.perform(run("alice", upload("v1")));
        stage.perform(Step::Flip {
            object: written(0),
            bit: 0,
            audience: Audience::parse("bob"),
        });
        assert_eq!(content(&stage.perform(run("bob", download()))), shown);
        assert_eq!(content(&stage.perform(run("alice", download()))), b"v1");
        let acts = stage
            .history()
            .events()
            .iter()
            .filter(|event| matches!(event, Event::Act { .. }));
        assert_eq!(acts.count(), 1, "acts are recorded in both runs");
    }
}

#[test]
fn the_history_tells_the_honest_answer_from_the_shown_one() {
    let mut stage = stage(Acts::Applied);
    stage.perform(run("alice", upload("v1")));
    stage.perform(Step::Hide {
        object: written(0),
        audience: Audience::Everyone,
    });
    stage.perform(run("alice", download()));
    let last = stage
        .history()
        .events()
        .iter()
        .rev()
        .find_map(|event| match event {
            Event::Reply { honest, shown, .. } => Some((honest.clone(), shown.clone())),
            _ => None,
        });
    let (honest, shown) = last.expect("a reply was recorded");
    assert_eq!(honest.as_deref(), Some(&b"v1"[..]));
    assert_eq!(shown.as_deref(), Some(&b"absent"[..]));
}

#[test]
fn a_held_request_takes_effect_when_it_is_answered() {
    let mut stage = stage(Acts::Applied);
    let selector = Selector::parse("alice:put").expect("a selector");
    stage.perform(Step::Hold { selector });
    assert_eq!(
        stage.perform(start("alice", upload("v1"))),
        Progress::Number(0)
    );
    assert_eq!(stage.held(0), 1);
    assert_eq!(content(&stage.perform(run("bob", download()))), b"absent");
    assert!(matches!(
        stage.perform(Step::Finish { operation: 0 }),
        Progress::Refused(_)
    ));
    assert_eq!(stage.perform(Step::Answer { hold: 0 }), Progress::Done);
    assert_eq!(content(&stage.perform(run("bob", download()))), b"v1");
    assert!(
        stage.history().outcome(0).is_none(),
        "the client has not been polled"
    );
    assert!(matches!(
        stage.perform(Step::Finish { operation: 0 }),
        Progress::Ended(_)
    ));
}

#[test]
fn one_device_does_one_thing_at_a_time() {
    let mut stage = stage(Acts::Applied);
    let selector = Selector::parse("alice:put").expect("a selector");
    stage.perform(Step::Hold { selector });
    stage.perform(start("alice", upload("v1")));
    let refused = stage.perform(run("alice", download()));
    assert!(
        matches!(&refused, Progress::Refused(why) if why.contains("alice/first")),
        "{refused:?}"
    );
}

#[test]
fn a_crash_at_each_point_leaves_what_took_effect() {
    // Before and after the save, before and after the request; then there is no point left.
    let expected = [
        (None, "absent"),
        (Some(1), "absent"),
        (Some(1), "absent"),
        (Some(1), "v1"),
    ];
    for (at, (durable, server)) in expected.into_iter().enumerate() {
        let mut stage = stage(Acts::Applied);
        stage.perform(start("alice", upload("v1")));
        let point = u32::try_from(at).expect("a few points") + 1;
        let crashed = stage.perform(Step::CrashAt {
            operation: 0,
            point,
        });
        assert_eq!(failure(&crashed), "other:crashed");
        let kept = stage
            .durable(&DeviceName::parse("alice"))
            .map(|bytes| bytes[0]);
        assert_eq!(kept, durable, "point {point}");
        assert_eq!(
            content(&stage.perform(run("bob", download()))),
            server.as_bytes()
        );
        stage.perform(Step::Restart {
            device: DeviceName::parse("alice"),
        });
        stage.perform(run("alice", upload("v2")));
        assert_eq!(content(&stage.perform(run("bob", download()))), b"v2");
        assert!(stage.faults().is_empty() && stage.stray().is_empty());
    }
}

#[test]
fn races_try_both_orders() {
    let mut seen = Vec::new();
    let mut exhaustive = Exhaustive::default();
    loop {
        let mut stage = stage(Acts::Applied);
        stage.set_chooser(exhaustive.chooser());
        stage.perform(start("alice", upload("a")));
        stage.perform(start("bob", upload("b")));
        stage.perform(Step::Race {
            operations: vec![0, 1],
        });
        let last = content(&stage.perform(run("carol", download()))).to_vec();
        seen.push(last);
        if !exhaustive.next(stage.chooser.taken()) {
            break;
        }
    }
    assert!(seen.contains(&b"a".to_vec()) && seen.contains(&b"b".to_vec()));
    // Each operation has four moves: to the load, over it, over the save, over the request.
    assert_eq!(seen.len(), 70, "all interleavings of two times four moves");
}

#[test]
fn a_handler_edits_and_acts_and_the_run_plays_again_without_it() {
    let mut first = stage(Acts::Applied);
    first.hook(
        Direction::Reply,
        Selector::parse("bob:get").expect("a selector"),
    );
    first.perform(run("alice", upload("v1")));
    let Progress::Message(message) = first.perform(run("bob", download())) else {
        panic!("the hook sees the message");
    };
    assert_eq!(&*message.bytes, b"v1");
    first.perform(run("alice", upload("v2")));
    let bytes = b"evil".as_slice().into();
    let ended = first.resume(vec![Edit::Replace { bytes }]);
    assert_eq!(content(&ended), b"evil");
    let Progress::Message(_) = first.perform(run("bob", download())) else {
        panic!("the hook sees the second message");
    };
    assert_eq!(
        failure(&first.resume(vec![Edit::Drop])),
        "unavailable:cut-off"
    );

    let attack = first.attack();
    let attack = Attack::decode(&attack.encode()).expect("a recorded attack decodes");
    let mut second = stage(Acts::Applied);
    second.play(&attack);
    assert_eq!(first.history().encode(), second.history().encode());
    assert_eq!(second.attack(), attack, "a played attack records itself");
}

#[test]
fn edits_of_requests_decide_what_the_server_does() {
    let check = |edit: Edit, outcome: &str, stored: &str| {
        let mut stage = stage(Acts::Applied);
        stage.perform(Step::EditRequest {
            request: 0,
            edits: vec![edit],
        });
        let ended = stage.perform(run("alice", upload("v1")));
        if outcome == "ok" {
            assert!(
                matches!(&ended, Progress::Ended(ended) if ended[0].1.is_ok()),
                "{ended:?}"
            );
        } else {
            assert_eq!(failure(&ended), outcome);
        }
        assert_eq!(
            content(&stage.perform(run("bob", download()))),
            stored.as_bytes()
        );
    };
    let refuse = |name: &str| Edit::Refuse {
        name: name.to_owned(),
    };
    check(Edit::Drop, "unavailable:cut-off", "absent");
    check(refuse("busy"), "unavailable:refused", "absent");
    check(Edit::Acknowledge, "ok", "absent");
    check(
        Edit::StoreBut {
            name: "conflict".to_owned(),
        },
        "unavailable:refused",
        "v1",
    );
    check(Edit::Twice, "ok", "v1");
    check(Edit::Delay { duration_ms: 5 }, "ok", "v1");
    check(Edit::Late { requests: 1 }, "unavailable:cut-off", "v1");
    check(Edit::Late { requests: 2 }, "unavailable:cut-off", "absent");
    let bytes = b"put n=evil".as_slice().into();
    check(Edit::Replace { bytes }, "ok", "evil");
}

#[test]
fn a_panic_a_hang_and_a_loop_are_the_clients_fault() {
    let check = |operation: Operation, name: &str| {
        let mut stage = stage(Acts::Applied);
        stage.set_budget(Budget {
            requests_per_operation: 50,
            ..Budget::STANDARD
        });
        assert_eq!(
            failure(&stage.perform(run("alice", operation))),
            format!("other:{name}")
        );
        let [fault] = stage.faults() else {
            panic!("one fault");
        };
        assert_eq!(fault.operation, Some(0));
        // The device starts again.
        stage.perform(run("alice", upload("v1")));
        assert_eq!(content(&stage.perform(run("bob", download()))), b"v1");
    };
    check(Operation::Delete { name: Vec::new() }, Failure::PANICKED);
    check(Operation::List, Failure::EXHAUSTED);
    check(Operation::SignUp, Failure::EXHAUSTED);
}

#[test]
fn expectations_judge_each_run_by_its_own_standard() {
    use crate::verdict::Verdict;
    let judge = |acts, expectation: Expectation| {
        let mut stage = stage(acts);
        stage.perform(Step::EditReply {
            request: 0,
            edits: vec![Edit::Drop],
        });
        stage.perform(Step::Expect { expectation });
        stage.perform(run("alice", download()));
        stage.perform(Step::Met);
        let [judgement] = stage.judgements() else {
            panic!("one judgement");
        };
        assert_eq!(judgement.operations, [0]);
        assert!(stage.stray().is_empty());
        (judgement.verdict, judgement.instead.is_none())
    };
    let unavailable = |name: &str| Expectation::Unavailable {
        name: name.to_owned(),
        honest: None,
    };
    let violation = Expectation::Violation {
        name: "rollback".to_owned(),
        honest: None,
    };
    let (attacked, honest) = (Acts::Applied, Acts::Evaluated);
    assert_eq!(
        judge(attacked, unavailable("cut-off")),
        (Some(Verdict::Caught), true)
    );
    assert_eq!(
        judge(attacked, unavailable("any")),
        (Some(Verdict::Caught), true)
    );
    assert_eq!(
        judge(attacked, unavailable("closed")),
        (Some(Verdict::Refused), false)
    );
    assert_eq!(
        judge(attacked, violation.clone()),
        (Some(Verdict::Refused), false)
    );
    assert_eq!(
        judge(attacked, Expectation::Success),
        (Some(Verdict::Refused), false)
    );
    assert_eq!(judge(honest, violation), (Some(Verdict::Harmless), true));
    assert_eq!(
        judge(honest, Expectation::Success),
        (Some(Verdict::Harmless), true)
    );
    assert_eq!(judge(attacked, Expectation::Anything), (None, true));
}

#[test]
fn a_failure_outside_every_expectation_is_stray() {
    let mut stage = stage(Acts::Applied);
    stage.perform(Step::EditReply {
        request: 0,
        edits: vec![Edit::Drop],
    });
    stage.perform(run("alice", download()));
    assert_eq!(stage.stray(), [0]);
}

#[test]
fn one_seed_is_one_history() {
    let play = |seed| {
        let mut stage = Stage::with_rules(Rc::new(Tiny), Box::new(TinyRules), Acts::Applied, seed);
        stage.set_chooser(Chooser::seeded(seed));
        for who in ["alice", "bob", "carol"] {
            stage.perform(start(who, upload(who)));
        }
        stage.perform(Step::Race {
            operations: vec![0, 1, 2],
        });
        stage.history().digest()
    };
    assert_eq!(play(3), play(3));
    assert_ne!(play(3), play(4));
}

#[test]
fn the_naive_client_is_driven_over_the_key_value_front() {
    let naive = crate::strawman::find("naive").expect("the naive client is known");
    let play = || {
        let mut stage = Stage::new(Rc::new(Straw(naive)), Acts::Applied, 1);
        for step in [
            Step::User {
                user: "alice".to_owned(),
            },
            run("alice", Operation::SignUp),
            run("alice", upload("v1")),
            run("alice", upload("v2")),
            run("alice", download()),
        ] {
            let ended = stage.perform(step);
            assert!(
                !matches!(&ended, Progress::Ended(ended) if ended[0].1.is_err()),
                "{ended:?}"
            );
        }
        stage
    };
    let mut stage = play();
    assert_eq!(stage.history().encode(), play().history().encode());
    assert_eq!(content(&stage.perform(run("alice", download()))), b"v2");
    // A write of the first version in place of the second: the naive client cannot tell.
    let wrote = stage.versions().wrote(1);
    for index in 0..u32::try_from(wrote.len()).expect("a few objects") {
        let object = Object::Written {
            operation: 2,
            index,
        };
        let by = Object::Written {
            operation: 1,
            index,
        };
        let audience = Audience::Everyone;
        assert_eq!(
            stage.perform(Step::Replace {
                object,
                by,
                audience
            }),
            Progress::Done
        );
    }
    assert_eq!(content(&stage.perform(run("alice", download()))), b"v1");
}

#[test]
fn an_impostor_bears_another_name_unless_the_server_is_honest() {
    let naive = crate::strawman::find("naive").expect("the naive client is known");
    for (acts, name) in [(Acts::Applied, "bob"), (Acts::Evaluated, "mallory")] {
        let mut stage = Stage::new(Rc::new(Straw(naive)), acts, 1);
        let impostor = |user: &str| Step::Impostor {
            user: user.to_owned(),
            of: "bob".to_owned(),
        };
        assert_eq!(stage.perform(impostor("mallory")), Progress::Done);
        assert_eq!(stage.account_of("mallory"), name);
        stage.perform(run("mallory", Operation::SignUp));
        let published: Vec<_> = stage
            .history()
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Wrote { object, .. } if object.kind == "pub" => Some(object.id.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(published, [name.as_bytes()]);
        let again = stage.perform(impostor("mallory"));
        assert!(matches!(again, Progress::Refused(_)), "{again:?}");
    }
}
