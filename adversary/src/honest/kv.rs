//! The rules of an honest key-value server: objects with versions, and one public record per user.

use sha2::{Digest, Sha256};

use super::storage::{Batch, Bytes, Key, Kind, Storage, StorageFault};

/// Names one version of one object: the hash of its bytes.
pub type VersionTag = [u8; 32];

/// When a change may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// If there is no object (`If-None-Match: *`).
    IfAbsent,
    /// If the object is that version (`If-Match`).
    IfMatch(VersionTag),
}

/// Why a change did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The condition does not hold.
    ConditionFailed,
    /// The store failed.
    Fault,
}

impl From<StorageFault> for Refused {
    fn from(StorageFault: StorageFault) -> Self {
        Self::Fault
    }
}

/// The name of the version that these bytes are.
#[must_use]
pub fn version_tag(bytes: &[u8]) -> VersionTag {
    Sha256::digest(bytes).into()
}

/// The key of an object.
#[must_use]
pub fn object(id: &[u8]) -> Key {
    Key::new(Kind::Object, id)
}

/// The key of a user's public record.
#[must_use]
pub fn public(user: &[u8]) -> Key {
    Key::new(Kind::Public, user)
}

/// Reads an object or a public record, and names the version.
///
/// # Errors
///
/// [`StorageFault`] if the store failed.
pub fn get(storage: &impl Storage, key: &Key) -> Result<Option<(Bytes, VersionTag)>, StorageFault> {
    let bytes = storage.fetch(key)?;
    Ok(bytes.map(|bytes| {
        let tag = version_tag(&bytes);
        (bytes, tag)
    }))
}

/// Writes an object or a public record. The owner may write a public record again.
///
/// # Errors
///
/// [`Refused`] if the condition does not hold or the store failed.
pub fn put(
    storage: &mut impl Storage,
    key: &Key,
    bytes: Bytes,
    condition: Condition,
) -> Result<VersionTag, Refused> {
    check(storage, key, condition)?;
    let tag = version_tag(&bytes);
    let mut batch = Batch::new();
    batch.put(key.clone(), bytes);
    storage.apply(batch)?;
    Ok(tag)
}

/// Deletes an object; says whether there was one.
///
/// # Errors
///
/// [`Refused`] if the condition does not hold or the store failed.
pub fn delete(
    storage: &mut impl Storage,
    key: &Key,
    condition: Condition,
) -> Result<bool, Refused> {
    check(storage, key, condition)?;
    if storage.fetch(key)?.is_none() {
        return Ok(false);
    }
    let mut batch = Batch::new();
    batch.delete(key.clone());
    storage.apply(batch)?;
    Ok(true)
}

fn check(storage: &impl Storage, key: &Key, condition: Condition) -> Result<(), Refused> {
    let current = storage.fetch(key)?;
    let holds = match condition {
        Condition::Always => true,
        Condition::IfAbsent => current.is_none(),
        Condition::IfMatch(tag) => current.is_some_and(|bytes| version_tag(&bytes) == tag),
    };
    if holds {
        Ok(())
    } else {
        Err(Refused::ConditionFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::DeviceName;
    use crate::honest::store::Versions;

    #[test]
    fn conditions_are_checked_against_the_current_version() {
        let mut versions = Versions::new();
        let mut store = versions.view(&DeviceName::first("alice"), 0);
        let key = object(b"notes");
        let put =
            |store: &mut _, bytes: &[u8], condition| put(store, &key, bytes.into(), condition);
        let absent = Condition::IfMatch(version_tag(b"v1"));
        assert_eq!(
            put(&mut store, b"v1", absent),
            Err(Refused::ConditionFailed)
        );
        let first = put(&mut store, b"v1", Condition::IfAbsent).unwrap();
        let again = put(&mut store, b"v2", Condition::IfAbsent);
        assert_eq!(again, Err(Refused::ConditionFailed));
        let second = put(&mut store, b"v2", Condition::IfMatch(first)).unwrap();
        let lost = put(&mut store, b"v3", Condition::IfMatch(first));
        assert_eq!(lost, Err(Refused::ConditionFailed));
        assert_eq!(get(&store, &key), Ok(Some((b"v2"[..].into(), second))));
        let stale = delete(&mut store, &key, Condition::IfMatch(first));
        assert_eq!(stale, Err(Refused::ConditionFailed));
        assert_eq!(delete(&mut store, &key, Condition::Always), Ok(true));
        assert_eq!(delete(&mut store, &key, Condition::Always), Ok(false));
        assert_eq!(get(&store, &key), Ok(None));
    }

    #[test]
    fn a_public_record_is_no_object() {
        let mut versions = Versions::new();
        let mut store = versions.view(&DeviceName::first("alice"), 0);
        put(
            &mut store,
            &public(b"alice"),
            b"key"[..].into(),
            Condition::Always,
        )
        .unwrap();
        assert_eq!(get(&store, &object(b"alice")), Ok(None));
        let again = put(
            &mut store,
            &public(b"alice"),
            b"new"[..].into(),
            Condition::Always,
        );
        assert!(again.is_ok());
    }
}
