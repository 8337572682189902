//! Writes one new head of a space.

use super::Session;
use super::place::Place;
use super::space::{Space, Warm};
use super::state::{mountain, put_space};
use super::transport::unexpected;
use crate::defence::{Defence, stands};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::{Checkpoint, DeviceId, Digest, Epoch, HeadHash, Height, LeafHash, SpaceId, Tag};
use crate::labels::Label;
use crate::remote::{Remote, Vault};
use crate::seal::fresh_id;
use crate::secret::{EpochKey, SigningKey};
use crate::tree::{Mountain, directory, history_leaf, leaf_hash};
use crate::verify::{Roster, checkpoint_of, signable};
use crate::wire::{
    Blob, Commit, Frame, Head, HistoryNode, LeafChange, LinkEntry, Pack, PartialTrie, Pending,
    Refusal, Reply, RequestBody, SegmentRecord, SignedEnvelope, SignedHead, SignedRosterChange,
    SpaceState,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A leaf that a draft puts into a slot.
#[derive(Clone, Debug)]
pub(super) struct NewLeaf {
    pub(super) stored: Vec<u8>,
    pub(super) hash: LeafHash,
    /// How many of the records of the leaf before stay.
    pub(super) keep: u32,
    pub(super) add: Vec<SegmentRecord>,
}

impl NewLeaf {
    /// A leaf without segments.
    pub(super) fn of(stored: Vec<u8>) -> Self {
        Self {
            hash: leaf_hash(&stored),
            stored,
            keep: 0,
            add: Vec::new(),
        }
    }
}

/// A change of the roster that goes with a head.
#[derive(Clone, Debug)]
pub(super) struct RosterDraft {
    pub(super) changes: Vec<SignedRosterChange>,
    pub(super) roster: Roster,
}

/// Everything that one new head changes.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) leaves: BTreeMap<Tag, Option<NewLeaf>>,
    pub(super) roster: Option<RosterDraft>,
    pub(super) envelopes: Vec<SignedEnvelope>,
    pub(super) pack: Option<Pack>,
    /// A new key: the space moves, and its directory starts empty.
    pub(super) rekey: Option<(Epoch, EpochKey)>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    /// The server acknowledged it, or showed it.
    Yes,
    /// Another head was first. Nothing happened.
    Raced,
}

/// Who writes a head, and when.
pub(super) struct Pen<'a> {
    pub(super) realm: &'a crate::id::Realm,
    pub(super) user: crate::id::UserId,
    pub(super) key: crate::id::Fingerprint,
    pub(super) device: DeviceId,
    pub(super) signing: &'a SigningKey,
    pub(super) now_ms: u64,
}

/// What a head says beside who wrote it.
pub(super) struct Outline<'a> {
    pub(super) space: SpaceId,
    pub(super) height: Height,
    pub(super) previous: HeadHash,
    pub(super) history: &'a Mountain<HistoryNode>,
    pub(super) directory: Digest,
    pub(super) entries: u64,
    pub(super) roster: &'a Roster,
    pub(super) epoch: Epoch,
    pub(super) epoch_key: &'a EpochKey,
}

impl Pen<'_> {
    /// Signs a head.
    pub(super) fn sign(
        &self,
        entropy: &mut dyn Entropy,
        outline: &Outline<'_>,
    ) -> Result<SignedHead, Error> {
        let nonce = fresh_id(entropy);
        let commitment = outline
            .epoch_key
            .commitment(&outline.space.0, outline.epoch.0);
        let head = Head {
            space: outline.space,
            height: outline.height,
            previous: outline.previous,
            history: outline.history.root(),
            directory: outline.directory,
            entries: outline.entries,
            roster: outline.roster.number,
            roster_hash: outline.roster.hash,
            epoch: outline.epoch,
            commitment: Digest(commitment),
            author: self.user,
            author_key: self.key,
            device: self.device,
            written_ms: self.now_ms,
            nonce,
        };
        let message = signable(Label::SignHead, self.realm, &self.user, &head.encode());
        let signature = self
            .signing
            .sign(entropy, &message)
            .map_err(|_| Violation::Inauthentic)?;
        Ok(SignedHead {
            head,
            signature: Blob(signature),
        })
    }
}

/// A head that is ready to be sent, and what is true once it is accepted.
struct Ready {
    commit: Commit,
    after: SpaceState,
    warm: Warm,
    /// Leaves that are no longer in the directory.
    replaced: Vec<LeafHash>,
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Commits a draft on top of the head that was read last.
    ///
    /// The head is durably pending before it is sent. If this fails, the head may still take
    /// effect. `link` leads to the space, if it is a shared one: a revocation that came first gave
    /// it another key.
    pub(super) async fn commit(
        &mut self,
        space: SpaceId,
        draft: Draft,
        link: Option<&LinkEntry>,
    ) -> Result<Landed, Error> {
        let rekey = draft
            .rekey
            .as_ref()
            .map(|(epoch, key)| (*epoch, EpochKey::copy_from(key.expose())));
        let roster = draft.roster.as_ref().map(|change| change.roster.clone());
        let ready = self.prepare(space, draft)?;
        self.note_pending(&ready).await?;
        let body = RequestBody::Commit(Box::new(ready.commit));
        match self.ask(body).await? {
            Reply::Done => {
                // Only what is durable is served from here on.
                self.own_head(ready.after).await?;
                self.adopt(space, ready.warm, &ready.replaced, roster, rekey);
                Ok(Landed::Yes)
            }
            Reply::Refused(Refusal::Conflict) => {
                // A lost race, or a server that says so: what stands in the place shows which.
                let own = Checkpoint {
                    height: ready.warm.head.height,
                    head: ready.warm.hash,
                };
                let moved = rekey.is_some();
                match self.in_place_of(space, own, moved, link).await? {
                    Place::Stands => {
                        self.adopt(space, ready.warm, &ready.replaced, roster, rekey);
                        Ok(Landed::Yes)
                    }
                    Place::StoodBefore => Ok(Landed::Yes),
                    Place::Lost => Ok(Landed::Raced),
                }
            }
            other => Err(unexpected(&other)),
        }
    }

    fn prepare(&mut self, id: SpaceId, draft: Draft) -> Result<Ready, Error> {
        let state = self.remembered(&id);
        let space = self.spaces.get(&id).ok_or(Violation::OutOfTurn)?;
        let (height, previous, base) = base_of(space, &state);
        let (epoch, key, moves_to) = match &draft.rekey {
            Some((epoch, key)) => (*epoch, key, Some(crate::id::Locator(key.locator(&id.0)))),
            None => (space.epoch, &space.key, None),
        };
        let (mut trie, mut entries) = match base {
            _ if draft.rekey.is_some() || state.accepted.is_none() => (PartialTrie::Empty, 0),
            Some(warm) => (warm.trie.clone(), warm.head.entries),
            None => return Err(Violation::OutOfTurn.into()),
        };
        let applied = apply_leaves(&mut trie, &mut entries, draft.leaves)?;
        let roster = match (&draft.roster, &space.roster) {
            (Some(change), _) => &change.roster,
            (None, Some(roster)) => roster,
            (None, None) => return Err(Violation::OutOfTurn.into()),
        };
        let mut history = mountain(&state)?;
        let pen = Pen {
            realm: &self.config.realm,
            user: self.account.user,
            key: self.account.fingerprint,
            device: self.state.device,
            signing: &self.account.signing,
            now_ms: self.ports.clock.now_ms(),
        };
        let outline = Outline {
            space: id,
            height,
            previous,
            history: &history,
            directory: directory::root_of(&trie),
            entries,
            roster,
            epoch,
            epoch_key: key,
        };
        let signed = pen.sign(&mut self.ports.entropy, &outline)?;
        let checkpoint = checkpoint_of(&signed);
        let leaf = history_leaf(&checkpoint.head, signed.head.roster, signed.head.epoch);
        history.push(leaf).map_err(|_| Violation::BadProof)?;
        let after = SpaceState {
            space: id,
            accepted: Some(checkpoint),
            roster: signed.head.roster,
            roster_hash: signed.head.roster_hash,
            epoch,
            peaks: history.into_peaks(),
            pending: None,
        };
        let warm = Warm {
            hash: checkpoint.head,
            head: signed.head.clone(),
            trie,
            leaves: applied.new,
        };
        let commit = Commit {
            locator: space.locator,
            expect: state.accepted.map(|accepted| accepted.head),
            head: signed,
            moves_to,
            roster: draft
                .roster
                .map(|change| change.changes)
                .unwrap_or_default(),
            envelopes: draft.envelopes,
            leaves: applied.changes,
            pack: draft.pack,
        };
        Ok(Ready {
            commit,
            after,
            warm,
            replaced: applied.replaced,
        })
    }

    async fn note_pending(&mut self, ready: &Ready) -> Result<(), Error> {
        let mut state = self.state.clone();
        let mut space = self.remembered(&ready.after.space);
        space.pending = Some(Pending {
            checkpoint: checkpoint_of(&ready.commit.head),
            roster: ready.after.roster,
            roster_hash: ready.after.roster_hash,
            epoch: ready.after.epoch,
        });
        put_space(&mut state, space);
        self.remember(state).await
    }

    /// An acknowledged head is an accepted head: a server that loses it is caught at the next read.
    async fn own_head(&mut self, after: SpaceState) -> Result<(), Error> {
        if !stands(Defence::OwnHeads) {
            return Ok(());
        }
        let mut state = self.state.clone();
        put_space(&mut state, after);
        self.remember(state).await
    }

    fn adopt(
        &mut self,
        id: SpaceId,
        warm: Warm,
        replaced: &[LeafHash],
        roster: Option<Roster>,
        rekey: Option<(Epoch, EpochKey)>,
    ) {
        if let Some(space) = self.spaces.get_mut(&id) {
            if let Some((epoch, key)) = rekey {
                space.rekeyed(epoch, key);
            }
            if let Some(roster) = roster {
                space.roster = Some(roster);
            }
            let mut leaves = space
                .warm
                .take()
                .map(|before| before.leaves)
                .unwrap_or_default();
            for gone in replaced {
                leaves.remove(gone);
            }
            leaves.extend(warm.leaves);
            // Without this defence the session forgets its own head, as a client does that trusts
            // every acknowledgement and keeps no record of its own.
            space.warm = stands(Defence::OwnHeads).then_some(Warm { leaves, ..warm });
        }
    }

    /// One more try, or the end of them.
    pub(super) fn try_again(&self, tries: &mut u64) -> Result<(), Error> {
        *tries = tries.saturating_add(1);
        if *tries > self.config.limits.retries_max {
            return Err(Unavailable::Contended.into());
        }
        Ok(())
    }
}

/// The place of the next head, and what it builds on.
fn base_of<'a>(space: &'a Space, state: &SpaceState) -> (Height, HeadHash, Option<&'a Warm>) {
    match state.accepted {
        Some(accepted) => (accepted.height.next(), accepted.head, space.warm.as_ref()),
        None => (Height(0), HeadHash([0; 32]), None),
    }
}

/// What a draft's leaves come to.
struct Applied {
    /// In the order of their tags.
    changes: Vec<LeafChange>,
    new: BTreeMap<LeafHash, Vec<u8>>,
    replaced: Vec<LeafHash>,
}

fn apply_leaves(
    trie: &mut PartialTrie,
    entries: &mut u64,
    leaves: BTreeMap<Tag, Option<NewLeaf>>,
) -> Result<Applied, Error> {
    let mut applied = Applied {
        changes: Vec::new(),
        new: BTreeMap::new(),
        replaced: Vec::new(),
    };
    for (tag, leaf) in leaves {
        let hash = leaf.as_ref().map(|leaf| leaf.hash);
        let before = directory::set(trie, &tag, hash).map_err(|_| Violation::OutOfTurn)?;
        *entries = entries
            .saturating_sub(u64::from(before.is_some()))
            .saturating_add(u64::from(hash.is_some()));
        applied.replaced.extend(before);
        if let (Some(hash), Some(leaf)) = (hash, &leaf) {
            applied.new.insert(hash, leaf.stored.clone());
        }
        let (keep, add, stored) = match leaf {
            Some(leaf) => (leaf.keep, leaf.add, Some(Blob(leaf.stored))),
            None => (0, Vec::new(), None),
        };
        applied.changes.push(LeafChange {
            tag,
            leaf: stored,
            keep,
            add,
        });
    }
    Ok(applied)
}
