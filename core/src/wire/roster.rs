//! Rosters: who belongs to a space, as a log of signed changes.

use super::{Blob, Frame, Malformed, Reader, Wire, Writer, record};
use crate::id::{Digest, Fingerprint, RosterNumber, SpaceId, UserId};

/// What one change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterAction {
    /// Adds a member below the signer.
    Add {
        /// The new member.
        user: UserId,
        /// The new member's keys.
        fingerprint: Fingerprint,
    },
    /// The first change: the owner, and what the space's id was made with.
    Genesis {
        /// The owner's keys.
        fingerprint: Fingerprint,
        /// The salt of the space's id.
        salt: [u8; 32],
    },
    /// Removes a member and everybody below.
    Remove {
        /// The member.
        user: UserId,
    },
}

impl Wire for RosterAction {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Genesis { fingerprint, salt } => {
                writer.u8(0);
                fingerprint.write(writer);
                salt.write(writer);
            }
            Self::Add { user, fingerprint } => {
                writer.u8(1);
                user.write(writer);
                fingerprint.write(writer);
            }
            Self::Remove { user } => {
                writer.u8(2);
                user.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Ok(Self::Genesis {
                fingerprint: Wire::read(reader)?,
                salt: Wire::read(reader)?,
            }),
            1 => Ok(Self::Add {
                user: Wire::read(reader)?,
                fingerprint: Wire::read(reader)?,
            }),
            2 => Ok(Self::Remove {
                user: Wire::read(reader)?,
            }),
            _ => Err(Malformed),
        }
    }
}

record! {
    /// One change of a roster.
    pub struct RosterChange {
        /// The space.
        pub space: SpaceId,
        /// How many changes came before.
        pub number: RosterNumber,
        /// The hash of the change before; zero at number zero.
        pub previous: Digest,
        /// Who makes it; a member by the roster before.
        pub signer: UserId,
        /// What it does.
        pub action: RosterAction,
    }
}

record! {
    /// A change and its signer's signature.
    pub struct SignedRosterChange {
        /// The change.
        pub change: RosterChange,
        /// PSS signature by the signer.
        pub signature: Blob,
    }
}

impl Frame for RosterChange {
    const KIND: u8 = 7;
}

impl Frame for SignedRosterChange {
    const KIND: u8 = 8;
}
