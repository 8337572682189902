//! What each tree client catches, and the one thing that it does not.

use crate::client::Operation;
use crate::strawman::testing::{Objects, World, append, download, public, receive, share, upload};
use crate::strawman::{Kind, trusting, unchained, unfresh};

const TREES: [&Kind; 3] = [&unfresh::KIND, &trusting::KIND, &unchained::KIND];

fn two_states(kind: &'static Kind) -> (World, crate::strawman::testing::Rig, Objects) {
    let world = World::new(kind, &["alice", "bob", "mallory"]);
    let alice = world.first("alice");
    alice.does(upload("f", b"one"));
    let before = world.snapshot();
    alice.does(upload("f", b"two"));
    (world, alice, before)
}

#[test]
fn an_older_state_passes_where_nothing_is_remembered() {
    for kind in TREES {
        let (world, alice, before) = two_states(kind);
        world.roll_back_to(&before);
        if kind.name == "unfresh" {
            assert_eq!(alice.reads("f"), b"one");
            assert_eq!(alice.does(download("f")).claims.monotone, None);
        } else {
            assert_eq!(alice.fails(download("f")), "violation:rollback");
            let alice = world.restarted("alice", &alice);
            assert_eq!(alice.fails(download("f")), "violation:rollback");
            let claims = world.another("alice").does(download("f")).claims;
            assert_eq!(claims.monotone, Some(false), "{}", kind.name);
        }
    }
}

#[test]
fn a_device_that_saw_a_state_says_so() {
    for kind in [&trusting::KIND, &unchained::KIND] {
        let (_, alice, _) = two_states(kind);
        assert_eq!(alice.does(download("f")).claims.monotone, Some(true));
        assert_eq!(alice.does(Operation::List).claims.monotone, Some(true));
    }
}

#[test]
fn a_second_root_of_one_version_passes_where_versions_are_not_chained() {
    for kind in TREES {
        let (world, alice, _) = two_states(kind);
        let phone = world.another("alice");
        let trunk = world.snapshot();
        phone.does(append("f", b" of the phone"));
        let branch = world.snapshot();
        world.roll_back_to(&trunk);
        alice.does(append("f", b" of alice"));
        world.roll_back_to(&branch);
        if kind.name == "trusting" {
            assert_eq!(alice.fails(download("f")), "violation:fork");
        } else {
            assert_eq!(alice.reads("f"), b"two of the phone", "{}", kind.name);
        }
    }
}

#[test]
fn another_key_passes_where_keys_are_not_pinned() {
    for kind in TREES {
        let (world, alice, _) = two_states(kind);
        let [bob, mallory] = ["bob", "mallory"].map(|user| world.first(user));
        alice.does(upload("g", b"of g"));
        alice.does(share("f", "bob"));
        bob.does(receive("alice", "f", "f"));
        {
            let mut objects = world.server.objects.borrow_mut();
            let key = objects[&public("mallory")].clone();
            objects.insert(public("bob"), key);
        }
        if kind.name == "trusting" {
            alice.does(share("g", "bob"));
            drop(mallory);
        } else {
            assert_eq!(alice.fails(share("g", "bob")), "violation:key-changed");
        }
    }
}

#[test]
fn content_is_bound_to_its_place() {
    for kind in TREES {
        let world = World::new(kind, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("f", b"one"));
        alice.does(append("f", b"two"));
        let pieces = world.pieces();
        world.swap(&pieces[0], &pieces[1]);
        assert_eq!(alice.fails(download("f")), "violation:misbound");
        world.swap(&pieces[0], &pieces[1]);
        assert_eq!(alice.reads("f"), b"onetwo");
        world.server.objects.borrow_mut().remove(&pieces[0]);
        assert_eq!(alice.fails(download("f")), "violation:missing");
    }
}

#[test]
fn no_flipped_bit_is_returned() {
    for kind in TREES {
        let world = World::new(kind, &["alice"]);
        let alice = world.first("alice");
        alice.does(upload("f", b"content"));
        let before = world.snapshot();
        for place in before.keys().filter(|place| place.starts_with(b"obj/")) {
            world.roll_back_to(&before);
            world.flip(place);
            let outcome = alice.tries(download("f"));
            let account = place.starts_with(b"obj/account/");
            assert_eq!(outcome.is_ok(), account, "{}", kind.name);
            let login = world
                .blank("alice", "password of alice")
                .tries(Operation::Login);
            assert_eq!(login.is_ok(), !account, "{}", kind.name);
        }
    }
}
