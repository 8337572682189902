//! What the client that seals and does not bind catches, and what it does not.

use super::KIND;
use crate::strawman::testing::{World, append, download, upload};

#[test]
fn appended_pieces_change_places_unnoticed() {
    let world = World::new(&KIND, &["alice"]);
    let alice = world.first("alice");
    alice.does(upload("log", b"one "));
    alice.does(append("log", b"two "));
    alice.does(append("log", b"three "));
    let pieces = world.pieces();
    world.swap(&pieces[0], &pieces[1]);
    assert_eq!(alice.reads("log"), b"one three two ");
}

#[test]
fn one_file_passes_for_another() {
    let world = World::new(&KIND, &["alice"]);
    let alice = world.first("alice");
    alice.does(upload("a", b"content of a"));
    let a = world.slots();
    alice.does(upload("b", b"content of b"));
    let b = world.slots().into_iter().find(|slot| !a.contains(slot));
    world.swap(&a[0], &b.expect("a file has a slot"));
    assert_eq!(alice.reads("a"), b"content of b");
    assert_eq!(alice.reads("b"), b"content of a");
}

#[test]
fn old_objects_pass_for_new_ones() {
    let world = World::new(&KIND, &["alice"]);
    let alice = world.first("alice");
    alice.does(upload("notes", b"one"));
    let before = world.snapshot();
    alice.does(upload("notes", b"two"));
    world.roll_back_to(&before);
    assert_eq!(alice.reads("notes"), b"one");
}

#[test]
fn a_flipped_bit_is_caught() {
    let world = World::new(&KIND, &["alice"]);
    let alice = world.first("alice");
    alice.does(upload("notes", b"one"));
    world.flip(&world.slots()[0]);
    assert_eq!(alice.fails(download("notes")), "violation:inauthentic");
}

#[test]
fn a_slot_that_is_hidden_is_not_taken_for_a_file_that_never_was() {
    let world = World::new(&KIND, &["alice"]);
    let alice = world.first("alice");
    alice.does(upload("notes", b"one"));
    let mut objects = world.server.objects.borrow_mut();
    objects.retain(|place, _| !place.starts_with(b"obj/file/"));
    drop(objects);
    assert_eq!(alice.fails(download("notes")), "unavailable:withheld");
    assert_eq!(alice.fails(download("other")), "usage:no-such-file");
}
