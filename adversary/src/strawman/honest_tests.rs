//! The four careful clients before an honest server: every operation that they declare works.

use super::testing::{
    Rig, World, append, delete, download, receive, receive_pointer, revoke, share, upload,
};
use super::{Kind, aead_only, trusting, unchained, unfresh};
use crate::client::Operation;

const CAREFUL: [&Kind; 4] = [
    &aead_only::KIND,
    &unfresh::KIND,
    &trusting::KIND,
    &unchained::KIND,
];

fn names(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn people<const N: usize>(world: &World, names: [&str; N]) -> [Rig; N] {
    names.map(|name| world.first(name))
}

#[test]
fn f01_f06_accounts_open_with_name_and_password_alone() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice", ""]);
        let alice = world.first("alice");
        alice.does(upload("f", b"content"));
        assert_eq!(world.another("alice").reads("f"), b"content");
        let wrong = world.blank("alice", "wrong");
        let before = world.snapshot();
        assert_eq!(wrong.fails(Operation::Login), "unavailable:refused");
        assert_eq!(wrong.fails(Operation::SignUp), "usage:name-taken");
        assert_eq!(wrong.fails(download("f")), "usage:locked");
        let nobody = world.blank("", "password");
        assert_eq!(nobody.fails(Operation::SignUp), "usage:empty-name");
        assert_eq!(world.snapshot(), before, "{}", kind.name);
    }
}

#[test]
fn f05_f13_f14_sessions_agree_at_once() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice"]);
        let laptop = world.first("alice");
        let phone = world.another("alice");
        laptop.does(upload("f", b"one"));
        assert_eq!(phone.reads("f"), b"one");
        laptop.does(upload("f", b"two"));
        phone.does(append("f", b" three"));
        phone.does(append("f", b""));
        assert_eq!(laptop.reads("f"), b"two three");
        let laptop = world.restarted("alice", &laptop);
        assert_eq!(laptop.reads("f"), b"two three");
    }
}

#[test]
fn f20_to_f37_files_equal_a_plain_model() {
    let long: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    for kind in CAREFUL {
        let world = World::new(kind, &["alice"]);
        let alice = world.first("alice");
        assert!(alice.lists().is_empty());
        for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            alice.does(upload("", &long[..length]));
            assert!(alice.reads("") == long[..length], "{} {length}", kind.name);
        }
        let files = [("../x", "1"), ("a/b", "2"), (".keypair", "3")];
        let files = files
            .map(|(name, text)| (name.into(), text.into()))
            .to_vec();
        alice.does(Operation::UploadMany { files });
        let mut listed = alice.lists();
        listed.sort();
        assert_eq!(listed, names(&["", "../x", ".keypair", "a/b"]));
        alice.does(append("a/b", b"2"));
        assert_eq!(alice.reads("a/b"), b"22");
        alice.does(delete("a/b"));
        assert_eq!(alice.fails(download("a/b")), "usage:no-such-file");
        assert_eq!(alice.fails(append("a/b", b"x")), "usage:no-such-file");
        assert_eq!(alice.fails(delete("a/b")), "usage:no-such-file");
        assert!(!world.another("alice").lists().contains(&b"a/b".to_vec()));
        alice.does(upload("a/b", b"again"));
        assert_eq!(alice.reads("a/b"), b"again");
    }
}

#[test]
fn f50_to_f63_all_members_read_and_write_one_instance() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice", "bob", "carol"]);
        let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]);
        alice.does(upload("f", b"a"));
        alice.does(share("f", "bob"));
        alice.does(upload("f", b"b"));
        let pointer = alice.does(share("f", "carol")).pointer;
        bob.does(receive("alice", "f", "g"));
        carol.does(receive_pointer(
            "alice",
            pointer.expect("a share has one"),
            "f",
        ));
        assert_eq!(bob.reads("g"), b"b", "{}", kind.name);
        for round in 0..3 {
            bob.does(append("g", b"+"));
            carol.does(append("f", b"-"));
            alice.does(append("f", b"."));
            let expected = ["b", "+-.", "+-.", "+-."][..round + 2].concat();
            for (rig, name) in [(&alice, "f"), (&bob, "g"), (&carol, "f")] {
                assert_eq!(rig.reads(name), expected.as_bytes(), "{}", kind.name);
            }
        }
        let phone = world.another("bob");
        phone.does(upload("g", b"replaced"));
        assert_eq!(alice.reads("f"), b"replaced");
        assert_eq!(world.another("alice").reads("f"), b"replaced");
        assert_eq!(bob.lists(), names(&["g"]));
    }
}

#[test]
fn f52_to_f58_a_share_that_cannot_be_is_refused() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice", "bob", "carol"]);
        let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]);
        alice.does(upload("f", b"content"));
        bob.does(upload("g", b"own"));
        let refused = [
            (&alice, share("x", "bob"), "usage:no-such-file"),
            (&alice, share("f", "dave"), "unavailable:unknown-user"),
            (&alice, share("f", "alice"), "usage:oneself"),
            (
                &bob,
                receive("alice", "f", "h"),
                "unavailable:no-invitation",
            ),
        ];
        for (rig, operation, expected) in refused {
            assert_eq!(rig.fails(operation), expected, "{}", kind.name);
        }
        alice.does(share("f", "bob"));
        let refused = [
            (
                &bob,
                receive("carol", "f", "h"),
                "unavailable:no-invitation",
            ),
            (&bob, receive("alice", "f", "g"), "usage:name-taken"),
            (
                &carol,
                receive("alice", "f", "h"),
                "unavailable:no-invitation",
            ),
            (&bob, download("f"), "usage:no-such-file"),
        ];
        for (rig, operation, expected) in refused {
            assert_eq!(rig.fails(operation), expected, "{}", kind.name);
        }
        bob.does(receive("alice", "f", "h"));
        assert_eq!(bob.fails(share("h", "carol")), "usage:not-owner");
        assert_eq!(bob.reads("g"), b"own");
    }
}

#[test]
fn f70_to_f80_the_revoked_lose_access_and_nobody_else_does() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice", "bob", "carol"]);
        let [alice, bob, carol] = people(&world, ["alice", "bob", "carol"]);
        let phone = world.another("alice");
        alice.does(upload("f", b"content"));
        assert_eq!(alice.fails(revoke("x", "bob")), "usage:no-such-file");
        assert_eq!(alice.fails(revoke("f", "bob")), "usage:not-shared");
        for (user, rig) in [("bob", &bob), ("carol", &carol)] {
            alice.does(share("f", user));
            rig.does(receive("alice", "f", "g"));
        }
        bob.does(append("g", b" of bob"));
        assert_eq!(bob.fails(revoke("g", "carol")), "usage:not-owner");
        phone.does(revoke("f", "bob"));
        assert_eq!(phone.fails(revoke("f", "bob")), "usage:not-shared");
        for operation in [download("g"), append("g", b"x"), upload("g", b"x")] {
            assert_eq!(bob.fails(operation), "unavailable:closed", "{}", kind.name);
        }
        let again = bob.fails(receive("alice", "f", "h"));
        assert_eq!(again, "unavailable:closed", "{}", kind.name);
        for (rig, name, part) in [
            (&alice, "f", " a"),
            (&carol, "g", " c"),
            (&phone, "f", " p"),
        ] {
            rig.does(append(name, part.as_bytes()));
        }
        assert_eq!(carol.reads("g"), b"content of bob a c p");
        alice.does(share("f", "bob"));
        bob.does(receive("alice", "f", "h"));
        assert_eq!(bob.reads("h"), b"content of bob a c p");
    }
}

#[test]
fn an_owner_who_deletes_takes_the_file_from_all_and_a_member_from_themself() {
    for kind in CAREFUL {
        let world = World::new(kind, &["alice", "bob"]);
        let [alice, bob] = people(&world, ["alice", "bob"]);
        for name in ["f", "g"] {
            alice.does(upload(name, b"content"));
            alice.does(share(name, "bob"));
            bob.does(receive("alice", name, name));
        }
        bob.does(delete("f"));
        assert_eq!(alice.reads("f"), b"content");
        alice.does(delete("g"));
        assert_eq!(
            bob.fails(download("g")),
            "unavailable:closed",
            "{}",
            kind.name
        );
        assert_eq!(alice.lists(), names(&["f"]));
    }
}
