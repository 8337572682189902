//! Envelopes: one epoch's key of a space for one recipient.

use super::{Blob, Frame, record};
use crate::id::{EnvelopeId, Epoch, Fingerprint, SpaceId, UserId};
use crate::limits::{NOTE_SIZE_MAX, RSA_SIZE_MAX};

record! {
    /// The key of one epoch for one recipient. Everything but the key is said in clear and signed.
    pub struct Envelope {
        /// Its name; also the pointer that the sender may hand over by other means.
        pub id: EnvelopeId,
        /// The space.
        pub space: SpaceId,
        /// The epoch whose key is inside.
        pub epoch: Epoch,
        /// What it is for: one invites a writer, two brings a member the key of a new epoch.
        pub role: u8,
        /// Who sends it.
        pub sender: UserId,
        /// With which keys.
        pub sender_key: Fingerprint,
        /// For whom.
        pub recipient: UserId,
        /// For which keys.
        pub recipient_key: Fingerprint,
        /// The epoch key under the recipient's encryption key (OAEP), labelled with all the above.
        pub wrapped: Blob<RSA_SIZE_MAX>,
        /// The sealed note: the file's name as the sender knows it,
        /// or nothing where nobody is invited.
        pub note: Blob<NOTE_SIZE_MAX>,
    }
}

record! {
    /// An envelope and its sender's signature.
    pub struct SignedEnvelope {
        /// The envelope.
        pub envelope: Envelope,
        /// PSS signature by the sender.
        pub signature: Blob<RSA_SIZE_MAX>,
    }
}

impl Frame for Envelope {
    const KIND: u8 = 9;
}

impl Frame for SignedEnvelope {
    const KIND: u8 = 10;
}
