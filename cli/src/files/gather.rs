//! Which files a command stores, under which names, and what it passes over.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::names::{kept, shown};
use crate::status::Fault;

/// A file to store, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    /// When its content was written last, as its owner says: in seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    /// When it was changed last, in seconds and nanoseconds, as it was found.
    pub(super) changed: (i64, i64),
    /// Which file of the machine it is.
    pub(super) inode: (u64, u64),
}

impl Source {
    /// A file as it was found.
    fn of(path: PathBuf, name: Vec<u8>, metadata: &Metadata) -> Self {
        Self {
            path,
            name,
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: changed(metadata),
            inode: inode(metadata),
        }
    }
}

/// When a file was changed last; its owner cannot turn that back.
pub(super) fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// Which file of the machine it is.
pub(super) fn inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) sources: Vec<Source>,
    /// What is not stored because it is no file, and why.
    pub(super) passed_over: Vec<(PathBuf, &'static str)>,
    /// What should be stored and cannot be.
    pub(super) failed: Vec<(Vec<u8>, Fault)>,
}

/// Whether a path means standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// All that is to be stored. What was named must be there; what is below it may fail alone.
pub(super) fn gathered(
    paths: &[PathBuf],
    name: Option<&OsStr>,
    recursive: bool,
) -> Result<Gathered, Fault> {
    let mut found = Gathered::default();
    for path in paths {
        let name = name.or_else(|| path.file_name()).map(OsStr::as_bytes);
        if is_standard(path) {
            found.sources.push(Source {
                path: path.clone(),
                name: kept(name.unwrap_or_default())?.to_vec(),
                size: 0,
                modified: (0, 0),
                changed: (0, 0),
                inode: (0, 0),
            });
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| unread(path, &error))?;
        if metadata.is_file() {
            let name = name.ok_or_else(|| unread(path, &"this path has no name; say --name"))?;
            let name = kept(name)?.to_vec();
            let source = Source::of(path.clone(), name, &metadata);
            found.sources.push(source);
        } else if !metadata.is_dir() {
            return Err(unread(path, &"neither file nor folder"));
        } else if !recursive {
            return Err(unread(path, &"a folder; say -r to store what is in it"));
        } else {
            // What is in `.`, `..` or `/` has its names without that.
            let above = name.map(|name| [name, b"/"].concat()).unwrap_or_default();
            below(path, &above, &mut found)?;
        }
    }
    let mut names = BTreeSet::new();
    for source in &found.sources {
        if !names.insert(source.name.as_slice()) {
            return Err(Fault::usage(format!(
                "two of the files would be stored as {}; store one of them with --name",
                shown(&source.name)
            )));
        }
    }
    Ok(found)
}

fn unread(path: &Path, why: &dyn std::fmt::Display) -> Fault {
    Fault::usage(format!("{}: {why}", path.display()))
}

/// Everything below a folder. Links are not followed: they may lead out of it, or round in it.
fn below(folder: &Path, above: &[u8], found: &mut Gathered) -> Result<(), Fault> {
    let mut folders = Vec::from([(folder.to_owned(), above.to_vec())]);
    while let Some((folder, above)) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(|entries| {
            let entries: io::Result<Vec<fs::DirEntry>> = entries.collect();
            entries
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                found.failed.push((above, unread(&folder, &error)));
                continue;
            }
        };
        if entries.is_empty() {
            let why = "an empty folder; the store keeps files alone";
            found.passed_over.push((folder, why));
            continue;
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut within = Vec::new();
        for entry in entries {
            let path = entry.path();
            let name = [&above, entry.file_name().as_bytes()].concat();
            let kind = entry.file_type();
            let metadata = kind.and_then(|kind| Ok((kind, entry.metadata()?)));
            match metadata {
                Ok((kind, _)) if kind.is_dir() => within.push((path, [&*name, b"/"].concat())),
                Ok((kind, metadata)) if kind.is_file() => match kept(&name) {
                    Ok(_) => found.sources.push(Source::of(path, name, &metadata)),
                    Err(fault) => found.failed.push((name, fault)),
                },
                Ok((kind, _)) => found.passed_over.push((path, no_file(kind))),
                Err(error) => found.failed.push((name, unread(&path, &error))),
            }
        }
        folders.extend(within.into_iter().rev());
    }
    Ok(())
}

fn no_file(kind: FileType) -> &'static str {
    match kind.is_symlink() {
        true => "a link; name it to store what it leads to",
        false => "neither file nor folder",
    }
}

#[cfg(test)]
mod tests {
    use super::gathered;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_stored_with_all_its_names_and_says_what_it_passes_over() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("b/empty")).unwrap();
        let odd = OsStr::from_bytes(b"\xff\n");
        fs::write(tree.join("b").join(odd), b"1").unwrap();
        fs::write(tree.join("a"), b"22").unwrap();
        symlink("..", tree.join("round")).unwrap();
        let names = |path: &std::path::Path| {
            let found = gathered(&[path.to_owned()], None, true).unwrap();
            assert!(found.failed.is_empty());
            assert_eq!(found.passed_over.len(), 2, "{:?}", found.passed_over);
            let names = found.sources.into_iter().map(|source| source.name);
            names.collect::<Vec<Vec<u8>>>()
        };
        assert_eq!(names(&tree), [&b"tree/a"[..], b"tree/b/\xff\n"]);
        assert_eq!(names(&tree.join("b/..")), [&b"a"[..], b"b/\xff\n"]);
    }

    #[test]
    fn what_was_named_is_there_once_or_nothing_is_stored() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a");
        fs::write(&file, b"1").unwrap();
        let missing = root.path().join("missing");
        let said = |paths: &[std::path::PathBuf]| gathered(paths, None, false).unwrap_err();
        assert!(said(&[file.clone(), missing]).shown().contains("missing"));
        let double = said(&[file.clone(), file.clone()]);
        assert!(double.shown().contains("--name"), "{double:?}");
        assert!(said(&[root.path().to_owned()]).shown().contains("say -r"));
        let long = OsStr::from_bytes(&[b'x'; 17 << 10]);
        assert!(gathered(&[file], Some(long), false).is_err());
    }
}
