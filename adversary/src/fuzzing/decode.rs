//! Whatever a format accepts encodes to the very bytes that it was read from.

use turncoat_core::wire::{
    BagSecret, Contact, Entry, Envelope, Frame, Head, KeyBag, Leaf, PartialTrie, PublicRecord,
    Reply, Request, RosterChange, SignedContact, SignedEnvelope, SignedHead, SignedRecord,
    SignedRosterChange, TrustedState,
};

use crate::attack::Attack;
use crate::codec::Code;
use crate::front::kv;
use crate::history::History;

/// Reads the bytes as every format that crosses a boundary.
///
/// Returns how many formats accepted them.
///
/// # Panics
///
/// If a format accepts bytes that it would not have written.
pub fn decode(bytes: &[u8]) -> usize {
    let frames = [
        frame::<BagSecret>,
        frame::<Contact>,
        frame::<Envelope>,
        frame::<Head>,
        frame::<KeyBag>,
        frame::<Leaf>,
        frame::<PartialTrie>,
        frame::<PublicRecord>,
        reply,
        frame::<Request>,
        frame::<RosterChange>,
        frame::<SignedContact>,
        frame::<SignedEnvelope>,
        frame::<SignedHead>,
        frame::<SignedRecord>,
        frame::<SignedRosterChange>,
        frame::<TrustedState>,
    ];
    let others = [
        Entry::decode(bytes).ok().map(|entry| entry.encode()),
        Attack::decode(bytes).ok().map(|attack| attack.encode()),
        History::decode(bytes).map(|history| history.encode()),
        kv::Request::from_bytes(bytes).map(|request| request.to_bytes()),
        kv::Reply::from_bytes(bytes).map(|reply| reply.to_bytes()),
    ];
    let frames = frames.into_iter().map(|format| format(bytes));
    let accepted: Vec<Vec<u8>> = frames.chain(others).flatten().collect();
    for again in &accepted {
        assert!(
            again == bytes,
            "accepted {bytes:02x?}\nand wrote {again:02x?}"
        );
    }
    accepted.len()
}

/// As any other frame; content that stays where it is is read as it is when copied.
fn reply(bytes: &[u8]) -> Option<Vec<u8>> {
    let whole = Reply::decode_whole(bytes.to_vec());
    assert_eq!(whole, Reply::decode(bytes), "{bytes:02x?}");
    frame::<Reply>(bytes)
}

/// The encoding of what the bytes say, if this format accepts them.
fn frame<T: Frame>(bytes: &[u8]) -> Option<Vec<u8>> {
    T::decode(bytes).ok().map(|value| value.encode())
}
