//! What this device remembers, in memory and durably, always the same in both.

use super::Session;
use crate::defence::{Defence, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, LocalState, Unavailable};
use crate::id::{Checkpoint, Digest, Epoch, Fingerprint, RosterNumber, SpaceId, UserId};
use crate::primitive::hash::sha256;
use crate::remote::{Remote, Unusable, Vault};
use crate::tree::Mountain;
use crate::wire::{Frame, HistoryNode, SpaceState, StatePin, TrustedState};
use alloc::vec::Vec;

/// Bytes of the checksum in front of the saved state. It finds torn state, and proves nothing.
const CHECKSUM: usize = 32;

/// What is saved: a checksum, then the state.
pub(super) fn to_bytes(state: &TrustedState) -> Vec<u8> {
    let encoded = state.encode();
    let mut bytes = Vec::from(sha256(&encoded));
    bytes.extend_from_slice(&encoded);
    bytes
}

/// Reads what was saved. State that cannot be read is an error and never a first use.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<TrustedState, LocalState> {
    let (checksum, encoded) = bytes
        .split_first_chunk::<CHECKSUM>()
        .ok_or(LocalState::Torn)?;
    if sha256(encoded) != *checksum {
        return Err(LocalState::Torn);
    }
    if let [b'T', b'C', TrustedState::KIND, version, ..] = encoded
        && *version > crate::wire::VERSION
    {
        return Err(LocalState::Newer);
    }
    let state = TrustedState::decode(encoded).map_err(|_| LocalState::Torn)?;
    // What no device of ours would have written is found before anybody is asked for anything.
    match state.spaces.iter().all(|space| mountain(space).is_ok()) {
        true => Ok(state),
        false => Err(LocalState::Torn),
    }
}

/// Loads what this device remembers.
pub(super) async fn load<V: Vault>(vault: &mut V) -> Result<Option<TrustedState>, Error> {
    let unreadable = Unavailable::LocalState(LocalState::Unreadable);
    let bytes = match vault.load().await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(Unusable) => return Err(unreadable.into()),
    };
    match from_bytes(&bytes) {
        Ok(state) => Ok(Some(state)),
        Err(LocalState::Torn) if !stands(Defence::StateRequired) => Ok(None),
        Err(fault) => Err(Unavailable::LocalState(fault).into()),
    }
}

/// The state of a space of which nothing is known.
pub(super) fn unknown(space: SpaceId) -> SpaceState {
    SpaceState {
        space,
        accepted: None,
        roster: RosterNumber(0),
        roster_hash: Digest([0; 32]),
        epoch: Epoch(0),
        peaks: Vec::new(),
        pending: None,
    }
}

/// The mountain range over all heads up to the accepted one.
pub(super) fn mountain(state: &SpaceState) -> Result<Mountain<HistoryNode>, Error> {
    let size = state
        .accepted
        .map_or(0, |accepted| accepted.height.next().0);
    Mountain::from_parts(size, state.peaks.clone())
        .map_err(|_| Unavailable::LocalState(LocalState::Torn).into())
}

/// Puts the state of one space into the whole.
pub(super) fn put_space(state: &mut TrustedState, space: SpaceState) {
    match state
        .spaces
        .binary_search_by_key(&space.space, |known| known.space)
    {
        Ok(index) => {
            if let Some(slot) = state.spaces.get_mut(index) {
                *slot = space;
            }
        }
        Err(index) => state.spaces.insert(index, space),
    }
}

/// Puts a pin into the whole; a pin that is there stays.
pub(super) fn put_pin(state: &mut TrustedState, user: UserId, fingerprint: Fingerprint) {
    if let Err(index) = state.pins.binary_search_by_key(&user, |pin| pin.user) {
        state.pins.insert(index, StatePin { user, fingerprint });
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// What is remembered of a space.
    pub(super) fn remembered(&self, space: &SpaceId) -> SpaceState {
        match self
            .state
            .spaces
            .binary_search_by_key(space, |known| known.space)
        {
            Ok(index) => self
                .state
                .spaces
                .get(index)
                .cloned()
                .unwrap_or_else(|| unknown(*space)),
            Err(_) => unknown(*space),
        }
    }

    /// The accepted head of a space.
    pub(super) fn accepted(&self, space: &SpaceId) -> Option<Checkpoint> {
        self.remembered(space).accepted
    }

    /// The pinned keys of a contact, as this device remembers them.
    pub(super) fn remembered_pin(&self, user: &UserId) -> Option<Fingerprint> {
        let index = self
            .state
            .pins
            .binary_search_by_key(user, |pin| pin.user)
            .ok()?;
        self.state.pins.get(index).map(|pin| pin.fingerprint)
    }

    /// Replaces what is remembered: durably first, then in memory.
    pub(super) async fn remember(&mut self, state: TrustedState) -> Result<(), Error> {
        if state != self.state {
            let unwritable = Unavailable::LocalState(LocalState::Unwritable);
            let saved = self.ports.vault.save(to_bytes(&state)).await;
            saved.map_err(|Unusable| Error::from(unwritable))?;
            self.state = state;
        }
        Ok(())
    }
}
