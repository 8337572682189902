//! Trusted state that is torn, foreign or newer is told as such, is left as it is, and is never a
//! first use.

use turncoat_core::hazmat::hash::sha256;
use turncoat_core::id::Height;
use turncoat_core::wire::{Frame as _, SpaceState, TrustedState};
use turncoat_core::{Error, LocalState, Unavailable};
use turncoat_tests::{Deployment, Device, now};

/// A device of alice's that has seen a file.
fn device() -> (Deployment, Device) {
    let deployment = Deployment::new(23);
    let (alice, mut session) = deployment.user("alice", 0);
    now(session.upload_all(b"file", b"content")).expect("an upload");
    (deployment, alice)
}

fn saved(device: &Device) -> Vec<u8> {
    device.saved().expect("a device that signed up remembers")
}

/// Logs in with these bytes as trusted state: it must fail with this fault, ask the server for
/// nothing, and leave the bytes alone.
fn fails_with(device: &Device, bytes: Vec<u8>, fault: LocalState) {
    let _before = device.traffic();
    device.replace_memory(Some(bytes.clone()));
    let error = device.login().map(drop).expect_err("state is no state");
    assert_eq!(error, Error::from(Unavailable::LocalState(fault)));
    assert!(error.to_string().contains(fault.advice()), "{error}");
    assert_eq!(device.traffic().requests, 0, "the server was asked");
    assert_eq!(device.saved(), Some(bytes), "what was there is lost");
}

fn still_works(device: &Device, bytes: Vec<u8>) {
    device.replace_memory(Some(bytes));
    let mut session = device.login().expect("the state as it was is good");
    let (content, _) = now(session.download_all(b"file")).expect("the file is there");
    assert_eq!(content, b"content");
}

#[test]
fn state_that_is_torn_anywhere_is_torn() {
    let (_, alice) = device();
    let whole = saved(&alice);
    for length in 0..whole.len() {
        fails_with(&alice, whole[..length].to_vec(), LocalState::Torn);
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fails_with(&alice, damaged, LocalState::Torn);
    }
    let mut longer = whole.clone();
    longer.push(0);
    fails_with(&alice, longer, LocalState::Torn);
    still_works(&alice, whole);
}

#[test]
fn state_of_somebody_else_is_foreign() {
    let (deployment, alice) = device();
    let (bob, _) = deployment.user("bob", 1);
    let (of_alice, of_bob) = (saved(&alice), saved(&bob));
    fails_with(&alice, of_bob, LocalState::Foreign);
    still_works(&alice, of_alice);
}

#[test]
fn state_of_a_newer_version_is_newer() {
    let (_, alice) = device();
    let whole = saved(&alice);
    let mut encoded = whole[32..].to_vec();
    encoded[3] += 1;
    let newer = [&sha256(&encoded)[..], &encoded].concat();
    fails_with(&alice, newer, LocalState::Newer);
    still_works(&alice, whole);
}

#[test]
fn state_whose_parts_do_not_fit_is_torn() {
    let (_, alice) = device();
    let whole = saved(&alice);
    let own = TrustedState::decode(&whole[32..]).expect("it was saved");
    let higher = |space: &mut SpaceState| {
        let accepted = space.accepted.as_mut().expect("she signed up");
        accepted.height = Height(accepted.height.0 + 1);
    };
    for change in [
        &higher as &dyn Fn(&mut SpaceState),
        &|space| space.peaks.clear(),
        &|space| space.accepted = None,
    ] {
        let mut state = own.clone();
        change(&mut state.spaces[0]);
        let encoded = state.encode();
        let unfit = [&sha256(&encoded)[..], &encoded].concat();
        fails_with(&alice, unfit, LocalState::Torn);
    }
    still_works(&alice, whole);
}
