//! Files that appear under their names only once they are complete, verified and durable.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::status::Fault;

/// Files that get their names together, and their bytes, at most.
const TOGETHER_FILES: usize = 4096;
const TOGETHER_BYTES: usize = 64 << 20;
/// Bytes after which what was written is pushed to the disk, so that little is left at the end.
const PUSHED: u64 = 32 << 20;
/// Pieces that may wait for the disk; each is as large as a pack.
const WAITING: usize = 2;

fn failed(path: &Path) -> impl Fn(io::Error) -> Fault + '_ {
    move |error| Fault::machine(format!("{}: {error}", path.display()))
}

/// Refuses to replace a file, unless told to.
pub(super) fn vacant(path: &Path, force: bool) -> Result<(), Fault> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(Fault::usage(format!(
            "{}: it exists; say --force to replace it",
            path.display()
        )));
    }
    Ok(())
}

/// A file that is being written beside its place. Dropped, it is gone.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
    place: PathBuf,
    named: bool,
}

impl Partial {
    fn begin(place: &Path) -> io::Result<(Self, File)> {
        let mut name = OsString::from(".");
        name.push(place.file_name().unwrap_or(OsStr::new("file")));
        name.push(format!(".{}.partial", std::process::id()));
        let path = place.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        let partial = Self {
            path,
            place: place.to_owned(),
            named: false,
        };
        Ok((partial, file))
    }

    /// Gives the file its name. Without `force`, nothing is replaced that came to be there since.
    fn name(mut self, force: bool) -> io::Result<()> {
        match force {
            true => fs::rename(&self.path, &self.place)?,
            false => rename_to_nothing(&self.path, &self.place)?,
        }
        self.named = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.named {
            // What is left over is no file of anybody's.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    let flags = RenameFlags::RENAME_NOREPLACE;
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) {
        // Not every file system knows how.
        Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => link_to_nothing(from, to),
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    link_to_nothing(from, to)
}

fn link_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Many small files, which land together.
#[derive(Debug)]
pub(super) struct Landing {
    force: bool,
    waiting: Vec<Partial>,
    bytes: usize,
    folders: BTreeSet<PathBuf>,
}

impl Landing {
    pub(super) const fn new(force: bool) -> Self {
        Self {
            force,
            waiting: Vec::new(),
            bytes: 0,
            folders: BTreeSet::new(),
        }
    }

    /// Writes a file; it lands with the others.
    pub(super) fn add(&mut self, path: &Path, content: &[u8]) -> Result<(), Fault> {
        let failed = failed(path);
        let folder = folder_of(path);
        if !self.folders.contains(folder) {
            fs::create_dir_all(folder).map_err(&failed)?;
            self.folders.insert(folder.to_owned());
        }
        let (partial, mut file) = Partial::begin(path).map_err(&failed)?;
        // Taken in before the content is: a failure below removes it.
        self.waiting.push(partial);
        file.write_all(content).map_err(&failed)?;
        self.bytes = self.bytes.saturating_add(content.len());
        if self.waiting.len() >= TOGETHER_FILES || self.bytes >= TOGETHER_BYTES {
            self.land()?;
        }
        Ok(())
    }

    /// Makes everything durable, and then gives it its names.
    pub(super) fn land(&mut self) -> Result<(), Fault> {
        self.synced()?;
        self.bytes = 0;
        for partial in self.waiting.drain(..) {
            let place = partial.place.clone();
            partial.name(self.force).map_err(failed(&place))?;
        }
        for folder in &self.folders {
            synced_folder(folder)?;
        }
        Ok(())
    }

    /// One sync for a file system costs less than one for each of thousands of files.
    #[cfg(target_os = "linux")]
    fn synced(&self) -> Result<(), Fault> {
        for folder in &self.folders {
            let failed = failed(folder);
            let opened = File::open(folder).map_err(&failed)?;
            nix::unistd::syncfs(&opened).map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn synced(&self) -> Result<(), Fault> {
        for partial in &self.waiting {
            let file = File::open(&partial.path);
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(failed(&partial.path))?;
        }
        Ok(())
    }
}

fn synced_folder(folder: &Path) -> Result<(), Fault> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))
}

/// One large file, written and synced beside the work that makes it.
#[derive(Debug)]
pub(super) struct Large {
    partial: Partial,
    file: File,
    pieces: SyncSender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

impl Large {
    pub(super) fn begin(path: &Path) -> Result<Self, Fault> {
        let failed = failed(path);
        fs::create_dir_all(folder_of(path)).map_err(&failed)?;
        let (partial, file) = Partial::begin(path).map_err(&failed)?;
        let (pieces, written) = sync_channel(WAITING);
        let own = file.try_clone().map_err(&failed)?;
        let writer = std::thread::Builder::new().name("writer".to_owned());
        let writer = writer.spawn(move || write_all(own, &written));
        Ok(Self {
            partial,
            file,
            pieces,
            writer: writer.map_err(&failed)?,
        })
    }

    /// Adds a piece. A failure of the disk may come to light later, but before the file has its
    /// name.
    pub(super) fn add(&self, piece: Vec<u8>) {
        // The writer ends early only where it failed, and says so at the end.
        let _ = self.pieces.send(piece);
    }

    /// Makes it durable and gives it its name.
    pub(super) fn land(self, force: bool) -> Result<(), Fault> {
        let Self {
            partial,
            file,
            pieces,
            writer,
        } = self;
        let place = partial.place.clone();
        let failed = failed(&place);
        drop(pieces);
        let written = writer.join();
        written
            .unwrap_or_else(|_| Err(io::Error::other("the writer stopped")))
            .and_then(|()| file.sync_all())
            .and_then(|()| partial.name(force))
            .map_err(&failed)?;
        synced_folder(folder_of(&place))
    }
}

fn write_all(mut file: File, pieces: &Receiver<Vec<u8>>) -> io::Result<()> {
    let (push, pushes) = sync_channel::<()>(1);
    let own = file.try_clone()?;
    let pusher = std::thread::Builder::new().name("pusher".to_owned());
    let pusher = pusher.spawn(move || {
        // A failure comes up again when all is synced in the end.
        while pushes.recv().is_ok() && own.sync_data().is_ok() {}
    })?;
    let mut since = 0;
    while let Ok(piece) = pieces.recv() {
        file.write_all(&piece)?;
        since += piece.len() as u64;
        if since >= PUSHED && push.try_send(()).is_ok() {
            since = 0;
        }
    }
    drop(push);
    // It holds a handle of the file and nothing else.
    let _ = pusher.join();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Landing, Large, vacant};
    use std::fs;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn files_have_their_names_only_once_they_land() {
        let folder = tempfile::tempdir().unwrap();
        let mut landing = Landing::new(false);
        landing.add(&folder.path().join("a/one"), b"1").unwrap();
        landing.add(&folder.path().join("a/two"), b"2").unwrap();
        let at = folder.path().join("a");
        assert!(names(&at).iter().all(|name| name.ends_with(".partial")));
        landing.land().unwrap();
        assert_eq!(names(&at), ["one", "two"]);
        assert_eq!(fs::read(at.join("two")).unwrap(), b"2");
        landing.add(&at.join("three"), b"3").unwrap();
        drop(landing);
        assert_eq!(names(&at), ["one", "two"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"old").unwrap();
        assert!(vacant(&path, false).is_err());
        vacant(&path, true).unwrap();
        let mut landing = Landing::new(false);
        landing.add(&path, b"new").unwrap();
        assert!(landing.land().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);
        let mut landing = Landing::new(true);
        landing.add(&path, b"new").unwrap();
        landing.land().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_large_file_lands_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/large");
        let large = Large::begin(&path).unwrap();
        for byte in 0..40 {
            large.add(vec![byte; 1 << 20]);
        }
        large.land(false).unwrap();
        let content = fs::read(&path).unwrap();
        assert!(
            content
                .chunks(1 << 20)
                .zip(0..40)
                .all(|(piece, byte)| piece == vec![byte; 1 << 20])
        );
        assert_eq!(content.len(), 40 << 20);
        let cut = Large::begin(&path.with_file_name("cut")).unwrap();
        cut.add(vec![1]);
        drop(cut);
        assert_eq!(names(path.parent().unwrap()), ["large"]);
    }
}
