//! resurrect: an object that was deleted is served again.

use super::NoSuchObject;
use crate::honest::storage::Key;
use crate::honest::store::Versions;
use crate::selector::Audience;

impl Versions {
    /// Shows the last version before the object's deletion.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it was never there.
    pub fn resurrect(&mut self, key: &Key, audience: &Audience) -> Result<(), NoSuchObject> {
        let versions = self.versions(key, audience);
        let last = versions.into_iter().rev().flatten().next();
        let last = last.ok_or(NoSuchObject)?;
        self.show_bytes(key, Some(last), audience);
        Ok(())
    }
}
