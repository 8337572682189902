//! freeze: the current state repeated forever; updates by others are never seen.

use crate::honest::store::Versions;
use crate::selector::Audience;

impl Versions {
    /// What the audience sees stays as it is; its own writes apply, for it alone.
    ///
    /// A server that froze a writer's view without taking the writes would be caught at the first
    /// of them, so this is a branch like [`fork`](Self::fork)'s.
    pub fn freeze(&mut self, audience: &Audience) {
        self.branch_off(self.snapshot_of(audience), audience);
    }
}
