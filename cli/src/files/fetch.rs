//! Files out of the store.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Get;
use super::connect::{Client, Connected, now};
use super::content::{bar, present};
use super::gather::is_standard;
use super::landing::{Landing, Large, Places, Target, target, vacant};
use super::names::{given, local, named, shown};
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

fn note(report: &mut Report, name: &[u8], size: u64, monotone: bool) {
    let line = format!("fetched {} ({size} bytes)", shown(name));
    report.did(
        line,
        json!({ "name": named(name), "bytes": size, "monotone": monotone }),
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
                output.write_all(&piece).map_err(failed)
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
    let listing = now(client.list()).map_err(|error| fault("get", &error))?;
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
        let mut landing = Landing::new(places);
        let mut disk = Ok(());
        let came = now(client.download_many(&slices, |number, content| {
            // After a failure of the disk the rest is of no use.
            if disk.is_ok()
                && let Some((_, path)) = files.get(number)
            {
                sizes[number] = content.len() as u64;
                disk = landing.add(number, path, &content);
            }
        }));
        // What came before a failure is whole, and stays.
        let disk = disk.and_then(|()| landing.land());
        let landed = landing.end();
        let monotone = came
            .as_ref()
            .map_or(monotone, |came| came.freshness.monotone);
        for number in landed.named {
            note(report, &files[number].0, sizes[number], monotone);
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

fn to_file(
    client: &mut Client,
    name: &[u8],
    path: &Path,
    places: &mut Places,
    report: &mut Report,
) -> Result<(), Fault> {
    let large = Large::begin(path)?;
    let (size, monotone) = fetch(client, name, |piece| {
        large.add(piece);
        Ok(())
    })?;
    large.land(places)?;
    note(report, name, size, monotone);
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
    let write = |piece: Vec<u8>| stream.write_all(&piece).map_err(failed);
    let (size, monotone) = fetch(client, name, write)?;
    note(report, name, size, monotone);
    Ok(())
}

fn fetch(
    client: &mut Client,
    name: &[u8],
    mut take: impl FnMut(Vec<u8>) -> Result<(), Fault>,
) -> Result<(u64, bool), Fault> {
    let doing = format!("get {}", shown(name));
    let failed = |error| fault(&doing, &error);
    let mut downloading = now(client.download(name)).map_err(failed)?;
    let monotone = downloading.freshness().monotone;
    let bar = bar(downloading.size());
    let mut size = 0;
    while let Some(piece) = now(downloading.next()).map_err(failed)? {
        size += piece.len() as u64;
        take(piece)?;
        bar.set_position(size);
    }
    bar.finish_and_clear();
    Ok((size, monotone))
}
