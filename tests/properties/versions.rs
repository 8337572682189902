//! Which version has a name, and which one a session wrote: no two writes make the same.

use std::cell::RefCell;
use std::rc::Rc;

use turncoat_core::client::{Pick, Version};
use turncoat_core::wire::{Frame as _, Refusal, Reply};
use turncoat_core::{Unavailable, Usage, Violation};
use turncoat_tests::{Deployment, TestSession, now};

fn version(session: &mut TestSession, name: &[u8]) -> Option<Version> {
    let versions = now(session.versions(&[name])).expect("a read");
    assert_eq!(versions.len(), 1);
    versions[0]
}

#[test]
fn a_version_is_of_one_write() {
    let world = Deployment::new(300);
    let (_, mut alice) = world.user("alice", 0);
    let mut other = world.device("alice", "other").login().expect("a login");
    assert_eq!(version(&mut alice, b"f"), None);
    assert_eq!(alice.written(b"f"), Ok(None));

    type Write = fn(&mut TestSession);
    let writes: [Write; 6] = [
        |alice| now(alice.upload_all(b"f", b"one")).expect("an upload"),
        |alice| now(alice.upload_all(b"f", b"one")).expect("an upload"),
        |alice| now(alice.upload_many(&[(b"f", b"one"), (b"g", b"")])).expect("an upload"),
        |alice| assert!(now(alice.update_all(b"f", b"one")).is_ok()),
        |alice| assert!(now(alice.update_all(b"f", b"one")).is_ok()),
        |alice| {
            let mut keep = |_: turncoat_core::client::Note<'_>| Ok(());
            let uploading = alice.upload_resumed(b"f", None, &mut keep);
            let mut uploading = now(uploading).expect("an upload");
            now(uploading.write(b"one")).expect("a piece");
            now(uploading.finish()).expect("an upload");
        },
    ];
    let mut seen = Vec::new();
    for write in writes {
        write(&mut alice);
        let written = alice.written(b"f").expect("a name");
        assert!(written.is_some() && !seen.contains(&written));
        assert_eq!(version(&mut alice, b"f"), written);
        assert_eq!(version(&mut other, b"f"), written);
        assert_eq!(other.written(b"f"), Ok(None), "it wrote nothing");
        seen.push(written);
    }
    // What anybody else writes, and whatever else happens to the file, is another version.
    let mine = alice.written(b"f").expect("a name");
    let meanwhile: [Write; 3] = [
        |other| now(other.append(b"f", b"")).expect("an append"),
        |other| now(other.upload_all(b"f", b"one")).expect("an upload"),
        |other| now(other.delete(b"f")).expect("a deletion"),
    ];
    for meanwhile in meanwhile {
        meanwhile(&mut other);
        let version = version(&mut alice, b"f");
        assert!(!seen.contains(&version));
        assert_eq!(alice.written(b"f"), Ok(mine), "it is what alice wrote");
        seen.push(version);
    }
    assert_eq!(seen.last(), Some(&None));
    let long = vec![b'n'; 20 << 10];
    assert_eq!(alice.written(&long), Err(Usage::TooLong.into()));
    let asked = now(alice.versions(&[b"f", &long]));
    assert_eq!(asked, Err(Usage::TooLong.into()));
}

#[test]
fn a_shared_file_has_one_version_for_all_its_members() {
    let world = Deployment::new(301);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let private = version(&mut alice, b"f");
    now(alice.share(b"f", b"bob")).expect("a share");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"g")).expect("a receipt");
    let shared = version(&mut alice, b"f");
    assert!(shared.is_some() && shared != private);
    assert_eq!(version(&mut bob, b"g"), shared);
    now(bob.upload_many(&[(b"g", b"two"), (b"h", b"bob's own")])).expect("an upload");
    let written = bob.written(b"g").expect("a name");
    assert!(written.is_some() && written != shared);
    let versions = now(bob.versions(&[b"g", b"nothing", b"h"])).expect("a read");
    assert_eq!(
        versions,
        [written, None, bob.written(b"h").expect("a name")]
    );
    assert_eq!(version(&mut alice, b"f"), written);
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    let revoked = version(&mut alice, b"f");
    assert!(revoked.is_some() && revoked != written);
    assert_eq!(version(&mut bob, b"g"), None, "it is closed");
    now(alice.delete(b"f")).expect("a deletion");
    assert_eq!(version(&mut alice, b"f"), None);
}

#[test]
fn thousands_of_names_are_asked_for_in_their_order() {
    let world = Deployment::new(302);
    let (device, mut alice) = world.user("alice", 0);
    let names: Vec<Vec<u8>> = (0..5000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let there = [0, 2047, 2048, 4999];
    let files: Vec<(&[u8], &[u8])> = there.iter().map(|at| (names[*at], &b"x"[..])).collect();
    now(alice.upload_many(&files)).expect("an upload");
    let _before = device.traffic();
    let versions = now(alice.versions(&names)).expect("a read");
    assert_eq!(device.traffic().requests, 3);
    assert_eq!(versions.len(), names.len());
    for (at, version) in versions.into_iter().enumerate() {
        let written = alice.written(names[at]).expect("a name");
        assert_eq!((version, version.is_some()), (written, there.contains(&at)));
    }
}

#[test]
fn a_version_is_what_the_newest_head_says_or_nothing_is_said() {
    let world = Deployment::new(303);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let mut other = world.device("alice", "other").login().expect("a login");
    let older = Rc::new(RefCell::new(Vec::new()));
    let hears = Rc::clone(&older);
    world.lie(move |reply| {
        hears.borrow_mut().clone_from(&reply);
        reply
    });
    assert!(version(&mut other, b"f").is_some());
    world.lie(|reply| reply);
    now(alice.upload_all(b"f", b"two")).expect("an upload");
    assert_eq!(
        version(&mut other, b"f"),
        alice.written(b"f").expect("a name")
    );
    let shown = older.take();
    world.lie(move |_| shown.clone());
    let rolled_back = now(other.versions(&[b"f"])).map(drop);
    assert!(
        matches!(&rolled_back, Err(error) if error.name() == "rollback"),
        "{rolled_back:?}"
    );
    world.lie(|_| Reply::Refused(Refusal::Busy).encode());
    assert_eq!(now(other.versions(&[b"f"])), Err(Unavailable::Busy.into()));
    world.lie(|_| Reply::Views(Vec::new()).encode());
    assert_eq!(
        now(other.versions(&[b"f"])),
        Err(Violation::OutOfTurn.into())
    );
}
