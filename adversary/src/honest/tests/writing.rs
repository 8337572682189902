//! Accounts and commits: what the server takes and what it refuses.

use turncoat_core::id::{HeadHash, Height, Locator, RosterNumber, Token};
use turncoat_core::tree::{Mountain, head_hash, leaf_hash};
use turncoat_core::wire::{Commit, Frame, Refusal, Reply, Request, RequestBody, Selection, View};

use super::client::*;
use super::refused;
use crate::client::DeviceName;
use crate::honest::native::{Checks, Published};
use crate::honest::storage::{Key, Kind};
use crate::selector::Audience;

#[test]
fn an_account_is_registered_once_and_logs_in() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let mallory = Space::new(&alice, b'm').next(&alice, Vec::new());
    let again = world.ask(&alice, alice.register(&mallory));
    assert_eq!(again, refused(Refusal::Exists));
    let login = RequestBody::Login {
        user: alice.id,
        proof: alice.proof(),
    };
    let Reply::Login { token, record, bag } = world.ask(&alice, login) else {
        panic!("no login");
    };
    assert_ne!(token, alice.token);
    assert_eq!((record, bag), (alice.record(), alice.bag()));
    let lookup = RequestBody::Lookup { user: alice.id };
    assert_eq!(
        world.ask(&alice, lookup),
        Reply::Record(Some(alice.record()))
    );
    let shown = world.view(&alice, space.read(Selection::Nothing));
    assert!(matches!(shown, View::Shown { .. }));
}

#[test]
fn a_user_that_does_not_exist_looks_like_any_other() {
    let mut world = World::new();
    let (alice, _) = world.register("alice");
    let nobody = User::new("nobody");
    let kdf = RequestBody::Kdf { user: nobody.id };
    let Reply::Kdf(params) = world.ask(&nobody, kdf.clone()) else {
        panic!("no parameters");
    };
    assert_eq!((params.suite, params.iterations), (1, ITERATIONS));
    assert_eq!(world.ask(&alice, kdf), Reply::Kdf(params));
    for user in [&alice, &nobody] {
        let login = RequestBody::Login {
            user: user.id,
            proof: [0; 32],
        };
        assert_eq!(world.ask(user, login), refused(Refusal::Unauthenticated));
    }
    let lookup = RequestBody::Lookup { user: nobody.id };
    assert_eq!(world.ask(&alice, lookup), Reply::Record(None));
}

#[test]
fn a_registration_that_contradicts_itself_leaves_nothing() {
    let mut world = World::new();
    let alice = User::new("alice");
    let commit = Space::new(&alice, b'a').next(&alice, Vec::new());
    let RequestBody::Register {
        kdf,
        proof,
        record,
        bag,
        space,
    } = alice.register(&commit)
    else {
        panic!("another request");
    };
    let mut other_bag = bag.clone();
    other_bag.kdf.iterations += 1;
    let mut other_space = space.clone();
    other_space.head.head.entries = 1;
    other_space.head = alice.seal(&other_space.head);
    let mut unsigned = record.clone();
    unsigned.signature.0[0] ^= 1;
    let mut weak = record.clone();
    weak.record.encryption.exponent = 3;
    let wrong = [
        (record.clone(), other_bag, space.clone()),
        (record, bag.clone(), other_space),
        (unsigned, bag.clone(), space.clone()),
        (weak, bag, space),
    ];
    for (record, bag, space) in wrong {
        let register = RequestBody::Register {
            kdf: kdf.clone(),
            proof,
            record,
            bag,
            space,
        };
        assert_eq!(world.ask(&alice, register), refused(Refusal::Invalid));
        assert!(world.versions.log().is_empty());
    }
}

#[test]
fn a_stranger_is_refused() {
    let mut world = World::new();
    let (alice, space) = world.register("alice");
    let mut stranger = User::new("alice");
    let commit = space.next(&alice, Vec::new());
    let requests = [
        RequestBody::Read { views: Vec::new() },
        records(leaf_hash(b""), 0, 1),
        RequestBody::Fetch { ranges: Vec::new() },
        RequestBody::Store { pack: pack(1, b"") },
        RequestBody::Commit(Box::new(commit)),
        RequestBody::Inbox {
            sender: alice.id,
            space: None,
            before: None,
            count: 9,
        },
    ];
    for token in [Token([0; 32]), Token([1; 32])] {
        stranger.token = token;
        for request in &requests {
            let reply = world.ask(&stranger, request.clone());
            assert_eq!(reply, refused(Refusal::Unauthenticated), "{request:?}");
        }
    }
    let (bob, _) = world.register("bob");
    let forged = space.next(&alice, Vec::new());
    assert_eq!(world.commit(&bob, &forged), refused(Refusal::Invalid));
}

/// Bob knows where the space of alice is and which head is its newest, as a former member does.
#[test]
fn s76_nobody_overwrites_or_deletes_what_is_not_his() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, _) = world.register("bob");
    let (carol, _) = world.register("carol");
    let mut first = space.next(&alice, vec![leaf(1, 0, 2)]);
    first.pack = Some(pack(1, b"of alice"));
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    space.accept(&first);

    let before = world.versions.log().len();
    let mut invited = space.invite(&bob, &bob, 1);
    let overwritten = space.next(&bob, vec![leaf(1, 0, 3)]);
    let deleted = space.next(&bob, vec![removed(1)]);
    let moved = space.moving(&bob, Vec::new(), Locator([9; 32]));
    for commit in [&invited, &overwritten, &deleted, &moved] {
        assert_eq!(world.commit(&bob, commit), refused(Refusal::Invalid));
    }
    // Nor under the name of alice.
    invited.head.head.author = alice.id;
    assert_eq!(world.commit(&bob, &invited), refused(Refusal::Invalid));
    let pack = pack(1, b"of bob");
    let reply = world.ask(&bob, RequestBody::Store { pack });
    assert_eq!(reply, refused(Refusal::Exists));
    assert_eq!(world.versions.log().len(), before, "nothing is stored");

    // A member may write, those whom he added as well, and none of them once he is removed.
    for (author, member, envelope) in [(&alice, &bob, 1), (&bob, &carol, 2)] {
        let invitation = space.invite(author, member, envelope);
        assert_eq!(world.commit(author, &invitation), Reply::Done);
        space.accept(&invitation);
    }
    let written = space.next(&carol, vec![leaf(1, 0, 3)]);
    assert_eq!(world.commit(&carol, &written), Reply::Done);
    space.accept(&written);
    let removal = space.remove(&alice, &bob, Locator([9; 32]));
    assert_eq!(world.commit(&alice, &removal), Reply::Done);
    space.accept(&removal);
    for gone in [&bob, &carol] {
        let late = space.next(gone, vec![leaf(1, 0, 4)]);
        assert_eq!(world.commit(gone, &late), refused(Refusal::Invalid));
    }
    let own = space.next(&alice, vec![leaf(1, 0, 5)]);
    assert_eq!(world.commit(&alice, &own), Reply::Done);
}

#[test]
fn bytes_that_are_no_request_are_refused() {
    let mut world = World::new();
    let mut view = world.versions.view(&DeviceName::first("eve"), 0);
    for bytes in [&b""[..], b"TC\x14\x01", &Reply::Done.encode()] {
        let handled = world.native.handle(&mut view, bytes);
        assert_eq!(handled.reply, refused(Refusal::Invalid).encode());
    }
}

#[test]
fn of_two_heads_on_one_the_first_wins() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let first = space.next(&alice, vec![leaf(1, 0, 1)]);
    let second = space.next(&alice, vec![leaf(2, 0, 1)]);
    let handled = world.handle(&alice, RequestBody::Commit(Box::new(first.clone())));
    assert_eq!(handled.reply, Reply::Done.encode());
    let published = Published {
        space: space.head.space,
        head: head_hash(&first.head),
        previous: space.hash.unwrap(),
        height: Height(1),
    };
    assert_eq!(handled.published, Some(published));
    let before = world.versions.log().len();
    assert_eq!(world.commit(&alice, &second), refused(Refusal::Conflict));
    assert_eq!(world.versions.log().len(), before, "a loser stores nothing");
    space.accept(&first);
    let rebased = space.next(&alice, vec![leaf(2, 0, 1)]);
    assert_eq!(world.commit(&alice, &rebased), Reply::Done);
}

#[test]
fn a_repeated_commit_is_done_and_happens_once() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let first = space.next(&alice, vec![leaf(1, 0, 1)]);
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    space.accept(&first);
    let before = world.versions.log().len();
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    let second = space.next(&alice, Vec::new());
    assert_eq!(world.commit(&alice, &second), Reply::Done);
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    let wrote = &world.versions.log()[before..];
    let heads = wrote.iter().filter(|w| w.object.key.kind.name() == "head");
    assert_eq!(heads.count(), 1);
}

type Fault = fn(&mut Commit);

#[test]
fn a_head_that_does_not_follow_is_invalid_and_stores_nothing() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let first = space.next(&alice, vec![leaf(1, 0, 2)]);
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    space.accept(&first);
    let faults: [(&str, Fault); 12] = [
        ("space", |commit| commit.head.head.space.0[0] ^= 1),
        ("height", |commit| commit.head.head.height = Height(3)),
        ("previous", |commit| {
            commit.head.head.previous = HeadHash([1; 32])
        }),
        ("history", |commit| commit.head.head.history.0[0] ^= 1),
        ("directory", |commit| commit.head.head.directory.0[0] ^= 1),
        ("entries", |commit| commit.head.head.entries += 1),
        ("roster", |commit| commit.head.head.roster = RosterNumber(1)),
        ("roster hash", |commit| {
            commit.head.head.roster_hash.0[0] ^= 1
        }),
        ("epoch", |commit| {
            commit.head.head.epoch = commit.head.head.epoch.next()
        }),
        ("order", |commit| commit.leaves.reverse()),
        ("segments", |commit| commit.leaves[0].add.clear()),
        ("keep", |commit| commit.leaves[1].keep = 3),
    ];
    let leaves = sorted(vec![leaf(1, 2, 1), leaf(2, 0, 1)]);
    let right = space.next(&alice, leaves);
    for (name, fault) in faults {
        let before = world.versions.log().len();
        let mut wrong = right.clone();
        fault(&mut wrong);
        assert_eq!(
            world.commit(&alice, &wrong),
            refused(Refusal::Invalid),
            "{name}"
        );
        assert_eq!(world.versions.log().len(), before, "{name}");
    }
    assert_eq!(world.commit(&alice, &right), Reply::Done);
}

#[test]
fn the_space_of_somebody_else_cannot_be_begun_again() {
    let mut world = World::new();
    let (_, space) = world.register("alice");
    let (bob, _) = world.register("bob");
    let mut squatter = Space::new(&bob, b's');
    squatter.head.space = space.head.space;
    let commit = squatter.next(&bob, Vec::new());
    assert_eq!(world.commit(&bob, &commit), refused(Refusal::Exists));
}

#[test]
fn a_space_that_moved_is_closed_where_it_was() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let first = space.next(&alice, sorted(vec![leaf(1, 0, 2), leaf(2, 0, 1)]));
    assert_eq!(world.commit(&alice, &first), Reply::Done);
    space.accept(&first);
    let old = space.clone();
    let to = Locator([0x77; 32]);
    let kept = space.moving(&alice, vec![leaf(1, 2, 0)], to);
    let reply = world.commit(&alice, &kept);
    assert_eq!(
        reply,
        refused(Refusal::Invalid),
        "a new directory has nothing to keep"
    );
    let moved = space.moving(&alice, vec![leaf(1, 0, 2)], to);
    assert_eq!(world.commit(&alice, &moved), Reply::Done);
    space.accept(&moved);

    assert_eq!(
        world.view(&alice, old.read(Selection::Nothing)),
        View::Closed
    );
    let late = old.next(&alice, Vec::new());
    assert_eq!(world.commit(&alice, &late), refused(Refusal::Conflict));
    let View::Shown { head, history, .. } = world.view(&alice, space.read(Selection::Nothing))
    else {
        panic!("not shown");
    };
    assert_eq!((head.head.entries, head.head.height), (1, Height(2)));
    let mut range = Mountain::new();
    range.extend_to(2, &history).unwrap();
    assert_eq!(range.root(), head.head.history);
    let next = space.next(&alice, Vec::new());
    assert_eq!(world.commit(&alice, &next), Reply::Done);
}

#[test]
fn a_space_that_moves_to_where_it_is_stays_open() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let moved = space.moving(&alice, vec![leaf(1, 0, 2)], space.locator);
    assert_eq!(world.commit(&alice, &moved), Reply::Done);
    space.accept(&moved);
    let next = space.next(&alice, Vec::new());
    assert_eq!(world.commit(&alice, &next), Reply::Done);
}

#[test]
fn a_bucket_that_nobody_could_be_shown_is_refused() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let beside = |number: u16| {
        let mut change = leaf(number, 0, 0);
        change.tag.0 = [0; 32];
        [.., change.tag.0[30], change.tag.0[31]] = number.to_be_bytes();
        change
    };
    let full = space.next(&alice, (0..256).map(beside).collect());
    assert_eq!(world.commit(&alice, &full), Reply::Done);
    space.accept(&full);
    let more = space.next(&alice, vec![beside(256)]);
    assert_eq!(world.commit(&alice, &more), refused(Refusal::TooLarge));
    let elsewhere = space.next(&alice, vec![leaf(900, 0, 0)]);
    assert_eq!(world.commit(&alice, &elsewhere), Reply::Done);
}

#[test]
fn a_writer_whom_no_client_would_believe_is_refused() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, _) = world.register("bob");
    let (carol, _) = world.register("carol");
    let invitation = space.invite(&alice, &bob, 1);
    assert_eq!(world.commit(&alice, &invitation), Reply::Done);
    space.accept(&invitation);
    let before = world.versions.log().len();
    let outsider = space.next(&carol, Vec::new());
    let moved = space.moving(&bob, Vec::new(), Locator([0x66; 32]));
    let mut other_key = space.next(&bob, Vec::new());
    other_key.head.head.commitment.0[0] ^= 1;
    let mut alien = space.invite(&bob, &carol, 2);
    alien.envelopes[0].signature.0[0] ^= 1;
    for (user, commit) in [
        (&carol, &outsider),
        (&bob, &moved),
        (&bob, &other_key),
        (&bob, &alien),
    ] {
        assert_eq!(world.commit(user, commit), refused(Refusal::Invalid));
    }
    let mut unsigned = space.next(&bob, Vec::new());
    unsigned.head.signature.0[0] ^= 1;
    let body = RequestBody::Commit(Box::new(unsigned.clone()));
    assert_eq!(world.ask(&bob, body.clone()), refused(Refusal::Invalid));
    assert_eq!(world.versions.log().len(), before, "nothing is stored");
    // A server in league with him takes it.
    let request = Request {
        token: bob.token,
        body,
    };
    let mut view = world.versions.view(&DeviceName::first("bob"), 0);
    let taken = world
        .native
        .handle_with(&mut view, &request.encode(), Checks::None);
    assert_eq!(taken.reply, Reply::Done.encode());
}

#[test]
fn a_store_that_lost_its_list_of_members_has_the_log() {
    let mut world = World::new();
    let (alice, mut space) = world.register("alice");
    let (bob, _) = world.register("bob");
    let (carol, _) = world.register("carol");
    let invitation = space.invite(&alice, &bob, 1);
    assert_eq!(world.commit(&alice, &invitation), Reply::Done);
    space.accept(&invitation);
    let list = Key::new(Kind::Members, space.head.space.0);
    assert!(
        world
            .versions
            .shown_to(&list, &Audience::Everyone)
            .is_some()
    );
    world.versions.show_bytes(&list, None, &Audience::Everyone);
    let outsider = space.next(&carol, Vec::new());
    assert_eq!(world.commit(&carol, &outsider), refused(Refusal::Invalid));
    let written = space.next(&bob, Vec::new());
    assert_eq!(world.commit(&bob, &written), Reply::Done);
}
