//! Any bytes as what a device remembers: read as it is or not at all, and never gone back upon.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use turncoat_core::id::{Digest, Height};
use turncoat_core::wire::{Frame as _, TrustedState};

use super::opening::{Opening, devices};
use crate::attack::Step;
use crate::chooser::Chooser;
use crate::client::{Class, Operation, Outcome};
use crate::codec::Bytes;
use crate::driver::Hardened;
use crate::history::Event;
use crate::script::performer::Progress;
use crate::stage::Stage;

/// Bytes of the checksum in front of the state.
const CHECKSUM: usize = 32;

/// What became of remembered state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remembered {
    /// It is no state of this device; the server was not asked.
    Unread,
    /// It was read, and what the server shows contradicts it.
    Contradicted,
    /// It was read, and agrees with what the server shows.
    Kept,
}

/// Gives a device these bytes as what it remembers, or its own state as the bytes change it, and
/// lets it log in and read before an honest server.
///
/// # Panics
///
/// If what cannot be read is replaced or a first use, or if an accepted head is gone back upon.
#[must_use]
pub fn state(bytes: &[u8]) -> Remembered {
    let mut stage = Opening::Written.stage(Rc::new(Hardened));
    let [_, phone, _] = devices();
    let own = stage.durable(&phone).map(Bytes::clone).unwrap_or_default();
    let planted = match bytes.split_first() {
        Some((0, rest)) => rest.to_vec(),
        Some((1, rest)) => summed(rest),
        Some((_, rest)) => summed(&changed(own.get(CHECKSUM..).unwrap_or_default(), rest)),
        None => Vec::new(),
    };
    stage.plant(&phone, planted.clone());
    let began = stage.history().events().len();
    let name = b"notes".to_vec();
    let login = run(&mut stage, Operation::Login);
    let unread = stage.history().events().iter().skip(began);
    let asked = unread
        .filter(|event| matches!(event, Event::Request { .. }))
        .count();
    let read = login
        .is_ok()
        .then(|| run(&mut stage, Operation::Download { name }));
    let kept = stage.durable(&phone).map(Bytes::clone).unwrap_or_default();
    let before = decoded(&planted);
    match &login {
        Err(failure) if failure.name.starts_with("state-") => {
            assert_eq!((asked, &*kept), (0, &*planted), "{failure:?}");
            return Remembered::Unread;
        }
        Err(failure) => assert_eq!(failure.class, Class::Violation, "{failure:?}"),
        Ok(_) => {}
    }
    let before = before.expect("what does not decode is not read");
    assert!(
        follows(&before, &decoded(&kept)),
        "{before:?}\nbecame {:?}",
        decoded(&kept)
    );
    match read {
        Some(Ok(_)) => Remembered::Kept,
        _ => Remembered::Contradicted,
    }
}

fn run(stage: &mut Stage, operation: Operation) -> Outcome {
    let [_, device, _] = devices();
    match stage.perform(Step::Run { device, operation }) {
        Progress::Ended(mut ended) => ended.remove(0).1,
        other => panic!("a run came to {other:?}"),
    }
}

/// The bytes behind their checksum.
fn summed(bytes: &[u8]) -> Vec<u8> {
    [&Sha256::digest(bytes)[..], bytes].concat()
}

fn decoded(durable: &[u8]) -> Option<TrustedState> {
    let (checksum, state) = durable.split_at_checked(CHECKSUM)?;
    let whole = Sha256::digest(state)[..] == *checksum;
    TrustedState::decode(state).ok().filter(|_| whole)
}

/// The device's own state with fields changed that choices name.
fn changed(own: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut chooser = Chooser::from_bytes(bytes);
    let Ok(mut state) = TrustedState::decode(own) else {
        return own.to_vec();
    };
    for _ in 0..chooser.choose(4) {
        let at = chooser.choose(4) as usize % state.spaces.len().max(1);
        let [.., byte] = chooser.choose(256).to_be_bytes();
        let number = u64::from(byte);
        let kind = chooser.choose(14);
        let Some(space) = state.spaces.get_mut(at) else {
            break;
        };
        match kind {
            0 => space.accepted = None,
            1 => space.roster.0 = number,
            2 => space.roster_hash = Digest([byte; 32]),
            3 => space.epoch.0 = number,
            4 => space.peaks.truncate(usize::from(byte)),
            5 => space
                .peaks
                .iter_mut()
                .for_each(|peak| peak.hash.0[0] ^= byte),
            6 => space.space.0[31] = byte,
            7 => drop(state.spaces.remove(at)),
            8 => state.pins.truncate(usize::from(byte)),
            9 => state
                .pins
                .iter_mut()
                .for_each(|pin| pin.fingerprint.0[0] ^= byte),
            10 => state.iterations = u32::from(byte) << 5,
            11 => state.salt_seed[0] ^= byte,
            12 => {
                if let Some(accepted) = &mut space.accepted {
                    accepted.height = Height(number);
                }
            }
            _ => {
                if let Some(accepted) = &mut space.accepted {
                    accepted.head.0[0] ^= byte;
                }
            }
        }
    }
    state.encode()
}

/// Whether every head that was accepted is still there, or one above it.
fn follows(before: &TrustedState, after: &Option<TrustedState>) -> bool {
    let Some(after) = after else { return false };
    before.spaces.iter().all(|space| {
        let known = after.spaces.iter().find(|known| known.space == space.space);
        let known = known.and_then(|known| known.accepted);
        space
            .accepted
            .is_none_or(|old| known.is_some_and(|new| new == old || new.height > old.height))
    }) && before.pins.iter().all(|pin| after.pins.contains(pin))
}
