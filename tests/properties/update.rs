//! An update sends what changed, is read back as what was written, and is published only if the
//! server still has what it keeps.

use proptest::prelude::*;
use proptest::test_runner::Config as Runner;
use turncoat_core::client::{Comparer, Pick, Updated};
use turncoat_core::wire::{Blob, Frame as _, Refusal, Reply};
use turncoat_core::{Error, Unavailable, Usage, Violation};
use turncoat_tests::{Deployment, Device, TestSession, now};

/// Content of a full chunk, and sealed bytes of one.
pub(super) const CHUNK: usize = 65_532;
const SEALED: u64 = 65_552;
/// What an update may send beside the chunks that changed.
const CONSTANT: u64 = 12 << 10;

/// Bytes of which no two stretches are alike.
pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let words = (1_u64..).map(|at| (at ^ seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let words = words.map(|word| word ^ word >> 29);
    words.flat_map(u64::to_be_bytes).take(size).collect()
}

pub(super) fn read(session: &mut TestSession, name: &[u8]) -> Vec<u8> {
    let read = now(session.download_all(name));
    read.expect("the file is there").0
}

/// What a device without memory reads.
pub(super) fn read_anew(world: &Deployment, name: &[u8]) -> Vec<u8> {
    let device = world.device("alice", "anew");
    read(&mut device.login().expect("a login"), name)
}

/// Chunks of the later content that are not in their place in the earlier one.
fn changed(before: &[u8], after: &[u8]) -> u64 {
    let fits = |(at, chunk): (usize, &[u8])| {
        let there = before.get(at * CHUNK..).unwrap_or_default();
        let there = &there[..there.len().min(CHUNK)];
        chunk == there
    };
    let chunks = after.chunks(CHUNK).enumerate();
    chunks.filter(|chunk| !fits(*chunk)).count() as u64
}

/// An update, what it came to, and what it sent.
fn update(device: &Device, session: &mut TestSession, content: &[u8]) -> (Updated, u64) {
    let _before = device.traffic();
    let done = now(session.update_all(b"f", content)).expect("an update");
    assert_eq!(done.kept + done.sent, content.len() as u64);
    (done, device.traffic().sent)
}

#[test]
fn a_changed_byte_sends_one_chunk() {
    let world = Deployment::new(81);
    let (device, mut alice) = world.user("alice", 0);
    let mut content = noise(1, 9 << 20);
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let (done, sent) = update(&device, &mut alice, &content);
    assert!(done.sent == 0 && sent < CONSTANT, "{done:?}, {sent} bytes");
    for at in [0, CHUNK, 5 << 20, (9 << 20) - 1] {
        content[at] ^= 1;
        let (done, sent) = update(&device, &mut alice, &content);
        assert!(sent < SEALED + CONSTANT, "{at}: {done:?}, {sent} bytes");
        assert!(read_anew(&world, b"f") == content, "{at}");
    }
}

#[test]
fn a_file_that_is_not_there_is_written_whole() {
    let world = Deployment::new(82);
    let (device, mut alice) = world.user("alice", 0);
    let content = noise(1, 3 * CHUNK);
    let (done, _) = update(&device, &mut alice, &content);
    assert_eq!(done.kept, 0);
    assert!(read_anew(&world, b"f") == content);
    let other = noise(2, 3 * CHUNK);
    let (done, _) = update(&device, &mut alice, &other);
    assert_eq!(done.kept, 0);
    assert!(read_anew(&world, b"f") == other);
    let long = vec![b'n'; 20 << 10];
    assert_eq!(
        now(alice.update_all(&long, b"")),
        Err(Usage::TooLong.into())
    );
}

#[test]
fn contents_that_end_at_chunks_and_stretches_are_cut_and_grow() {
    const SIZES: [usize; 9] = [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        3 * CHUNK,
        3 * CHUNK + 1,
        Comparer::STRETCH - 1,
        Comparer::STRETCH,
        Comparer::STRETCH + 1,
    ];
    let world = Deployment::new(83);
    let (device, mut alice) = world.user("alice", 0);
    let content = noise(1, Comparer::STRETCH + 1);
    for before in SIZES {
        for after in SIZES {
            now(alice.upload_all(b"f", &content[..before])).expect("an upload");
            let (done, sent) = update(&device, &mut alice, &content[..after]);
            let same = before == after && after > 0;
            let kept = (before.min(after) / CHUNK * CHUNK) as u64;
            let expected = if same { after as u64 } else { kept };
            assert_eq!(done.kept, expected, "{before} to {after}");
            let left = (after as u64 - expected).div_ceil(CHUNK as u64) * SEALED;
            assert!(sent < left + CONSTANT, "{before} to {after}: {sent} bytes");
            assert!(
                read(&mut alice, b"f") == content[..after],
                "{before} to {after}"
            );
            // What an update wrote is kept by the next one.
            let (done, sent) = update(&device, &mut alice, &content[..after]);
            assert_eq!(done.kept, after as u64, "{before} to {after}, again");
            assert!(sent < CONSTANT, "{before} to {after}, again: {sent} bytes");
        }
    }
}

/// What happens to a content.
#[derive(Clone, Debug)]
enum Edit {
    Overwrite { at: usize, size: usize },
    Insert { at: usize, size: usize },
    Truncate { at: usize },
    Extend { size: usize },
}

const MOST: usize = 8 * CHUNK;

fn edit() -> impl Strategy<Value = Edit> {
    let size = prop_oneof![1..100_usize, CHUNK - 2..CHUNK + 2];
    let aligned = (0..8_usize).prop_map(|chunk| chunk * CHUNK);
    let place = prop_oneof![0..MOST, aligned];
    prop_oneof![
        4 => (place.clone(), size.clone()).prop_map(|(at, size)| Edit::Overwrite { at, size }),
        1 => (place.clone(), size.clone()).prop_map(|(at, size)| Edit::Insert { at, size }),
        2 => place.prop_map(|at| Edit::Truncate { at }),
        2 => size.prop_map(|size| Edit::Extend { size }),
    ]
}

fn edited(content: &[u8], edit: &Edit, seed: u64) -> Vec<u8> {
    let mut edited = content.to_vec();
    match *edit {
        Edit::Overwrite { at, size } => {
            let at = at.min(edited.len());
            let end = (at + size).min(edited.len());
            edited[at..end].copy_from_slice(&noise(seed, end - at));
        }
        Edit::Insert { at, size } => {
            let at = at.min(edited.len());
            edited.splice(at..at, noise(seed, size));
        }
        Edit::Truncate { at } => edited.truncate(at),
        Edit::Extend { size } => edited.extend(noise(seed, size)),
    }
    edited.truncate(MOST);
    edited
}

proptest! {
    #![proptest_config(Runner { cases: 24, failure_persistence: None, ..Runner::default() })]

    #[test]
    fn any_edits_are_read_back_and_send_what_changed(
        size in prop_oneof![0..MOST, (0..9_usize).prop_map(|chunks| chunks * CHUNK)],
        edits in proptest::collection::vec(edit(), 1..6),
        swept in any::<bool>(),
    ) {
        let world = Deployment::new(84);
        let (device, mut alice) = world.user("alice", 0);
        let mut content = noise(1, size);
        now(alice.upload_all(b"f", &content)).expect("an upload");
        for (edit, seed) in edits.iter().zip(2..) {
            let after = edited(&content, edit, seed);
            let (done, sent) = update(&device, &mut alice, &after);
            // The chunk at the end of what was cut or grew is another one, though its bytes may be
            // those of the content before.
            let most = changed(&content, &after) * SEALED + CONSTANT;
            prop_assert!(sent <= most, "{:?}: {:?}, {} bytes of {}", edit, done, sent, most);
            if swept {
                world.sweep();
            }
            prop_assert!(read_anew(&world, b"f") == after, "{:?}", edit);
            content = after;
        }
    }
}

#[test]
fn an_update_follows_appends_shares_and_revocations() {
    let world = Deployment::new(85);
    let (device, mut alice) = world.user("alice", 0);
    let (of_bob, mut bob) = world.user("bob", 1);
    let (_, mut carol) = world.user("carol", 2);
    let mut content = noise(1, 6 * CHUNK + 7);
    now(alice.upload_all(b"f", &content)).expect("an upload");
    now(alice.append(b"f", b"more")).expect("an append");
    content.extend(b"more");
    content[CHUNK] ^= 1;
    let (done, _) = update(&device, &mut alice, &content);
    // What an append left behind a chunk that is not full is sealed anew, the once.
    assert_eq!(done.kept, 0, "{done:?}");
    content[CHUNK] ^= 1;
    let (done, _) = update(&device, &mut alice, &content);
    assert_eq!(done.sent, CHUNK as u64);

    now(alice.share(b"f", b"bob")).expect("a share");
    now(alice.share(b"f", b"carol")).expect("a share");
    world.sweep();
    now(bob.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    now(carol.receive(b"alice", Pick::Name(b"f"), b"f")).expect("a receipt");
    for at in [0, 3 * CHUNK] {
        content[at] ^= 1;
        let (done, _) = update(&of_bob, &mut bob, &content);
        assert_eq!(done.sent, CHUNK as u64);
        world.sweep();
        assert!(read(&mut carol, b"f") == content && read(&mut alice, b"f") == content);
    }
    now(alice.revoke(b"f", b"bob")).expect("a revocation");
    content[5 * CHUNK] ^= 1;
    let (done, _) = update(&device, &mut alice, &content);
    assert_eq!(done.sent, CHUNK as u64);
    world.sweep();
    now(carol.append(b"f", b"and on")).expect("an append");
    content.extend(b"and on");
    assert!(read(&mut carol, b"f") == content);
    let closed = now(bob.download_all(b"f")).map(drop);
    assert_eq!(closed, Err(Unavailable::Closed.into()));
    now(alice.upload_all(b"f", b"short")).expect("an upload");
    world.sweep();
    assert_eq!(read(&mut carol, b"f"), b"short");
}

#[test]
fn an_update_is_of_the_version_that_it_was_begun_for() {
    let world = Deployment::new(86);
    let (_, mut alice) = world.user("alice", 0);
    let (_, _bob) = world.user("bob", 1);
    let content = noise(1, 3 * CHUNK);
    let mut other = world.device("alice", "other").login().expect("a login");
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let contended = Err(Error::from(Unavailable::Contended));

    let mut updating = now(alice.update(b"f")).expect("an update");
    now(updating.write(&content)).expect("a piece");
    now(other.upload_all(b"g", b"another file")).expect("an upload");
    let done = now(updating.finish()).expect("an update");
    assert_eq!(done.sent, 0);

    type Meanwhile = fn(&mut TestSession);
    let meanwhile: [Meanwhile; 5] = [
        |other| now(other.append(b"f", b"more")).expect("an append"),
        |other| now(other.upload_all(b"f", &noise(1, 3 * CHUNK))).expect("an upload"),
        |other| assert!(now(other.share(b"f", b"bob")).is_ok()),
        |other| assert!(now(other.revoke(b"f", b"bob")).is_ok()),
        |other| now(other.delete(b"f")).expect("a deletion"),
    ];
    for meanwhile in meanwhile {
        let mut updating = now(alice.update(b"f")).expect("an update");
        now(updating.write(&content)).expect("a piece");
        meanwhile(&mut other);
        assert_eq!(now(updating.finish()).map(drop), contended);
    }
    now(alice.update_all(b"f", &content)).expect("an update");
    assert!(read(&mut other, b"f") == content);
}

#[test]
fn what_the_server_does_not_show_is_not_built_on() {
    type Lie = fn(Reply) -> Reply;
    let lies: [(Lie, Error); 4] = [
        (
            |_| Reply::Refused(Refusal::NotFound),
            Violation::Missing.into(),
        ),
        (
            |reply| match reply {
                Reply::Content(Blob(mut bytes)) => {
                    bytes.last_mut().into_iter().for_each(|last| *last ^= 1);
                    Reply::Content(Blob(bytes))
                }
                other => other,
            },
            Violation::Misbound.into(),
        ),
        (
            |_| Reply::Content(Blob(Vec::new())),
            Violation::Truncated.into(),
        ),
        (|_| Reply::Refused(Refusal::Busy), Unavailable::Busy.into()),
    ];
    for (lie, error) in lies {
        let world = Deployment::new(87);
        let (_, mut alice) = world.user("alice", 0);
        let content = noise(1, 70 * CHUNK);
        now(alice.upload_all(b"f", &content)).expect("an upload");
        let mut edited = content.clone();
        edited[66 * CHUNK] ^= 1;
        let mut shown = 0;
        world.lie(move |reply| match Reply::decode(&reply) {
            Ok(content @ Reply::Content(_)) => {
                shown += 1;
                // The first reply of this kind holds the tags of the stretch that changed.
                if shown == 1 {
                    reply
                } else {
                    lie(content).encode()
                }
            }
            _ => reply,
        });
        assert_eq!(now(alice.update_all(b"f", &edited)).map(drop), Err(error));
        world.lie(|reply| reply);
        assert!(read(&mut alice, b"f") == content, "nothing was published");
        now(alice.update_all(b"f", &edited)).expect("an update");
        assert!(read(&mut alice, b"f") == edited);
    }
}

#[test]
fn tags_that_lie_cost_bytes_and_nothing_else() {
    for flipped in [true, false] {
        let world = Deployment::new(88);
        let (_, mut alice) = world.user("alice", 0);
        let content = noise(1, 10 * CHUNK);
        now(alice.upload_all(b"f", &content)).expect("an upload");
        let mut edited = content.clone();
        edited[4 * CHUNK] ^= 1;
        let mut shown = 0;
        world.lie(move |reply| match Reply::decode(&reply) {
            Ok(Reply::Content(Blob(mut bytes))) => {
                shown += 1;
                if shown == 1 && flipped {
                    bytes.iter_mut().for_each(|byte| *byte ^= 1);
                }
                Reply::Content(Blob(bytes)).encode()
            }
            _ => reply,
        });
        let done = now(alice.update_all(b"f", &edited)).expect("an update");
        assert_eq!(done.kept == 0, flipped, "{done:?}");
        assert!(read(&mut alice, b"f") == edited);
    }
}

#[test]
fn a_stretch_of_too_many_pieces_is_sealed_as_one() {
    let world = Deployment::new(89);
    let (device, mut alice) = world.user("alice", 0);
    let mut content = noise(1, Comparer::STRETCH + 9);
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let mut whole = 0;
    for chunk in (0..64).step_by(2).chain(1..4) {
        content[chunk * CHUNK] ^= 1;
        let (done, _) = update(&device, &mut alice, &content);
        match done.sent {
            sent if sent == CHUNK as u64 => {}
            sent => {
                assert_eq!(sent, Comparer::STRETCH as u64, "{chunk}");
                whole += 1;
            }
        }
    }
    assert!((3..8).contains(&whole), "{whole} times");
    assert!(read_anew(&world, b"f") == content);
}

#[test]
fn what_other_threads_compared_is_what_is_compared_here() {
    let world = Deployment::new(90);
    let (_, mut alice) = world.user("alice", 0);
    let content = noise(1, 2 * Comparer::STRETCH + 9);
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let mut edited = content.clone();
    edited[Comparer::STRETCH + 1] ^= 1;
    let cuts: [&[usize]; 4] = [
        &[Comparer::STRETCH, 2 * Comparer::STRETCH],
        &[7, Comparer::STRETCH],
        &[Comparer::STRETCH, Comparer::STRETCH + 7],
        &[],
    ];
    for cuts in cuts {
        for written in [false, true] {
            let mut updating = now(alice.update(b"f")).expect("an update");
            let comparer = updating.comparer();
            assert_eq!(comparer.comparable(), content.len() as u64);
            let mut from = 0;
            for (place, &end) in cuts.iter().chain(&[edited.len()]).enumerate() {
                let piece = edited[from..end].to_vec();
                match written && place == 1 {
                    true => now(updating.write(&piece)).expect("a piece"),
                    false => {
                        let compared = comparer.compare(from as u64, piece);
                        now(updating.add(compared)).expect("a piece");
                    }
                }
                from = end;
            }
            let done = now(updating.finish()).expect("an update");
            assert_eq!(done.kept + done.sent, edited.len() as u64);
            assert!(done.sent <= CHUNK as u64, "{cuts:?}: {done:?}");
            assert!(read_anew(&world, b"f") == edited);
        }
    }
}

#[test]
fn an_update_whose_part_was_lost_is_never_published() {
    let world = Deployment::new(91);
    let (_, mut alice) = world.user("alice", 0);
    let before = noise(1, 9 << 20);
    now(alice.upload_all(b"f", &before)).expect("an upload");
    let cut_off = Err(Error::from(Unavailable::CutOff));
    let content = noise(2, 9 << 20);
    let mut updating = now(alice.update(b"f")).expect("an update");
    world.lose_store();
    assert_eq!(now(updating.write(&content)), cut_off);
    assert_eq!(now(updating.write(&content)), cut_off);
    assert_eq!(now(updating.finish()).map(drop), cut_off);
    assert!(read(&mut alice, b"f") == before);
}
