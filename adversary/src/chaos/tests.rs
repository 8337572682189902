//! Every check sees what it is for: in histories made by hand, in runs with a planted breach, and
//! in runs of clients and servers that are known to be wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::past::Past;
use super::story::{Story, Told};
use super::{Check, Failing, Tally, WORLD, check, order, play, play_on};
use crate::attack::Attack;
use crate::client::{Answer, Class, DeviceName, Failure, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::{
    Accepted, Client, Declaration, Hardened, Lie, OwnedFuture, Planted, Process, Setting, Weakened,
};
use crate::history::{Event, History, ObjectKey};
use crate::honest::native::Native;
use crate::honest::storage::{Batch, Key, Storage, StorageFault};
use crate::run::parallel;
use crate::script;
use crate::stage::{Acts, Answered, Rules, Stage, native_rules, run_settings};

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

fn judged(history: &History, healed: usize) -> Vec<Failing> {
    let told = Told {
        tally: Tally::default(),
        healed,
        refused: Vec::new(),
    };
    check(history, &told).0
}

fn checks(failings: &[Failing]) -> Vec<Check> {
    let mut checks: Vec<Check> = failings.iter().map(|failing| failing.check).collect();
    checks.sort_unstable();
    checks.dedup();
    checks
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

/// The history of an honest run, and when its network was well.
fn honest(seed: u64) -> (History, usize) {
    let mut stage = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
    let told = Story::new(seed).tell(&mut stage);
    (stage.history().clone(), told.healed)
}

/// The same history with another answer to one operation.
fn planted(history: &History, at: usize, answer: Answer) -> History {
    let mut planted = History::new();
    for (place, event) in history.events().iter().enumerate() {
        planted.push(match event {
            Event::OperationEnded { operation, .. } if place == at => Event::OperationEnded {
                operation: *operation,
                outcome: Ok(answer.clone()),
            },
            event => event.clone(),
        });
    }
    planted
}

/// The answers of operations from an event on, with their places.
fn answers(history: &History, from: usize) -> Vec<(usize, Answer)> {
    let events = history.events().iter().enumerate().skip(from);
    let answers = events.filter_map(|(at, event)| match event {
        Event::OperationEnded {
            outcome: Ok(answer),
            ..
        } => Some((at, answer.clone())),
        _ => None,
    });
    answers.collect()
}

#[test]
fn breaches_that_are_planted_in_real_runs_are_seen() {
    let work = |index: usize| {
        let (history, healed) = honest(index as u64);
        assert_eq!(judged(&history, healed), [], "seed {index}");
        let mut planted_in = 0;
        for (at, answer) in answers(&history, healed) {
            let mut changed = Vec::new();
            if let Some(content) = answer
                .content
                .as_deref()
                .filter(|content| !content.is_empty())
            {
                // Without its last part, with that part twice, and something of an earlier read.
                let cut = content.iter().rposition(|byte| *byte == b'<').unwrap_or(0);
                let (before, last) = content.split_at(cut);
                changed.push(before.to_vec());
                changed.push([content, last].concat());
                let earlier = answers(&history, 0)
                    .into_iter()
                    .take_while(|(place, _)| *place < at);
                let earlier = earlier.filter_map(|(_, answer)| answer.content);
                changed.extend(earlier.filter(|earlier| earlier != content).take(2));
                changed.push(b"<nobody>".to_vec());
            }
            for content in changed {
                let content = Some(content);
                let planted = planted(
                    &history,
                    at,
                    Answer {
                        content,
                        ..answer.clone()
                    },
                );
                let fallen = checks(&judged(&planted, healed));
                assert!(
                    fallen.contains(&Check::Order),
                    "seed {index}, event {at}: {fallen:?}"
                );
                planted_in += 1;
            }
            if let Some((_, rest)) = answer.names.as_deref().and_then(<[Vec<u8>]>::split_last) {
                let names = Some(rest.to_vec());
                let planted = planted(
                    &history,
                    at,
                    Answer {
                        names,
                        ..answer.clone()
                    },
                );
                let fallen = checks(&judged(&planted, healed));
                assert!(
                    fallen.contains(&Check::Order),
                    "seed {index}, event {at}: {fallen:?}"
                );
                planted_in += 1;
            }
        }
        planted_in
    };
    let planted: usize = parallel(8, 2, work, |_, _| ()).into_iter().sum();
    assert!(planted > 100, "{planted} breaches were planted");
}

#[test]
fn a_run_plays_again_as_a_value_and_as_its_printed_script() {
    for seed in 0..6 {
        let stage = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
        let (stage, run) = play_on(stage, seed);
        assert_eq!(run.failings, [], "seed {seed}");
        let attack = stage.attack();
        let printed = script::print(&attack, "chaos-run", "printed.");
        let parsed = script::parse(&printed).expect("what is printed is a script");
        assert!(parsed.steps == attack.steps, "seed {seed}: other steps");
        let choices = attack.choices.clone();
        let mut again = Stage::new(Rc::new(Hardened), Acts::Applied, WORLD);
        again.play(&Attack { choices, ..parsed });
        let events = stage
            .history()
            .events()
            .iter()
            .zip(again.history().events());
        let apart = events.clone().position(|(one, other)| one != other);
        assert_eq!(
            again.history().digest(),
            stage.history().digest(),
            "seed {seed}, event {apart:?}: {:.400?}",
            apart.and_then(|at| events.clone().nth(at)),
        );
    }
}

/// Which checks fail in the runs of some seeds, and in how many.
fn fallen(seeds: u64, run: impl Fn(u64) -> Vec<Failing> + Sync) -> BTreeMap<Check, usize> {
    let seeds = usize::try_from(seeds).expect("few seeds");
    let found = parallel(seeds, 2, |index| checks(&run(index as u64)), |_, _| ());
    let mut fallen = BTreeMap::new();
    for check in found.into_iter().flatten() {
        *fallen.entry(check).or_default() += 1;
    }
    fallen
}

fn weakened(defences: &[&str]) -> Rc<dyn Client> {
    let names: Vec<String> = defences.iter().map(|name| (*name).to_owned()).collect();
    Rc::new(Weakened::without(&names).expect("defences of ours"))
}

/// The hardened client behind a program that tries an append again whenever no answer came.
struct Retries;

struct Retrying(Rc<RefCell<Box<dyn Process>>>);

impl Client for Retries {
    fn name(&self) -> String {
        "retries".to_owned()
    }

    fn declaration(&self) -> Declaration {
        Hardened.declaration()
    }

    fn start(&self, setting: Setting) -> Result<Box<dyn Process>, String> {
        let process = Rc::new(RefCell::new(Hardened.start(setting)?));
        Ok(Box::new(Retrying(process)))
    }

    fn accepted(&self, durable: &[u8]) -> Vec<Accepted> {
        Hardened.accepted(durable)
    }
}

impl Process for Retrying {
    fn begin(&mut self, operation: Operation) -> OwnedFuture<Outcome> {
        let process = Rc::clone(&self.0);
        let begin = move |operation: &Operation| process.borrow_mut().begin(operation.clone());
        Box::pin(async move {
            let outcome = begin(&operation).await;
            let unanswered = |failure: &Failure| failure.class == Class::Unavailable;
            match (&operation, &outcome) {
                (Operation::Append { .. }, Err(failure)) if unanswered(failure) => {
                    begin(&operation).await
                }
                _ => outcome,
            }
        })
    }
}

#[test]
fn a_client_that_tries_an_append_again_writes_twice() {
    let fallen = fallen(40, |seed| play(Rc::new(Retries), seed).failings);
    assert!(fallen.contains_key(&Check::Write), "{fallen:?}");
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}

#[test]
fn lying_clients_are_seen() {
    for (lie, check) in [
        ("alarm", Check::Alarm),
        ("alarm-on-loss", Check::Alarm),
        ("alarm-after-restart", Check::Alarm),
        ("forges-content", Check::Order),
        ("invents-name", Check::Order),
        ("revokes-nothing", Check::Order),
    ] {
        let lie = Lie::ALL
            .iter()
            .find(|known| known.name == lie)
            .expect("a lie");
        let fallen = fallen(10, |seed| play(Rc::new(Planted::new(lie)), seed).failings);
        assert!(fallen.contains_key(&check), "{}: {fallen:?}", lie.name);
    }
}

/// What a lying server does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lying {
    /// It acknowledges one of some commits, and forgets it.
    Drops,
    /// After some commits, whoever reads is shown the state as it was, and writes to the new one.
    Lags,
}

/// Honest rules, but for one lie.
struct LyingRules {
    rules: Box<dyn Rules>,
    lying: Lying,
    /// Which commit the lie is about.
    commit: u32,
    commits: u32,
    now: BTreeMap<Key, Bytes>,
    then: Option<BTreeMap<Key, Bytes>>,
}

impl LyingRules {
    fn new(lying: Lying, commit: u32) -> Self {
        Self {
            rules: native_rules(&Native::new(run_settings())),
            lying,
            commit,
            commits: 0,
            now: BTreeMap::new(),
            then: None,
        }
    }
}

/// A store that a copy is kept of.
struct Copied<'a>(&'a mut dyn Storage, &'a mut BTreeMap<Key, Bytes>);

impl Storage for Copied<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        self.0.fetch(key)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        for (key, bytes) in batch.clone().into_changes() {
            match bytes {
                Some(bytes) => self.1.insert(key, bytes),
                None => self.1.remove(&key),
            };
        }
        self.0.apply(batch)
    }
}

/// A store as it was.
struct AsItWas<'a>(&'a BTreeMap<Key, Bytes>);

impl Storage for AsItWas<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        Ok(self.0.get(key).cloned())
    }

    fn apply(&mut self, _: Batch) -> Result<(), StorageFault> {
        Err(StorageFault)
    }
}

impl Rules for LyingRules {
    fn kind(&self, request: &[u8]) -> &'static str {
        self.rules.kind(request)
    }

    fn answer(&mut self, store: &mut dyn Storage, asker: &DeviceName, bytes: &[u8]) -> Answered {
        let kind = self.kind(bytes);
        self.commits += u32::from(kind == "commit");
        if kind == "commit" && self.commits == self.commit {
            match self.lying {
                Lying::Drops => {
                    return Answered {
                        reply: self.rules.acknowledgement(),
                        published: None,
                    };
                }
                Lying::Lags => self.then = Some(self.now.clone()),
            }
        }
        match &self.then {
            Some(then) if kind == "read" && self.commits < self.commit + 4 => {
                self.rules.answer(&mut AsItWas(then), asker, bytes)
            }
            _ => self
                .rules
                .answer(&mut Copied(store, &mut self.now), asker, bytes),
        }
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        self.rules.refusal(name)
    }

    fn acknowledgement(&self) -> Vec<u8> {
        self.rules.acknowledgement()
    }

    fn twin(&self) -> Box<dyn Rules> {
        Box::new(Self {
            rules: self.rules.twin(),
            now: self.now.clone(),
            then: self.then.clone(),
            ..*self
        })
    }
}

fn before(client: Rc<dyn Client>, lying: Lying, seed: u64) -> Vec<Failing> {
    let commit = 8 + u32::try_from(seed % 8).expect("small");
    let rules = Box::new(LyingRules::new(lying, commit));
    let stage = Stage::with_rules(client, rules, Acts::Applied, WORLD);
    play_on(stage, seed).1.failings
}

#[test]
fn a_server_that_drops_what_it_acknowledged_is_seen() {
    let caught = fallen(16, |seed| before(Rc::new(Hardened), Lying::Drops, seed));
    assert!(caught.contains_key(&Check::Alarm), "{caught:?}");
    // A client that does not look for its own heads goes on as if nothing had happened.
    let trusting = || weakened(&["own-heads", "own-place"]);
    let fallen = fallen(24, |seed| before(trusting(), Lying::Drops, seed));
    assert!(fallen.contains_key(&Check::Write), "{fallen:?}");
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}

#[test]
fn a_server_that_answers_an_older_state_is_seen() {
    let caught = fallen(16, |seed| before(Rc::new(Hardened), Lying::Lags, seed));
    assert!(caught.contains_key(&Check::Alarm), "{caught:?}");
    let trusting = || weakened(&["head-rollback", "own-heads", "own-place"]);
    let fallen = fallen(24, |seed| before(trusting(), Lying::Lags, seed));
    assert!(fallen.contains_key(&Check::Order), "{fallen:?}");
}
