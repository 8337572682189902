//! The members of a space at rest: what the log of its changes comes to.

use std::collections::{BTreeMap, BTreeSet};

use turncoat_core::id::{Fingerprint, RosterNumber, SpaceId, UserId};
use turncoat_core::verify::{Member, Roster};
use turncoat_core::wire::{
    Head, Malformed, Reader, Refusal, RosterAction, SignedRosterChange, Wire, Writer,
};

use super::read::roster_key;
use super::storage::{Batch, Key, Kind, Storage, encoded};

fn key(space: &SpaceId) -> Key {
    Key::new(Kind::Members, *space.as_bytes())
}

/// A roster as it is stored. Who is no member any more is not kept.
struct Stored(Roster);

impl Wire for Stored {
    fn write(&self, writer: &mut Writer) {
        let Self(roster) = self;
        roster.number.write(writer);
        roster.hash.write(writer);
        roster.owner.write(writer);
        roster.removals.write(writer);
        let members: Vec<(&UserId, &Member)> = roster.members.iter().collect();
        writer.list(&members, |writer, (user, member)| {
            user.write(writer);
            member.fingerprint.write(writer);
            member.inviter.write(writer);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut roster = Roster {
            number: Wire::read(reader)?,
            hash: Wire::read(reader)?,
            owner: Wire::read(reader)?,
            removals: Wire::read(reader)?,
            members: BTreeMap::new(),
            ever: BTreeSet::new(),
        };
        for _ in 0..u32::read(reader)? {
            let user = UserId::read(reader)?;
            let member = Member {
                fingerprint: Fingerprint::read(reader)?,
                inviter: Wire::read(reader)?,
            };
            roster.members.insert(user, member);
        }
        Ok(Self(roster))
    }
}

/// The roster that a stored head names.
///
/// A store that knows of another one, or of none, has the log of its changes, which is gone through
/// once more. They were judged when they came.
pub(super) fn of(storage: &impl Storage, head: &Head) -> Result<Roster, Refusal> {
    let bytes = storage.fetch(&key(&head.space))?;
    let stored = bytes.and_then(|bytes| Reader::all(&bytes, Stored::read).ok());
    if let Some(Stored(roster)) = stored
        && (roster.number, roster.hash) == (head.roster, head.roster_hash)
    {
        return Ok(roster);
    }
    let mut roster = None;
    for number in 0..=head.roster.0 {
        let bytes = storage.fetch(&roster_key(&head.space, RosterNumber(number)))?;
        let bytes = bytes.ok_or(Refusal::NotFound)?;
        let signed = Reader::all(&bytes, SignedRosterChange::read);
        roster = after(roster, &signed.map_err(|Malformed| Refusal::NotFound)?);
    }
    roster.ok_or(Refusal::NotFound)
}

/// The roster after a change, whoever made it.
pub(super) fn after(before: Option<Roster>, signed: &SignedRosterChange) -> Option<Roster> {
    match (before, &signed.change.action) {
        (Some(mut roster), _) => {
            roster.apply(signed);
            Some(roster)
        }
        (None, RosterAction::Genesis { fingerprint, .. }) => {
            Some(Roster::founded(signed, *fingerprint))
        }
        (None, _) => None,
    }
}

/// Adds the roster to the batch.
pub(super) fn put(batch: &mut Batch, space: &SpaceId, roster: Roster) {
    batch.put(key(space), encoded(&Stored(roster)));
}
