//! What a store keeps when its disk forgets all that was not synced, and what it may forget.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use turncoat_adversary::chooser::DeviceEntropy;
use turncoat_adversary::client::DeviceName;
use turncoat_adversary::honest::native::{Native, Settings};
use turncoat_adversary::honest::reach::Listed as _;
use turncoat_adversary::honest::storage::{Batch, Key, Kind, Storage as _};
use turncoat_adversary::pool;
use turncoat_core::env::Clock;
use turncoat_core::id::{PackId, Realm};
use turncoat_core::remote::{Lost, Remote, Unusable, Vault};
use turncoat_core::{Config, Error, Limits, Password, Ports, Session, Unavailable, danger};
use turncoat_server::shelf::{Disk, Folder};
use turncoat_server::store::{Durable, Swept};

const ITERATIONS: u32 = 1_000;

/// A disk: what programs see, what a loss of power leaves, and after how many more steps that is.
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
    deaf: Deaf,
}

/// To which syncs a disk does not listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Deaf {
    #[default]
    None,
    Files,
    Folders,
    Database,
}

/// The bytes of a file. Two names may lead to them.
type File = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;

#[derive(Clone, Debug, Default)]
struct Forgetful(Arc<Mutex<Platter>>);

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
    fn step(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let mut platter = self.look();
        match &mut platter.steps {
            Some(0) => return Err(gone()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(platter)
    }

    /// A disk of its own that has what a loss of power leaves of this one.
    fn after_power_loss(&self) -> Self {
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
            steps: None,
            deaf: Deaf::None,
        })))
    }

    /// A disk of its own that has all that this one has, and listens as told.
    fn copy(&self, steps: Option<u32>, deaf: Deaf) -> Self {
        let copy = self.after_power_loss();
        (copy.look().steps, copy.look().deaf) = (steps, deaf);
        copy
    }

    fn store(&self) -> Option<Durable> {
        let packs = Folder::on(self.clone(), PathBuf::from("packs"));
        Durable::on(self.clone(), packs).ok()
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
        self.step()?.files.insert(path.to_owned(), file);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.step()?;
        let file = platter.files.remove(from).ok_or_else(missing)?;
        platter.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        let removed = self.step()?.files.remove(file);
        removed.map(|_| ()).ok_or_else(missing)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<bool> {
        Ok(self.step()?.folders.insert(folder.to_owned()))
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
        let mut platter = self.step()?;
        if let Some(file) = platter.files.get(path) {
            if platter.deaf != Deaf::Files {
                let mut bytes = file.lock().expect("one thread");
                bytes.1 = bytes.0.clone();
            }
            return Ok(());
        }
        if platter.deaf == Deaf::Folders {
            return Ok(());
        }
        let here = |other: &Path| other.parent() == Some(path);
        platter.names.retain(|name, _| !here(name));
        let files = platter.files.clone().into_iter();
        platter.names.extend(files.filter(|(name, _)| here(name)));
        let folders = platter.folders.clone().into_iter();
        platter
            .kept_folders
            .extend(folders.filter(|name| here(name)));
        Ok(())
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
        self.step()?.database.0.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self, _: bool) -> io::Result<()> {
        let mut platter = self.step()?;
        if platter.deaf != Deaf::Database {
            platter.database.1 = platter.database.0.clone();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("the test is small");
        self.step()?.database.0[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// The rules over a store, without a socket between.
#[derive(Clone)]
struct Server(Rc<RefCell<(Native, Durable)>>);

impl Server {
    fn over(store: Durable) -> Self {
        let native = Native::new(Settings {
            secret: [7; 32],
            lifetime: [1; 32],
            iterations: ITERATIONS,
            limits: Limits::standard(),
        });
        Self(Rc::new(RefCell::new((native, store))))
    }
}

impl Remote for Server {
    async fn call(&mut self, request: Vec<u8>, _: u64) -> Result<Vec<u8>, Lost> {
        let (native, store) = &mut *self.0.borrow_mut();
        Ok(native.handle(store, &request).reply)
    }
}

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Option<Vec<u8>>>>);

impl Vault for Memory {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        Ok(self.0.borrow().clone())
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        *self.0.borrow_mut() = Some(state);
        Ok(())
    }
}

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

/// The client waits nowhere but in its doors, and these block.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("no door of this test waits"),
    }
}

type Device = Session<Server, Memory, DeviceEntropy, Still>;

fn ports(
    server: &Server,
    memory: &Memory,
    life: u32,
) -> Ports<Server, Memory, DeviceEntropy, Still> {
    let device = DeviceName::new("alice".to_owned(), "first".to_owned());
    Ports {
        remote: server.clone(),
        vault: memory.clone(),
        entropy: DeviceEntropy::new(1, &device, life),
        clock: Still,
    }
}

fn config() -> Config {
    Config {
        realm: Realm([7; 32]),
        policy: danger::policy(ITERATIONS, 10_000_000),
        limits: Limits::standard(),
    }
}

fn password() -> Password {
    Password::new(b"a password")
}

fn sign_up(server: &Server, memory: &Memory) -> Result<Device, Error> {
    let pooled = &pool::identities()[0];
    let identity = danger::identity(
        (&pooled.encryption.p, &pooled.encryption.q),
        (&pooled.signing.p, &pooled.signing.q),
    );
    let identity = identity.expect("the pool holds keys of suite 1");
    let ports = ports(server, memory, 0);
    now(danger::sign_up(
        ports,
        config(),
        b"alice",
        &password(),
        identity,
    ))
}

fn login(server: &Server, memory: &Memory, life: u32) -> Result<Device, Error> {
    now(Session::login(
        ports(server, memory, life),
        config(),
        b"alice",
        &password(),
    ))
}

/// Content that fills more than a segment, so that packs are sent ahead of the commit.
fn film() -> Vec<u8> {
    let words = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761));
    words.flat_map(u32::to_be_bytes).take(5 << 20).collect()
}

/// What alice does, one after the other; each is acknowledged before the next.
fn acts() -> Vec<(&'static [u8], Vec<u8>)> {
    vec![
        (b"film", film()),
        (b"notes", b"version 1".to_vec()),
        (b"notes", b"version 2".to_vec()),
    ]
}

/// The files that there should be after so many acts.
fn files(acts: &[(&'static [u8], Vec<u8>)]) -> BTreeMap<&'static [u8], Vec<u8>> {
    acts.iter().cloned().collect()
}

/// Whether a device finds these files and no others.
fn holds(disk: &Forgetful, memory: &Memory, files: &BTreeMap<&'static [u8], Vec<u8>>) -> bool {
    let Some(store) = disk.store() else {
        return false;
    };
    let Ok(mut alice) = login(&Server::over(store), memory, 9) else {
        return false;
    };
    let listed = now(alice.list()).map(|listing| listing.names.len());
    listed == Ok(files.len())
        && files.iter().all(|(name, content)| {
            now(alice.download_all(name)).is_ok_and(|(read, _)| read == *content)
        })
}

/// A disk on which alice did the first acts, and her device's memory.
fn prepared(count: usize) -> (Forgetful, Memory) {
    let (disk, memory) = (Forgetful::default(), Memory::default());
    let server = Server::over(disk.store().expect("a new store"));
    let mut alice = sign_up(&server, &memory).expect("a new user");
    for (name, content) in &acts()[..count] {
        now(alice.upload_all(name, content)).expect("it is stored");
    }
    (disk, memory)
}

#[test]
fn power_that_goes_at_any_step_takes_nothing_that_was_acknowledged() {
    let acts = acts();
    let mut cuts = 0;
    for done in 0..acts.len() {
        let (before, memory) = prepared(done);
        let (name, content) = &acts[done];
        for steps in 0.. {
            let disk = before.copy(Some(steps), Deaf::None);
            let memory = Memory(Rc::new(RefCell::new(memory.0.borrow().clone())));
            let acknowledged = disk.store().is_some_and(|store| {
                let server = Server::over(store);
                let alice = login(&server, &memory, 1);
                alice.is_ok_and(|mut alice| now(alice.upload_all(name, content)).is_ok())
            });
            let left = disk.after_power_loss();
            let is_there = holds(&left, &memory, &files(&acts[..=done]));
            match acknowledged {
                true => assert!(is_there, "{done} {steps}: it was acknowledged"),
                false => {
                    let as_before = holds(&left, &memory, &files(&acts[..done]));
                    assert!(is_there || as_before, "{done} {steps}: half of it is there");
                    cuts += 1;
                }
            }
            if acknowledged {
                break;
            }
        }
    }
    assert!(cuts > 30, "{cuts} steps are hardly all of them");
}

#[test]
fn a_disk_that_does_not_sync_loses_what_was_acknowledged() {
    let acts = acts();
    for deaf in [Deaf::None, Deaf::Files, Deaf::Folders, Deaf::Database] {
        let (before, memory) = prepared(0);
        let disk = before.copy(None, deaf);
        let server = Server::over(disk.store().expect("a store"));
        let mut alice = login(&server, &memory, 1).expect("a login");
        for (name, content) in &acts {
            now(alice.upload_all(name, content)).expect("it is acknowledged");
        }
        drop((alice, server));
        let kept = holds(&disk.after_power_loss(), &memory, &files(&acts));
        assert_eq!(kept, deaf == Deaf::None, "{deaf:?}");
    }
}

#[test]
fn what_no_head_reaches_goes_at_the_second_sweep() {
    let (disk, memory) = (Forgetful::default(), Memory::default());
    let mut store = disk.store().expect("a new store");
    let server = Server::over(store.clone());
    let mut alice = sign_up(&server, &memory).expect("a new user");
    let long = [b'n'; 300];
    now(alice.upload_all(&long, b"under a long name")).expect("it is stored");
    now(alice.upload_all(b"film", &film())).expect("it is stored");
    let packs = |store: &Durable| store.keys(Kind::Pack).expect("the disk is there").len();
    assert_eq!(packs(&store), 3);
    now(alice.upload_all(b"film", b"short")).expect("it is stored");
    now(alice.upload_all(b"other", b"also short")).expect("it is stored");
    now(alice.delete(b"other")).expect("it is deleted");
    assert_eq!(packs(&store), 5);

    let none = BTreeSet::new();
    let first = store.sweep(&none).expect("all is there");
    assert!(first.gone == 0 && first.waiting > 6, "{first:?}");
    let second = store.sweep(&none).expect("all is there");
    assert_eq!(second.gone, first.waiting);
    assert_eq!(packs(&store), 2);
    assert_eq!(store.sweep(&none), Ok(Swept::default()));
    let names = [(&long[..], &b"under a long name"[..]), (b"film", b"short")];
    for mut device in [alice, login(&server, &memory, 1).expect("a login")] {
        for (name, content) in names {
            assert_eq!(
                now(device.download_all(name)).expect("it is there").0,
                content
            );
        }
        now(device.append(b"film", b"")).expect("and goes on");
    }
}

#[test]
fn an_upload_under_way_has_a_grace_and_is_never_half_there() {
    let (disk, memory) = (Forgetful::default(), Memory::default());
    let mut store = disk.store().expect("a new store");
    let server = Server::over(store.clone());
    let mut alice = sign_up(&server, &memory).expect("a new user");
    let none = BTreeSet::new();

    // It ends between two sweeps: what waited is needed now.
    let mut uploading = alice.upload(b"film").expect("a name");
    now(uploading.write(&film())).expect("it is sent");
    assert_eq!(
        store.sweep(&none).expect("all is there"),
        Swept {
            gone: 0,
            waiting: 1
        }
    );
    now(uploading.finish()).expect("it is stored");
    assert_eq!(store.sweep(&none).expect("all is there").gone, 0);
    assert!(now(alice.download_all(b"film")).expect("it is there").0 == film());
    for _ in 0..2 {
        store.sweep(&none).expect("all is there");
    }

    // It is used between two sweeps.
    let before: BTreeSet<Key> = keys(&store);
    let mut uploading = alice.upload(b"film").expect("a name");
    now(uploading.write(&film())).expect("it is sent");
    let sent = keys(&store).difference(&before).next().cloned();
    let sent = sent
        .expect("a pack")
        .id
        .try_into()
        .expect("a name of a pack");
    let used = BTreeSet::from([PackId(sent)]);
    for used in [&none, &used, &used] {
        assert_eq!(store.sweep(used).expect("all is there").gone, 0);
    }
    now(uploading.finish()).expect("it is stored");

    // It takes longer than the grace: nothing is published without its content.
    let mut uploading = alice.upload(b"other").expect("a name");
    now(uploading.write(&film())).expect("it is sent");
    for _ in 0..2 {
        store.sweep(&none).expect("all is there");
    }
    let refused = now(uploading.finish());
    assert_eq!(refused, Err(Error::Unavailable(Unavailable::Withheld)));
    assert_eq!(
        now(alice.list()).expect("a listing").names,
        [b"film".to_vec()]
    );
    now(alice.upload_all(b"other", &film())).expect("and the next one is stored");
}

fn keys(store: &Durable) -> BTreeSet<Key> {
    let packs = store.keys(Kind::Pack).expect("the disk is there");
    packs.into_iter().collect()
}

#[test]
fn power_that_goes_within_a_sweep_takes_nothing_that_is_reached() {
    let (before, memory) = prepared(3);
    let mut store = before.store().expect("a store");
    store.sweep(&BTreeSet::new()).expect("all is there");
    drop(store);
    let kept = files(&acts());
    for steps in 0.. {
        let disk = before.copy(Some(steps), Deaf::None);
        let swept = disk.store().map(|mut store| store.sweep(&BTreeSet::new()));
        let swept = matches!(swept, Some(Ok(Swept { gone: 1.., .. })));
        let left = disk.after_power_loss();
        assert!(holds(&left, &memory, &kept), "{steps}");
        // What was cut off is done by those that follow.
        let mut store = left.store().expect("a store");
        for _ in 0..2 {
            store.sweep(&BTreeSet::new()).expect("all is there");
        }
        assert_eq!(keys(&store).len(), 3, "{steps}");
        drop(store);
        assert!(holds(&left, &memory, &kept), "{steps}");
        if swept {
            break;
        }
    }
}

#[test]
fn a_store_that_lost_something_deletes_nothing() {
    let (disk, memory) = (Forgetful::default(), Memory::default());
    let mut store = disk.store().expect("a new store");
    let server = Server::over(store.clone());
    let mut alice = sign_up(&server, &memory).expect("a new user");
    now(alice.upload_all(b"notes", b"version 1")).expect("it is stored");
    now(alice.upload_all(b"notes", b"version 2")).expect("it is stored");
    let objects = |store: &Durable| store.all().expect("it can be read").len();
    for kind in [Kind::Records, Kind::Node] {
        let reached = store.keys(kind).expect("it can be read");
        let unreached = turncoat_adversary::honest::reach::unreached(&store).expect("all is there");
        let key = reached.into_iter().find(|key| !unreached.contains(key));
        let key = key.expect("a head reaches one");
        let bytes = store
            .fetch(&key)
            .expect("it can be read")
            .expect("it is there");
        let mut batch = Batch::new();
        batch.delete(key.clone());
        store.apply(batch).expect("it can be written");
        let before = objects(&store);
        for _ in 0..3 {
            assert!(store.sweep(&BTreeSet::new()).is_err());
        }
        assert_eq!(objects(&store), before);
        let mut batch = Batch::new();
        batch.put(key, bytes);
        store.apply(batch).expect("it can be written");
    }
    for _ in 0..2 {
        store.sweep(&BTreeSet::new()).expect("all is there again");
    }
    let mut alice = login(&server, &memory, 1).expect("a login");
    assert_eq!(
        now(alice.download_all(b"notes")).expect("it is there").0,
        b"version 2"
    );
}
