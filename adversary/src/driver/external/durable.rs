//! A device's durable folder as one value, and back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use crate::codec::Code as _;

/// What a file or folder costs of the limit beside its bytes, or endless ones would cost nothing.
const ENTRY_COST: u64 = 256;

/// Reads the plain files below `folder` by path, in order.
pub(super) fn read(folder: &Path, size_max: u64) -> io::Result<Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut left = size_max;
    collect(folder, folder, &mut left, &mut files)?;
    Ok(files
        .into_iter()
        .collect::<Vec<(String, Vec<u8>)>>()
        .to_bytes())
}

/// Whether a state has no files.
pub(super) fn is_empty(state: &[u8]) -> bool {
    Vec::<(String, Vec<u8>)>::from_bytes(state).is_none_or(|files| files.is_empty())
}

/// The same files, each cut in half: what the folder holds is the client's, and its form is ours.
pub(super) fn torn(state: &[u8]) -> Vec<u8> {
    let mut files = Vec::<(String, Vec<u8>)>::from_bytes(state).unwrap_or_default();
    for (_, bytes) in &mut files {
        bytes.truncate(bytes.len() / 2);
    }
    files.to_bytes()
}

/// Links are not followed, so that nothing outside is read.
fn collect(
    root: &Path,
    folder: &Path,
    left: &mut u64,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        let size = if kind.is_file() {
            entry.metadata()?.len()
        } else {
            0
        };
        let cost = size.saturating_add(ENTRY_COST);
        *left = left
            .checked_sub(cost)
            .ok_or_else(|| io::Error::other("too much"))?;
        if kind.is_dir() {
            collect(root, &path, left, files)?;
        } else if kind.is_file() {
            let shown = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            files.insert(shown, std::fs::read(&path)?);
        }
    }
    Ok(())
}

/// Makes `folder` hold exactly what `state` says; nothing, where there is no state.
pub(super) fn write(folder: &Path, state: Option<&[u8]>) -> io::Result<()> {
    let wrong = || io::Error::other("not the state of a device");
    let files = match state {
        Some(state) => Vec::<(String, Vec<u8>)>::from_bytes(state).ok_or_else(wrong)?,
        None => Vec::new(),
    };
    // A path that leads out of the folder is nothing that `read` ever wrote.
    let is_inside = |path: &String| {
        Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
    };
    if !files.iter().all(|(path, _)| is_inside(path)) {
        return Err(wrong());
    }
    std::fs::remove_dir_all(folder)?;
    std::fs::create_dir(folder)?;
    for (path, bytes) in files {
        let path = folder.join(path);
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::codec::Code as _;

    #[test]
    fn a_folder_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("state");
        std::fs::create_dir_all(inner.join("deep")).unwrap();
        std::fs::write(inner.join("deep/file"), "1").unwrap();
        std::fs::write(inner.join("file"), "2").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", inner.join("link")).unwrap();
        let state = read(&inner, 10_000).unwrap();
        write(&inner, None).unwrap();
        assert_eq!(
            read(&inner, 0).unwrap(),
            Vec::<(String, Vec<u8>)>::new().to_bytes()
        );
        write(&inner, Some(&state)).unwrap();
        assert_eq!(read(&inner, 10_000).unwrap(), state);
        assert_eq!(std::fs::read(inner.join("deep/file")).unwrap(), b"1");
        assert!(!inner.join("link").exists());
    }

    #[test]
    fn what_a_power_cut_leaves_is_half_of_each_file() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("state");
        std::fs::create_dir_all(inner.join("deep")).unwrap();
        std::fs::write(inner.join("deep/file"), "12345").unwrap();
        std::fs::write(inner.join("file"), "").unwrap();
        let torn = super::torn(&read(&inner, 10_000).unwrap());
        write(&inner, Some(&torn)).unwrap();
        assert_eq!(std::fs::read(inner.join("deep/file")).unwrap(), b"12");
        assert_eq!(std::fs::read(inner.join("file")).unwrap(), b"");
    }

    #[test]
    fn a_folder_beyond_its_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), [0; 100]).unwrap();
        assert!(read(folder.path(), 356).is_ok());
        assert!(read(folder.path(), 355).is_err());
    }

    #[test]
    fn a_state_that_leads_out_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "stays").unwrap();
        for path in ["../out", "/tmp/out", "a/../../out"] {
            let state = vec![(path.to_owned(), Vec::<u8>::new())].to_bytes();
            assert!(write(folder.path(), Some(&state)).is_err(), "{path}");
        }
        assert!(write(folder.path(), Some(b"foreign")).is_err());
        assert!(folder.path().join("file").exists());
    }
}
