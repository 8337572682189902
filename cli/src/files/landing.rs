//! Files that appear under their names only once they are complete, verified and durable.

use std::collections::BTreeSet;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::interrupt;
use crate::status::Fault;

/// Files that get their names together, and their bytes, at most.
const TOGETHER_FILES: usize = 4096;
const TOGETHER_BYTES: usize = 64 << 20;

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> Fault + '_ {
    move |error| Fault::machine(format!("{}: {error}", path.display()))
}

/// Where a fetched file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// It appears here once it is complete.
    Place(PathBuf),
    /// It is written into what is there: a pipe or a device, which no file may replace.
    Stream(PathBuf),
}

/// The place that `--output` names. A link is followed; nothing but a plain file is ever replaced.
pub(super) fn target(path: &Path, force: bool) -> Result<Target, Fault> {
    let refused = |why: &str| Err(Fault::usage(format!("{}: {why}", path.display())));
    let Ok(here) = path.symlink_metadata() else {
        return Ok(Target::Place(path.to_owned()));
    };
    let Ok(there) = path.metadata() else {
        return refused("a link that leads nowhere; remove it, or name what it should lead to");
    };
    let kind = there.file_type();
    if kind.is_fifo() || kind.is_char_device() {
        return Ok(Target::Stream(path.to_owned()));
    }
    if !kind.is_file() {
        return refused(&no_place(kind));
    }
    if !force {
        return refused(TAKEN);
    }
    let place = match here.is_symlink() {
        true => path.canonicalize().map_err(failed(path))?,
        false => path.to_owned(),
    };
    Ok(Target::Place(place))
}

const TAKEN: &str = "it exists; say --force to replace it";

fn no_place(kind: FileType) -> String {
    let what = match () {
        () if kind.is_dir() => "a folder",
        () if kind.is_symlink() => "a link, which may lead out of this folder",
        () if kind.is_block_device() => "a block device",
        () => "no plain file",
    };
    format!("{what}; it is not replaced: say --output FILE")
}

/// Refuses to replace a file, unless told to, and anything else.
pub(super) fn vacant(path: &Path, force: bool) -> Result<(), Fault> {
    let refused = |why: &str| Err(Fault::usage(format!("{}: {why}", path.display())));
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => refused(&no_place(metadata.file_type())),
        Ok(_) if !force => refused(TAKEN),
        _ => Ok(()),
    }
}

/// A file that is being written beside its place. Dropped, it is gone, unless it is to be left.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) path: PathBuf,
    pub(super) place: PathBuf,
    /// It has its name, or a later run goes on with it.
    pub(super) left: bool,
}

impl Partial {
    pub(super) fn begin(place: &Path) -> io::Result<(Self, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Not made of the place's name, which may be as long as a name can be.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".turncoat-{}-{count}.partial", std::process::id());
        let path = place.with_file_name(name);
        interrupt::begun(&path);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(&path);
        let file = file.inspect_err(|_| interrupt::ended(&path))?;
        let partial = Self {
            path,
            place: place.to_owned(),
            left: false,
        };
        Ok((partial, file))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.left {
            // What is left over is no file of anybody's.
            let _ = fs::remove_file(&self.path);
        }
        interrupt::ended(&self.path);
    }
}

/// Gives files their names, and none of them twice.
#[derive(Debug)]
pub(super) struct Places {
    force: bool,
    /// Device and number of every file that landed: two names may be one here, where the case of
    /// letters does not count, or where a link leads from one folder into another.
    landed: BTreeSet<(u64, u64)>,
}

impl Places {
    pub(super) const fn new(force: bool) -> Self {
        Self {
            force,
            landed: BTreeSet::new(),
        }
    }

    /// Gives the file its name. Without `force`, nothing is replaced that came to be there since;
    /// what is replaced hands its permissions on.
    pub(super) fn name(&mut self, mut partial: Partial) -> Result<(), Fault> {
        let place = partial.place.clone();
        let failed = failed(&place);
        let there = place.symlink_metadata().ok();
        if let Some(there) = &there {
            if self.landed.contains(&(there.dev(), there.ino())) {
                let why = "another of the files has this name here already: it is one name with \
                           the other's; fetch it by itself with --output FILE";
                return Err(Fault::usage(format!("{}: {why}", place.display())));
            }
            vacant(&place, self.force)?;
            let kept = fs::set_permissions(&partial.path, there.permissions());
            kept.map_err(&failed)?;
        }
        let own = partial.path.symlink_metadata().map_err(&failed)?;
        let renamed = match self.force {
            true => fs::rename(&partial.path, &place),
            false => rename_to_nothing(&partial.path, &place),
        };
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Fault::usage(format!("{}: {TAKEN}", place.display())));
            }
            renamed => renamed.map_err(&failed)?,
        }
        partial.left = true;
        self.landed.insert((own.dev(), own.ino()));
        Ok(())
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

pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// What became of files that land together, by the numbers that they were given.
#[derive(Debug, Default)]
pub(super) struct Landed {
    pub(super) named: Vec<usize>,
    pub(super) failed: Vec<(usize, Fault)>,
}

/// Many small files, which land together.
#[derive(Debug)]
pub(super) struct Landing<'a> {
    places: &'a mut Places,
    waiting: Vec<(usize, Partial)>,
    bytes: usize,
    folders: BTreeSet<PathBuf>,
    landed: Landed,
}

impl<'a> Landing<'a> {
    pub(super) fn new(places: &'a mut Places) -> Self {
        Self {
            places,
            waiting: Vec::new(),
            bytes: 0,
            folders: BTreeSet::new(),
            landed: Landed::default(),
        }
    }

    /// Writes a file; it lands with the others, or fails alone. Fails if no other could land.
    pub(super) fn add(&mut self, number: usize, path: &Path, content: &[u8]) -> Result<(), Fault> {
        if let Err(fault) = self.write(number, path, content) {
            self.landed.failed.push((number, fault));
        }
        if self.waiting.len() >= TOGETHER_FILES || self.bytes >= TOGETHER_BYTES {
            self.land()?;
        }
        Ok(())
    }

    fn write(&mut self, number: usize, path: &Path, content: &[u8]) -> Result<(), Fault> {
        let failed = failed(path);
        let folder = folder_of(path);
        if !self.folders.contains(folder) {
            fs::create_dir_all(folder).map_err(&failed)?;
            self.folders.insert(folder.to_owned());
        }
        let (partial, mut file) = Partial::begin(path).map_err(&failed)?;
        file.write_all(content).map_err(&failed)?;
        self.waiting.push((number, partial));
        self.bytes = self.bytes.saturating_add(content.len());
        Ok(())
    }

    /// Makes everything durable, and then gives it its names.
    pub(super) fn land(&mut self) -> Result<(), Fault> {
        self.synced()?;
        self.bytes = 0;
        for (number, partial) in self.waiting.drain(..) {
            match self.places.name(partial) {
                Ok(()) => self.landed.named.push(number),
                Err(fault) => self.landed.failed.push((number, fault)),
            }
        }
        for folder in &self.folders {
            synced_folder(folder)?;
        }
        Ok(())
    }

    /// What became of the files so far. Those that have no name yet never get it.
    pub(super) fn end(self) -> Landed {
        self.landed
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
        for (_, partial) in &self.waiting {
            let file = File::open(&partial.path);
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(failed(&partial.path))?;
        }
        Ok(())
    }
}

pub(super) fn synced_folder(folder: &Path) -> Result<(), Fault> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))
}

#[cfg(test)]
mod tests {
    use super::super::large::Large;
    use super::{Landing, Places, Target, target, vacant};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use nix::sys::stat::Mode;

    fn names(folder: &Path) -> Vec<String> {
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
        let mut places = Places::new(false);
        let mut landing = Landing::new(&mut places);
        landing.add(0, &folder.path().join("a/one"), b"1").unwrap();
        landing.add(1, &folder.path().join("a/two"), b"2").unwrap();
        let at = folder.path().join("a");
        assert!(names(&at).iter().all(|name| name.ends_with(".partial")));
        landing.land().unwrap();
        assert_eq!(names(&at), ["one", "two"]);
        assert_eq!(fs::read(at.join("two")).unwrap(), b"2");
        landing.add(2, &at.join("three"), b"3").unwrap();
        assert_eq!(landing.end().named, [0, 1]);
        assert_eq!(names(&at), ["one", "two"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_by_force_and_hands_its_permissions_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(vacant(&path, false).is_err());
        vacant(&path, true).unwrap();
        for (force, content) in [(false, b"old"), (true, b"new")] {
            let mut places = Places::new(force);
            let mut landing = Landing::new(&mut places);
            landing.add(0, &path, b"new").unwrap();
            landing.land().unwrap();
            let landed = landing.end();
            assert_eq!(landed.named.is_empty(), !force);
            assert_eq!(landed.failed.is_empty(), force);
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(names(folder.path()), ["file"]);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_but_a_plain_file_is_replaced_by_force() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("file"), b"old").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nowhere", at("astray")).unwrap();
        symlink("folder", at("door")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        for name in ["folder", "link", "astray", "door", "pipe"] {
            let why = vacant(&at(name), true).unwrap_err();
            assert!(why.shown().contains("not replaced"), "{name}: {why:?}");
        }
        for name in ["folder", "astray", "door"] {
            assert!(target(&at(name), true).is_err(), "{name}");
        }
        let real = root.path().canonicalize().unwrap().join("file");
        assert_eq!(target(&at("link"), true), Ok(Target::Place(real)));
        assert!(target(&at("link"), false).is_err());
        assert_eq!(target(&at("pipe"), true), Ok(Target::Stream(at("pipe"))));
        let null = Path::new("/dev/null");
        assert_eq!(target(null, false), Ok(Target::Stream(null.to_owned())));
        assert_eq!(target(&at("new"), false), Ok(Target::Place(at("new"))));
    }

    #[test]
    fn two_names_that_are_one_here_do_not_replace_each_other() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        for force in [false, true] {
            let mut places = Places::new(force);
            let mut landing = Landing::new(&mut places);
            landing
                .add(0, &root.path().join("a/file"), b"first")
                .unwrap();
            landing
                .add(1, &root.path().join("b/file"), b"second")
                .unwrap();
            landing.land().unwrap();
            let landed = landing.end();
            assert_eq!((landed.named, landed.failed.len()), (vec![0], 1));
            let large = Large::begin(&root.path().join("b/file")).unwrap();
            large.add(b"third".to_vec());
            assert!(large.land(&mut places).is_err());
            assert_eq!(fs::read(root.path().join("a/file")).unwrap(), b"first");
            fs::remove_file(root.path().join("a/file")).unwrap();
        }
    }
}
