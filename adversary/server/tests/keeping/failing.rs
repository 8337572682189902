//! A disk that fails once, or a server that is killed: what is acknowledged afterwards is kept too.

use std::collections::BTreeSet;

use turncoat_core::client::{Begun, Note};
use turncoat_core::wire::SegmentRecord;
use turncoat_core::{Error, Unavailable};

use super::disk::{Deaf, Fails, Forgetful};
use super::people::{Device, Memory, Server, acts, files, film, holds, login, now, prepared};

/// What a device notes of an upload, to go on with it.
type Noted = Option<(Begun, Vec<SegmentRecord>)>;

/// Stores a file. What an earlier try has sent is not sent again, if the server says that it is
/// there.
fn put(
    alice: &mut Device,
    (name, content): &(&[u8], Vec<u8>),
    noted: &mut Noted,
) -> Result<(), Error> {
    let before = noted.clone();
    let mut book = |note: Note<'_>| {
        match note {
            Note::Sealed(begun, record) => match noted {
                Some((known, records)) if *known == begun => records.push(record.clone()),
                _ => *noted = Some((begun, vec![record.clone()])),
            },
            Note::Spent => *noted = None,
        }
        Ok(())
    };
    let mut uploading = now(alice.upload_resumed(name, before, &mut book))?;
    now(uploading.write(content))?;
    now(uploading.finish())
}

/// Whether a device that remembers as much finds the files of so many acts.
fn is_as_of(disk: &Forgetful, memory: &Memory, count: usize) -> bool {
    holds(disk, &memory.copy(), &files(&acts()[..count]))
}

/// After how many acts something is written: the film, whose packs are sent ahead, and notes in
/// place of others.
const WRITTEN: [usize; 2] = [0, 2];

/// The packs that the files of so many acts need: two for the film, and one for the notes.
const NEEDED: [usize; 4] = [0, 2, 3, 3];

/// The files of packs that are left once all was swept that can be.
fn packs_left(disk: &Forgetful) -> usize {
    let mut store = disk.store().expect("nothing fails any more");
    for _ in 0..2 {
        store.sweep(&BTreeSet::new()).expect("all is there");
    }
    disk.files()
}

#[test]
fn a_disk_that_fails_once_takes_nothing_that_is_acknowledged() {
    let acts = acts();
    let mut failures = 0;
    for fails in [Fails::Once, Fails::Done] {
        for done in WRITTEN {
            let (before, remembered) = prepared(done);
            for steps in 0.. {
                let told = format!("{fails:?} {done} {steps}");
                let disk = before.failing(steps, fails);
                let memory = remembered.copy();
                // A server that does not start is started again.
                let store = disk.store().or_else(|| disk.store());
                let server = Server::over(store.expect("the disk fails once"));
                let mut alice = login(&server, &memory, 1).expect("nobody is to blame");
                let mut noted = None;
                if let Err(error) = put(&mut alice, &acts[done], &mut noted) {
                    assert_eq!(error, Error::Unavailable(Unavailable::Busy), "{told}");
                    let left = disk.after_power_loss();
                    let is_whole = |count| is_as_of(&left, &memory, count);
                    assert!(is_whole(done) || is_whole(done + 1), "{told}: half of it");
                    failures += 1;
                    put(&mut alice, &acts[done], &mut noted).expect("the disk is well again");
                }
                drop((alice, server));
                let left = disk.after_power_loss();
                assert!(is_as_of(&left, &memory, done + 1), "{told}: not kept");
                if !disk.has_failed() {
                    break;
                }
                assert_eq!(packs_left(&disk), NEEDED[done + 1], "{told}");
                assert!(is_as_of(&disk, &memory, done + 1), "{told}: swept");
            }
        }
    }
    assert!(failures > 60, "{failures} failures are hardly all");
}

#[test]
fn a_server_that_is_killed_at_any_step_goes_on_from_what_it_wrote() {
    let acts = acts();
    let mut ends = 0;
    for done in WRITTEN {
        let (before, remembered) = prepared(done);
        for steps in 0.. {
            let told = format!("{done} {steps}");
            let disk = before.copy(Some(steps), Deaf::None);
            let memory = remembered.copy();
            let mut noted = None;
            let acknowledged = disk.store().is_some_and(|store| {
                let server = Server::over(store);
                let alice = login(&server, &memory, 1);
                alice.is_ok_and(|mut alice| put(&mut alice, &acts[done], &mut noted).is_ok())
            });
            let disk = disk.after_end();
            if acknowledged {
                assert!(is_as_of(&disk, &memory, done + 1), "{told}: not kept");
                break;
            }
            let is_whole = |count| is_as_of(&disk.after_end(), &memory, count);
            assert!(is_whole(done) || is_whole(done + 1), "{told}: half of it");
            ends += 1;
            // The power may still go: what was written before the end is relied upon afterwards.
            let server = Server::over(disk.store().expect("it starts again"));
            let mut alice = login(&server, &memory, 2).expect("nobody is to blame");
            put(&mut alice, &acts[done], &mut noted).expect("it is stored");
            drop((alice, server));
            let left = disk.after_power_loss();
            assert!(is_as_of(&left, &memory, done + 1), "{told}: not kept");
            assert_eq!(packs_left(&disk), NEEDED[done + 1], "{told}");
        }
    }
    assert!(ends > 30, "{ends} ends are hardly all");
}

#[test]
fn a_disk_that_fails_once_within_a_sweep_takes_nothing_that_is_reached() {
    let all = acts().len();
    let (before, memory) = prepared(all);
    let none = BTreeSet::new();
    let mut store = before.store().expect("a store");
    store.sweep(&none).expect("all is there");
    drop(store);
    let mut failures = 0;
    for fails in [Fails::Once, Fails::Done] {
        for steps in 0.. {
            let told = format!("{fails:?} {steps}");
            let disk = before.failing(steps, fails);
            let store = disk.store().or_else(|| disk.store());
            let mut store = store.expect("the disk fails once");
            let swept = store.sweep(&none);
            let left = disk.after_power_loss();
            assert!(is_as_of(&left, &memory, all), "{told}: taken");
            if !disk.has_failed() {
                assert!(swept.is_ok_and(|swept| swept.gone > 0), "{told}");
                break;
            }
            failures += usize::from(swept.is_err());
            // What was cut off is done by those that follow, of the same server.
            for _ in 0..2 {
                store.sweep(&none).expect("the disk is well again");
            }
            assert_eq!(disk.files(), NEEDED[all], "{told}");
            drop(store);
            assert!(is_as_of(&disk, &memory, all), "{told}: taken later");
        }
    }
    assert!(failures > 10, "{failures} failures are hardly all");
}

#[test]
fn an_append_that_a_disk_failed_is_there_once_or_not_at_all() {
    let (before, remembered) = prepared(2);
    let (mut made, mut not_made) = (0, 0);
    for fails in [Fails::Once, Fails::Done] {
        for steps in 0.. {
            let told = format!("{fails:?} {steps}");
            let disk = before.failing(steps, fails);
            let memory = remembered.copy();
            let store = disk.store().or_else(|| disk.store());
            let server = Server::over(store.expect("the disk fails once"));
            let mut alice = login(&server, &memory, 1).expect("nobody is to blame");
            let appended = now(alice.append(b"notes", b", and 2"));
            let read = |device: &mut Device| {
                let read = now(device.download_all(b"notes"));
                String::from_utf8(read.expect("nobody is to blame").0).expect("it was text")
            };
            let there = read(&mut alice);
            match appended {
                Ok(()) => assert_eq!(there, "version 1, and 2", "{told}"),
                // The database may have what the disk said to have failed.
                Err(error) => {
                    assert_eq!(error, Error::Unavailable(Unavailable::Busy), "{told}");
                    match there.as_str() {
                        "version 1" => not_made += 1,
                        "version 1, and 2" => made += 1,
                        other => panic!("{told}: {other}"),
                    }
                }
            }
            if !disk.has_failed() {
                break;
            }
            now(alice.append(b"notes", b"!")).expect("the disk is well again");
            let mut again = login(&server, &memory, 2).expect("nobody is to blame");
            for device in [&mut alice, &mut again] {
                assert_eq!(read(device), format!("{there}!"), "{told}");
            }
        }
    }
    assert!(made > 0 && not_made > 3, "{made} made, {not_made} not");
}

#[test]
fn a_sweep_after_a_commit_that_a_disk_failed_takes_nothing_of_it() {
    let (before, remembered) = prepared(0);
    let none = BTreeSet::new();
    let (mut made, mut not_made) = (0, 0);
    for fails in [Fails::Once, Fails::Done] {
        for steps in 0.. {
            let told = format!("{fails:?} {steps}");
            let disk = before.copy(None, Deaf::None);
            let mut store = disk.store().expect("a store");
            let server = Server::over(store.clone());
            let mut alice = login(&server, &remembered.copy(), 1).expect("a login");
            let mut uploading = alice.upload(b"film").expect("a name");
            now(uploading.write(&film())).expect("it is sent");
            // The pack that was sent ahead waits for its head, or for the next sweep.
            assert!(store.sweep(&none).expect("all is there").waiting > 0);
            disk.fail(steps, fails);
            let finished = now(uploading.finish());
            let has_failed = disk.has_failed();
            disk.mend();
            store.sweep(&none).expect("the disk is well again");
            let names = now(alice.list()).expect("nobody is to blame").names;
            match (finished, names.len()) {
                (Ok(()), 1) => {}
                (Err(Error::Unavailable(Unavailable::Busy)), 0) => not_made += 1,
                (Err(Error::Unavailable(Unavailable::Busy)), 1) => made += 1,
                other => panic!("{told}: {other:?}"),
            }
            if names.len() == 1 {
                let read = now(alice.download_all(b"film"));
                assert!(read.expect("nobody is to blame").0 == film(), "{told}");
            }
            if !has_failed {
                break;
            }
        }
    }
    assert!(made > 0 && not_made > 3, "{made} made, {not_made} not");
}
