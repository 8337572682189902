//! What fails half-way is not there, and is not served as if it were.

use turncoat_adversary::acts::collude::Colluder;
use turncoat_adversary::front::native::{self, Value};
use turncoat_adversary::pool;
use turncoat_core::client::Pick;
use turncoat_core::{Error, LocalState, Unavailable, Usage};
use turncoat_tests::{Crash, Deployment, Waits, config, now, until_crash};

/// More than one segment, so that a part is sent ahead.
const SIZE: usize = 5 << 20;

#[test]
fn an_upload_whose_part_was_lost_is_never_published() {
    let world = Deployment::new(31);
    let (_, mut alice) = world.user("alice", 0);
    let content: Vec<u8> = (0..=250_u8).cycle().take(SIZE).collect();
    let cut_off = Err(Error::from(Unavailable::CutOff));

    let mut uploading = alice.upload(b"f").expect("an upload");
    world.lose_store();
    assert_eq!(now(uploading.write(&content)), cut_off);
    // Whoever tries the same piece again would have its first part in the file twice.
    assert_eq!(now(uploading.write(&content)), cut_off);
    assert_eq!(now(uploading.finish()), cut_off);
    let missing = now(alice.download_all(b"f")).map(drop);
    assert_eq!(missing, Err(Error::Usage(Usage::NoSuchFile)));

    let mut uploading = alice.upload(b"f").expect("an upload");
    now(uploading.write(&content)).expect("a piece");
    now(uploading.finish()).expect("an upload");
    let (read, _) = now(alice.download_all(b"f")).expect("a download");
    assert!(read == content, "another content");
}

#[test]
fn a_write_that_never_began_takes_nothing() {
    let world = Deployment::new(32);
    let (_, mut alice) = world.user("alice", 0);
    let mut uploading = alice.upload(b"f").expect("an upload");
    drop(uploading.write(b"never polled"));
    now(uploading.write(b"content")).expect("a piece");
    now(uploading.finish()).expect("an upload");
    let (read, _) = now(alice.download_all(b"f")).expect("a download");
    assert_eq!(read, b"content");
}

#[test]
fn a_head_that_could_not_be_remembered_is_not_served_before_it_is() {
    let world = Deployment::new(33);
    let (device, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let before = device.remembered_heights();

    // What is pending is saved; what the server then acknowledges is not.
    world.fail_save(1);
    let unwritable = Unavailable::LocalState(LocalState::Unwritable);
    assert_eq!(now(alice.append(b"f", b" two")), Err(unwritable.into()));
    assert_eq!(device.remembered_heights(), before);

    let (read, _) = now(alice.download_all(b"f")).expect("a download");
    assert_eq!(read, b"one two");
    // Were it served and not remembered, a server could take it back after a restart.
    assert!(device.remembered_heights() > before, "shown and forgotten");
}

#[test]
fn a_key_that_was_tried_and_given_up_is_in_nobodys_place() {
    let world = Deployment::new(34);
    let (of_alice, mut alice) = world.user("alice", 0);
    let (of_bob, mut bob) = world.user("bob", 1);
    let (_, mut mallory) = world.user("mallory", 2);
    now(alice.upload_all(b"f", b"content")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    now(bob.download_all(b"f")).expect("a download");
    now(mallory.upload_all(b"g", b"nothing")).expect("an upload");
    let sent = now(mallory.share(b"g", b"bob")).expect("a share");

    // Mallory's invitation leads into alice's file, under a key of no use.
    let known = of_alice.remembered_heights();
    let shared = of_bob
        .remembered_heights()
        .into_keys()
        .find(|space| known.contains_key(space));
    let shared = Value::Bytes(shared.expect("a file of both").0.to_vec());
    let identities = pool::identities();
    let keys = |name, number: usize| Colluder::new(config().realm, name, &identities[number]);
    let recipient = keys("bob", 1)
        .and_then(|bob| bob.record())
        .expect("a record");
    let mallory = keys("mallory", 2).expect("keys");
    world.lie(move |reply| {
        let moved = native::set(&reply, "inbox[0].space", &shared);
        let moved =
            moved.and_then(|reply| native::set(&reply, "inbox[0].epoch", &Value::Number(9)));
        let forged =
            |reply: Vec<u8>| mallory.wrap_key(&reply, "inbox[0]", &recipient, Some([5; 32]), b"g");
        moved.and_then(forged).unwrap_or(reply)
    });

    let pick = Pick::Pointer(sent.pointer);
    for point in 0.. {
        of_bob.crash_at(Crash::Before(point));
        let tried = until_crash(|| now(bob.receive(b"mallory", pick, b"bait")));
        of_bob.crash_at(Crash::Never);
        let (read, _) = now(bob.download_all(b"f")).expect("a file that was open before");
        assert_eq!(read, b"content", "given up at {point}");
        if let Waits::Finished(received) = tried {
            assert_eq!(received.map(drop), Err(Unavailable::Withheld.into()));
            assert!(point > 2, "{point} points are fewer than a receipt has");
            break;
        }
    }
}
