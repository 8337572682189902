//! tamper: the bytes of an object changed without a key.

use super::NoSuchObject;
use crate::honest::storage::Key;
use crate::honest::store::Versions;
use crate::selector::Audience;

impl Versions {
    /// Turns over one bit, counted from the first byte's highest, and around at the end.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it is not there or has no bytes.
    pub fn flip(&mut self, key: &Key, bit: u64, audience: &Audience) -> Result<(), NoSuchObject> {
        self.tamper(key, audience, |bytes| flip_bit(bytes, bit))
    }

    /// Cuts it to its first `size` bytes.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it is not there.
    pub fn truncate(
        &mut self,
        key: &Key,
        size: u64,
        audience: &Audience,
    ) -> Result<(), NoSuchObject> {
        self.tamper(key, audience, |bytes| {
            bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    /// Adds bytes at its end.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it is not there.
    pub fn extend(
        &mut self,
        key: &Key,
        tail: &[u8],
        audience: &Audience,
    ) -> Result<(), NoSuchObject> {
        self.tamper(key, audience, |bytes| {
            bytes.extend_from_slice(tail);
            Ok(())
        })
    }

    /// Makes all its bytes zero.
    ///
    /// # Errors
    ///
    /// [`NoSuchObject`] if it is not there.
    pub fn zero(&mut self, key: &Key, audience: &Audience) -> Result<(), NoSuchObject> {
        self.tamper(key, audience, |bytes| {
            bytes.fill(0);
            Ok(())
        })
    }

    /// Starts from what the audience is shown now, so that acts add up.
    fn tamper(
        &mut self,
        key: &Key,
        audience: &Audience,
        change: impl FnOnce(&mut Vec<u8>) -> Result<(), NoSuchObject>,
    ) -> Result<(), NoSuchObject> {
        let shown = self.shown_to(key, audience).ok_or(NoSuchObject)?;
        let mut bytes = shown.to_vec();
        change(&mut bytes)?;
        self.show_bytes(key, Some(bytes.into()), audience);
        Ok(())
    }
}

/// Turns over one bit of `bytes`, counted around.
pub(crate) fn flip_bit(bytes: &mut [u8], bit: u64) -> Result<(), NoSuchObject> {
    let bits = bytes.len() as u64 * 8;
    let bit = bit.checked_rem(bits).ok_or(NoSuchObject)?;
    let byte = usize::try_from(bit / 8)
        .ok()
        .and_then(|at| bytes.get_mut(at));
    *byte.ok_or(NoSuchObject)? ^= 0x80 >> (bit % 8);
    Ok(())
}
