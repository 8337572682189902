//! Files, names, listings and deletion, as the black-box cases of an examiner ask.

use turncoat_core::client::Pick;
use turncoat_core::{Error, Usage};
use turncoat_tests::{Deployment, TestSession, now};

fn read(session: &mut TestSession, name: &[u8]) -> Vec<u8> {
    now(session.download_all(name))
        .expect("the file is there")
        .0
}

fn listed(session: &mut TestSession) -> Vec<Vec<u8>> {
    now(session.list()).expect("a list").names
}

const NO_FILE: Error = Error::Usage(Usage::NoSuchFile);

#[test]
fn f20_sixty_four_mebibytes_round_trip() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let piece = |number: u32| -> Vec<u8> {
        let bytes = (0..1_u32 << 18).map(|at| at.wrapping_mul(2_654_435_761) ^ number);
        bytes.flat_map(u32::to_be_bytes).collect()
    };
    let mut uploading = alice.upload(b"large").expect("an upload");
    for number in 0..64 {
        now(uploading.write(&piece(number))).expect("a piece");
    }
    now(uploading.finish()).expect("an upload");
    let mut downloading = now(alice.download(b"large")).expect("a download");
    assert_eq!(downloading.size(), 64 << 20);
    let mut whole = Vec::new();
    while let Some(part) = now(downloading.next()).expect("its bytes") {
        whole.extend(part);
    }
    assert_eq!(whole.len(), 64 << 20);
    for (number, part) in whole.chunks(1 << 20).enumerate() {
        assert!(part == piece(number as u32), "mebibyte {number}");
    }
}

#[test]
fn f21_every_byte_value_round_trips() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let all: Vec<u8> = (0..=255).collect();
    let around = [b"\0\0".as_slice(), &all, b"\xff\xfe\xc0\x80\0\0"].concat();
    now(alice.upload_all(b"f", &around)).expect("an upload");
    now(alice.append(b"f", &around)).expect("an append");
    assert_eq!(read(&mut alice, b"f"), [around.clone(), around].concat());
}

/// Everything that a name can be used for.
fn behaves(names: &[&[u8]]) {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    for name in names {
        now(alice.upload_all(name, &[b"content of ", *name].concat())).expect("an upload");
        now(alice.append(name, b"!")).expect("an append");
    }
    let mut all: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    all.sort();
    assert_eq!(listed(&mut alice), all);
    for name in names {
        let expected = [b"content of ", *name, b"!"].concat();
        assert_eq!(read(&mut alice, name), expected);
        now(alice.share(name, b"bob")).expect("a share");
        now(bob.receive(b"alice", Pick::Name(name), name)).expect("a receipt");
        assert_eq!(read(&mut bob, name), expected);
    }
    assert_eq!(listed(&mut bob), all);
    for name in names {
        now(alice.delete(name)).expect("a deletion");
        assert_eq!(now(alice.download_all(name)).map(|_| ()), Err(NO_FILE));
        assert_eq!(now(bob.download_all(name)).map(|_| ()), Err(NO_FILE));
    }
    assert_eq!(listed(&mut alice), Vec::<Vec<u8>>::new());
}

#[test]
fn f22_the_empty_file_name_is_a_name() {
    behaves(&[b""]);
}

#[test]
fn f23_odd_file_names_are_distinct_and_nothing_but_names() {
    let long = [b'n'; 4096];
    behaves(&[
        b"/",
        b"a/b",
        b"../x",
        b".keypair",
        b"\n",
        b"b/c",
        b"a/b/c",
        b"\0",
        b"\xf0\x9f\xa6\x80",
        &long,
    ]);
    // The user a with 'b/c', and the user a/b with 'c'.
    let world = Deployment::new(1);
    let (_, mut one) = world.user("a", 0);
    let (_, mut other) = world.user("a/b", 1);
    now(one.upload_all(b"b/c", b"one")).expect("an upload");
    now(other.upload_all(b"c", b"other")).expect("an upload");
    assert_eq!(read(&mut one, b"b/c"), b"one");
    assert_eq!(read(&mut other, b"c"), b"other");
    assert_eq!(now(one.download_all(b"c")).map(|_| ()), Err(NO_FILE));
}

#[test]
fn f24_f25_f33_a_file_that_is_not_there_is_not_made() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    assert_eq!(now(alice.download_all(b"x")).map(|_| ()), Err(NO_FILE));
    assert_eq!(now(alice.append(b"x", b"d")), Err(NO_FILE));
    assert_eq!(now(alice.delete(b"x")), Err(NO_FILE));
    assert_eq!(now(alice.download_all(b"x")).map(|_| ()), Err(NO_FILE));
    assert_eq!(listed(&mut alice), Vec::<Vec<u8>>::new());
}

#[test]
fn f26_overwrites_of_any_size_replace_all() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    for size in [1_000_000, 10, 2_000_000, 0] {
        let content: Vec<u8> = (0..size).map(|at| (at % 241) as u8).collect();
        now(alice.upload_all(b"f", &content)).expect("an upload");
        assert!(read(&mut alice, b"f") == content, "{size} bytes");
    }
}

#[test]
fn f27_an_overwrite_takes_five_appends_away() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"base")).expect("an upload");
    for _ in 0..5 {
        now(alice.append(b"f", b"+")).expect("an append");
    }
    assert_eq!(read(&mut alice, b"f"), b"base+++++");
    now(alice.upload_all(b"f", b"new")).expect("an upload");
    assert_eq!(read(&mut alice, b"f"), b"new");
}

#[test]
fn f28_equal_names_of_two_users_do_not_interfere() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    for round in 0..3_u8 {
        now(alice.upload_all(b"f", &[b'a', round])).expect("an upload");
        now(bob.upload_all(b"f", &[b'b', round])).expect("an upload");
        now(alice.append(b"f", b"A")).expect("an append");
        now(bob.append(b"f", b"B")).expect("an append");
        assert_eq!(read(&mut alice, b"f"), [b'a', round, b'A']);
        assert_eq!(read(&mut bob, b"f"), [b'b', round, b'B']);
    }
}

#[test]
fn f29_a_thousand_appends_by_two_sessions_are_all_there() {
    let world = Deployment::new(1);
    let (_, mut laptop) = world.user("alice", 0);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    now(laptop.upload_all(b"f", b"0")).expect("an upload");
    let mut model = b"0".to_vec();
    for number in 0..1000_u32 {
        let byte = (number % 251) as u8;
        let session = if number % 2 == 0 {
            &mut laptop
        } else {
            &mut phone
        };
        now(session.append(b"f", &[byte])).expect("an append");
        model.push(byte);
    }
    assert_eq!(read(&mut laptop, b"f"), model);
    assert_eq!(read(&mut phone, b"f"), model);
}

#[test]
fn f30_f31_empty_appends_change_nothing_and_empty_files_grow() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", b"content")).expect("an upload");
    for _ in 0..3 {
        now(alice.append(b"f", b"")).expect("an empty append");
        assert_eq!(read(&mut alice, b"f"), b"content");
    }
    now(alice.upload_all(b"empty", b"")).expect("an upload");
    now(alice.append(b"empty", b"d")).expect("an append");
    assert_eq!(read(&mut alice, b"empty"), b"d");
}

#[test]
fn f32_f36_a_name_is_listed_once_until_it_is_deleted() {
    let world = Deployment::new(1);
    let (_, mut laptop) = world.user("alice", 0);
    let mut phone = world.device("alice", "phone").login().expect("a login");
    for round in 0..10_u8 {
        now(laptop.upload_all(b"f", &[round])).expect("an upload");
        now(phone.append(b"f", b"+")).expect("an append");
    }
    assert_eq!(listed(&mut laptop), [b"f".to_vec()]);
    assert_eq!(listed(&mut phone), [b"f".to_vec()]);
    now(laptop.delete(b"f")).expect("a deletion");
    assert_eq!(now(phone.download_all(b"f")).map(|_| ()), Err(NO_FILE));
    assert_eq!(listed(&mut phone), Vec::<Vec<u8>>::new());
    assert_eq!(listed(&mut laptop), Vec::<Vec<u8>>::new());
}

#[test]
fn f35_a_listing_holds_own_and_received_names_and_no_other() {
    let world = Deployment::new(1);
    let (_, mut alice) = world.user("alice", 0);
    let (_, mut bob) = world.user("bob", 1);
    assert_eq!(listed(&mut bob), Vec::<Vec<u8>>::new());
    now(bob.upload_all(b"own", b"1")).expect("an upload");
    now(alice.upload_all(b"hers", b"2")).expect("an upload");
    now(alice.share(b"hers", b"bob")).expect("a share");
    assert_eq!(listed(&mut bob), [b"own".to_vec()], "not received yet");
    now(bob.receive(b"alice", Pick::Name(b"hers"), b"chosen")).expect("a receipt");
    assert_eq!(listed(&mut bob), [b"chosen".to_vec(), b"own".to_vec()]);
    assert_eq!(listed(&mut alice), [b"hers".to_vec()]);
}

/// Efficient updates are not claimed: an upload sends the whole content anew. That is what the
/// manual says, and what the traffic shows.
#[test]
fn f49_an_upload_moves_the_whole_content() {
    let world = Deployment::new(1);
    let (device, mut alice) = world.user("alice", 0);
    let mut content = vec![b'c'; 1_000_000];
    now(alice.upload_all(b"f", &content)).expect("an upload");
    content[500_000] = b'd';
    let _before = device.traffic();
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let sent = device.traffic().sent;
    assert!((1_000_000..1_050_000).contains(&sent), "{sent}");
    assert!(read(&mut alice, b"f") == content);
}
