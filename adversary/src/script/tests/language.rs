//! What the language promises: acts, handlers, expectations, and what a run records.

use super::*;
use crate::attack::{Expectation, Step};
use crate::client::Operation;
use crate::selector::Audience;

/// The example of the design, as it stands there.
const HEAD_ROLLBACK: &str = r#"// head-rollback: an older signed head is served after a newer one.
let alice = user("alice");
alice.upload("notes.txt", "v1");
let before = server.snapshot();
alice.upload("notes.txt", "v2");

server.roll_back_to(before);

expect_violation("rollback", || alice.download("notes.txt"));
"#;

#[test]
fn example_of_the_design_runs_as_it_stands() {
    let script = prepare(HEAD_ROLLBACK, &Budget::default()).unwrap();
    assert_eq!(script.id, "head-rollback");
    for attacked in [true, false] {
        let fake = Rc::new(RefCell::new(Fake::new(attacked)));
        let played = play(&script, fake.clone(), &Budget::default(), &Stop::default());
        assert!(played.is_met(), "{played:?}");
        assert_eq!(played.judgements.len(), 1);
        let place = played.judgements[0].place.unwrap();
        assert_eq!((place.line, place.column), (9, 1));
        assert_eq!(fake.borrow().steps.len(), 9);
    }
}

#[test]
fn unmet_expectation_is_judged_and_the_script_goes_on() {
    let text = "let alice = user(\"alice\");\nalice.upload(\"n\", \"v1\");\n\
        expect_violation(\"fork\", || alice.download(\"n\"));\n\
        expect_ok(|| alice.download(\"n\"));";
    let (played, _) = played(text, true);
    assert_eq!(played.fault, None);
    assert_eq!(played.judgements[0].instead.as_deref(), Some("ok"));
    assert_eq!(played.judgements[1].instead, None);
}

#[test]
fn download_gives_text_as_text_and_other_bytes_as_bytes() {
    met(r#"
        let alice = user("alice");
        alice.upload("n", "text");
        if alice.download("n") != "text" { throw "text" }
        let raw = bytes(300);
        alice.upload("n", raw);
        let got = alice.download("n");
        if got != raw || got.len() != 300 { throw "bytes" }
        if got.part(0, 2) + got.part(2, 300) != raw { throw "parts" }
        if alice.list() != ["n"] { throw "list" }
    "#);
}

#[test]
fn handler_uses_the_user_whose_operation_runs_and_the_server() {
    let steps = met(r#"
        let alice = user("alice");
        alice.upload("n", "v1");
        let inner = [];
        let hook = server.on_reply("alice:read#1", |m| {
            server.snapshot();
            inner.push(alice.download("n"));
            inner.push(m.user + " " + m.device + " " + m.kind + " " + m.count);
        });
        alice.download("n");
        server.off(hook);
        alice.download("n");
        if inner != ["v1", "alice alice/first read 1"] { throw inner }
    "#);
    let downloads = steps
        .iter()
        .filter(|step| {
            let operation = Operation::Download { name: b"n".into() };
            matches!(step, Step::Run { operation: own, .. } if *own == operation)
        })
        .count();
    assert_eq!(downloads, 3);
}

#[test]
fn handler_that_calls_itself_for_ever_is_stopped_at_its_depth() {
    let error = fault(
        r#"let alice = user("alice");
        server.on_reply("read", |m| alice.list());
        alice.list();"#,
    );
    assert_eq!(error.fault, Fault::Budget);
    assert!(error.what.contains("more than 4 deep"), "{error}");
}

#[test]
fn handler_changes_a_plain_variable_of_the_script() {
    met(r#"
        let alice = user("alice");
        let count = 0;
        server.on_request("read", |m| { count += 1; });
        alice.list();
        alice.list();
        if count != 2 { throw count }
    "#);
}

#[test]
fn edits_of_a_message_reach_the_world_in_order() {
    use crate::attack::Edit;
    use crate::script::performer::Direction;
    use crate::script::value::Hand;
    let message = crate::script::performer::Message {
        hooks: Vec::new(),
        direction: Direction::Reply,
        request: 0,
        device: crate::client::DeviceName::first("alice"),
        kind: "read".to_owned(),
        bytes: b"honest".as_slice().into(),
    };
    let mut hand = Hand::new(message);
    assert_eq!(hand.edits(), []);
    hand.fate = Some(Edit::Drop);
    hand.delay_ms = 5;
    hand.message.bytes = b"other".as_slice().into();
    let bytes = hand.message.bytes.clone();
    assert_eq!(
        hand.edits(),
        [
            Edit::Delay { duration_ms: 5 },
            Edit::Replace { bytes },
            Edit::Drop
        ]
    );
}

#[test]
fn lost_reply_fails_the_operation_and_try_op_says_how() {
    met(r#"
        let alice = user("alice");
        server.on_reply("read", |m| m.drop());
        let tried = try_op(|| alice.list());
        if tried.ok || tried.class != "unavailable" || tried.name != "timeout" { throw tried }
        server.heal();
        if !try_op(|| alice.list()).ok { throw "healed" }
    "#);
}

#[test]
fn fields_of_a_message_are_read_and_set() {
    met(r#"
        let alice = user("alice");
        server.on_reply("read", |m| {
            if m.get("kdf.iterations") != 7 || m.has("nothing") { throw "get" }
            if !m.set("kdf.iterations", 1) || m.try_set("nothing", 1) { throw "set" }
            if m.size != 8 || m.body[7] != 1 { throw "body" }
            m.truncate(4); m.extend("xyz"); m.flip(0); m.put("p"); m.replay(m.keep());
            if m.body != "message" { throw m.body }
        });
        alice.list();
    "#);
}

#[test]
fn message_is_out_of_reach_once_it_was_delivered() {
    let error = fault(
        r#"let alice = user("alice");
        let kept = ();
        server.on_reply("read", |m| { kept = m; });
        alice.list();
        kept.drop();"#,
    );
    assert_eq!(error.fault, Fault::WrongUse);
    assert_eq!(error.place.map(|place| place.line), Some(6));
}

#[test]
fn started_operations_are_finished_raced_and_asked_again() {
    met(r#"
        let alice = user("alice");
        let phone = alice.device("phone");
        alice.upload("n", "v1");
        let one = alice.start_download("n");
        let two = phone.start_list();
        if race([one, two]) != ["v1", ["n"]] { throw "race" }
        if finish(one) != "v1" { throw "again" }
        let three = phone.start_download("none");
        crash_at(three, 2);
        if try_op(|| finish(three)).name != "no-such-file" { throw "failure" }
    "#);
}

#[test]
fn acts_carry_their_object_and_their_view() {
    let steps = met(r#"
        let alice = user("alice");
        let bob = user("bob");
        alice.upload("n", "v1");
        let written = alice.wrote();
        let object = content_of(written);
        if object.kind != "obj" || object.size != 2 || object.id != "n" { throw object }
        if kind_of(written, "head") != () || kind_of(written, "obj") != object { throw "kind" }
        server.flip(object);
        server.flip(object, "bob");
        server.flip(object, 3, alice.device("phone"));
        server.hide(written, bob);
        server.truncate(object, 1);
        let seen = [];
        each_byte(object, |i| seen.push(i));
        sample(2, 100, |i| seen.push(i));
        if seen.len() != 4 { throw seen }
    "#);
    let audiences: Vec<String> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Flip { audience, .. } | Step::Hide { audience, .. } => Some(audience.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(audiences, ["*", "bob", "alice/phone", "bob"]);
    assert!(steps.iter().any(|step| matches!(
        step,
        Step::Truncate {
            size: 1,
            audience: Audience::Everyone,
            ..
        }
    )));
}

#[test]
fn secrets_are_announced_and_differ() {
    let steps = met("let one = secret(20); let two = secret(20); if one == two { throw one }");
    assert_eq!(steps.len(), 2);
    assert!(matches!(&steps[0], Step::Secret { bytes } if bytes.len() == 20));
}

#[test]
fn functions_and_loops_of_the_script_use_users_by_name() {
    met(r#"
        fn fill(who, count) {
            for i in 0..count { who.upload("n" + i, bytes(10, i)); }
        }
        let alice = user("alice");
        fill(alice, 3);
        for who in [alice, user("bob")] {
            for_each(["n0", "n1"], |name| who.download(name));
        }
    "#);
}

#[test]
fn expectation_knows_its_honest_outcome() {
    let text = r#"let alice = user("alice");
        expect_violation("missing", || alice.download("none"), "no-such-file");"#;
    assert!(played(text, false).0.is_met());
    let (attacked, _) = played(text, true);
    let judged = &attacked.judgements[0];
    assert_eq!(judged.instead.as_deref(), Some("usage:no-such-file"));
    assert_eq!(
        judged.expectation,
        Expectation::Violation {
            name: "missing".to_owned(),
            honest: Some("no-such-file".to_owned())
        }
    );
}

use crate::script::Fault;
