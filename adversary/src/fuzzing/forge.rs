//! Lies that fit: what a member who works with the server could have written, put into messages.

use turncoat_core::id::{Digest, UserId};
use turncoat_core::tree::{Mountain, head_hash, roster_hash};
use turncoat_core::wire::{
    Blob, Commit, Entry, Frame as _, Head, Leaf, NameRef, Reader, Region, Reply, Request,
    RequestBody, RosterAction, RosterChange, SegmentNode, SegmentRecord, SignedEnvelope,
    SignedRosterChange, View, Wire,
};

use super::generate::Generator;
use crate::acts::collude::member::{Member, root_of_one};
use crate::codec::Bytes;

impl Generator {
    /// The reply with something in it that the member could have written; none if nothing of it is
    /// about what the member belongs to.
    pub(super) fn forge_reply(
        &mut self,
        bytes: &[u8],
        kept: &[Bytes],
        member: &Member,
    ) -> Option<Vec<u8>> {
        let mut reply = Reply::decode(bytes).ok()?;
        match &mut reply {
            Reply::Views(views) => {
                let mut theirs: Vec<&mut View> = views.iter_mut().collect();
                theirs
                    .retain(|view| head_of(view).is_some_and(|head| member.key_of(head).is_some()));
                let at = self.choose(4) as usize % theirs.len().max(1);
                self.forge_view(theirs.get_mut(at)?, kept, member)?;
            }
            Reply::Segments(records) => self.change_records(records),
            Reply::Inbox(envelopes) => {
                let at = self.choose(4) as usize % envelopes.len().max(1);
                self.change_envelope(envelopes.get_mut(at)?, member)?;
            }
            _ => return None,
        }
        Some(reply.encode())
    }

    /// The member's own commit with something else in it.
    pub(super) fn forge_commit(&mut self, bytes: &[u8], member: &Member) -> Option<Vec<u8>> {
        let mut request = Request::decode(bytes).ok()?;
        let RequestBody::Commit(commit) = &mut request.body else {
            return None;
        };
        self.change_commit(commit, member)?;
        member.sign_head(&mut commit.head)?;
        Some(request.encode())
    }

    fn forge_view(&mut self, view: &mut View, kept: &[Bytes], member: &Member) -> Option<()> {
        let View::Shown {
            head,
            history,
            roster,
            directory,
            leaves,
            ..
        } = view
        else {
            return None;
        };
        match self.choose(8) {
            0..=2 => {
                let at = self.choose(4) as usize % leaves.len().max(1);
                let stored = &leaves.get(at)?.0;
                let forged =
                    member.edit_leaf(&head.head, stored, |leaf, entry| self.edit(leaf, entry))?;
                return member.show_leaf(view, at, forged);
            }
            3 => self.change_head(&mut head.head),
            4 => {
                let change = self.change_of_roster(&head.head, member)?;
                head.head.roster = change.change.number;
                head.head.roster_hash = roster_hash(&change);
                roster.push(change);
            }
            5 => {
                let at = self.choose(8) as usize % history.len().max(1);
                match self.choose(3) {
                    0 => history.truncate(at),
                    1 => history.extend(history.get(at).cloned()),
                    _ => self.number(&mut history.get_mut(at)?.roster_max),
                }
            }
            6 => {
                // What was there once, under a head of today.
                let old = Reply::decode(self.one(kept)?).ok()?;
                let Reply::Views(views) = old else {
                    return None;
                };
                let space = head.head.space;
                let old = views.into_iter().find_map(|view| match view {
                    View::Shown {
                        head,
                        directory,
                        leaves,
                        ..
                    } if head.head.space == space => Some((head, directory, leaves)),
                    _ => None,
                });
                let (old, shown, below) = old?;
                (head.head.directory, head.head.entries) = (old.head.directory, old.head.entries);
                (*directory, *leaves) = (shown, below);
            }
            _ => {
                head.head.previous = head_hash(head);
                head.head.height = head.head.height.next();
            }
        }
        member.sign_under(view)
    }

    fn change_commit(&mut self, commit: &mut Commit, member: &Member) -> Option<()> {
        let head = &mut commit.head.head;
        match self.choose(8) {
            0..=2 => {
                // With one slot the root follows from its leaf.
                let [change] = commit.leaves.as_mut_slice() else {
                    return None;
                };
                let Blob(stored) = change.leaf.as_ref().filter(|_| head.entries == 1)?;
                let forged =
                    member.edit_leaf(head, stored, |leaf, entry| self.edit(leaf, entry))?;
                head.directory = root_of_one(&change.tag, &forged);
                change.leaf = Some(Blob(forged));
            }
            3 => self.change_head(head),
            4 => {
                let change = self.change_of_roster(head, member)?;
                head.roster = change.change.number;
                head.roster_hash = roster_hash(&change);
                commit.roster.push(change);
            }
            5 => {
                let at = self.choose(4) as usize % commit.envelopes.len().max(1);
                self.change_envelope(commit.envelopes.get_mut(at)?, member)?;
            }
            6 => {
                let change = commit.leaves.first_mut()?;
                let mut keep = u64::from(change.keep);
                self.number(&mut keep);
                change.keep = u32::try_from(keep).unwrap_or(u32::MAX);
            }
            _ => self.change_records(&mut commit.leaves.first_mut()?.add),
        }
        Some(())
    }

    /// Another number: beside it, at an end, or with a bit turned over.
    fn number(&mut self, number: &mut u64) {
        *number = match self.choose(6) {
            0 => number.wrapping_add(1),
            1 => number.wrapping_sub(1),
            2 => 0,
            3 => u64::MAX,
            4 => 1 << 48,
            _ => *number ^ 1 << self.choose(64),
        };
    }

    /// Other bytes.
    fn bytes(&mut self, bytes: &mut [u8]) {
        let at = self.choose(256) as usize % bytes.len().max(1);
        let bit = 1 << self.choose(8);
        bytes
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|byte| *byte ^= bit);
    }

    fn change_head(&mut self, head: &mut Head) {
        match self.choose(12) {
            0 => self.number(&mut head.height.0),
            1 => self.number(&mut head.entries),
            2 => self.number(&mut head.roster.0),
            3 => self.number(&mut head.epoch.0),
            4 => self.number(&mut head.written_ms),
            5 => self.bytes(&mut head.previous.0),
            6 => self.bytes(&mut head.history.0),
            7 => self.bytes(&mut head.directory.0),
            8 => self.bytes(&mut head.roster_hash.0),
            9 => self.bytes(&mut head.commitment.0),
            10 => self.bytes(&mut head.device.0),
            _ => self.bytes(&mut head.nonce),
        }
    }

    /// What may follow the roster that a head names, or nearly.
    fn change_of_roster(&mut self, head: &Head, member: &Member) -> Option<SignedRosterChange> {
        let user = match self.choose(3) {
            0 => head.author,
            1 => member.user(),
            _ => UserId([7; 32]),
        };
        let fingerprint = member.fingerprint();
        let action = match self.choose(2) {
            0 => RosterAction::Remove { user },
            _ => RosterAction::Add { user, fingerprint },
        };
        let mut signed = SignedRosterChange {
            change: RosterChange {
                space: head.space,
                number: head.roster.next(),
                previous: head.roster_hash,
                signer: member.user(),
                action,
            },
            signature: Blob::default(),
        };
        match self.choose(4) {
            1 => self.number(&mut signed.change.number.0),
            2 => self.bytes(&mut signed.change.previous.0),
            _ => {}
        }
        member.sign_change(&mut signed)?;
        Some(signed)
    }

    fn change_envelope(&mut self, signed: &mut SignedEnvelope, member: &Member) -> Option<()> {
        let envelope = &mut signed.envelope;
        match self.choose(8) {
            0 => self.number(&mut envelope.epoch.0),
            1 => envelope.role = envelope.role.wrapping_add(1),
            2 => self.bytes(&mut envelope.space.0),
            3 => self.bytes(&mut envelope.wrapped.0),
            4 => self.bytes(&mut envelope.note.0),
            5 => self.bytes(&mut envelope.recipient_key.0),
            6 => self.bytes(&mut envelope.id.0),
            _ => {}
        }
        member.sign_envelope(signed)
    }

    pub(super) fn change_records(&mut self, records: &mut Vec<SegmentRecord>) {
        let at = self.choose(8) as usize % records.len().max(1);
        let kind = self.choose(6);
        match (kind, records.get_mut(at)) {
            (0, Some(record)) => record.offset = record.offset.wrapping_add(1),
            (1, Some(record)) => record.length = u32::MAX >> self.choose(32),
            (2, Some(record)) => record.key_index = record.key_index.wrapping_add(1),
            (3, Some(record)) => self.bytes(&mut record.hash.0),
            (4, Some(record)) => {
                let twice = record.clone();
                records.push(twice);
            }
            _ => records.truncate(at),
        }
    }

    /// Changes what a leaf says.
    pub(super) fn edit(&mut self, leaf: &mut Leaf, entry: &mut Entry) {
        let Entry::File(file) = entry else {
            return;
        };
        match self.choose(13) {
            0 => self.number(&mut file.version),
            1 => self.number(&mut file.size),
            2 => self.number(&mut file.segments),
            3 => file.key_index = file.key_index.wrapping_add(1),
            4 => {
                let mut key = [0; 32];
                self.bytes(&mut key);
                // Any 32 bytes are a key.
                if let Ok(key) = Reader::all(&key, Wire::read) {
                    file.content_key = key;
                }
            }
            5 => file.keyring = Some(self.region()),
            6 => file.name = NameRef::Object(self.region()),
            7 => file.name = NameRef::Inline(vec![b'n'; self.choose(201) as usize]),
            8 => file.peaks.truncate(self.choose(4) as usize),
            9 => file.peaks.push(SegmentNode {
                hash: Digest([9; 32]),
                bytes: u64::from(self.choose(1 << 20)),
            }),
            10 => self.bytes(&mut file.file.0),
            11 => {
                leaf.segments = self.choose(1 << 17);
                return;
            }
            _ => {
                self.bytes(&mut leaf.root.0);
                return;
            }
        }
        fit(leaf, entry);
    }

    fn region(&mut self) -> Region {
        let [.., byte] = self.choose(256).to_be_bytes();
        Region {
            pack: turncoat_core::id::PackId([byte; 16]),
            offset: self.choose(1 << 16),
            length: u32::MAX >> self.choose(32),
            hash: Digest([byte; 32]),
        }
    }
}

/// Has a leaf say of its segments in clear what its entry says, if that can be said.
pub(super) fn fit(leaf: &mut Leaf, entry: &Entry) {
    let Entry::File(file) = entry else {
        return;
    };
    if let Ok(range) = Mountain::from_parts(file.segments, file.peaks.clone()) {
        leaf.segments = u32::try_from(file.segments).unwrap_or(u32::MAX);
        leaf.root = range.root();
    }
}

const fn head_of(view: &View) -> Option<&Head> {
    match view {
        View::Shown { head, .. } => Some(&head.head),
        _ => None,
    }
}
