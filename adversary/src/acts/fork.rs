//! fork: two histories for different readers. join: one of them for all.

use crate::honest::store::Versions;
use crate::selector::Audience;

impl Versions {
    /// From now on the audience reads and writes a branch of its own.
    pub fn fork(&mut self, audience: &Audience) {
        self.branch_off(self.snapshot_of(audience), audience);
    }

    /// Everyone is shown the trunk again. What was written on branches stays there.
    pub fn join(&mut self) {
        self.leave_branches();
    }

    /// The audience reads and writes what `of` does.
    pub fn show(&mut self, audience: &Audience, of: &Audience) {
        self.put_on_branch_of(audience, of);
    }
}
