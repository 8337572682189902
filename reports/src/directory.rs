//! A report directory: either the whole new report stands there, or what stood there before.

use core::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::decode::{VERSION, version_of};
use crate::{DecodeError, Exporter, Results, exporters};

/// The file by which a directory is known to be ours: the JSON result, which names its format.
pub const MARKER: &str = "turncoat-report.json";

/// Why no report was written. Whatever stood in the directory's place still exists.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Something stands there that is not a report of ours.
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A report of a newer version stands there.
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// The report could not be written.
    Write {
        /// What was written or moved.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The old report was moved aside, and neither could the new one take its place nor the old
    /// one go back.
    Aside {
        /// The directory.
        path: PathBuf,
        /// Where the old report is.
        old: PathBuf,
        /// Where the new one is.
        new: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Debug` of a path escapes what a terminal would obey.
        match self {
            Self::NotOurs { path, detail } => write!(
                formatter,
                "{path:?} exists and is not a report of Turncoat: {detail}. Nothing was changed; \
                 name another directory, or remove this one yourself."
            ),
            Self::Newer { path, found } => write!(
                formatter,
                "{path:?} holds a report of format version {found}, and this program knows \
                 versions up to {VERSION}. Nothing was changed; name another directory."
            ),
            Self::Write { path, error } => write!(
                formatter,
                "the report could not be written at {path:?}: {error}. Nothing that stood there \
                 was lost; free some space or name another directory, and run again."
            ),
            Self::Aside {
                path,
                old,
                new,
                error,
            } => write!(
                formatter,
                "the report could not be moved to {path:?}: {error}. The old report is at \
                 {old:?} and the new one at {new:?}; move one of them by hand."
            ),
        }
    }
}

impl core::error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Write { error, .. } | Self::Aside { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The acts on a file system that a report takes; tests let each of them fail.
trait Disk {
    fn make(&mut self, directory: &Path) -> io::Result<()>;
    fn write(&mut self, file: &Path, exporter: &dyn Exporter, results: &Results) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&mut self, directory: &Path) -> io::Result<()>;
}

struct RealDisk;

impl Disk for RealDisk {
    fn make(&mut self, directory: &Path) -> io::Result<()> {
        fs::create_dir(directory)
    }

    fn write(&mut self, file: &Path, exporter: &dyn Exporter, results: &Results) -> io::Result<()> {
        let mut writer = io::BufWriter::new(fs::File::create_new(file)?);
        exporter.export(results, &mut writer)?;
        writer.flush()?;
        writer.get_ref().sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, directory: &Path) -> io::Result<()> {
        fs::remove_dir_all(directory)
    }
}

/// Writes every format into `path`, which must be absent, empty, or an earlier report of ours.
///
/// The report is written beside `path` and moved there when it is complete. An earlier report is
/// moved aside first and removed last: a reader finds the old report, for a moment none, and then
/// the new one. A program that is killed in that moment leaves the old one beside, whole.
///
/// # Errors
///
/// [`DirectoryError`]; a failure leaves `path` as it was, or says where its report is.
pub fn write_directory(path: &Path, results: &Results) -> Result<(), DirectoryError> {
    write_on(&mut RealDisk, path, results)
}

/// Whether [`write_directory`] would accept `path`, so that a caller can ask before a long run.
///
/// # Errors
///
/// As [`write_directory`], as far as it can be told before there is a report: whether what stands
/// there is ours, and whether a directory can be made where the new one is to be. It is removed
/// again.
pub fn check_directory(path: &Path) -> Result<(), DirectoryError> {
    is_ours(path)?;
    let at = |error| DirectoryError::Write {
        path: path.to_owned(),
        error,
    };
    let absolute = std::path::absolute(path).map_err(at)?;
    let mut above = absolute.ancestors().skip(1);
    let Some(parent) = above.find(|parent| parent.exists()) else {
        return Ok(());
    };
    let probe = unused(&parent.join("report"), "probe").map_err(at)?;
    fs::create_dir(&probe).map_err(at)?;
    fs::remove_dir(&probe).map_err(at)
}

fn write_on(disk: &mut dyn Disk, path: &Path, results: &Results) -> Result<(), DirectoryError> {
    let at = |path: &Path, error| DirectoryError::Write {
        path: path.to_owned(),
        error,
    };
    let replaces = is_ours(path)?;
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).map_err(|error| at(parent, error))?;
    }
    let new = unused(path, "new").map_err(|error| at(path, error))?;
    disk.make(&new).map_err(|error| at(&new, error))?;
    let placed = fill(disk, &new, results).and_then(|()| place(disk, &new, path, replaces));
    if let Err(DirectoryError::Write { .. }) = placed {
        // The report is incomplete or has no place. If even this fails, a stray directory beside
        // the report is all that is left, and the first error is the one to tell.
        let _ = disk.remove(&new);
    }
    placed
}

fn fill(disk: &mut dyn Disk, new: &Path, results: &Results) -> Result<(), DirectoryError> {
    for exporter in exporters() {
        let file = new.join(exporter.file_name());
        disk.write(&file, exporter, results)
            .map_err(|error| DirectoryError::Write { path: file, error })?;
    }
    Ok(())
}

/// Moves a complete report to its place.
fn place(
    disk: &mut dyn Disk,
    new: &Path,
    path: &Path,
    replaces: bool,
) -> Result<(), DirectoryError> {
    let at = |error| DirectoryError::Write {
        path: path.to_owned(),
        error,
    };
    if !replaces {
        return disk.rename(new, path).map_err(at);
    }
    let old = unused(path, "old").map_err(at)?;
    disk.rename(path, &old).map_err(at)?;
    if let Err(error) = disk.rename(new, path) {
        return Err(match disk.rename(&old, path) {
            Ok(()) => at(error),
            Err(_) => DirectoryError::Aside {
                path: path.to_owned(),
                old,
                new: new.to_owned(),
                error,
            },
        });
    }
    // The new report stands. An old one that cannot be removed does no harm beside it.
    let _ = disk.remove(&old);
    Ok(())
}

/// A name beside `path` that nothing has.
fn unused(path: &Path, purpose: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path does not end in a name",
        )
    })?;
    for attempt in 0..1000_u32 {
        let mut beside = name.to_owned();
        beside.push(format!(
            ".turncoat-{purpose}-{}-{attempt}",
            std::process::id()
        ));
        let candidate = path.with_file_name(beside);
        if fs::symlink_metadata(&candidate).is_err() {
            return Ok(candidate);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "a thousand unfinished reports stand beside",
    ))
}

/// Whether a report of ours stands at `path`. Anything else there is an error.
fn is_ours(path: &Path) -> Result<bool, DirectoryError> {
    let not_ours = |detail: &str| DirectoryError::NotOurs {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            return Err(DirectoryError::Write {
                path: path.to_owned(),
                error,
            });
        }
        Ok(found) if found.is_symlink() => return Err(not_ours("it is a symbolic link")),
        Ok(found) if !found.is_dir() => return Err(not_ours("it is not a directory")),
        Ok(_) => {}
    }
    let at = |error| DirectoryError::Write {
        path: path.to_owned(),
        error,
    };
    let mut entries = fs::read_dir(path).map_err(at)?.peekable();
    if entries.peek().is_none() {
        // A directory takes the place of an empty one at once, and of no other.
        return Ok(false);
    }
    for entry in entries {
        let name = entry.map_err(at)?.file_name();
        // A file that somebody put beside a report would be lost with it.
        if !exporters()
            .iter()
            .any(|exporter| name == exporter.file_name())
        {
            return Err(not_ours(&format!("it holds {name:?}")));
        }
    }
    let marker = match fs::read(path.join(MARKER)) {
        Ok(marker) => marker,
        Err(_) => return Err(not_ours(&format!("it has no readable {MARKER}"))),
    };
    match version_of(&marker) {
        Ok(found) if found > VERSION => Err(DirectoryError::Newer {
            path: path.to_owned(),
            found,
        }),
        Ok(_) => Ok(true),
        Err(DecodeError::Torn { .. }) => Err(not_ours(&format!("its {MARKER} is cut short"))),
        Err(_) => Err(not_ours(&format!(
            "its {MARKER} is a file of something else"
        ))),
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
