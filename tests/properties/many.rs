//! Many small files at once, of which the server denies some, and content in pieces of any size.

use std::cell::Cell;
use std::rc::Rc;

use turncoat_core::wire::{Frame as _, Refusal, Reply, SegmentRecord, View};
use turncoat_tests::{Deployment, TestSession, now};

use super::update::{CHUNK, noise, read_anew};

const FILES: usize = 37;

/// The server denies the records of these files from now on; how many requests for records it
/// refused, and answered.
fn deny(world: &Deployment, denied: Vec<SegmentRecord>) -> Rc<Cell<(u32, u32)>> {
    let counts = Rc::new(Cell::new((0, 0)));
    let counted = Rc::clone(&counts);
    world.lie(move |reply| match Reply::decode(&reply) {
        Ok(Reply::Segments(records)) => {
            let (refused, answered) = counted.get();
            let is_denied = records.iter().any(|record| denied.contains(record));
            counted.set(match is_denied {
                true => (refused + 1, answered),
                false => (refused, answered + 1),
            });
            match is_denied {
                true => Reply::Refused(Refusal::NotFound).encode(),
                false => reply,
            }
        }
        _ => reply,
    });
    counts
}

/// The records of all files, in the order of their names.
fn records(world: &Deployment, alice: &mut TestSession, names: &[&[u8]]) -> Vec<SegmentRecord> {
    let heard = Rc::new(Cell::new(Vec::new()));
    let hears = Rc::clone(&heard);
    world.lie(move |reply| {
        if let Ok(Reply::Segments(records)) = Reply::decode(&reply) {
            hears.set(records);
        }
        reply
    });
    let many = now(alice.download_many(names, |_, _| ())).expect("a download");
    assert!(many.rest.is_empty());
    heard.take()
}

#[test]
fn what_is_denied_of_many_is_found_and_all_others_come() {
    let world = Deployment::new(300);
    let (_, mut alice) = world.user("alice", 0);
    let names: Vec<Vec<u8>> = (0..FILES).map(|n| format!("{n:02}").into_bytes()).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let files: Vec<(&[u8], &[u8])> = names.iter().map(|name| (*name, *name)).collect();
    now(alice.upload_many(&files)).expect("an upload");
    let records = records(&world, &mut alice, &names);
    assert_eq!(records.len(), FILES);
    for denied in [vec![], vec![0], vec![36], vec![5, 6], vec![3, 17, 29]] {
        let those = denied.iter().map(|at: &usize| records[*at].clone());
        let counts = deny(&world, those.collect());
        let mut came = Vec::new();
        let many = now(alice.download_many(&names, |at, content| {
            assert_eq!(content, names[at]);
            came.push(at);
        }));
        assert_eq!(many.expect("a download").rest, denied);
        came.extend(&denied);
        came.sort_unstable();
        assert!(came.iter().copied().eq(0..FILES), "{came:?}");
        let (refused, _) = counts.get();
        assert!(refused <= 7 * denied.len() as u32, "{refused} refusals");
    }
    // Who is denied everything does not go on asking.
    let counts = deny(&world, records);
    let many = now(alice.download_many(&names, |_, _| panic!("nothing comes")));
    assert!(many.expect("a download").rest.into_iter().eq(0..FILES));
    let (refused, answered) = counts.get();
    assert!(refused < 60 && answered == 0, "{refused} refusals");
}

#[test]
fn content_is_the_same_in_pieces_of_any_size() {
    // A full segment has 64 chunks.
    let segment = 64 * CHUNK;
    let half = segment / 2;
    for pieces in [
        vec![segment],
        vec![2 * segment],
        vec![2 * segment + 1],
        vec![half, 2 * segment + half],
        vec![1, segment - 1, segment, 1],
        vec![3 * segment - 1, 1, 0, 1],
    ] {
        let size = pieces.iter().sum();
        let content = noise(301, size);
        let stored = |pieces: &[usize]| {
            let world = Deployment::new(301);
            let (_, mut alice) = world.user("alice", 0);
            let mut uploading = alice.upload(b"f").expect("a name");
            let mut rest = content.as_slice();
            for size in pieces {
                let (piece, later) = rest.split_at(*size);
                now(uploading.write(piece)).expect("a write");
                rest = later;
            }
            now(uploading.finish()).expect("an upload");
            assert!(read_anew(&world, b"f") == content, "{pieces:?}");
            world.stored()
        };
        let small: Vec<usize> = std::iter::repeat_n(1 << 16, size >> 16)
            .chain([size & 0xffff])
            .collect();
        // With the same randomness, the very bytes.
        assert!(stored(&pieces) == stored(&small), "{pieces:?}");
    }
}

#[test]
fn what_was_listed_to_be_read_is_not_shown_again() {
    // More than one page of a listing.
    const LISTED: usize = 2100;
    let world = Deployment::new(302);
    let (_, mut alice) = world.user("alice", 0);
    let names: Vec<Vec<u8>> = (0..LISTED)
        .map(|n| format!("{n:04}").into_bytes())
        .collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let files: Vec<(&[u8], &[u8])> = names.iter().map(|name| (*name, *name)).collect();
    now(alice.upload_many(&files)).expect("an upload");
    let mut phone = world.device("alice", "phone").login().expect("a login");
    let shown = Rc::new(Cell::new(0));
    let counted = Rc::clone(&shown);
    world.lie(move |reply| {
        if let Ok(Reply::Views(views)) = Reply::decode(&reply) {
            for view in views {
                if let View::Shown { leaves, .. } = view {
                    counted.set(counted.get() + leaves.len());
                }
            }
        }
        reply
    });
    let read = |phone: &mut TestSession, changed: Option<&[u8]>| {
        let mut came = 0;
        let many = now(phone.download_many(&names, |at, content| {
            came += 1;
            match (at, changed) {
                (7, Some(changed)) => assert_eq!(content, changed),
                _ => assert_eq!(content, names[at]),
            }
        }));
        assert!(many.expect("a download").rest.is_empty());
        assert_eq!(came, LISTED);
        shown.take()
    };
    assert_eq!(now(phone.list()).expect("a listing").names, names);
    assert!(shown.take() >= LISTED);
    assert!(read(&mut phone, None) > LISTED / 2, "one page is at hand");
    assert_eq!(now(phone.list_to_read()).expect("a listing").names, names);
    assert!(shown.take() >= LISTED);
    assert_eq!(read(&mut phone, None), 0);
    // What is at hand is of a head that is not the newest one any more.
    now(phone.list_to_read()).expect("a listing");
    now(alice.upload_all(b"0007", b"another")).expect("an upload");
    shown.take();
    assert_eq!(read(&mut phone, Some(b"another")), LISTED);
}

#[test]
fn memory_that_is_given_back_leaves_nothing_behind() {
    let content = noise(303, 3 * 64 * CHUNK + 5);
    let world = Deployment::new(303);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let mut downloading = now(alice.download(b"f")).expect("a file");
    let mut read = Vec::new();
    while let Some(part) = now(downloading.next()).expect("a part") {
        read.extend_from_slice(&part);
        // What the caller had in it meanwhile is not the file's.
        downloading.reuse(vec![7; 1000 + read.len() % 7]);
    }
    assert!(read == content);
}
