//! Each operation once, between an honest server and one or two users.

use turncoat_core::client::{ContactStanding, Pick};
use turncoat_core::{Error, Unavailable, Usage};
use turncoat_tests::{Deployment, now};

fn read(session: &mut turncoat_tests::TestSession, name: &[u8]) -> Vec<u8> {
    now(session.download_all(name))
        .expect("the file is there")
        .0
}

#[test]
fn f20_contents_of_every_critical_length_round_trip() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let chunk = 65_532;
    for size in [
        0,
        1,
        15,
        16,
        17,
        255,
        256,
        257,
        chunk - 1,
        chunk,
        chunk + 1,
        3 * chunk + 7,
    ] {
        let content: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        now(alice.upload_all(b"f", &content)).expect("an upload");
        assert_eq!(read(&mut alice, b"f"), content, "{size} bytes");
    }
}

#[test]
fn f26_f27_the_last_write_is_read_and_appends_follow_it() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    now(alice.append(b"f", b" two")).expect("an append");
    now(alice.append(b"f", b"")).expect("an empty append");
    assert_eq!(read(&mut alice, b"f"), b"one two");
    now(alice.upload_all(b"f", b"new")).expect("an upload");
    assert_eq!(read(&mut alice, b"f"), b"new");
    assert_eq!(
        now(alice.append(b"x", b"")),
        Err(Error::Usage(Usage::NoSuchFile))
    );
    assert_eq!(
        now(alice.delete(b"x")),
        Err(Error::Usage(Usage::NoSuchFile))
    );
    now(alice.delete(b"f")).expect("a deletion");
    assert_eq!(
        now(alice.download_all(b"f")).map(|_| ()),
        Err(Error::Usage(Usage::NoSuchFile))
    );
    assert!(now(alice.list()).expect("a list").names.is_empty());
}

#[test]
fn f13_f14_a_change_on_one_device_is_seen_by_the_other_at_once() {
    let world = Deployment::new(1);
    let (_, mut laptop) = world.user("alice", 0);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    now(laptop.upload_all(b"f", b"1")).expect("an upload");
    let (content, freshness) = now(phone.download_all(b"f")).expect("a download");
    assert_eq!(content, b"1");
    assert!(freshness.monotone, "the login showed a head of this space");
    now(phone.append(b"f", b"2")).expect("an append");
    now(laptop.append(b"f", b"3")).expect("an append");
    assert_eq!(read(&mut phone, b"f"), b"123");
    assert_eq!(read(&mut laptop, b"f"), b"123");
}

#[test]
fn f50_f59_f70_a_share_is_one_instance_until_it_is_revoked() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    let (_, mut carol) = world.user("carol", 2);
    now(alice.upload_all(b"f", b"one")).expect("an upload");
    let sent = now(alice.share(b"f", b"bob")).expect("a share");
    assert_eq!(sent.standing, ContactStanding::FirstContact);
    now(bob.receive(b"alice", Pick::Name(b"f"), b"g")).expect("a receipt");
    assert_eq!(read(&mut bob, b"g"), b"one");
    now(bob.append(b"g", b" two")).expect("an append");
    assert_eq!(read(&mut alice, b"f"), b"one two");
    let sent = now(bob.share(b"g", b"carol")).expect("a share further on");
    now(carol.receive(b"bob", Pick::Pointer(sent.pointer), b"h")).expect("a receipt");
    now(carol.upload_all(b"h", b"new")).expect("an upload");
    assert_eq!(read(&mut alice, b"f"), b"new");
    let (_, mut dan) = world.user("dan", 3);
    now(alice.share(b"f", b"dan")).expect("a share");
    now(dan.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    assert_eq!(
        now(bob.revoke(b"g", b"carol")),
        Err(Error::Usage(Usage::NotOwner))
    );
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    let closed = Err(Error::Unavailable(Unavailable::Closed));
    assert_eq!(now(bob.download_all(b"g")).map(|_| ()), closed);
    assert_eq!(now(carol.append(b"h", b"x")), closed);
    now(alice.append(b"f", b"+")).expect("an append");
    now(dan.append(b"f", b"-")).expect("an append by a member who did nothing");
    assert_eq!(read(&mut alice, b"f"), b"new+-");
    assert_eq!(read(&mut dan, b"f"), b"new+-");
    assert_eq!(
        now(alice.revoke(b"f", b"bob")),
        Err(Error::Usage(Usage::NotShared))
    );
    let mut phone = world.device("dan", "phone").login().expect("a login");
    assert_eq!(read(&mut phone, b"f"), b"new+-");
    now(alice.share(b"f", b"bob")).expect("a share anew");
    now(bob.receive(b"alice", Pick::Name(b"f"), b"again")).expect("a receipt");
    assert_eq!(read(&mut bob, b"again"), b"new+-");
}

#[test]
fn f37_a_listing_is_the_model() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let names: Vec<Vec<u8>> = (0..3000_u32)
        .map(|n| format!("name/{n}\n").into_bytes())
        .collect();
    let mut files: Vec<(&[u8], &[u8])> = names
        .iter()
        .map(|name| (name.as_slice(), b"content".as_slice()))
        .collect();
    let long = vec![b'x'; 4096];
    files.push((&long, b"long"));
    files.push((b"", b"empty"));
    now(alice.upload_many(&files)).expect("a batch");
    let mut expected: Vec<Vec<u8>> = files.iter().map(|(name, _)| name.to_vec()).collect();
    expected.sort();
    assert_eq!(now(alice.list()).expect("a list").names, expected);
    assert_eq!(read(&mut alice, &long), b"long");
}

#[test]
fn many_files_are_read_as_each_by_itself() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    let names: Vec<Vec<u8>> = (0..2500_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let contents: Vec<Vec<u8>> = (0..2500_usize)
        .map(|n| vec![n as u8; n * 7 % 5000])
        .collect();
    let files = names.iter().zip(&contents);
    let files: Vec<(&[u8], &[u8])> = files.map(|(n, c)| (n.as_slice(), c.as_slice())).collect();
    now(alice.upload_many(&files)).expect("a batch");
    now(alice.append(&names[3], b"a second segment")).expect("an append");
    now(alice.share(&names[5], b"bob")).expect("a share");
    let mut asked: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    asked.push(b"not there");
    asked.push(&names[9]);
    let mut came = std::collections::BTreeMap::new();
    let many = now(alice.download_many(&asked, |place, content| {
        assert!(came.insert(place, content).is_none());
    }));
    let many = many.expect("all is in order");
    assert!(many.freshness.monotone);
    assert_eq!(many.rest, [3, 5, 2500]);
    assert_eq!(came.len(), asked.len() - many.rest.len());
    assert_eq!(came.remove(&2501), Some(contents[9].clone()));
    for (place, content) in came {
        assert_eq!(content, contents[place], "file {place}");
    }
    let nothing = now(bob.download_many(&[b"x".as_slice()], |_, _| panic!("bob has nothing")));
    assert_eq!(nothing.expect("all is in order").rest, [0]);
}

#[test]
fn devices_that_meet_agree() {
    let world = Deployment::new(1);
    let (_, mut laptop) = world.user("alice", 0);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    for n in 0..5 {
        now(laptop.upload_all(b"f", &[n])).expect("an upload");
    }
    let statement = phone.statement().expect("a statement");
    let compared = now(laptop.compare(&statement)).expect("no fork");
    assert_eq!(compared.len(), 1);
    assert_eq!(compared[0].1, turncoat_core::client::Comparison::Ahead);
    let statement = laptop.statement().expect("a statement");
    let compared = now(phone.compare(&statement)).expect("no fork");
    assert_eq!(compared[0].1, turncoat_core::client::Comparison::Same);
}
