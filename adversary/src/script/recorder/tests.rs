//! Printed attacks read back, whatever they hold.

use super::*;
use crate::attack::Expectation;
use crate::client::Operation;
use crate::framing::Framing;
use crate::history::ObjectKey;
use crate::selector::Audience;

fn round_trips(steps: Vec<Step>) {
    let attack = Attack {
        steps,
        choices: Vec::new(),
    };
    let text = print(&attack, "an-attack", "it is printed.");
    let parsed = parse(&text);
    assert_eq!(parsed, Ok(attack), "{text}");
}

fn key(id: &[u8]) -> Object {
    Object::Key {
        key: ObjectKey::new("obj", id),
    }
}

#[test]
fn every_operation_reads_back() {
    let device = DeviceName::new("alice", "phone");
    let (name, content) = (b"a \"b\"\\\n\x7f".to_vec(), vec![0, 255, 1]);
    let operations = [
        Operation::SignUp,
        Operation::Login,
        Operation::Upload {
            name: name.clone(),
            content: content.clone(),
        },
        Operation::UploadMany {
            files: vec![(b"z".to_vec(), Vec::new()), (name.clone(), content.clone())],
        },
        Operation::Download { name: name.clone() },
        Operation::Append {
            name: name.clone(),
            content: content.clone(),
        },
        Operation::Delete { name: name.clone() },
        Operation::List,
        Operation::Share {
            name: name.clone(),
            with: "bob".to_owned(),
        },
        Operation::Receive {
            from: "bob".to_owned(),
            name: Some(name.clone()),
            pointer: None,
            as_name: name.clone(),
        },
        Operation::Receive {
            from: "bob".to_owned(),
            name: None,
            pointer: Some(content.clone()),
            as_name: name.clone(),
        },
        Operation::Revoke {
            name,
            from: "bob".to_owned(),
        },
        Operation::Fingerprint {
            user: "bob".to_owned(),
        },
        Operation::Verify {
            user: "bob".to_owned(),
            fingerprint: content,
        },
        Operation::Compare {
            other: DeviceName::first("bob"),
        },
    ];
    let mut steps = vec![
        Step::User {
            user: "alice".to_owned(),
        },
        Step::Device {
            device: device.clone(),
        },
    ];
    for operation in operations {
        let device = device.clone();
        steps.push(Step::Run {
            device: device.clone(),
            operation: operation.clone(),
        });
        steps.push(Step::Start { device, operation });
    }
    round_trips(steps);
}

#[test]
fn order_and_lives_read_back() {
    let device = DeviceName::first("alice");
    let start = Step::Start {
        device: device.clone(),
        operation: Operation::List,
    };
    let selector = Selector::parse("alice/first:read#2").unwrap();
    round_trips(vec![
        start.clone(),
        start.clone(),
        start,
        Step::CrashAt {
            operation: 0,
            point: 3,
        },
        Step::Race {
            operations: vec![1, 2],
        },
        Step::Finish { operation: 1 },
        Step::Hold { selector },
        Step::Answer { hold: 0 },
        Step::AnswerAll { hold: 0 },
        Step::Crash {
            device: device.clone(),
        },
        Step::Restart {
            device: device.clone(),
        },
        Step::Wipe {
            device: device.clone(),
        },
        Step::Tear { device },
        Step::Impostor {
            user: "mallory".to_owned(),
            of: "alice".to_owned(),
        },
        Step::Secret {
            bytes: b"canary".as_slice().into(),
        },
    ]);
}

#[test]
fn every_act_reads_back() {
    let object = key(b"one");
    let by = Object::Written {
        operation: 2,
        index: 1,
    };
    for view in ["*", "nobody", "nobody/phone"] {
        let audience = Audience::parse(view);
        let of = Audience::parse("bob");
        let bytes: Bytes = [1_u8, 0].as_slice().into();
        let (first, second) = (object.clone(), by.clone());
        round_trips(vec![
            Step::Snapshot,
            Step::RollBackTo {
                snapshot: 0,
                audience: audience.clone(),
            },
            Step::Flip {
                object: by.clone(),
                bit: 9,
                audience: audience.clone(),
            },
            Step::Truncate {
                object: object.clone(),
                size: 4,
                audience: audience.clone(),
            },
            Step::Extend {
                object: object.clone(),
                bytes: bytes.clone(),
                audience: audience.clone(),
            },
            Step::Zero {
                object: object.clone(),
                audience: audience.clone(),
            },
            Step::Replace {
                object: object.clone(),
                by: by.clone(),
                audience: audience.clone(),
            },
            Step::Swap {
                first,
                second,
                audience: audience.clone(),
            },
            Step::Hide {
                object: object.clone(),
                audience: audience.clone(),
            },
            Step::HideAll {
                audience: audience.clone(),
            },
            Step::Resurrect {
                object: object.clone(),
                audience: audience.clone(),
            },
            Step::RollBack {
                object: object.clone(),
                versions: 2,
                audience: audience.clone(),
            },
            Step::Put {
                object: object.clone(),
                bytes,
                audience: audience.clone(),
            },
            Step::Fork {
                audience: audience.clone(),
            },
            Step::Show {
                audience: audience.clone(),
                of,
            },
            Step::Freeze { audience },
            Step::Join,
            Step::Heal,
        ]);
    }
}

#[test]
fn edits_read_back_in_any_order() {
    let name = "conflict".to_owned();
    let bytes: Bytes = b"".as_slice().into();
    let edits = vec![
        Edit::Drop,
        Edit::Replace { bytes },
        Edit::Delay { duration_ms: 0 },
        Edit::Late { requests: 7 },
        Edit::Refuse { name: name.clone() },
        Edit::Twice,
        Edit::Acknowledge,
        Edit::StoreBut { name },
        Edit::WaveThrough,
    ];
    let framed = Edit::Framed {
        framing: Framing::Stalled,
    };
    round_trips(vec![
        Step::EditRequest {
            request: 1,
            edits: edits.clone(),
        },
        Step::EditReply {
            request: 2,
            edits: [edits.clone(), vec![framed]].concat(),
        },
        Step::Pause {
            request: 3,
            reply: true,
        },
        Step::Run {
            device: DeviceName::first("alice"),
            operation: Operation::List,
        },
        Step::Resume { edits },
    ]);
}

#[test]
fn every_expectation_reads_back_with_what_it_guards() {
    let honest = Some("no-such-file".to_owned());
    let expectations = [
        Expectation::Violation {
            name: "rollback".to_owned(),
            honest: honest.clone(),
        },
        Expectation::Unavailable {
            name: "any".to_owned(),
            honest,
        },
        Expectation::Usage {
            name: "oneself".to_owned(),
        },
        Expectation::Success,
        Expectation::Any {
            outcomes: vec!["ok".to_owned(), "violation:fork".to_owned()],
        },
        Expectation::Admitted {
            claim: "no-freshness".to_owned(),
        },
        Expectation::NoRequest {
            selector: Selector::parse("login").unwrap(),
        },
        Expectation::ClosedTo {
            colluder: "bob".to_owned(),
            object: key(b"x"),
        },
        Expectation::OpenedBy {
            colluder: "bob".to_owned(),
            object: key(b"x"),
        },
        Expectation::SameView { second: false },
        Expectation::SameView { second: true },
        Expectation::Unchanged,
        Expectation::Anything,
    ];
    let mut steps = Vec::new();
    for expectation in expectations {
        steps.push(Step::Expect { expectation });
        steps.push(Step::Run {
            device: DeviceName::first("alice"),
            operation: Operation::List,
        });
        steps.push(Step::Met);
    }
    round_trips(steps);
}

#[test]
fn script_that_depends_on_a_run_is_no_attack_yet() {
    for text in [
        "let alice = user(\"alice\"); server.flip(content_of(alice.wrote()));",
        "server.on_reply(\"read\", |m| m.drop());",
        "server.objects();",
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.what.contains("depends on what happens"), "{error}");
    }
}

#[test]
fn broken_text_is_no_attack_and_says_why() {
    let error = parse("server.hael();").unwrap_err();
    assert_eq!(error.meant.as_deref(), Some("heal"));
}
