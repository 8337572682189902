//! Sharing and revocation, as the black-box cases of an examiner ask.

use turncoat_core::client::{Pick, Revoked};
use turncoat_core::{Error, Limits, Unavailable, Usage};
use turncoat_tests::{Deployment, TestSession, now};

fn read(session: &mut TestSession, name: &[u8]) -> Vec<u8> {
    now(session.download_all(name))
        .expect("the file is there")
        .0
}

fn failed<T>(result: Result<T, Error>) -> Option<Error> {
    result.err()
}

const CLOSED: Option<Error> = Some(Error::Unavailable(Unavailable::Closed));
const NO_INVITATION: Option<Error> = Some(Error::Unavailable(Unavailable::NoInvitation));

const fn usage(usage: Usage) -> Option<Error> {
    Some(Error::Usage(usage))
}

/// Users with a session each, by name.
fn users<const N: usize>(world: &Deployment, names: [&str; N]) -> [TestSession; N] {
    let mut number = 0;
    names.map(|name| {
        number += 1;
        world.user(name, number).1
    })
}

/// One user's file goes to another, under the same name.
fn hand(from: &mut TestSession, sender: &str, to: &mut TestSession, recipient: &str) {
    now(from.share(b"f", recipient.as_bytes())).expect("a share");
    now(to.receive(sender.as_bytes(), Pick::Name(b"f"), b"f")).expect("a receipt");
}

#[test]
fn what_only_a_sealed_leaf_names_outlives_every_sweep() {
    let world = Deployment::new(71);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    let long = [b'n'; 300];
    now(alice.upload_all(&long, b"one")).expect("an upload");
    for (user, session) in [("bob", &mut bob), ("carol", &mut carol)] {
        now(alice.share(&long, user.as_bytes())).expect("a share");
        now(session.receive(b"alice", Pick::Name(&long), &long)).expect("a receipt");
    }
    // The older content is under a key that is in a keyring from here on.
    now(alice.revoke(&long, b"carol")).expect("a revocation");
    now(bob.append(&long, b", two")).expect("an append");
    assert!(world.sweep() > 0);
    now(alice.append(&long, b", three")).expect("an append");
    assert!(world.sweep() > 0);
    for user in ["alice", "bob"] {
        let mut fresh = world.device(user, "fresh").login().expect("a login");
        let listing = now(fresh.list()).expect("a listing");
        assert_eq!(listing.names, [long.to_vec()]);
        assert_eq!(read(&mut fresh, &long), b"one, two, three");
    }
    assert_eq!(world.sweep(), 0);
}

#[test]
fn f16_a_receipt_on_one_device_is_seen_on_the_other() {
    let world = Deployment::new(1);
    let [mut alice, mut bob] = users(&world, ["alice", "bob"]);
    let mut phone = world.device("bob", "phone").login().expect("a login");
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"n")).expect("a receipt");
    assert_eq!(read(&mut phone, b"n"), b"one");
}

#[test]
fn f17_a_revocation_on_one_device_leaves_the_other_at_work() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    assert_eq!(read(&mut phone, b"f"), b"one");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    assert_eq!(read(&mut phone, b"f"), b"one");
    now(phone.append(b"f", b" two")).expect("an append");
    hand(&mut phone, "alice", &mut carol, "carol");
    assert_eq!(read(&mut carol, b"f"), b"one two");
}

#[test]
fn f51_a_share_may_be_received_under_the_senders_name() {
    let world = Deployment::new(1);
    let [mut alice, mut bob] = users(&world, ["alice", "bob"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    assert_eq!(read(&mut bob, b"f"), b"one");
}

#[test]
fn f52_f53_what_is_not_there_is_not_shared_and_nothing_is_stored() {
    let world = Deployment::new(1);
    let [mut alice, _bob] = users(&world, ["alice", "bob"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let before = world.stored();
    let missing = failed(now(alice.share(b"x", b"bob")));
    assert_eq!(missing, usage(Usage::NoSuchFile));
    let unknown = failed(now(alice.share(b"f", b"nobody")));
    assert_eq!(unknown, Some(Error::Unavailable(Unavailable::UnknownUser)));
    assert_eq!(world.stored(), before);
}

#[test]
fn f54_f55_f57_nobody_receives_what_was_not_sent_to_them() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let by_name = Pick::Name(b"f");
    let never = failed(now(bob.receive(b"alice", by_name, b"g")));
    assert_eq!(never, NO_INVITATION);
    let sent = now(alice.share(b"f", b"carol")).expect("a share");
    for pick in [by_name, Pick::Pointer(sent.pointer)] {
        let others = failed(now(bob.receive(b"alice", pick, b"g")));
        assert_eq!(others, NO_INVITATION, "what is carol's");
    }
    let wrong_sender = failed(now(carol.receive(b"bob", by_name, b"g")));
    assert_eq!(wrong_sender, NO_INVITATION);
    let pointed = failed(now(carol.receive(
        b"bob",
        Pick::Pointer(sent.pointer),
        b"g",
    )));
    assert!(
        matches!(pointed, Some(Error::Violation(_) | Error::Unavailable(_))),
        "{pointed:?}"
    );
    assert!(now(carol.list()).expect("a list").names.is_empty());
    now(carol.receive(b"alice", by_name, b"g")).expect("the true sender");
}

#[test]
fn f56_a_name_in_use_is_not_taken_by_a_receipt() {
    let world = Deployment::new(1);
    let [mut alice, mut bob] = users(&world, ["alice", "bob"]);
    now(alice.upload_all(b"f", b"hers")).expect("an upload");
    now(bob.upload_all(b"g", b"his")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    let taken = failed(now(bob.receive(b"alice", Pick::Name(b"f"), b"g")));
    assert_eq!(taken, usage(Usage::NameTaken));
    assert_eq!(read(&mut bob, b"g"), b"his");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"h")).expect("a free name");
}

#[test]
fn f58_an_invitation_is_no_access() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, _carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    let missing = usage(Usage::NoSuchFile);
    assert_eq!(failed(now(bob.download_all(b"f"))), missing);
    assert_eq!(failed(now(bob.append(b"f", b"x"))), missing);
    assert_eq!(failed(now(bob.share(b"f", b"carol"))), missing);
    assert!(now(bob.list()).expect("a list").names.is_empty());
}

#[test]
fn f60_f61_members_work_on_one_instance() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"first")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(alice.upload_all(b"f", b"second")).expect("an upload");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    assert_eq!(read(&mut bob, b"f"), b"second");
    hand(&mut alice, "alice", &mut carol, "carol");
    let mut model = b"second".to_vec();
    for round in 0..30_u8 {
        let session = match round % 3 {
            0 => &mut alice,
            1 => &mut bob,
            _ => &mut carol,
        };
        now(session.append(b"f", &[round])).expect("an append");
        model.push(round);
    }
    for session in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(read(session, b"f"), model);
    }
}

#[test]
fn f62_a_chain_of_five_agrees_after_each_step() {
    let world = Deployment::new(1);
    let names = ["alice", "bob", "carol", "dan", "eve"];
    let mut chain = users(&world, names);
    now(chain[0].upload_all(b"f", b"one")).expect("an upload");
    for at in 1..names.len() {
        let (before, after) = chain.split_at_mut(at);
        hand(&mut before[at - 1], names[at - 1], &mut after[0], names[at]);
    }
    let agree = |chain: &mut [TestSession; 5], expected: &[u8]| {
        for session in chain {
            assert_eq!(read(session, b"f"), expected);
        }
    };
    agree(&mut chain, b"one");
    now(chain[4].append(b"f", b" by eve")).expect("an append");
    agree(&mut chain, b"one by eve");
    now(chain[0].upload_all(b"f", b"anew")).expect("an upload");
    agree(&mut chain, b"anew");
}

#[test]
fn f63_fifteen_direct_members_read_the_same() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let mut members = Vec::new();
    for number in 1..=15 {
        let name = format!("member {number}");
        let (_, mut member) = world.user(&name, number);
        hand(&mut alice, "alice", &mut member, &name);
        assert_eq!(read(&mut member, b"f"), b"one");
        members.push(member);
    }
    now(alice.append(b"f", b" two")).expect("an append");
    for member in &mut members {
        assert_eq!(read(member, b"f"), b"one two");
    }
}

#[test]
fn f71_a_revocation_takes_the_subtree_and_nobody_else() {
    let world = Deployment::new(1);
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g] = users(&world, names);
    now(a.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut a, "a", &mut b, "b");
    hand(&mut a, "a", &mut c, "c");
    hand(&mut b, "b", &mut d, "d");
    hand(&mut b, "b", &mut e, "e");
    hand(&mut e, "e", &mut f, "f");
    hand(&mut c, "c", &mut g, "g");
    now(a.revoke(b"f", b"b")).expect("a revocation");
    for gone in [&mut b, &mut d, &mut e, &mut f] {
        assert_eq!(failed(now(gone.download_all(b"f"))), CLOSED);
        assert_eq!(failed(now(gone.append(b"f", b"x"))), CLOSED);
    }
    for (at, left) in [&mut a, &mut c, &mut g].into_iter().enumerate() {
        now(left.append(b"f", b"+")).expect("an append");
        let expected = [b"one".to_vec(), vec![b'+'; at + 1]].concat();
        assert_eq!(read(left, b"f"), expected);
    }
}

#[test]
fn f70_f80_the_revoked_do_nothing_and_are_not_revoked_twice() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, _carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    assert_eq!(failed(now(bob.download_all(b"f"))), CLOSED);
    assert_eq!(failed(now(bob.append(b"f", b"x"))), CLOSED);
    assert_eq!(failed(now(bob.share(b"f", b"carol"))), CLOSED);
    assert_eq!(failed(now(bob.upload_all(b"f", b"x"))), CLOSED);
    assert_eq!(read(&mut alice, b"f"), b"one");
    let twice = failed(now(alice.revoke(b"f", b"bob")));
    assert_eq!(twice, usage(Usage::NotShared));
}

#[test]
fn f72_f73_an_invitation_ends_with_its_senders_membership() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    let by_name = Pick::Name(b"f");
    assert_eq!(failed(now(bob.receive(b"alice", by_name, b"f"))), CLOSED);
    now(alice.upload_all(b"g", b"two")).expect("an upload");
    now(alice.share(b"g", b"bob")).expect("a share");
    now(bob.receive(b"alice", Pick::Name(b"g"), b"g")).expect("a receipt");
    now(bob.share(b"g", b"carol")).expect("a share");
    now(alice.revoke(b"g", b"bob")).expect("a revocation");
    let late = failed(now(carol.receive(b"bob", Pick::Name(b"g"), b"g")));
    assert_eq!(late, CLOSED);
    assert!(now(carol.list()).expect("a list").names.is_empty());
}

#[test]
fn f74_f75_f76_revocations_that_make_no_sense_change_nothing() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let not_shared = usage(Usage::NotShared);
    assert_eq!(failed(now(alice.revoke(b"f", b"bob"))), not_shared);
    hand(&mut alice, "alice", &mut bob, "bob");
    assert_eq!(failed(now(alice.revoke(b"f", b"carol"))), not_shared);
    let missing = usage(Usage::NoSuchFile);
    assert_eq!(failed(now(alice.revoke(b"x", b"bob"))), missing);
    assert_eq!(failed(now(carol.revoke(b"f", b"bob"))), missing);
    let not_owner = usage(Usage::NotOwner);
    assert_eq!(failed(now(bob.revoke(b"f", b"alice"))), not_owner);
    assert_eq!(failed(now(bob.revoke(b"f", b"carol"))), not_owner);
    assert_eq!(read(&mut bob, b"f"), b"one");
}

#[test]
fn f77_f78_f79_life_goes_on_after_a_revocation() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"A")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    hand(&mut alice, "alice", &mut carol, "carol");
    now(bob.append(b"f", b"B")).expect("an append");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    assert_eq!(read(&mut alice, b"f"), b"AB", "what he wrote before stays");
    for session in [&mut alice, &mut carol] {
        now(session.append(b"f", b"+")).expect("an append");
        let _ = read(session, b"f");
        now(session.upload_all(b"f", b"new")).expect("an upload");
    }
    now(alice.share(b"f", b"bob")).expect("a share anew");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"again")).expect("a receipt");
    assert_eq!(read(&mut bob, b"again"), b"new");
}

#[test]
fn an_invitation_that_a_revocation_overtook_is_sent_once_more() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol, mut dan] = users(&world, ["alice", "bob", "carol", "dan"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    hand(&mut alice, "alice", &mut carol, "carol");
    now(bob.share(b"f", b"dan")).expect("a share");
    let revoked = now(alice.revoke(b"f", b"carol")).expect("a revocation");
    assert_eq!(revoked, Revoked::default());
    // Bob's invitation holds the key before; dan, who knows nobody else, has no use for it.
    assert_eq!(
        failed(now(dan.receive(b"bob", Pick::Name(b"f"), b"f"))),
        CLOSED
    );
    hand(&mut bob, "bob", &mut dan, "dan");
    assert_eq!(read(&mut dan, b"f"), b"one");
    // So does the owner, and nobody is a member twice.
    now(alice.share(b"f", b"dan")).expect("a share");
    now(alice.revoke(b"f", b"dan")).expect("a revocation");
    assert_eq!(failed(now(dan.download_all(b"f"))), CLOSED);
    assert_eq!(read(&mut bob, b"f"), b"one");
}

#[test]
fn s44_s58_s60_an_old_invitation_is_of_no_use() {
    let world = Deployment::new(1);
    let [mut alice, mut bob, mut carol] = users(&world, ["alice", "bob", "carol"]);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let sent = now(alice.share(b"f", b"bob")).expect("a share");
    let pointer = Pick::Pointer(sent.pointer);
    now(bob.receive(b"alice", pointer, b"f")).expect("a receipt");
    let again = failed(now(bob.receive(b"alice", pointer, b"second")));
    assert_eq!(again, usage(Usage::AlreadyReceived));
    let early = now(alice.share(b"f", b"carol")).expect("a share");
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    now(alice.revoke(b"f", b"carol")).expect("a revocation");
    let revoked = failed(now(bob.receive(b"alice", pointer, b"third")));
    assert!(
        matches!(revoked, Some(Error::Usage(Usage::AlreadyReceived))),
        "{revoked:?}"
    );
    let late = Pick::Pointer(early.pointer);
    assert_eq!(failed(now(carol.receive(b"alice", late, b"f"))), CLOSED);
    assert!(now(carol.list()).expect("a list").names.is_empty());
}

/// The revoked member asks for all that it ever knew; what it is answered does not depend, in any
/// byte, on how often the others write.
#[test]
fn s57_the_revoked_learn_no_times_of_updates() {
    let polled = |updates: u8| {
        let world = Deployment::new(1);
        let [mut alice, mut carol] = users(&world, ["alice", "carol"]);
        let (device, mut bob) = world.user("bob", 5);
        now(alice.upload_all(b"f", b"one")).expect("an upload");
        hand(&mut alice, "alice", &mut bob, "bob");
        hand(&mut alice, "alice", &mut carol, "carol");
        let _ = read(&mut bob, b"f");
        now(alice.revoke(b"f", b"bob")).expect("a revocation");
        let mut answers = Vec::new();
        for round in 0..updates {
            now(alice.append(b"f", &[round])).expect("an append");
            now(carol.upload_all(b"f", &[round; 300])).expect("an upload");
        }
        for _ in 0..3 {
            answers.push(failed(now(bob.download_all(b"f"))));
            answers.push(failed(now(bob.append(b"f", b"x"))));
            answers.push(failed(now(bob.receive(b"alice", Pick::Name(b"f"), b"g"))));
            answers.push(failed(now(bob.list())));
        }
        (answers, device.heard())
    };
    let none = polled(0);
    assert_eq!(none.0[0], CLOSED);
    assert_eq!(polled(1), none);
    assert_eq!(polled(5), none);
}

#[test]
fn an_inbox_full_of_strangers_keeps_nobody_from_receiving() {
    let world = Deployment::new(1);
    let [mut alice, _, mut mallory] = users(&world, ["alice", "bob", "mallory"]);
    let mut few = Limits::standard();
    few.envelopes_max = 3;
    let phone = world.device("bob", "phone");
    let mut bob = phone.login_within(few).expect("a login");
    now(alice.upload_all(b"first", b"of alice")).expect("an upload");
    now(alice.share(b"first", b"bob")).expect("a share");
    for number in 0..5 {
        let name = format!("junk {number}").into_bytes();
        now(mallory.upload_all(&name, b"junk")).expect("an upload");
        now(mallory.share(&name, b"bob")).expect("a share");
    }
    now(bob.receive(b"alice", Pick::Name(b"first"), b"first")).expect("a receipt");
    assert_eq!(read(&mut bob, b"first"), b"of alice");
    // Of one sender, the newest are in reach, and what is not is nobody's fault.
    now(bob.receive(b"mallory", Pick::Name(b"junk 4"), b"4")).expect("a receipt");
    let older = now(bob.receive(b"mallory", Pick::Name(b"junk 0"), b"0"));
    assert_eq!(failed(older), NO_INVITATION);
}

#[test]
fn a_device_that_was_away_for_long_walks_to_the_newest_head_across_revocations() {
    let world = Deployment::new(1);
    let [mut bob, mut carol, mut dan] = users(&world, ["bob", "carol", "dan"]);
    let (laptop, mut alice) = world.user("alice", 9);
    now(alice.upload_all(b"f", b"0")).expect("an upload");
    for (member, name) in [(&mut bob, "bob"), (&mut carol, "carol"), (&mut dan, "dan")] {
        hand(&mut alice, "alice", member, name);
    }
    let away = world.device("bob", "away");
    let mut before = away.login().expect("a login");
    assert_eq!(read(&mut before, b"f"), b"0");
    drop(before);
    let mut content = b"0".to_vec();
    // A proof may skip eight heads; the revocations lie between and after them.
    for round in 0..30_u8 {
        now(alice.append(b"f", &[round])).expect("an append");
        content.push(round);
        match round {
            13 => drop(now(alice.revoke(b"f", b"carol")).expect("a revocation")),
            27 => drop(now(alice.revoke(b"f", b"dan")).expect("a revocation")),
            _ => {}
        }
    }
    let mut short = Limits::standard();
    short.skip_max = 8;
    let mut back = away.login_within(short).expect("a login");
    assert_eq!(read(&mut back, b"f"), content);
    drop(laptop);
}

#[test]
fn a_list_of_members_is_full_before_anybody_is_shut_out() {
    let world = Deployment::new(1);
    let [mut bob, mut carol, _dan] = users(&world, ["bob", "carol", "dan"]);
    let first = world.user("alice", 9).0;
    let mut few = Limits::standard();
    few.roster_changes_max = 6;
    let mut alice = first.login_within(few).expect("a login");
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    hand(&mut alice, "alice", &mut bob, "bob");
    hand(&mut alice, "alice", &mut carol, "carol");
    // Three changes, two removals: a third member would leave no room to remove all three.
    assert_eq!(failed(now(alice.share(b"f", b"dan"))), usage(Usage::Full));
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    assert_eq!(failed(now(alice.share(b"f", b"dan"))), usage(Usage::Full));
    now(alice.revoke(b"f", b"carol")).expect("a revocation");
    let mut anew = first.login_within(few).expect("a login");
    assert_eq!(read(&mut anew, b"f"), b"one");
    assert_eq!(failed(now(bob.download_all(b"f"))), CLOSED);
}
