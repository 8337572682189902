//! roll back: an old state, or an old version of one object, presented as current.

use super::NoSuchObject;
use crate::honest::storage::Key;
use crate::honest::store::{Snapshot, Versions};
use crate::selector::Audience;

impl Versions {
    /// Shows the store as of `snapshot`. What the audience writes from now on builds on that.
    pub fn roll_back_to(&mut self, snapshot: Snapshot, audience: &Audience) {
        self.branch_off(snapshot, audience);
    }

    /// Shows the object as it was so many versions before; zero is the latest that was written.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it never had so many.
    pub fn roll_back(
        &mut self,
        key: &Key,
        versions: u32,
        audience: &Audience,
    ) -> Result<(), NoSuchObject> {
        let back = usize::try_from(versions).map_err(|_| NoSuchObject)?;
        let bytes = self.versions(key, audience).into_iter().rev().nth(back);
        self.show_bytes(key, bytes.ok_or(NoSuchObject)?, audience);
        Ok(())
    }
}
