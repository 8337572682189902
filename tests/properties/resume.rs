//! Transfers that were cut are gone on with, and nothing that was kept meanwhile is believed.

use turncoat_core::client::Begun;
use turncoat_core::wire::SegmentRecord;
use turncoat_core::{Error, Unavailable};
use turncoat_tests::{Deployment, Device, now};

/// Two full segments, and some of a third.
const SIZE: usize = 9 << 20;

fn content() -> Vec<u8> {
    let words = (0_u64..).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_be_bytes).take(SIZE).collect()
}

/// An upload that ended before it was published, as a device notes it.
fn cut(device: &Device, content: &[u8]) -> (Begun, Vec<SegmentRecord>) {
    let mut session = device.login().expect("a login");
    let mut uploading = now(session.upload_resumed(b"f", None)).expect("an upload");
    now(uploading.write(content)).expect("a piece");
    let begun = uploading.begun().expect("it was begun to be resumed");
    assert_eq!(uploading.stored().len(), 2);
    (begun, uploading.stored().to_vec())
}

/// Goes on with an upload; returns how much of it was not sent again, and how much was sent.
fn gone_on(device: &Device, before: (Begun, Vec<SegmentRecord>), content: &[u8]) -> (u64, u64) {
    let mut session = device.login().expect("a login");
    let _login = device.traffic();
    let mut uploading = now(session.upload_resumed(b"f", Some(before))).expect("an upload");
    now(uploading.write(content)).expect("a piece");
    let resumed = uploading.resumed();
    now(uploading.finish()).expect("an upload");
    let sent = device.traffic().sent;
    let (read, _) = now(session.download_all(b"f")).expect("a download");
    assert!(read == content, "another content");
    (resumed, sent)
}

#[test]
fn an_upload_that_was_cut_sends_only_the_rest() {
    let world = Deployment::new(41);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let before = cut(&alice, &content);
    let (resumed, sent) = gone_on(&alice, before, &content);
    assert!(resumed > 7 << 20 && sent < 2 << 20, "{resumed} {sent}");
}

#[test]
fn notes_that_do_not_fit_are_not_believed() {
    let world = Deployment::new(42);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let (begun, stored) = cut(&alice, &content);
    let mut other = content.clone();
    other[7] ^= 1;
    let swapped: Vec<SegmentRecord> = stored.iter().rev().cloned().collect();
    let mut elsewhere = stored.clone();
    elsewhere[0].pack = stored[1].pack;
    let mut beyond = stored.clone();
    beyond[0].offset = u32::MAX;
    let mut late = begun;
    late.epoch.0 += 1;
    let mut another = begun;
    another.id[0] ^= 1;
    for (begun, stored, content) in [
        (begun, swapped, &content),
        (begun, elsewhere, &content),
        (begun, beyond, &content),
        (late, stored.clone(), &content),
        (another, stored.clone(), &content),
        (begun, stored, &other),
    ] {
        assert_eq!(gone_on(&alice, (begun, stored), content).0, 0);
    }
}

#[test]
fn a_download_passes_over_what_fits_and_nothing_else() {
    let world = Deployment::new(43);
    let (_, mut alice) = world.user("alice", 0);
    let content = content();
    now(alice.upload_all(b"f", &content)).expect("an upload");
    let mut wrong = content.clone();
    wrong[1 << 20] ^= 1;
    let mut downloading = now(alice.download(b"f")).expect("a download");
    assert_eq!(downloading.skip(&wrong), 0);
    assert_eq!(downloading.skip(&content[..1 << 20]), 0);
    let first = downloading.skip(&content);
    assert!(first > 3 << 20);
    assert_eq!(downloading.skip(&content), 0, "the first is not the second");
    let second = downloading.skip(&content[first..]);
    assert_eq!(second, first);
    let mut rest = Vec::new();
    while let Some(piece) = now(downloading.next()).expect("a piece") {
        rest.extend(piece);
    }
    assert!(rest == content[first + second..], "another rest");

    let mut downloading = now(alice.download(b"f")).expect("a download");
    let mut held = content.as_slice();
    loop {
        match downloading.skip(held) {
            0 => break,
            size => held = &held[size..],
        }
    }
    assert!(held.is_empty(), "the last segment fits as well");
    assert_eq!(now(downloading.next()), Ok(None));
}

#[test]
fn a_long_append_is_for_the_file_that_it_was_begun_for() {
    let world = Deployment::new(44);
    let (_, mut alice) = world.user("alice", 0);
    let phone = world.device("alice", "phone");
    let mut other = phone.login().expect("another device");
    now(alice.upload_all(b"f", b"begin")).expect("an upload");
    let content = content();
    let contended = Err(Error::from(Unavailable::Contended));

    let mut appending = now(alice.appending(b"f")).expect("an append");
    now(appending.write(&content)).expect("a piece");
    now(other.append(b"f", b" more")).expect("a short append in between");
    now(appending.finish()).expect("a long append");
    let (read, _) = now(alice.download_all(b"f")).expect("a download");
    assert!(read == [b"begin more", content.as_slice()].concat());

    let mut appending = now(alice.appending(b"f")).expect("an append");
    now(appending.write(&content)).expect("a piece");
    now(other.upload_all(b"f", b"another")).expect("an upload");
    assert_eq!(now(appending.finish()), contended);
    let (read, _) = now(alice.download_all(b"f")).expect("a download");
    assert_eq!(read, b"another");
}

#[test]
fn what_was_sent_before_a_revocation_is_not_appended_after_it() {
    let world = Deployment::new(45);
    let (_, mut alice) = world.user("alice", 0);
    let (_, _bob) = world.user("bob", 1);
    now(alice.upload_all(b"f", b"begin")).expect("an upload");
    now(alice.share(b"f", b"bob")).expect("a share");
    let phone = world.device("alice", "phone");
    let mut other = phone.login().expect("another device");
    let mut appending = now(alice.appending(b"f")).expect("an append");
    now(appending.write(&content())).expect("a piece");
    now(other.revoke(b"f", b"bob")).expect("a revocation");
    let contended = Err(Error::from(Unavailable::Contended));
    assert_eq!(now(appending.finish()), contended);
}

#[test]
fn a_device_learns_what_it_wrote_and_does_not_remember() {
    let world = Deployment::new(46);
    let (alice, mut session) = world.user("alice", 0);
    now(session.upload_all(b"f", b"one")).expect("an upload");
    let old = alice.saved();
    now(session.upload_all(b"f", b"two")).expect("an upload");
    assert!(session.forgotten().is_empty());
    assert!(alice.login().expect("a login").forgotten().is_empty());
    alice.replace_memory(old);
    let session = alice.login().expect("a login");
    let [forgotten] = session.forgotten() else {
        panic!("{:?}", session.forgotten());
    };
    let remembered = forgotten.remembered.expect("it remembered the head before");
    assert_eq!(forgotten.written.height, remembered.height.next());
    assert!(alice.login().expect("a login").forgotten().is_empty());
}
