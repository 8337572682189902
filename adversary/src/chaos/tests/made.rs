//! Histories made by hand: each check sees its breach, and takes nothing else for one.

use super::{checks, judged};
use crate::chaos::past::Past;
use crate::chaos::{Check, Failing, order};
use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::history::{Event, History, ObjectKey};

/// A history in the making.
#[derive(Default)]
struct Tale {
    history: History,
    operations: u32,
    healed: Option<usize>,
}

const DONE: fn() -> Outcome = || Ok(Answer::default());

fn read(content: &str) -> Outcome {
    Ok(Answer {
        content: Some(content.into()),
        ..Answer::default()
    })
}

fn names(names: &[&str]) -> Outcome {
    let names = names.iter().map(|name| name.as_bytes().to_vec());
    Ok(Answer {
        names: Some(names.collect()),
        ..Answer::default()
    })
}

fn fails(class: Class, name: &str) -> Outcome {
    Err(Failure::new(class, name))
}

fn lost() -> Outcome {
    fails(Class::Unavailable, "cut-off")
}

fn usage(name: &str) -> Outcome {
    fails(Class::Usage, name)
}

fn upload(name: &str, content: &str) -> Operation {
    let (name, content) = (name.into(), content.into());
    Operation::Upload { name, content }
}

fn append(name: &str, content: &str) -> Operation {
    let (name, content) = (name.into(), content.into());
    Operation::Append { name, content }
}

fn download(name: &str) -> Operation {
    Operation::Download { name: name.into() }
}

fn delete(name: &str) -> Operation {
    Operation::Delete { name: name.into() }
}

fn share(name: &str, with: &str) -> Operation {
    let (name, with) = (name.into(), with.to_owned());
    Operation::Share { name, with }
}

fn receive(from: &str, name: &str, as_name: &str) -> Operation {
    Operation::Receive {
        from: from.to_owned(),
        name: Some(name.into()),
        pointer: None,
        as_name: as_name.into(),
    }
}

fn revoke(name: &str, from: &str) -> Operation {
    let (name, from) = (name.into(), from.to_owned());
    Operation::Revoke { name, from }
}

impl Tale {
    fn start(&mut self, device: &str, what: Operation) -> u32 {
        let operation = self.operations;
        self.operations += 1;
        self.history.push(Event::OperationStarted {
            operation,
            device: DeviceName::parse(device),
            what,
        });
        operation
    }

    fn end(&mut self, operation: u32, outcome: Outcome) -> &mut Self {
        self.history
            .push(Event::OperationEnded { operation, outcome });
        self
    }

    fn does(&mut self, device: &str, what: Operation, outcome: Outcome) -> &mut Self {
        let operation = self.start(device, what);
        self.end(operation, outcome)
    }

    /// The server stores something of an operation.
    fn stores(&mut self, operation: u32) -> &mut Self {
        let (object, version) = (ObjectKey::new("head", *b"head"), 1);
        self.history.push(Event::Wrote {
            operation,
            object,
            version,
        });
        self
    }

    fn heals(&mut self) -> &mut Self {
        self.healed = Some(self.history.events().len());
        self
    }

    /// Which checks fail.
    fn fallen(&self) -> Vec<Check> {
        checks(&self.failings())
    }

    fn failings(&self) -> Vec<Failing> {
        let healed = self.healed.unwrap_or(usize::MAX);
        judged(&self.history, healed)
    }

    #[track_caller]
    fn passes(&self) {
        assert_eq!(self.failings(), []);
    }

    #[track_caller]
    fn falls(&self, expected: &[Check]) {
        assert_eq!(self.fallen(), expected, "{:#?}", self.failings());
    }
}

fn tale() -> Tale {
    Tale::default()
}

/// Alice shares her file with bob, who receives it.
fn shared() -> Tale {
    let mut tale = tale();
    tale.does("alice", upload("n", "<1>"), DONE())
        .does("alice", share("n", "bob"), DONE())
        .does("bob", receive("alice", "n", "m"), DONE());
    tale
}

#[test]
fn a_lost_write_is_seen() {
    let mut tale = tale();
    tale.does("alice", upload("n", "<1>"), DONE())
        .does("alice", append("n", "<2>"), DONE())
        .heals()
        .does("alice/phone", download("n"), read("<1>"));
    tale.falls(&[Check::Write, Check::Order]);
    let mut gone = self::tale();
    gone.does("alice", upload("n", "<1>"), DONE()).heals().does(
        "alice",
        download("n"),
        usage("no-such-file"),
    );
    gone.falls(&[Check::Write, Check::Order]);
}

#[test]
fn a_write_that_something_may_have_replaced_is_not_lost() {
    for (what, outcome) in [
        (upload("n", "<3>"), lost()),
        (delete("n"), lost()),
        (upload("n", "<3>"), fails(Class::Other, Failure::CRASHED)),
    ] {
        let mut tale = tale();
        tale.does("alice", upload("n", "<1>"), DONE())
            .does("alice/phone", what.clone(), outcome)
            .heals();
        let end = match what {
            Operation::Delete { .. } => usage("no-such-file"),
            _ => read("<3>"),
        };
        tale.does("alice", download("n"), end);
        tale.passes();
    }
}

#[test]
fn a_doubled_append_is_seen() {
    let mut tale = tale();
    tale.does("alice", upload("n", "<1>"), DONE())
        .does("alice", append("n", "<2>"), DONE())
        .does("alice", download("n"), read("<1><2><2>"));
    tale.falls(&[Check::Write, Check::Order]);
}

#[test]
fn an_older_state_is_seen() {
    let mut tale = tale();
    tale.does("alice", upload("n", "<1>"), DONE())
        .does("alice/phone", upload("n", "<2>"), DONE())
        .does("alice", download("n"), read("<1>"))
        .does("alice", download("n"), read("<2>"));
    tale.falls(&[Check::Order]);
    let mut list = self::tale();
    list.does("alice", upload("n", "<1>"), DONE())
        .does("alice", delete("n"), DONE())
        .does("alice", Operation::List, names(&["n"]));
    list.falls(&[Check::Order]);
    let mut short = self::tale();
    short
        .does("alice", upload("n", "<1>"), DONE())
        .does("alice", upload("m", "<2>"), DONE())
        .does("alice", Operation::List, names(&["n"]));
    short.falls(&[Check::Order]);
}

#[test]
fn writes_at_once_come_in_any_order_and_in_one() {
    for (end, agreed, passes) in [
        ("<1><2><3>", "<1><2><3>", true),
        ("<1><3><2>", "<1><3><2>", true),
        ("<1><2>", "<1><2>", false),
        ("<1><2><3>", "<1><3><2>", false),
    ] {
        let mut tale = tale();
        tale.does("alice", upload("n", "<1>"), DONE());
        let one = tale.start("alice", append("n", "<2>"));
        let other = tale.start("alice/phone", append("n", "<3>"));
        tale.end(other, DONE())
            .end(one, DONE())
            .does("alice", download("n"), read(end))
            .does("alice/phone", download("n"), read(agreed));
        assert_eq!(tale.fallen().is_empty(), passes, "{end} {agreed}");
    }
}

#[test]
fn what_failed_happened_or_not_and_not_both() {
    for (first, second, passes) in [
        ("<1>", "<1>", true),
        ("<1><2>", "<1><2>", true),
        ("<1>", "<1><2>", false),
        ("<1><2>", "<1>", false),
    ] {
        let mut tale = tale();
        tale.does("alice", upload("n", "<1>"), DONE())
            .does("alice", append("n", "<2>"), lost())
            .does("alice", download("n"), read(first))
            .does("alice", download("n"), read(second));
        assert_eq!(tale.fallen().is_empty(), passes, "{first} {second}");
    }
}

#[test]
fn what_arrives_late_happens_late_if_the_record_shows_it() {
    for recorded in [true, false] {
        let mut tale = tale();
        tale.does("alice", upload("n", "<1>"), DONE());
        let late = tale.start("alice", append("n", "<2>"));
        tale.end(late, lost())
            .does("alice", download("n"), read("<1>"));
        if recorded {
            tale.stores(late);
        }
        tale.does("alice", download("n"), read("<1><2>"));
        match recorded {
            true => tale.passes(),
            false => tale.falls(&[Check::Order]),
        }
    }
}

#[test]
fn mistakes_of_the_caller_must_be_some() {
    let mut tale = tale();
    tale.does("alice", append("n", "<1>"), usage("no-such-file"))
        .does("alice", upload("n", "<2>"), DONE())
        .does("alice", revoke("n", "bob"), usage("not-shared"))
        .does("alice", delete("n"), DONE())
        .does("alice", delete("n"), usage("no-such-file"));
    tale.passes();
    let mut wrong = self::tale();
    wrong.does("alice", upload("n", "<2>"), DONE()).does(
        "alice",
        append("n", "<1>"),
        usage("no-such-file"),
    );
    wrong.falls(&[Check::Order]);
    let mut odd = self::tale();
    odd.does("alice", upload("n", "<2>"), usage("mercury-retrograde"));
    odd.falls(&[Check::Order]);
}

#[test]
fn members_work_on_one_file_until_they_are_revoked() {
    let mut tale = shared();
    tale.does("bob", append("m", "<2>"), DONE())
        .does("alice", download("n"), read("<1><2>"))
        .does("alice", revoke("n", "bob"), DONE())
        .does("alice", append("n", "<3>"), DONE())
        .heals()
        .does("alice", download("n"), read("<1><2><3>"))
        .does("bob", Operation::List, names(&["m"]))
        .does("bob", download("m"), fails(Class::Unavailable, "closed"));
    tale.passes();
    let mut open = shared();
    open.does("alice", revoke("n", "bob"), DONE())
        .does("bob", download("m"), read("<1>"));
    open.falls(&[Check::Order]);
    let mut closed = shared();
    closed
        .heals()
        .does("bob", download("m"), fails(Class::Unavailable, "closed"));
    closed.falls(&[Check::Order]);
}

#[test]
fn a_revocation_takes_whom_the_member_invited_and_nobody_else() {
    for (user, passes) in [("carol", true), ("dan", false)] {
        let mut tale = shared();
        tale.does("bob", share("m", "carol"), DONE())
            .does("carol", receive("bob", "m", "c"), DONE())
            .does("alice", share("n", "dan"), DONE())
            .does("dan", receive("alice", "n", "c"), DONE())
            .does("alice", revoke("n", "bob"), DONE())
            .heals()
            .does(user, download("c"), fails(Class::Unavailable, "closed"));
        assert_eq!(tale.fallen().is_empty(), passes, "{user}");
    }
}

#[test]
fn an_owner_deletes_for_all_and_a_member_for_himself() {
    let mut owner = shared();
    owner
        .does("alice", delete("n"), DONE())
        .does("bob", download("m"), usage("no-such-file"))
        .does("bob", Operation::List, names(&["m"]))
        .does("bob", upload("m", "<2>"), DONE())
        .does("bob", download("m"), read("<2>"))
        .does("alice", Operation::List, names(&[]));
    owner.passes();
    let mut member = shared();
    member
        .does("bob", delete("m"), DONE())
        .does("alice", download("n"), read("<1>"));
    member.passes();
    let mut kept = shared();
    kept.does("alice", delete("n"), DONE())
        .does("bob", download("m"), read("<1>"));
    kept.falls(&[Check::Order]);
}

#[test]
fn an_invitation_is_received_once_under_a_free_name() {
    let mut tale = shared();
    tale.does("bob", receive("alice", "n", "k"), usage("already-received"))
        .does("alice", share("n", "bob"), DONE())
        .does("bob", receive("alice", "n", "m"), usage("name-taken"))
        .does("bob", receive("alice", "n", "k"), DONE())
        .does("bob", append("k", "<2>"), DONE())
        .does("bob", download("m"), read("<1><2>"));
    tale.passes();
    let mut never = self::tale();
    never
        .does("alice", upload("n", "<1>"), DONE())
        .does("bob", receive("alice", "n", "m"), DONE());
    never.falls(&[Check::Order]);
}

#[test]
fn a_name_and_the_file_behind_it_are_two_moments() {
    // Bob's phone deletes the name after his laptop has found the file behind it.
    let mut tale = shared();
    let slow = tale.start("bob", upload("m", "<2>"));
    tale.does("bob/phone", delete("m"), DONE())
        .does("alice", append("n", "<3>"), DONE())
        .end(slow, DONE())
        .does("alice", download("n"), read("<2>"));
    tale.passes();
    // What starts after the name is gone does not find the file.
    let mut late = shared();
    late.does("bob/phone", delete("m"), DONE())
        .does("bob", upload("m", "<2>"), DONE())
        .does("alice", download("n"), read("<2>"));
    late.falls(&[Check::Order]);
}

#[test]
fn a_batch_is_one_moment() {
    let files = |one: &str, other: &str| Operation::UploadMany {
        files: vec![(b"a".to_vec(), one.into()), (b"b".to_vec(), other.into())],
    };
    for (seen, passes) in [("<4>", true), ("<2>", false)] {
        let mut tale = tale();
        tale.does("alice", files("<1>", "<2>"), DONE());
        let batch = tale.start("alice", files("<3>", "<4>"));
        tale.does("alice/phone", download("a"), read("<3>"))
            .does("alice/phone", download("b"), read(seen))
            .end(batch, DONE());
        assert_eq!(tale.fallen().is_empty(), passes, "{seen}");
    }
}

#[test]
fn an_accusation_a_stuck_device_and_two_truths_are_seen() {
    let mut alarm = tale();
    alarm.does("alice", download("n"), fails(Class::Violation, "rollback"));
    alarm.falls(&[Check::Alarm]);
    for (what, outcome) in [
        (Operation::List, lost()),
        (Operation::Login, fails(Class::Unavailable, "refused")),
        (download("n"), fails(Class::Unavailable, "contended")),
        (download("n"), fails(Class::Other, "not-logged-in")),
    ] {
        let mut stuck = tale();
        stuck.does("alice", what, outcome);
        stuck.passes();
        stuck.healed = Some(0);
        stuck.falls(&[Check::Stuck]);
    }
    let mut never = tale();
    never.heals();
    never.start("alice", Operation::List);
    never.falls(&[Check::Stuck]);
    let mut two = tale();
    two.does("alice", upload("n", "<1>"), lost())
        .heals()
        .does("alice", Operation::List, names(&["n"]))
        .does("alice/phone", Operation::List, names(&[]));
    two.falls(&[Check::Stuck, Check::Order]);
}

#[test]
fn a_lie_in_a_run_spoils_it() {
    let mut act = tale();
    act.history.push(Event::Act {
        text: "server.freeze(\"*\")".to_owned(),
        applied: true,
    });
    act.falls(&[Check::Honesty]);
    let told = |shown: &[u8]| {
        let mut tale = tale();
        tale.history.push(Event::Reply {
            request: 0,
            honest: Some(Bytes::from(b"yes".as_slice())),
            shown: Some(Bytes::from(shown)),
        });
        tale
    };
    told(b"yes").passes();
    told(b"no").falls(&[Check::Honesty]);
}

#[test]
fn contents_that_could_be_taken_for_each_other_are_not_judged() {
    let mut tale = tale();
    tale.does("alice", upload("n", "x"), DONE())
        .does("alice", append("n", "xy"), DONE());
    tale.falls(&[Check::Honesty]);
}

#[test]
fn a_search_that_grows_too_large_is_a_failure() {
    let mut tale = tale();
    tale.does("alice", upload("n", "<0>"), DONE());
    for number in 1..=3 {
        let content = format!("<{number}>");
        tale.start(&format!("alice/{number}"), append("n", &content));
    }
    tale.does("alice", download("n"), read("<0>"));
    let past = Past::of(&tale.history, usize::MAX).expect("distinct contents");
    let (none, most) = order::explain(&past, order::STATES_MAX);
    assert_eq!(none, None);
    assert!(most > 16, "{most}");
    let (some, _) = order::explain(&past, 16);
    assert!(some.is_some_and(|what| what.contains("not checked")));
}
