//! withhold: an object that exists is denied.

use super::NoSuchObject;
use crate::honest::storage::Key;
use crate::honest::store::Versions;
use crate::selector::Audience;

impl Versions {
    /// Denies an object.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it is not there.
    pub fn hide(&mut self, key: &Key, audience: &Audience) -> Result<(), NoSuchObject> {
        self.shown_to(key, audience).ok_or(NoSuchObject)?;
        self.show_bytes(key, None, audience);
        Ok(())
    }

    /// Denies every object that there is now.
    pub fn hide_all(&mut self, audience: &Audience) {
        self.hide_everything(audience);
    }
}
