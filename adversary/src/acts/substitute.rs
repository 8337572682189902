//! substitute: valid bytes in place of others, or the server's own.

use super::NoSuchObject;
use crate::honest::storage::{Bytes, Key};
use crate::honest::store::{Object, Versions};
use crate::selector::Audience;

impl Versions {
    /// `key` shows the bytes that `by` had when it was written.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if there are none.
    pub fn replace(
        &mut self,
        key: &Key,
        by: &Object,
        audience: &Audience,
    ) -> Result<(), NoSuchObject> {
        let bytes = self.bytes_of(by).ok_or(NoSuchObject)?;
        self.show_bytes(key, Some(bytes), audience);
        Ok(())
    }

    /// Each of two objects shows the other one's bytes.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if one of them is not there.
    pub fn swap(
        &mut self,
        first: &Key,
        second: &Key,
        audience: &Audience,
    ) -> Result<(), NoSuchObject> {
        let of_first = self.shown_to(first, audience).ok_or(NoSuchObject)?;
        let of_second = self.shown_to(second, audience).ok_or(NoSuchObject)?;
        self.show_bytes(first, Some(of_second), audience);
        self.show_bytes(second, Some(of_first), audience);
        Ok(())
    }

    /// `key` shows bytes of the server's own, whether or not it is there.
    pub fn put(&mut self, key: &Key, bytes: impl Into<Bytes>, audience: &Audience) {
        self.show_bytes(key, Some(bytes.into()), audience);
    }
}
