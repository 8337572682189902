//! Who may write: whoever is a member by the roster as it is stored.
//!
//! Signatures are the clients' to verify. What is refused here is a head by somebody whom no member
//! added, or whom the owner removed, though he knows where the space is.

use std::collections::BTreeMap;

use turncoat_core::id::{RosterNumber, UserId};
use turncoat_core::wire::{
    Commit, Reader, Refusal, RosterAction, RosterChange, SignedRosterChange, Wire,
};

use super::history::Indexed;
use super::read::roster_key;
use super::storage::Storage;

/// Whether the author of a commit may write it on top of the current head.
pub(super) fn may_write(
    storage: &impl Storage,
    commit: &Commit,
    current: Option<&Indexed>,
) -> Result<bool, Refusal> {
    let author = commit.head.head.author;
    let Some(current) = current else {
        let founder = commit.roster.first().map(|signed| signed.change.signer);
        return Ok(founder == Some(author));
    };
    if current.head.author == author {
        // A member when that head was taken; nobody removes himself.
        return Ok(true);
    }
    let mut members = Members::default();
    for number in 0..=current.head.roster.0 {
        let key = roster_key(&current.head.space, RosterNumber(number));
        let bytes = storage.fetch(&key)?.ok_or(Refusal::NotFound)?;
        let signed = Reader::all(&bytes, SignedRosterChange::read);
        members.apply(&signed.map_err(|_| Refusal::NotFound)?.change);
    }
    Ok(members.0.contains_key(&author))
}

/// Every member, and who added him.
#[derive(Debug, Default)]
struct Members(BTreeMap<UserId, UserId>);

impl Members {
    fn apply(&mut self, change: &RosterChange) {
        match &change.action {
            RosterAction::Genesis { .. } => {
                self.0.insert(change.signer, change.signer);
            }
            RosterAction::Add { user, .. } => {
                self.0.insert(*user, change.signer);
            }
            RosterAction::Remove { user } => self.remove(*user),
        }
    }

    /// Removes a member and everybody below.
    fn remove(&mut self, user: UserId) {
        let mut gone = vec![user];
        while let Some(above) = gone.pop() {
            self.0.remove(&above);
            let below = self.0.iter().filter(|(_, inviter)| **inviter == above);
            gone.extend(below.map(|(member, _)| *member));
        }
    }
}

#[cfg(test)]
mod tests {
    use turncoat_core::id::{Digest, Fingerprint, RosterNumber, SpaceId, UserId};
    use turncoat_core::wire::{RosterAction, RosterChange};

    use super::Members;

    fn change(signer: u8, action: RosterAction) -> RosterChange {
        RosterChange {
            space: SpaceId([0; 32]),
            number: RosterNumber(0),
            previous: Digest([0; 32]),
            signer: UserId([signer; 32]),
            action,
        }
    }

    #[test]
    fn a_removal_takes_everybody_below_and_nobody_else() {
        let fingerprint = Fingerprint([0; 32]);
        let user = |number: u8| UserId([number; 32]);
        let mut members = Members::default();
        let salt = [0; 32];
        members.apply(&change(1, RosterAction::Genesis { fingerprint, salt }));
        for (signer, added) in [(1, 2), (2, 3), (3, 4), (1, 5)] {
            let user = user(added);
            members.apply(&change(signer, RosterAction::Add { user, fingerprint }));
        }
        members.apply(&change(1, RosterAction::Remove { user: user(2) }));
        let left: Vec<UserId> = members.0.into_keys().collect();
        assert_eq!(left, [user(1), user(5)]);
    }
}
