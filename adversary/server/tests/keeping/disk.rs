//! A disk that forgets all that was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use turncoat_server::shelf::{Disk, Folder};
use turncoat_server::store::Durable;

/// A disk: what programs see, what a loss of power leaves, and after how many more steps it fails.
#[derive(Clone, Debug, Default)]
struct Platter {
    files: BTreeMap<PathBuf, File>,
    folders: BTreeSet<PathBuf>,
    /// What names the synced folders have.
    names: BTreeMap<PathBuf, File>,
    kept_folders: BTreeSet<PathBuf>,
    /// The database's file, as it is seen and as it is kept.
    database: (Vec<u8>, Vec<u8>),
    steps: Option<u32>,
    fails: Fails,
    deaf: Deaf,
}

/// How the step fails that comes after so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fails {
    /// As do all that follow.
    #[default]
    Ever,
    /// By itself, and nothing came of it.
    Once,
    /// By itself, and it was done all the same.
    Done,
}

/// To which syncs a disk does not listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Deaf {
    #[default]
    None,
    Files,
    Folders,
    Database,
}

/// The bytes of a file. Two names may lead to them.
type File = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Forgetful(Arc<Mutex<Platter>>);

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Forgetful {
    fn look(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().expect("no test died with it")
    }

    /// One step that changes something.
    fn step<T>(&self, change: impl FnOnce(&mut Platter) -> io::Result<T>) -> io::Result<T> {
        let mut platter = self.look();
        match platter.steps {
            None => return change(&mut platter),
            Some(0) => {}
            Some(left) => {
                platter.steps = Some(left - 1);
                return change(&mut platter);
            }
        }
        if platter.fails != Fails::Ever {
            platter.steps = None;
        }
        if platter.fails == Fails::Done {
            change(&mut platter)?;
        }
        Err(gone())
    }

    /// Whether a step failed.
    pub(super) fn has_failed(&self) -> bool {
        let platter = self.look();
        match platter.fails {
            Fails::Ever => platter.steps == Some(0),
            Fails::Once | Fails::Done => platter.steps.is_none(),
        }
    }

    /// A disk of its own that has what a loss of power leaves of this one.
    pub(super) fn after_power_loss(&self) -> Self {
        let platter = self.look();
        let files = platter.names.iter().map(|(path, file)| {
            let kept = file.lock().expect("one thread").1.clone();
            (path.clone(), Arc::new(Mutex::new((kept.clone(), kept))))
        });
        let files: BTreeMap<PathBuf, File> = files.collect();
        let kept = platter.database.1.clone();
        Self(Arc::new(Mutex::new(Platter {
            names: files.clone(),
            files,
            folders: platter.kept_folders.clone(),
            kept_folders: platter.kept_folders.clone(),
            database: (kept.clone(), kept),
            ..Platter::default()
        })))
    }

    /// A disk of its own that has what a program which ends leaves of this one: all that it wrote,
    /// and what was not synced is lost with the power as before.
    pub(super) fn after_end(&self) -> Self {
        let mut platter = self.look().clone();
        // The bytes of a file are those of all its names.
        let mut copies: Vec<(File, File)> = Vec::new();
        let names = platter.files.values_mut();
        for file in names.chain(platter.names.values_mut()) {
            let copied = copies.iter().find(|(from, _)| Arc::ptr_eq(from, file));
            let copy = copied.map(|(_, to)| Arc::clone(to)).unwrap_or_else(|| {
                let bytes = file.lock().expect("no test died with it").clone();
                let to = Arc::new(Mutex::new(bytes));
                copies.push((Arc::clone(file), Arc::clone(&to)));
                to
            });
            *file = copy;
        }
        (platter.steps, platter.fails) = (None, Fails::Ever);
        Self(Arc::new(Mutex::new(platter)))
    }

    /// A disk of its own that has what a loss of power would leave of this one, and listens as
    /// told.
    pub(super) fn copy(&self, steps: Option<u32>, deaf: Deaf) -> Self {
        let copy = self.after_power_loss();
        (copy.look().steps, copy.look().deaf) = (steps, deaf);
        copy
    }

    /// The same, and a step of it fails by itself.
    pub(super) fn failing(&self, steps: u32, fails: Fails) -> Self {
        let copy = self.copy(None, Deaf::None);
        copy.fail(steps, fails);
        copy
    }

    /// From now on it fails, after so many steps.
    pub(super) fn fail(&self, steps: u32, fails: Fails) {
        let mut platter = self.look();
        (platter.steps, platter.fails) = (Some(steps), fails);
    }

    /// From now on it does not fail.
    pub(super) fn mend(&self) {
        self.look().steps = None;
    }

    /// The store of a server that starts.
    pub(super) fn store(&self) -> Option<Durable> {
        let packs = Folder::on(self.clone(), PathBuf::from("packs"));
        packs.tidy().ok()?;
        let disk = self.clone();
        Durable::on(move || disk.clone(), packs).ok()
    }

    /// How many files hold packs, or parts of them.
    pub(super) fn files(&self) -> usize {
        self.look().files.len()
    }
}

impl Disk for Forgetful {
    fn read(&self, file: &Path, offset: usize, size: usize) -> io::Result<Vec<u8>> {
        let platter = self.look();
        let file = platter.files.get(file).ok_or_else(missing)?;
        let bytes = &file.lock().expect("one thread").0;
        Ok(bytes.iter().skip(offset).take(size).copied().collect())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = Arc::new(Mutex::new((bytes.to_vec(), Vec::new())));
        self.step(|platter| {
            platter.files.insert(path.to_owned(), file);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|platter| {
            let file = platter.files.remove(from).ok_or_else(missing)?;
            platter.files.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.step(|platter| {
            let removed = platter.files.remove(file);
            removed.map(|_| ()).ok_or_else(missing)
        })
    }

    fn make_folder(&self, folder: &Path) -> io::Result<bool> {
        self.step(|platter| Ok(platter.folders.insert(folder.to_owned())))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        let platter = self.look();
        let here = |path: &&PathBuf| path.parent() == Some(folder);
        let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into());
        let folders = platter.folders.iter().filter(here).filter_map(name);
        let folders: Vec<(String, bool)> = folders.map(|name: String| (name, true)).collect();
        let files = platter.files.keys().filter(here).filter_map(name);
        Ok(folders
            .into_iter()
            .chain(files.map(|name| (name, false)))
            .collect())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|platter| {
            platter.sync(path);
            Ok(())
        })
    }
}

impl Platter {
    fn sync(&mut self, path: &Path) {
        if let Some(file) = self.files.get(path) {
            if self.deaf != Deaf::Files {
                let mut bytes = file.lock().expect("one thread");
                bytes.1 = bytes.0.clone();
            }
            return;
        }
        if self.deaf == Deaf::Folders {
            return;
        }
        let here = |other: &Path| other.parent() == Some(path);
        self.names.retain(|name, _| !here(name));
        let files = self.files.clone().into_iter();
        self.names.extend(files.filter(|(name, _)| here(name)));
        let folders = self.folders.clone().into_iter();
        self.kept_folders.extend(folders.filter(|name| here(name)));
    }
}

impl redb::StorageBackend for Forgetful {
    fn len(&self) -> io::Result<u64> {
        Ok(self.look().database.0.len() as u64)
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let offset = usize::try_from(offset).expect("the test is small");
        Ok(self.look().database.0[offset..offset + len].to_vec())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).expect("the test is small");
        self.step(|platter| {
            platter.database.0.resize(len, 0);
            Ok(())
        })
    }

    fn sync_data(&self, _: bool) -> io::Result<()> {
        self.step(|platter| {
            if platter.deaf != Deaf::Database {
                platter.database.1 = platter.database.0.clone();
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("the test is small");
        self.step(|platter| {
            platter.database.0[offset..offset + data.len()].copy_from_slice(data);
            Ok(())
        })
    }
}
