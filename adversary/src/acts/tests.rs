//! What each act shows, to whom, and until when.

use super::NoSuchObject;
use crate::client::DeviceName;
use crate::honest::kv::{self, Condition};
use crate::honest::storage::{Key, Storage};
use crate::honest::store::{Object, Versions};
use crate::selector::Audience;

fn notes() -> Key {
    kv::object(b"notes")
}

/// A store in which alice wrote `notes` three times and `other` once, by operations 1 to 4.
fn world() -> Versions {
    let mut world = Versions::new();
    for (operation, bytes) in (1..).zip(["v1", "v2", "v3"]) {
        write(&mut world, "alice", operation, &notes(), bytes);
    }
    write(&mut world, "alice", 4, &kv::object(b"other"), "o1");
    world
}

fn write(world: &mut Versions, device: &str, operation: u32, key: &Key, text: &str) {
    let mut view = world.view(&DeviceName::parse(device), operation);
    kv::put(&mut view, key, text.as_bytes().into(), Condition::Always).unwrap();
}

fn delete(world: &mut Versions, device: &str, key: &Key) {
    let mut view = world.view(&DeviceName::parse(device), 9);
    assert_eq!(kv::delete(&mut view, key, Condition::Always), Ok(true));
}

/// What the device reads, `-` for nothing.
fn read(world: &mut Versions, device: &str, key: &Key) -> String {
    let view = world.view(&DeviceName::parse(device), 9);
    let bytes = view.fetch(key).unwrap();
    bytes.map_or("-".to_owned(), |bytes| {
        String::from_utf8(bytes.to_vec()).unwrap()
    })
}

fn reads(world: &mut Versions, key: &Key) -> [String; 3] {
    ["alice", "alice/phone", "bob"].map(|device| read(world, device, key))
}

const ALL: Audience = Audience::Everyone;

fn honest(world: &Versions, key: &Key) -> Option<Vec<u8>> {
    let bytes = world.rehearsal().fetch(key).unwrap();
    bytes.map(|bytes| bytes.to_vec())
}

#[test]
fn an_audience_is_everyone_or_a_user_or_a_device() {
    for (audience, expected) in [
        ("*", ["v1", "v1", "v1"]),
        ("alice", ["v1", "v1", "v3"]),
        ("alice/phone", ["v3", "v1", "v3"]),
        ("bob", ["v3", "v3", "v1"]),
    ] {
        let mut world = world();
        let audience = Audience::parse(audience);
        assert_eq!(world.roll_back(&notes(), 2, &audience), Ok(()));
        assert_eq!(reads(&mut world, &notes()), expected);
        assert_eq!(honest(&world, &notes()), Some(b"v3".to_vec()));
        assert!(world.lies_to(&DeviceName::new("alice", "phone")) == (expected[1] == "v1"));
        world.heal();
        assert_eq!(reads(&mut world, &notes()), ["v3"; 3]);
        assert!(!world.lies_to(&DeviceName::new("alice", "phone")));
    }
}

#[test]
fn what_is_shown_of_an_object_lasts_until_it_is_written() {
    let mut world = world();
    world.hide(&notes(), &Audience::parse("bob")).unwrap();
    assert_eq!(reads(&mut world, &notes()), ["v3", "v3", "-"]);
    write(&mut world, "alice", 5, &notes(), "v4");
    assert_eq!(reads(&mut world, &notes()), ["v4"; 3]);
}

#[test]
fn the_later_of_two_acts_holds() {
    let mut world = world();
    world.put(&notes(), *b"to bob", &Audience::parse("bob"));
    world.put(&notes(), *b"to all", &ALL);
    assert_eq!(reads(&mut world, &notes()), ["to all"; 3]);
    world.put(&notes(), *b"to bob", &Audience::parse("bob"));
    assert_eq!(reads(&mut world, &notes()), ["to all", "to all", "to bob"]);
}

#[test]
fn the_store_is_rolled_back_for_all_and_goes_on_from_there() {
    let mut world = world();
    let before = world.snapshot();
    write(&mut world, "alice", 5, &notes(), "v4");
    world.roll_back_to(before, &ALL);
    assert_eq!(reads(&mut world, &notes()), ["v3"; 3]);
    write(&mut world, "bob", 6, &notes(), "v5");
    assert_eq!(reads(&mut world, &notes()), ["v5"; 3]);
    assert_eq!(honest(&world, &notes()), Some(b"v4".to_vec()));
    world.heal();
    assert_eq!(reads(&mut world, &notes()), ["v4"; 3]);
}

#[test]
fn a_fork_is_two_worlds_until_it_is_joined() {
    let mut world = world();
    let bob = Audience::parse("bob");
    world.fork(&bob);
    write(&mut world, "alice", 5, &notes(), "of alice");
    assert_eq!(reads(&mut world, &notes()), ["of alice", "of alice", "v3"]);
    write(&mut world, "bob", 6, &notes(), "of bob");
    assert_eq!(
        reads(&mut world, &notes()),
        ["of alice", "of alice", "of bob"]
    );
    world.show(&Audience::parse("alice/phone"), &bob);
    assert_eq!(
        reads(&mut world, &notes()),
        ["of alice", "of bob", "of bob"]
    );
    write(&mut world, "alice/phone", 7, &notes(), "both");
    assert_eq!(reads(&mut world, &notes()), ["of alice", "both", "both"]);
    world.join();
    assert_eq!(reads(&mut world, &notes()), ["of alice"; 3]);
}

#[test]
fn a_fork_of_a_fork_sees_both_of_its_pasts() {
    let mut world = world();
    world.fork(&Audience::parse("alice"));
    write(&mut world, "alice", 5, &notes(), "once");
    world.fork(&Audience::parse("alice/phone"));
    write(&mut world, "alice", 6, &notes(), "later");
    assert_eq!(reads(&mut world, &notes()), ["later", "once", "v3"]);
    assert_eq!(read(&mut world, "alice/phone", &kv::object(b"other")), "o1");
    world
        .roll_back(&notes(), 1, &Audience::parse("alice/phone"))
        .unwrap();
    assert_eq!(reads(&mut world, &notes()), ["later", "v3", "v3"]);
}

#[test]
fn a_frozen_view_takes_its_own_writes_alone() {
    let mut world = world();
    world.freeze(&Audience::parse("bob"));
    write(&mut world, "alice", 5, &notes(), "v4");
    assert_eq!(reads(&mut world, &notes()), ["v4", "v4", "v3"]);
    write(&mut world, "bob", 6, &notes(), "mine");
    assert_eq!(reads(&mut world, &notes()), ["v4", "v4", "mine"]);
}

#[test]
fn a_deleted_object_is_resurrected() {
    let mut world = world();
    delete(&mut world, "alice", &notes());
    assert_eq!(reads(&mut world, &notes()), ["-"; 3]);
    world.resurrect(&notes(), &Audience::parse("bob")).unwrap();
    assert_eq!(reads(&mut world, &notes()), ["-", "-", "v3"]);
    let never = kv::object(b"never");
    assert_eq!(world.resurrect(&never, &ALL), Err(NoSuchObject));
}

#[test]
fn everything_that_is_there_is_hidden_and_what_comes_is_not() {
    let mut world = world();
    world.hide_all(&ALL);
    assert_eq!(reads(&mut world, &notes()), ["-"; 3]);
    assert_eq!(world.objects(&ALL), []);
    write(&mut world, "alice", 5, &kv::object(b"new"), "n");
    assert_eq!(world.objects(&ALL).len(), 1);
}

#[test]
fn bytes_are_tampered_with_from_what_is_shown() {
    let mut world = world();
    let bob = Audience::parse("bob");
    world.flip(&notes(), 7, &bob).unwrap();
    assert_eq!(read(&mut world, "bob", &notes()), "w3");
    world.flip(&notes(), 15 + 16 * 5, &bob).unwrap();
    assert_eq!(read(&mut world, "bob", &notes()), "w2");
    world.extend(&notes(), b"more", &bob).unwrap();
    assert_eq!(read(&mut world, "bob", &notes()), "w2more");
    world.truncate(&notes(), 3, &bob).unwrap();
    assert_eq!(read(&mut world, "bob", &notes()), "w2m");
    world.zero(&notes(), &bob).unwrap();
    assert_eq!(read(&mut world, "bob", &notes()), "\0\0\0");
    world.truncate(&notes(), 0, &bob).unwrap();
    assert_eq!(world.flip(&notes(), 0, &bob), Err(NoSuchObject));
    assert_eq!(reads(&mut world, &notes()), ["v3", "v3", ""]);
}

#[test]
fn objects_stand_in_for_others_and_for_their_own_past() {
    let mut world = world();
    let other = kv::object(b"other");
    let first = world.wrote(1).remove(0);
    assert_eq!((&first.key, first.size), (&notes(), 2));
    world.replace(&other, &first, &ALL).unwrap();
    assert_eq!(read(&mut world, "bob", &other), "v1");
    world.heal();
    world
        .replace(&notes(), &first, &Audience::parse("bob"))
        .unwrap();
    assert_eq!(reads(&mut world, &notes()), ["v3", "v3", "v1"]);
    world.heal();
    world.swap(&notes(), &other, &ALL).unwrap();
    assert_eq!(reads(&mut world, &notes()), ["o1"; 3]);
    assert_eq!(reads(&mut world, &other), ["v3"; 3]);
    let never = kv::object(b"never");
    assert_eq!(world.swap(&notes(), &never, &ALL), Err(NoSuchObject));
}

#[test]
fn an_object_of_the_servers_own_is_an_object() {
    let mut world = world();
    let planted = kv::object(b"planted");
    world.put(&planted, *b"mine", &Audience::parse("bob"));
    assert_eq!(reads(&mut world, &planted), ["-", "-", "mine"]);
    let keys = |world: &Versions, audience: &str| -> Vec<Key> {
        let objects = world.objects(&Audience::parse(audience));
        objects.into_iter().map(|object| object.key).collect()
    };
    assert!(keys(&world, "bob").contains(&planted));
    assert!(!keys(&world, "*").contains(&planted));
    let shown = world.object(&planted, &Audience::parse("bob"));
    assert!(shown.is_some_and(|object: Object| object.size == 4));
}

#[test]
fn a_copy_of_a_world_goes_its_own_way() {
    let mut world = world();
    let saved = world.clone();
    write(&mut world, "alice", 5, &notes(), "v4");
    world.hide_all(&Audience::parse("bob"));
    let mut reopened = saved.clone();
    assert_eq!(reads(&mut reopened, &notes()), ["v3"; 3]);
    assert_eq!(reopened.wrote(5), []);
    assert_eq!(world.wrote(5).len(), 1);
}
