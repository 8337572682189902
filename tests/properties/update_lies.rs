//! What a server says of the version before, with somebody's help who knows its keys, and what is
//! compared with another version: none of it is believed for what an update keeps.

use std::cell::RefCell;
use std::rc::Rc;

use turncoat_core::client::Comparer;
use turncoat_core::wire::{Blob, Frame as _, Reply};
use turncoat_core::{Error, Violation};
use turncoat_tests::{Deployment, TestSession, now};

use super::update::{CHUNK, noise, read, read_anew};

/// Bytes of the tag of a chunk.
const TAG: usize = 16;
/// Chunks of the segment whose tags are told.
const CHUNKS: usize = 10;
/// Those of them that change.
const CHANGED: core::ops::Range<usize> = 1..5;

const MISBOUND: Error = Error::Violation(Violation::Misbound);

/// A content before, and after its change.
fn contents() -> (Vec<u8>, Vec<u8>) {
    let before = noise(1, CHUNKS * CHUNK);
    let mut after = before.clone();
    // All of a chunk changes: of sealed bytes, those differ whose content does, and the tag.
    let changed = CHANGED.start * CHUNK..CHANGED.end * CHUNK;
    after[changed.clone()].copy_from_slice(&noise(2, changed.len()));
    (before, after)
}

fn uploaded(seed: u64, content: &[u8]) -> (Deployment, TestSession) {
    let world = Deployment::new(seed);
    let (_, mut alice) = world.user("alice", 0);
    now(alice.upload_all(b"f", content)).expect("an upload");
    (world, alice)
}

/// Has the first bytes of packs that are shown from now on be what this makes of them.
fn first_shown(world: &Deployment, mut told: impl FnMut(Vec<u8>) -> Vec<u8> + 'static) {
    let mut first = true;
    world.lie(move |reply| match Reply::decode(&reply) {
        Ok(Reply::Content(Blob(bytes))) if core::mem::take(&mut first) => {
            Reply::Content(Blob(told(bytes))).encode()
        }
        _ => reply,
    });
}

/// The tags that a content has under the key and in the place of one of the same length: a world
/// with the same randomness was given the one where the other was given the other.
fn tags_in_its_place(seed: u64, content: &[u8]) -> Vec<u8> {
    let (world, mut alice) = uploaded(seed, content);
    let heard = Rc::new(RefCell::new(Vec::new()));
    let hears = Rc::clone(&heard);
    first_shown(&world, move |bytes| {
        hears.borrow_mut().clone_from(&bytes);
        bytes
    });
    let mut other = content.to_vec();
    other[0] ^= 1;
    now(alice.update_all(b"f", &other)).expect("an update");
    heard.take()
}

#[test]
fn tags_of_a_segment_whose_hash_is_another_keep_nothing() {
    for seed in 200..206 {
        let (before, after) = contents();
        let tags = tags_in_its_place(seed, &after);
        // The padding after the content takes a chunk of its own.
        assert_eq!(tags.len(), (CHUNKS + 1) * TAG);
        let (world, mut alice) = uploaded(seed, &before);
        first_shown(&world, move |_| tags.clone());
        let done = now(alice.update_all(b"f", &after)).expect("an update");
        assert_eq!((done.kept, done.sent), (0, after.len() as u64));
        world.lie(|reply| reply);
        assert!(read_anew(&world, b"f") == after);
    }
}

#[test]
fn tags_of_what_is_not_there_never_make_another_content() {
    let mut outcomes = [0; 2];
    for seed in 210..222 {
        let (before, after) = contents();
        let mut tags = tags_in_its_place(seed, &after);
        tags[9 * TAG] ^= 1;
        let (world, mut alice) = uploaded(seed, &before);
        first_shown(&world, move |_| tags.clone());
        let done = now(alice.update_all(b"f", &after));
        world.lie(|reply| reply);
        match done {
            // What the server was asked to show was of a chunk that it does not have.
            Err(error) => {
                assert_eq!(error, MISBOUND);
                assert!(read_anew(&world, b"f") == before, "nothing was published");
                outcomes[0] += 1;
            }
            // It is as if the server had dropped it a moment later. What is kept has the hash of
            // what was written, so that nothing else can be in its place.
            Ok(done) => {
                assert_eq!(done.kept, 9 * CHUNK as u64, "the tags are right");
                assert_eq!(now(alice.download_all(b"f")).map(drop), Err(MISBOUND));
                outcomes[1] += 1;
            }
        }
        now(alice.upload_all(b"f", &after)).expect("an upload");
        assert!(read_anew(&world, b"f") == after);
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn records_and_keys_of_another_version_are_not_compared_with() {
    type Lie = fn(Reply) -> Reply;
    fn records(reply: Reply, lie: fn(&mut Vec<turncoat_core::wire::SegmentRecord>)) -> Reply {
        match reply {
            Reply::Segments(mut records) => {
                lie(&mut records);
                Reply::Segments(records)
            }
            other => other,
        }
    }
    let lies: [(Lie, Violation); 6] = [
        (
            |reply| records(reply, |records| records[0].hash.0[0] ^= 1),
            Violation::Misbound,
        ),
        (
            |reply| records(reply, |records| records[0].offset += 1),
            Violation::Misbound,
        ),
        (
            |reply| records(reply, |records| records.swap(0, 1)),
            Violation::Misbound,
        ),
        (|reply| records(reply, Vec::clear), Violation::Truncated),
        (
            |reply| records(reply, |records| records.push(records[0].clone())),
            Violation::Misbound,
        ),
        // The first bytes that are shown are those of the older keys.
        (
            |reply| match reply {
                Reply::Content(Blob(mut bytes)) => {
                    bytes[0] ^= 1;
                    Reply::Content(Blob(bytes))
                }
                other => other,
            },
            Violation::Misbound,
        ),
    ];
    for (place, (lie, violation)) in lies.into_iter().enumerate() {
        let (before, after) = contents();
        let (world, mut alice) = uploaded(230, &before);
        let done = now(alice.update_all(b"f", &after)).expect("an update");
        assert!(done.kept > 0 && done.sent > 0, "there are two keys");
        world.lie(move |reply| match Reply::decode(&reply) {
            Ok(told) => lie(told).encode(),
            Err(_) => reply,
        });
        let refused = now(alice.update(b"f")).map(drop);
        assert_eq!(refused, Err(violation.into()), "lie {place}");
        world.lie(|reply| reply);
        assert!(read_anew(&world, b"f") == after, "lie {place}");
    }
}

#[test]
fn what_was_compared_with_another_version_is_compared_anew() {
    let stretch = Comparer::STRETCH;
    let (old, new) = (noise(1, stretch + CHUNK), noise(2, stretch + CHUNK));
    for same_file in [true, false] {
        let (world, mut alice) = uploaded(240, &old);
        now(alice.upload_all(b"g", &old)).expect("an upload");
        let from: &[u8] = if same_file { b"f" } else { b"g" };
        let earlier = now(alice.update(from)).expect("an update").comparer();
        now(alice.upload_all(b"f", &new)).expect("an upload");

        // The old content comes back. Of the version that is there, nothing is in it.
        let mut updating = now(alice.update(b"f")).expect("an update");
        for (at, piece) in [(0, &old[..stretch]), (stretch, &old[stretch..])] {
            let compared = earlier.compare(at as u64, piece.to_vec());
            now(updating.add(compared)).expect("a stretch");
        }
        let done = now(updating.finish()).expect("an update");
        assert_eq!((done.kept, done.sent), (0, old.len() as u64));
        assert!(read_anew(&world, b"f") == old, "{same_file}");

        // Of what is there and was compared with what is not, nothing has to be sent.
        let mut updating = now(alice.update(b"f")).expect("an update");
        let compared = earlier.compare(0, old[..stretch].to_vec());
        now(updating.add(compared)).expect("a stretch");
        let done = now(updating.finish()).expect("an update");
        assert_eq!((done.kept, done.sent), (stretch as u64, 0));
        assert!(read(&mut alice, b"f") == old[..stretch], "{same_file}");
    }
}
