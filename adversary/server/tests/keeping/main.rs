//! What a store keeps when its disk forgets all that was not synced, and what it may forget.

mod disk;
mod failing;
mod naming;
mod people;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use redb::{Database, ReadableTable as _, TableDefinition};
use turncoat_adversary::honest::reach::Listed as _;
use turncoat_adversary::honest::storage::{Batch, Key, Kind, Storage as _};
use turncoat_core::id::PackId;
use turncoat_core::{Error, Unavailable};
use turncoat_server::store::{Durable, NoStore, Swept};

use disk::{Deaf, Forgetful};
use people::{Memory, Server, acts, files, film, holds, login, now, prepared, sign_up};

#[test]
fn power_that_goes_at_any_step_takes_nothing_that_was_acknowledged() {
    let acts = acts();
    let mut cuts = 0;
    for done in 0..acts.len() {
        let (before, memory) = prepared(done);
        let (name, content) = &acts[done];
        for steps in 0.. {
            let disk = before.copy(Some(steps), Deaf::None);
            let memory = memory.copy();
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

#[test]
fn a_store_of_another_version_or_a_torn_one_is_named_and_not_touched() {
    const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
    let folder = tempfile::tempdir().unwrap();
    drop(Durable::open(folder.path()).unwrap());
    let path = folder.path().join("objects.redb");
    let refused = |said: &str| match Durable::open(folder.path()) {
        Err(NoStore::Foreign(why)) => assert!(why.contains(said), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a store of another version was opened"),
    };
    let own = layout(&path, ABOUT, None);
    for other in [own - 1, own + 1, u64::MAX] {
        layout(&path, ABOUT, Some(other));
        refused(&format!(
            "its layout is {other}, and this version knows {own}"
        ));
        assert_eq!(layout(&path, ABOUT, None), other);
    }
    layout(&path, ABOUT, Some(own));
    drop(Durable::open(folder.path()).unwrap());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..100]).unwrap();
    assert!(Durable::open(folder.path()).is_err());
    assert_eq!(fs::read(&path).unwrap(), whole[..100]);
    // Beside packs, a database that is gone is not made anew.
    let pack = folder.path().join("packs/ab");
    fs::create_dir(&pack).unwrap();
    fs::write(&path, b"").unwrap();
    refused("its database is lost");
    fs::remove_file(&path).unwrap();
    refused("its database is lost");
    assert!(!path.exists());
    fs::remove_dir(&pack).unwrap();
    drop(Durable::open(folder.path()).unwrap());
    fs::write(&path, b"somebody else's file, which is no database").unwrap();
    assert!(Durable::open(folder.path()).is_err());
    assert_eq!(
        fs::read(&path).unwrap(),
        b"somebody else's file, which is no database"
    );
}

/// The layout that a store says to have, after it was given another one.
fn layout(path: &Path, about: TableDefinition<'_, &str, u64>, other: Option<u64>) -> u64 {
    let database = Database::open(path).expect("a database");
    let writing = database.begin_write().expect("a transaction");
    let layout = {
        let mut table = writing.open_table(about).expect("a table");
        if let Some(other) = other {
            table.insert("layout", other).expect("it is written");
        }
        table
            .get("layout")
            .expect("it is read")
            .expect("it is there")
            .value()
    };
    writing.commit().expect("it is durable");
    layout
}
