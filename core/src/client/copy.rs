//! A session once more, for testbeds that go back to a world that they saved.

use super::space::{Space, Warm};
use super::{Account, Ports, Session};
use crate::secret::EpochKey;

impl<R, V, E, C> Session<R, V, E, C> {
    /// The same session behind other doors. Each of the two goes on for itself, so they must not
    /// share a stream of randomness.
    pub(crate) fn copied<R2, V2, E2, C2>(
        &self,
        ports: Ports<R2, V2, E2, C2>,
    ) -> Session<R2, V2, E2, C2> {
        let spaces = self.spaces.iter();
        Session {
            ports,
            config: self.config,
            account: Account {
                user: self.account.user,
                fingerprint: self.account.fingerprint,
                record: self.account.record.clone(),
                signing: self.account.signing.clone(),
                decryption: self.account.decryption.clone(),
            },
            token: self.token,
            state: self.state.clone(),
            private: self.private,
            spaces: spaces.map(|(id, space)| (*id, copied(space))).collect(),
            contacts: self.contacts.clone(),
            links: self.links.clone(),
            written: self.written.clone(),
            evidence: self.evidence.clone(),
            contradictions: self.contradictions.clone(),
            forgotten: self.forgotten.clone(),
            opened: self.opened.clone(),
        }
    }
}

fn copied(space: &Space) -> Space {
    let key = EpochKey::copy_from(space.key.expose());
    let mut copy = Space::new(space.id, space.epoch, key);
    copy.roster = space.roster.clone();
    copy.warm = space.warm.as_ref().map(|warm| Warm {
        hash: warm.hash,
        head: warm.head.clone(),
        trie: warm.trie.clone(),
        leaves: warm.leaves.clone(),
    });
    copy
}
