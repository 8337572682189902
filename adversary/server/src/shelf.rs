//! Packs at rest: files in a folder for each first byte of their names, durable before they count.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// Where packs are kept.
pub trait Shelf: Send + Sync + 'static {
    /// The pack of this name, if it is there. What is found is durable: whoever sends it again is
    /// told that it is kept.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// The bytes of a pack from `offset` on, at most `size` of them, if it is there.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn read_part(&self, name: &str, offset: usize, size: usize) -> io::Result<Option<Vec<u8>>>;

    /// Keeps a pack. It is durable, and there as a whole, once this returns.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Forgets a pack; that there is none is no error.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all packs that are there as a whole.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn names(&self) -> io::Result<Vec<String>>;
}

/// What a folder of packs asks of a disk. Nothing lasts but what was synced: the bytes of a file
/// by its own path, and its name by that of the folder that it is in.
pub trait Disk: Send + Sync + 'static {
    /// Bytes of a file from `offset` on, at most `size`.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn read(&self, file: &Path, offset: usize, size: usize) -> io::Result<Vec<u8>>;

    /// Writes a file, in place of what has the name.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name, in place of what has it.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes a folder, unless it is there; says whether it was not.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn make_folder(&self, folder: &Path) -> io::Result<bool>;

    /// What is in a folder, and whether each is a folder.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>>;

    /// Makes a file's bytes, or a folder's names, outlast a loss of power.
    ///
    /// # Errors
    ///
    /// The machine's.
    fn sync(&self, path: &Path) -> io::Result<()>;
}

/// The machine's own disk.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Disk for Machine {
    fn read(&self, file: &Path, offset: usize, size: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        if offset > 0 {
            file.seek(io::SeekFrom::Start(offset as u64))?;
        }
        let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(size.min(there.saturating_sub(offset)));
        file.take(size as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(file, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<bool> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            made => made.map(|()| true),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        let entries = fs::read_dir(folder)?.map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, entry.file_type()?.is_dir()))
        });
        entries.collect()
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Packs as files.
pub struct Folder {
    root: PathBuf,
    disk: Box<dyn Disk>,
    /// Folders whose names may not last.
    unsynced: Mutex<BTreeSet<PathBuf>>,
    /// One for each folder, held for writing while a name is there that is not durable yet.
    naming: [RwLock<()>; FOLDERS],
}

/// Folders that packs lie in: one for each first byte of their names, and one for other names.
const FOLDERS: usize = 0x101;

impl Folder {
    /// The packs in a folder of this machine.
    #[must_use]
    pub fn of(root: PathBuf) -> Self {
        Self::on(Machine, root)
    }

    /// The packs in a folder of a disk.
    #[must_use]
    pub fn on(disk: impl Disk, root: PathBuf) -> Self {
        Self {
            root,
            disk: Box::new(disk),
            unsynced: Mutex::default(),
            naming: std::array::from_fn(|_| RwLock::default()),
        }
    }

    /// Removes what was being written when a server ended, and makes what it had not synced last.
    /// No other server may have the folder.
    ///
    /// # Errors
    ///
    /// The machine's.
    pub fn tidy(&self) -> io::Result<()> {
        for (folder, _) in self.disk.list(&self.root)?.into_iter().filter(|one| one.1) {
            let folder = self.root.join(folder);
            let files = self.disk.list(&folder)?.into_iter();
            for (name, _) in files.filter(|(name, _)| is_partial(name)) {
                self.disk.remove(&folder.join(name))?;
            }
            self.disk.sync(&folder)?;
        }
        self.disk.sync(&self.root)
    }

    /// Makes names last that may not, in the root and in a folder of it.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        // Held throughout, so that what comes to be doubtful meanwhile stays so.
        let mut unsynced = self.unsynced();
        for folder in [&self.root, folder] {
            if unsynced.contains(folder) {
                self.disk.sync(folder)?;
                unsynced.remove(folder);
            }
        }
        Ok(())
    }

    fn unsynced(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn naming(&self, name: &str) -> &RwLock<()> {
        let first = name.get(..2).map(|first| usize::from_str_radix(first, 16));
        let place = first.and_then(Result::ok).unwrap_or(FOLDERS - 1);
        &self.naming[place.min(FOLDERS - 1)]
    }

    fn place(&self, name: &str) -> (PathBuf, PathBuf) {
        let folder = self.root.join(name.get(..2).unwrap_or("xx"));
        let file = folder.join(name);
        (folder, file)
    }
}

/// How the name of a pack ends that is being written, and is none yet.
const PARTIAL: &str = "partial";

fn is_partial(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|end| end == PARTIAL)
}

fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

impl Shelf for Folder {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.read_part(name, 0, usize::MAX)
    }

    fn read_part(&self, name: &str, offset: usize, size: usize) -> io::Result<Option<Vec<u8>>> {
        let (folder, file) = self.place(name);
        let _named = self.naming(name).read();
        self.settle(&folder)?;
        if_there(self.disk.read(&file, offset, size))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (folder, file) = self.place(name);
        // What failed may have been done all the same.
        let made = self.disk.make_folder(&folder);
        if !matches!(made, Ok(false)) {
            self.unsynced().insert(self.root.clone());
        }
        made?;
        self.settle(&folder)?;
        let partial = file.with_extension(PARTIAL);
        let written = self.disk.write(&partial, bytes);
        if let Err(error) = written.and_then(|()| self.disk.sync(&partial)) {
            // A disk without room has it back.
            let _removed = self.disk.remove(&partial);
            return Err(error);
        }
        let _naming = self.naming(name).write();
        let renamed = self.disk.rename(&partial, &file);
        let named = renamed.and_then(|()| self.disk.sync(&folder));
        if named.is_err() {
            self.unsynced().insert(folder);
            let _removed = self.disk.remove(&partial);
        }
        named
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if_there(self.disk.remove(&self.place(name).1)).map(|_| ())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (folder, _) in self.disk.list(&self.root)?.into_iter().filter(|one| one.1) {
            let files = self.disk.list(&self.root.join(folder))?;
            let files = files.into_iter().map(|(name, _)| name);
            names.extend(files.filter(|name| !is_partial(name)));
        }
        names.sort();
        Ok(names)
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.root).finish()
    }
}
