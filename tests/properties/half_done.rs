//! What fails half-way is not there, and is not served as if it were.

use turncoat_core::{Error, LocalState, Unavailable, Usage};
use turncoat_tests::{Deployment, now};

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
