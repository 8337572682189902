//! Decides what is true. Each check consumes what the server said and returns a value that only
//! the check can make.

mod commit;
mod head;
mod record;
mod roster;

pub(crate) use commit::Purpose;
pub use commit::{Unfit, check_commit};
pub(crate) use head::{Accepted, Known, Offer, check_head, checkpoint_of};
pub(crate) use record::{Contact, check_record, fingerprint, user_id};
pub use roster::{Member, Roster};
pub(crate) use roster::{Place, apply_changes, sign_change, space_id};

use crate::id::{Realm, UserId};
use crate::labels::Label;
use crate::wire::{Wire, Writer};
use alloc::vec::Vec;

/// `magic || version || label || realm || signer || key epoch || body`: what every signature is
/// over. A signature for one purpose, account or realm never serves another.
pub(crate) fn signable(label: Label, realm: &Realm, signer: &UserId, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(b"TCsign");
    writer.u8(crate::wire::VERSION);
    writer.bytes(label.as_bytes());
    realm.write(&mut writer);
    signer.write(&mut writer);
    writer.u32(1);
    writer.bytes(body);
    writer.finish()
}

#[cfg(test)]
mod tests;
