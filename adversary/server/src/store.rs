//! A durable store: small objects in one embedded database, packs in files beside it.
//!
//! A pack is durable before the head that needs it: first the file and its folder are synced, then
//! the database commits. What a failure leaves between the two is a pack that nothing names.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use redb::{
    Database, DatabaseError, ReadableTable as _, StorageBackend, TableDefinition, TableError,
};
use turncoat_adversary::honest::reach::{Listed, unreached};
use turncoat_adversary::honest::storage::{Batch, Bytes, Key, Kind, Storage, StorageFault, part};
use turncoat_core::id::PackId;

pub use crate::shelf::{Disk, Folder, Shelf};

/// Why a store does not open.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoStore {
    /// Another server has it open.
    InUse,
    /// It was made by a newer version, or by something else.
    Foreign(String),
    /// The machine's.
    Machine(io::Error),
}

impl fmt::Display for NoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another server has this store open"),
            Self::Foreign(why) => write!(f, "this is no store that this version reads: {why}"),
            Self::Machine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NoStore {}

impl From<io::Error> for NoStore {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

impl From<DatabaseError> for NoStore {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::Storage(redb::StorageError::Io(error)) => Self::Machine(error),
            other => Self::Foreign(other.to_string()),
        }
    }
}

/// The version of the store's layout.
const LAYOUT: u64 = 3;
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");

/// What no head reached at the latest sweep.
const UNREACHED: TableDefinition<'_, &[u8], ()> = TableDefinition::new("unreached");

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that are gone.
    pub gone: usize,
    /// Objects that will be gone after the next sweep, if no head reaches them by then.
    pub waiting: usize,
}

/// The store.
#[derive(Clone)]
pub struct Durable {
    database: Arc<Kept>,
    packs: Arc<dyn Shelf>,
}

/// A database that is opened anew after the machine failed it once: it takes nothing more before.
struct Kept {
    /// How often it was opened; nothing while it does not open.
    open: RwLock<(u64, Option<Database>)>,
    again: Box<Again>,
}

/// Opens a database that is there.
type Again = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

impl Kept {
    fn new(database: Database, again: Box<Again>) -> Self {
        Self {
            open: RwLock::new((0, Some(database))),
            again,
        }
    }

    /// Runs something all of whose transactions end with it. What was refused for an earlier
    /// failure alone is tried again.
    ///
    /// What is read after a failure is what the machine says is in the file. A kernel that forgets
    /// pages which it could not write, and says so once, can make that more than the disk has: no
    /// program above it can tell.
    fn with<T>(&self, run: impl Fn(&Database) -> Result<T, Failed>) -> Result<T, Failed> {
        let once = || {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let (times, database) = &*open;
            let ran = database.as_ref().map_or_else(|| Err(stuck()), &run);
            (*times, ran)
        };
        let (times, ran) = match once() {
            (times, Err(Failed(error))) if matches!(*error, redb::Error::PreviousIo) => {
                self.reopen(times)?;
                once()
            }
            ran => ran,
        };
        if matches!(&ran, Err(Failed(error)) if matches!(**error, redb::Error::Io(_))) {
            // What failed may have been done all the same, while the database would go on to show
            // from memory what was before. If it does not open, it is tried again the next time.
            let _opened = self.reopen(times);
        }
        ran
    }

    /// Opens it anew, unless somebody did since it was opened so often.
    fn reopen(&self, times: u64) -> Result<(), Failed> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.0 == times {
            // Its file is free once it is gone. One that is missing by then is not made: an empty
            // store would look like a server that denies everything.
            open.1 = None;
            open.1 = Some((self.again)()?);
            open.0 += 1;
        }
        Ok(())
    }
}

impl Kept {
    /// Whether this version knows what is in it; a new one is given this version's layout.
    fn of_this_layout(&self) -> Result<(), NoStore> {
        match self.layout().map_err(foreign)? {
            LAYOUT => Ok(()),
            other => Err(NoStore::Foreign(format!(
                "its layout is {other}, and this version knows {LAYOUT}"
            ))),
        }
    }

    fn layout(&self) -> Result<u64, Failed> {
        self.with(|database| {
            let writing = database.begin_write()?;
            let layout = {
                let mut about = writing.open_table(ABOUT)?;
                let layout = about.get("layout")?.map(|found| found.value());
                if layout.is_none() {
                    about.insert("layout", LAYOUT)?;
                }
                layout.unwrap_or(LAYOUT)
            };
            writing.commit()?;
            Ok(layout)
        })
    }
}

fn stuck() -> Failed {
    Failed(Box::new(redb::Error::PreviousIo))
}

impl Durable {
    /// Opens the store in a folder, and makes it if the folder is empty or missing.
    ///
    /// # Errors
    ///
    /// [`NoStore`].
    pub fn open(folder: &Path) -> Result<Self, NoStore> {
        let packs = folder.join("packs");
        fs::create_dir_all(&packs)?;
        let path = folder.join("objects.redb");
        let is_lost = !fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if is_lost && fs::read_dir(&packs)?.next().is_some() {
            // An empty one would look like a server that denies everything.
            let why = "its database is lost, and its packs are there";
            return Err(NoStore::Foreign(why.to_owned()));
        }
        let database = Database::create(&path)?;
        File::open(folder)?.sync_all()?;
        let again = Box::new(move || Database::open(&path));
        let database = Kept::new(database, again);
        database.of_this_layout()?;
        let packs = Folder::of(packs);
        packs.tidy()?;
        Ok(Self::over(database, packs))
    }

    /// A store over a place and a shelf of the caller's. The place is opened now, and once more
    /// after each time that it failed: what was written there must be there.
    ///
    /// # Errors
    ///
    /// [`NoStore`].
    pub fn on<B: StorageBackend>(
        place: impl Fn() -> B + Send + Sync + 'static,
        packs: impl Shelf,
    ) -> Result<Self, NoStore> {
        let open = move || Database::builder().create_with_backend(place());
        let database = Kept::new(open()?, Box::new(open));
        database.of_this_layout()?;
        Ok(Self::over(database, packs))
    }

    fn over(database: Kept, packs: impl Shelf) -> Self {
        Self {
            database: Arc::new(database),
            packs: Arc::new(packs),
        }
    }

    /// A secret of this store's own: what `make` makes, the first time.
    ///
    /// # Errors
    ///
    /// [`NoStore`] if it can be neither read nor kept.
    pub fn secret(&self, make: impl FnOnce() -> [u8; 32]) -> Result<[u8; 32], NoStore> {
        let fresh = make();
        let secret = self.database.with(|database| {
            let writing = database.begin_write()?;
            let secret = {
                let mut secrets = writing.open_table(SECRETS)?;
                let found = secrets.get("server")?;
                let found = found.map(|found| found.value().try_into().ok());
                match found {
                    Some(secret) => secret,
                    None => {
                        secrets.insert("server", fresh.as_slice())?;
                        Some(fresh)
                    }
                }
            };
            writing.commit()?;
            Ok(secret)
        });
        let secret = secret.map_err(foreign)?;
        secret.ok_or_else(|| NoStore::Foreign("its secret has another length".to_owned()))
    }

    /// Everything that the store holds.
    ///
    /// # Errors
    ///
    /// [`NoStore`] if it cannot be read.
    pub fn all(&self) -> Result<Vec<(Key, Bytes)>, NoStore> {
        let mut all = self.objects().map_err(foreign)?;
        for name in self.packs.names()? {
            let id = id(&name).ok_or_else(|| NoStore::Foreign(format!("{name} is no pack")))?;
            if let Some(bytes) = self.packs.read(&name)? {
                all.push((Key::new(Kind::Pack, id), Bytes::from(bytes)));
            }
        }
        Ok(all)
    }

    /// Forgets what no head reached at the sweep before and none reaches now, unless it was used
    /// in between. Nothing else may be done to the store meanwhile. The time between two sweeps is
    /// the grace of readers that began under an earlier head, and of uploads that are under way; no
    /// clock is asked.
    ///
    /// # Errors
    ///
    /// [`StorageFault`] if anything that a head needs cannot be read, and then nothing is
    /// forgotten; or if what is forgotten cannot be removed, and then the next sweep sees to it.
    pub fn sweep(&mut self, used: &BTreeSet<PackId>) -> Result<Swept, StorageFault> {
        let unreached = unreached(self).map_err(|_| StorageFault)?;
        let is_used = |key: &Key| {
            let id = <[u8; 16]>::try_from(key.id.as_slice());
            key.kind == Kind::Pack && id.is_ok_and(|id| used.contains(&PackId(id)))
        };
        let noted = self.note_unreached(&unreached, is_used);
        let waited = noted.map_err(|_| StorageFault)?;
        let swept = Swept {
            gone: waited.len(),
            waiting: unreached.len() - waited.len(),
        };
        let mut batch = Batch::new();
        waited.into_iter().for_each(|key| batch.delete(key));
        self.apply(batch)?;
        Ok(swept)
    }

    /// Notes what no head reaches; returns what was noted before and not used since. That is not
    /// noted again: if it is written once more, it is new.
    fn note_unreached(
        &self,
        unreached: &BTreeSet<Key>,
        is_used: impl Fn(&Key) -> bool,
    ) -> Result<Vec<Key>, Failed> {
        self.database.with(|database| {
            let writing = database.begin_write()?;
            let mut waited = Vec::new();
            {
                let mut noted = writing.open_table(UNREACHED)?;
                let before: BTreeSet<Vec<u8>> = noted
                    .iter()?
                    .map(|row| row.map(|(name, _)| name.value().to_vec()))
                    .collect::<Result<_, _>>()?;
                noted.retain(|_, ()| false)?;
                for key in unreached {
                    let name = [key.kind.name().as_bytes(), b"/", &key.id].concat();
                    match before.contains(&name) && !is_used(key) {
                        true => waited.push(key.clone()),
                        false => {
                            noted.insert(name.as_slice(), ())?;
                        }
                    }
                }
            }
            writing.commit()?;
            Ok(waited)
        })
    }

    fn names_of(&self, kind: Kind) -> Result<Vec<Key>, Failed> {
        self.database.with(|database| {
            let reading = database.begin_read()?;
            let table = match reading.open_table(table(kind)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let rows = table.iter()?;
            rows.map(|row| Ok(Key::new(kind, row?.0.value()))).collect()
        })
    }

    fn objects(&self) -> Result<Vec<(Key, Bytes)>, Failed> {
        self.database.with(|database| {
            let reading = database.begin_read()?;
            let mut all = Vec::new();
            for &kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Pack) {
                let table = match reading.open_table(table(kind)) {
                    Err(TableError::TableDoesNotExist(_)) => continue,
                    table => table?,
                };
                for row in table.iter()? {
                    let (id, bytes) = row?;
                    all.push((Key::new(kind, id.value()), Bytes::from(bytes.value())));
                }
            }
            Ok(all)
        })
    }

    fn read(&self, key: &Key) -> Result<Option<Bytes>, Failed> {
        self.database.with(|database| {
            let reading = database.begin_read()?;
            let table = match reading.open_table(table(key.kind)) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            let found = table.get(key.id.as_slice())?;
            Ok(found.map(|found| Bytes::from(found.value())))
        })
    }

    fn write(&self, batch: Batch) -> Result<(), Failed> {
        let mut gone = Vec::new();
        let mut objects = Vec::new();
        for (key, bytes) in batch.into_changes() {
            match (key.kind, bytes) {
                (Kind::Pack, Some(bytes)) => self.packs.write(&name(&key), &bytes)?,
                (Kind::Pack, None) => gone.push(name(&key)),
                (_, bytes) => objects.push((key, bytes)),
            }
        }
        if !objects.is_empty() {
            // In the order of the tree's pages, and each table opened once; of two changes to one
            // object the later one still comes later.
            objects.sort_by(|(one, _), (other, _)| one.cmp(other));
            self.database.with(|database| {
                let writing = database.begin_write()?;
                for same_kind in objects.chunk_by(|(one, _), (other, _)| one.kind == other.kind) {
                    let Some((first, _)) = same_kind.first() else {
                        continue;
                    };
                    let mut table = writing.open_table(table(first.kind))?;
                    for (key, bytes) in same_kind {
                        match bytes {
                            Some(bytes) => table.insert(key.id.as_slice(), &**bytes)?,
                            None => table.remove(key.id.as_slice())?,
                        };
                    }
                }
                writing.commit()?;
                Ok(())
            })?;
        }
        // Only what nothing names any more; if this fails, a file is left over.
        for pack in gone {
            self.packs.remove(&pack)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").finish_non_exhaustive()
    }
}

impl Listed for Durable {
    fn keys(&self, kind: Kind) -> Result<Vec<Key>, StorageFault> {
        if kind != Kind::Pack {
            return self.names_of(kind).map_err(|_| StorageFault);
        }
        let names = self.packs.names().map_err(|_| StorageFault)?;
        // What has no name of a pack is somebody else's.
        let ids = names.iter().filter_map(|name| id(name));
        Ok(ids.map(|id| Key::new(kind, id)).collect())
    }
}

impl Storage for Durable {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        if key.kind == Kind::Pack {
            let pack = self.packs.read(&name(key)).map_err(|_| StorageFault)?;
            return Ok(pack.map(Bytes::from));
        }
        self.read(key).map_err(|_| StorageFault)
    }

    fn fetch_part(
        &self,
        key: &Key,
        offset: usize,
        size: usize,
    ) -> Result<Option<Vec<u8>>, StorageFault> {
        if key.kind == Kind::Pack {
            let found = self.packs.read_part(&name(key), offset, size);
            return found.map_err(|_| StorageFault);
        }
        // Everything else is small, and read whole.
        let whole = self.fetch(key)?;
        Ok(whole.map(|whole| part(&whole, offset, size).to_vec()))
    }

    fn put(&mut self, key: Key, bytes: &[u8]) -> Result<(), StorageFault> {
        if key.kind == Kind::Pack {
            let kept = self.packs.write(&name(&key), bytes);
            return kept.map_err(|_| StorageFault);
        }
        let mut batch = Batch::new();
        batch.put(key, bytes);
        self.apply(batch)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        self.write(batch).map_err(|_| StorageFault)
    }
}

fn table(kind: Kind) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(kind.name())
}

fn name(key: &Key) -> String {
    key.id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id behind a name.
fn id(name: &str) -> Option<Vec<u8>> {
    let digits = name.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    digits.collect()
}

/// The database's failure, or a shelf's.
struct Failed(Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

fn foreign(Failed(error): Failed) -> NoStore {
    match *error {
        redb::Error::Io(error) => NoStore::Machine(error),
        other => NoStore::Foreign(other.to_string()),
    }
}
