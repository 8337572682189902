//! Whether an offered head is authentic, in its place, and follows the one this device trusts.

use super::{Contact, Roster};
use crate::defence::{Defence, defend};
use crate::error::{Error, Violation};
use crate::id::{Checkpoint, Height, Realm, RosterNumber, SpaceId};
use crate::labels::Label;
use crate::limits::Limits;
use crate::secret::EpochKey;
use crate::tree::{Mountain, head_hash, history_leaf};
use crate::wire::{Frame, Head, HistoryNode, SignedHead};

/// What a device trusts of a space before it sees an offered head.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) realm: &'a Realm,
    pub(crate) limits: &'a Limits,
    pub(crate) space: SpaceId,
    pub(crate) epoch: crate::id::Epoch,
    pub(crate) key: &'a EpochKey,
    /// Only the place of the head counts, on the way to a newer one: it may be of an epoch whose
    /// key this session was never given.
    pub(crate) passing: bool,
    pub(crate) accepted: Option<Checkpoint>,
    /// The highest roster number that was accepted.
    pub(crate) roster_min: RosterNumber,
    /// Over all heads up to the accepted one.
    pub(crate) mountain: &'a Mountain<HistoryNode>,
}

/// An offered head with what is needed to judge it.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) signed: &'a SignedHead,
    pub(crate) history: &'a [HistoryNode],
    /// The roster that the head names, verified up to that number.
    pub(crate) roster: &'a Roster,
    /// The keys of the head's author as the roster has them.
    pub(crate) author: Option<&'a Contact>,
}

/// A head that this device may trust: it follows the one before, and carries its author's name.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) checkpoint: Checkpoint,
    /// Over all heads up to this one.
    pub(crate) mountain: Mountain<HistoryNode>,
}

/// The place of a signed head.
pub(crate) fn checkpoint_of(signed: &SignedHead) -> Checkpoint {
    Checkpoint {
        height: signed.head.height,
        head: head_hash(signed),
    }
}

/// Judges an offered head.
///
/// Cannot see a freeze: a server that repeats the trusted head forever passes.
///
/// # Errors
///
/// The [`Violation`] that the first failing check proves.
pub(crate) fn check_head(known: &Known<'_>, offer: &Offer<'_>) -> Result<Accepted, Error> {
    let head = &offer.signed.head;
    check_counters(known, head)?;
    check_author(known, offer)?;
    let committed = head.epoch == known.epoch
        && head.commitment.0 == known.key.commitment(&known.space.0, head.epoch.0);
    let keyed = committed || (known.passing && head.epoch < known.epoch);
    let fits = head.space == known.space && keyed;
    defend!(Defence::EpochCommitment, fits, Violation::Misbound);
    let offered = checkpoint_of(offer.signed);
    let mountain = match check_place(known, head, offered)? {
        Place::Same => known.mountain.clone(),
        Place::After => check_history(known, offer, offered)?,
        Place::Beside => grown(rebuilt(head.height, known), head, offered)?,
    };
    // The log may know of more changes than the head names. Such a head is old, and the checks
    // above have said so if it lies below the trusted one; it is never a new one. A change without
    // a head is not in force: what its signer gave up, the server must not put there.
    let current = head.roster == offer.roster.number;
    defend!(Defence::RosterCurrent, current, Violation::Misbound);
    let rekeyed = head.epoch.0 > offer.roster.removals;
    defend!(Defence::RemovalRekeyed, rekeyed, Violation::Misbound);
    Ok(Accepted {
        checkpoint: offered,
        mountain,
    })
}

enum Place {
    /// Above the trusted head, or there is none.
    After,
    /// At its height or below, and another head. Only the twin goes on from here.
    Beside,
    /// The trusted head itself.
    Same,
}

fn check_counters(known: &Known<'_>, head: &Head) -> Result<(), Error> {
    let counters = [head.height.0, head.epoch.0, head.roster.0];
    let trusted = known.accepted.map_or(Height(0), |accepted| accepted.height);
    let jump = Violation::FastForward {
        trusted,
        offered: head.height,
    };
    let below = counters
        .iter()
        .all(|&counter| counter <= known.limits.counter_max);
    defend!(Defence::CounterCeiling, below, jump.clone());
    if known.accepted.is_some() {
        let ahead = head.height.0.saturating_sub(trusted.0);
        defend!(Defence::SkipBound, ahead <= known.limits.skip_max, jump);
    }
    Ok(())
}

fn check_author(known: &Known<'_>, offer: &Offer<'_>) -> Result<(), Error> {
    let head = &offer.signed.head;
    let roster = offer.roster;
    let permitted = if head.roster < roster.number {
        // An old head: it is judged by its place, below, once it is known to be genuine.
        roster.ever.contains(&(head.author, head.author_key))
    } else {
        let named = head.roster == roster.number && head.roster_hash == roster.hash;
        defend!(Defence::RosterChain, named, Violation::Misbound);
        let member = roster.members.get(&head.author);
        member.is_some_and(|member| member.fingerprint == head.author_key)
    };
    defend!(
        Defence::HeadAuthor,
        permitted,
        Violation::RevokedAuthor {
            author: head.author
        }
    );
    let body = head.encode();
    let signed = offer.author.is_some_and(|author| {
        author
            .verify(
                known.realm,
                Label::SignHead,
                &body,
                &offer.signed.signature.0,
            )
            .is_ok()
    });
    defend!(Defence::HeadSignature, signed, Violation::Inauthentic);
    Ok(())
}

/// Equal heights must carry equal heads: two heads at one height are two histories, and only one
/// of them can be the one that was accepted before.
fn check_place(known: &Known<'_>, head: &Head, offered: Checkpoint) -> Result<Place, Error> {
    let Some(trusted) = known.accepted else {
        return Ok(Place::After);
    };
    let space = known.space;
    defend!(
        Defence::HeadRollback,
        offered.height >= trusted.height,
        Violation::Rollback {
            space,
            trusted,
            offered
        }
    );
    if offered.height == trusted.height {
        defend!(
            Defence::HeadFork,
            offered.head == trusted.head,
            Violation::Fork {
                space,
                trusted,
                offered
            }
        );
    }
    if offered.height == trusted.height.next() {
        let follows = head.previous == trusted.head;
        defend!(
            Defence::HeadPrevious,
            follows,
            Violation::Fork {
                space,
                trusted,
                offered
            }
        );
    }
    Ok(match offered.height > trusted.height {
        true => Place::After,
        false if offered.head == trusted.head => Place::Same,
        false => Place::Beside,
    })
}

/// Extends what is remembered with the subtrees between, and compares with what was signed.
fn check_history(
    known: &Known<'_>,
    offer: &Offer<'_>,
    offered: Checkpoint,
) -> Result<Mountain<HistoryNode>, Error> {
    let head = &offer.signed.head;
    let mut mountain = known.mountain.clone();
    let extended = mountain.extend_to(head.height.0, offer.history);
    let contained = extended.is_ok() && mountain.root() == head.history;
    defend!(Defence::HeadHistory, contained, Violation::BadProof);
    let behind = head.roster.0 < mountain.roster_max()
        || head.epoch.0 < mountain.epoch_max()
        || head.roster < known.roster_min;
    let trusted = known.accepted.unwrap_or(offered);
    defend!(
        Defence::CounterMonotone,
        !behind,
        Violation::Rollback {
            space: known.space,
            trusted,
            offered
        }
    );
    if !contained {
        // Only the twin comes here: it goes on from the offered head alone.
        mountain = rebuilt(head.height, known);
    }
    grown(mountain, head, offered)
}

/// The range over all heads up to and with this one.
fn grown(
    mut mountain: Mountain<HistoryNode>,
    head: &Head,
    offered: Checkpoint,
) -> Result<Mountain<HistoryNode>, Error> {
    let leaf = history_leaf(&offered.head, head.roster, head.epoch);
    mountain.push(leaf).map_err(|_| Violation::BadProof)?;
    Ok(mountain)
}

/// A range of the right size over nothing that is known.
fn rebuilt(height: Height, known: &Known<'_>) -> Mountain<HistoryNode> {
    let nothing = HistoryNode {
        hash: crate::tree::ZERO,
        roster_max: 0,
        epoch_max: 0,
    };
    let peaks = (0..height.0.count_ones())
        .map(|_| nothing.clone())
        .collect();
    Mountain::from_parts(height.0, peaks).unwrap_or_else(|_| known.mountain.clone())
}
