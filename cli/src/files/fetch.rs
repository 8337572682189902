//! Files out of the store.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use serde_json::json;
use turncoat_core::Error;

use super::Get;
use super::connect::{Client, Connected, Fetching, now};
use super::content::{Moved, RESUMED, did, present};
use super::gather::is_standard;
use super::interrupt;
use super::landing::{Landed, Landing, Places, Target, target, vacant};
use super::large::Large;
use super::names::{given, local, shown};
use super::progress::Progress;
use super::report::Report;
use super::told::fault;
use crate::status::Fault;

pub(super) fn login_to_get(get: &Get) -> Result<Connected, Fault> {
    if get.output.is_some() && (get.names.len() != 1 || get.recursive) {
        return Err(Fault::usage("--output is for one file"));
    }
    match &get.output {
        Some(path) if is_standard(path) && get.account.json => {
            return Err(Fault::usage(
                "standard output is the content: leave --json out",
            ));
        }
        Some(path) if is_standard(path) => {}
        Some(path) => drop(target(path, get.force)?),
        None => {
            for name in &get.names {
                let name = given(name)?;
                if !get.recursive {
                    vacant(&local(name)?, get.force)?;
                }
            }
        }
    }
    get.account.login(false)
}

fn note(report: &mut Report, name: &[u8], moved: Moved, monotone: bool) {
    did(
        report,
        "fetched",
        name,
        moved,
        json!({ "monotone": monotone }),
    );
}

pub(super) fn get(
    client: &mut Client,
    get: &Get,
    output: &mut impl Write,
    report: &mut Report,
) -> Result<(), Fault> {
    let mut places = Places::new(get.force);
    match (&get.output, get.names.as_slice()) {
        (Some(path), [name]) if is_standard(path) => {
            let failed = |error| Fault::output(&error);
            fetch(client, given(name)?, |piece| {
                let written = output.write_all(&piece);
                written.map(|()| piece).map_err(failed)
            })
            .map(drop)
        }
        (Some(path), [name]) => {
            let name = given(name)?;
            match target(path, get.force)? {
                Target::Place(path) => to_file(client, name, &path, &mut places, report),
                Target::Stream(path) => to_stream(client, name, &path, report),
            }
        }
        _ => {
            let names = match get.recursive {
                true => below(client, get)?,
                false => {
                    let names = present(client, "get", &get.names, report)?;
                    names.into_iter().map(<[u8]>::to_vec).collect()
                }
            };
            many(client, &names, &mut places, get.force, report)
        }
    }
}

/// The names that were given, and all that are below one of them.
fn below(client: &mut Client, get: &Get) -> Result<Vec<Vec<u8>>, Fault> {
    let listing = now(client.list_to_read()).map_err(|error| fault("get", &error))?;
    let given: Vec<&[u8]> = get
        .names
        .iter()
        .map(|name| given(name))
        .collect::<Result<_, _>>()?;
    let is_below = |name: &[u8], given: &[u8]| {
        let end = given.iter().rposition(|byte| *byte != b'/');
        let given = given
            .get(..end.map_or(0, |end| end + 1))
            .unwrap_or_default();
        let rest = name.strip_prefix(given);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    if let Some(nothing) = given
        .iter()
        .find(|given| !listing.names.iter().any(|name| is_below(name, given)))
    {
        return Err(Fault::usage(format!(
            "get {}: there is nothing of that name; turncoat ls shows what there is",
            shown(nothing)
        )));
    }
    let mut names = listing.names;
    names.retain(|name| given.iter().any(|given| is_below(name, given)));
    Ok(names)
}

/// Where each name belongs. What cannot be kept here under its name fails alone.
fn places_of(
    names: &[Vec<u8>],
    force: bool,
    report: &mut Report,
) -> Result<Vec<(Vec<u8>, PathBuf)>, Fault> {
    let all: BTreeSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut kept = Vec::new();
    for name in names {
        let above = name.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = above.filter_map(|(end, _)| name.get(..end));
        let place = match above.find(|above| all.contains(above)) {
            Some(file) => Err(Fault::usage(format!(
                "{}: {} is a file, and cannot be a folder as well; say --output FILE",
                shown(name),
                shown(file)
            ))),
            None => local(name),
        };
        match place {
            Ok(path) => {
                vacant(&path, force)?;
                kept.push((name.clone(), path));
            }
            Err(fault) => report.failed(name, fault),
        }
    }
    Ok(kept)
}

/// Small files come together; what is left is fetched one by one.
fn many(
    client: &mut Client,
    names: &[Vec<u8>],
    places: &mut Places,
    force: bool,
    report: &mut Report,
) -> Result<(), Fault> {
    let files = places_of(names, force, report)?;
    let mut rest: Vec<usize> = (0..files.len()).collect();
    if files.len() > 1 {
        let slices: Vec<&[u8]> = files.iter().map(|(name, _)| name.as_slice()).collect();
        let monotone = client.opened().monotone;
        let mut sizes = vec![0; files.len()];
        let progress = Progress::new(None);
        let paths = files.iter().map(|(_, path)| path.as_path()).collect();
        let (came, disk, landed) = landing(places, paths, |land| {
            now(client.download_many(&slices, |number, content| {
                sizes[number] = content.len() as u64;
                progress.add(sizes[number]);
                land(number, content);
            }))
        })?;
        let monotone = came
            .as_ref()
            .map_or(monotone, |came| came.freshness.monotone);
        for number in landed.named {
            let size = sizes[number];
            note(report, &files[number].0, Moved::all(size), monotone);
        }
        for (number, fault) in landed.failed {
            report.failed(&files[number].0, fault);
        }
        rest = came.map_err(|error| fault("get", &error))?.rest;
        disk?;
    }
    for number in rest {
        let (name, path) = &files[number];
        to_file(client, name, path, places, report)?;
    }
    report.end("get")
}

/// Bytes of small files, and files, that are handed to the disk at a time.
const HANDED_BYTES: usize = 512 << 10;
const HANDED_FILES: usize = 256;

/// Has small files land on a thread of their own while `fetch` waits for the server and verifies
/// what comes. What came before either failed is whole, and stays.
fn landing<T>(
    places: &mut Places,
    paths: Vec<&Path>,
    fetch: impl FnOnce(&mut dyn FnMut(usize, Vec<u8>)) -> T,
) -> Result<(T, Result<(), Fault>, Landed), Fault> {
    thread::scope(|scope| {
        // Few at a time: what waits for the disk waits in memory.
        let (hand, handed) = mpsc::sync_channel::<Vec<(usize, Vec<u8>)>>(2);
        let writer = thread::Builder::new().name("landing".to_owned());
        let writer = writer.spawn_scoped(scope, move || {
            let mut landing = Landing::new(places);
            let mut disk = Ok(());
            // After a failure of the disk the rest is of no use.
            for (number, content) in handed.iter().flatten() {
                disk = landing.add(number, paths[number], &content);
                if disk.is_err() {
                    break;
                }
            }
            drop(handed);
            (disk.and_then(|()| landing.land()), landing.end())
        });
        let writer = writer.map_err(|error| Fault::machine(format!("no thread: {error}")))?;
        let (mut batch, mut size) = (Vec::new(), 0);
        let came = fetch(&mut |number, content: Vec<u8>| {
            size += content.len();
            batch.push((number, content));
            if size >= HANDED_BYTES || batch.len() >= HANDED_FILES {
                size = 0;
                // Nobody takes what a failed disk has no use for.
                let _ = hand.send(std::mem::take(&mut batch));
            }
        });
        let _ = hand.send(batch);
        drop(hand);
        let (disk, landed) = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((came, disk, landed))
    })
}

fn to_file(
    client: &mut Client,
    name: &[u8],
    path: &Path,
    places: &mut Places,
    report: &mut Report,
) -> Result<(), Fault> {
    let failed = |error: &Error| fault(&format!("get {}", shown(name)), error);
    let mut downloading = now(client.download(name)).map_err(|error| failed(&error))?;
    let monotone = downloading.freshness().monotone;
    let (large, resumed) = match downloading.size() < RESUMED {
        true => (Large::begin(path)?, 0),
        false => Large::resumed(path, name, |held| downloading.skip(held))?,
    };
    let take = |piece| Ok(large.add(piece));
    let size = match pump(&mut downloading, resumed, take) {
        Ok(size) => size,
        // What was authentic before stays so; but whoever is caught gets no second chance at it.
        Err(Stopped::Store(error @ Error::Violation(_))) => {
            large.discard();
            return Err(failed(&error));
        }
        Err(Stopped::Store(error)) => {
            let kept = large.cut().map(|kept| interrupt::going_on(&kept));
            return Err(failed(&error).and(&kept.unwrap_or_default()));
        }
        Err(Stopped::Place(fault)) => return Err(fault),
    };
    large.land(places)?;
    let moved = Moved {
        resumed,
        ..Moved::all(size)
    };
    note(report, name, moved, monotone);
    Ok(())
}

/// Into a pipe or a device, which gets what is verified as it comes.
fn to_stream(
    client: &mut Client,
    name: &[u8],
    path: &Path,
    report: &mut Report,
) -> Result<(), Fault> {
    let failed = |error| Fault::machine(format!("{}: {error}", path.display()));
    let mut stream = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let write = |piece: Vec<u8>| {
        let written = stream.write_all(&piece);
        written.map(|()| piece).map_err(failed)
    };
    let (size, monotone) = fetch(client, name, write)?;
    note(report, name, Moved::all(size), monotone);
    Ok(())
}

fn fetch(
    client: &mut Client,
    name: &[u8],
    take: impl FnMut(Vec<u8>) -> Result<Vec<u8>, Fault>,
) -> Result<(u64, bool), Fault> {
    let failed = |error| fault(&format!("get {}", shown(name)), &error);
    let mut downloading = now(client.download(name)).map_err(failed)?;
    let monotone = downloading.freshness().monotone;
    let size = pump(&mut downloading, 0, take).map_err(|stopped| match stopped {
        Stopped::Store(error) => failed(error),
        Stopped::Place(fault) => fault,
    })?;
    Ok((size, monotone))
}

/// What came to an end too early.
enum Stopped {
    Store(Error),
    Place(Fault),
}

/// Moves what is left of a file, of which `size` bytes are there. `take` gives memory back that it
/// has no use for any more.
fn pump(
    downloading: &mut Fetching<'_>,
    mut size: u64,
    mut take: impl FnMut(Vec<u8>) -> Result<Vec<u8>, Fault>,
) -> Result<u64, Stopped> {
    let progress = Progress::new(Some(downloading.size()));
    progress.start_at(size);
    while let Some(piece) = now(downloading.next()).map_err(Stopped::Store)? {
        let more = piece.len() as u64;
        size += more;
        let spent = take(piece).map_err(Stopped::Place)?;
        downloading.reuse(spent);
        progress.add(more);
    }
    Ok(size)
}
