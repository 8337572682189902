//! Transfers that were cut are gone on with, and nothing that was kept meanwhile is believed.

use turncoat_core::client::{Begun, Note};
use turncoat_core::remote::Unusable;
use turncoat_core::wire::SegmentRecord;
use turncoat_core::{Error, LocalState, Unavailable, Usage};
use turncoat_tests::{Deployment, Device, now};

/// Two full segments, and some of a third.
const SIZE: usize = 9 << 20;

fn content() -> Vec<u8> {
    let words = (0_u64..).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_be_bytes).take(SIZE).collect()
}

/// What a device keeps of an upload.
type Kept = (Begun, Vec<SegmentRecord>);

/// A notebook over what it keeps.
fn notebook(kept: &mut Option<Kept>) -> impl FnMut(Note<'_>) -> Result<(), Unusable> {
    |note| {
        match note {
            Note::Sealed(begun, record) => match kept {
                Some((known, records)) if *known == begun => records.push(record.clone()),
                _ => *kept = Some((begun, vec![record.clone()])),
            },
            Note::Spent => *kept = None,
        }
        Ok(())
    }
}

/// What a device kept of an upload that ended before it was published.
fn cut(device: &Device, content: &[u8]) -> Kept {
    let mut session = device.login().expect("a login");
    let mut kept = None;
    let mut book = notebook(&mut kept);
    let uploading = now(session.upload_resumed(b"f", None, &mut book));
    now(uploading.expect("an upload").write(content)).expect("a piece");
    drop(book);
    let kept = kept.expect("it was begun to be resumed");
    assert_eq!(kept.1.len(), 2);
    kept
}

/// How far an upload came: what was not sent again, what was sent, and what is kept now.
#[derive(Debug)]
struct Resumed {
    resumed: u64,
    sent: u64,
    kept: Option<Kept>,
}

/// Goes on with an upload, and reads it back.
fn gone_on(device: &Device, before: &Kept, content: &[u8]) -> Result<Resumed, Error> {
    let mut session = device.login().expect("a login");
    let _login = device.traffic();
    let mut kept = Some(before.clone());
    let mut book = notebook(&mut kept);
    let uploading = now(session.upload_resumed(b"f", Some(before.clone()), &mut book));
    let mut uploading = uploading.expect("an upload");
    now(uploading.write(content))?;
    let resumed = uploading.resumed();
    now(uploading.finish())?;
    drop(book);
    let sent = device.traffic().sent;
    let (read, _) = now(session.download_all(b"f")).expect("a download");
    assert!(read == content, "another content");
    Ok(Resumed {
        resumed,
        sent,
        kept,
    })
}

#[test]
fn an_upload_that_was_cut_sends_only_the_rest() {
    let world = Deployment::new(41);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let before = cut(&alice, &content);
    let done = gone_on(&alice, &before, &content).expect("the rest");
    assert!(done.resumed > 7 << 20 && done.sent < 2 << 20, "{done:?}");
    assert_eq!(done.kept, None, "a published upload is not gone on with");
}

#[test]
fn what_the_server_dropped_is_sent_again_under_its_name() {
    let world = Deployment::new(47);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let (begun, stored) = cut(&alice, &content);
    // Another deployment of the same seed has the account, and none of what was sent.
    let world = Deployment::new(47);
    let (other, _) = world.user("alice", 0);
    other.replace_memory(alice.saved());
    let done = gone_on(&other, &(begun, stored), &content).expect("all of it");
    assert!(done.resumed == 0 && done.sent > 9 << 20, "{done:?}");
}

#[test]
fn nothing_else_goes_under_the_key_of_what_was_sealed() {
    let world = Deployment::new(42);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let before = cut(&alice, &content);
    let other = Err(Usage::OtherContent.into());
    let changed = |at: usize| {
        let mut changed = content.clone();
        changed[at] ^= 1;
        changed
    };
    // Where nothing of it is in the file yet, another upload is begun.
    let short = &content[..1 << 20];
    for content in [&changed(7)[..], short] {
        let done = gone_on(&alice, &before, content).expect("another upload");
        assert_eq!(done.resumed, 0);
        let mut session = alice.login().expect("a login");
        let mut kept = None;
        let mut book = notebook(&mut kept);
        let mut uploading =
            now(session.upload_resumed(b"f", Some(before.clone()), &mut book)).expect("an upload");
        now(uploading.write(content)).expect("a piece");
        drop(uploading);
        drop(book);
        assert!(kept.is_none_or(|(begun, records)| begun.id != before.0.id && records.len() == 2));
    }
    // Where some of it is, the upload ends, be it changed, cut, or ended within a segment.
    for content in [
        &changed(5 << 20)[..],
        &content[..5 << 20],
        &content[..4 << 20],
    ] {
        assert_eq!(gone_on(&alice, &before, content).map(|_| ()), other);
    }
}

#[test]
fn notes_that_do_not_fit_are_not_believed() {
    let world = Deployment::new(48);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let (begun, stored) = cut(&alice, &content);
    let swapped: Vec<SegmentRecord> = stored.iter().rev().cloned().collect();
    let mut elsewhere = stored.clone();
    elsewhere[0].pack = stored[1].pack;
    let mut beyond = stored.clone();
    beyond[0].offset = u32::MAX;
    let mut late = begun;
    late.epoch.0 += 1;
    let mut another = begun;
    another.id[0] ^= 1;
    for before in [
        (begun, swapped),
        (begun, elsewhere),
        (begun, beyond),
        (late, stored.clone()),
        (another, stored.clone()),
    ] {
        let done = gone_on(&alice, &before, &content).expect("another upload");
        assert_eq!(done.resumed, 0);
    }
}

#[test]
fn an_upload_that_cannot_be_noted_is_not_published() {
    let world = Deployment::new(49);
    let (alice, _) = world.user("alice", 0);
    let content = content();
    let unwritable = Unavailable::LocalState(LocalState::Unwritable);
    for spent in [false, true] {
        let mut session = alice.login().expect("a login");
        let mut book = |note: Note<'_>| match matches!(note, Note::Spent) == spent {
            true => Err(Unusable),
            false => Ok(()),
        };
        let _login = alice.traffic();
        let mut uploading = now(session.upload_resumed(b"f", None, &mut book)).expect("an upload");
        let written = now(uploading.write(&content));
        assert_eq!(written.is_ok(), spent);
        let sent = alice.traffic().sent;
        assert_eq!(sent > 1 << 20, spent, "what is not noted is not sent");
        let finished = match written {
            Ok(()) => now(uploading.finish()),
            Err(error) => Err(error),
        };
        assert_eq!(finished, Err(unwritable.into()));
        let absent = now(session.download_all(b"f")).map(|_| ());
        assert_eq!(absent, Err(Usage::NoSuchFile.into()));
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
