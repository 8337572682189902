//! Files out of the store.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::connect::{Client, Connected, now};
use super::content::{Outcome, bar, is_standard};
use super::landing::{Landing, Large, vacant};
use super::told::fault;
use super::{Get, shown};
use crate::status::Fault;

pub(super) fn login_to_get(get: &Get) -> Result<Connected, Fault> {
    if get.output.is_some() && (get.names.len() != 1 || get.recursive) {
        return Err(Fault::usage("--output is for one file"));
    }
    if get.output.is_none() {
        for name in &get.names {
            local(name.as_bytes())?;
        }
    }
    get.account.login(false)
}

/// What was fetched, in the order in which it was asked for.
struct Fetched {
    lines: Vec<String>,
    document: Vec<Value>,
}

impl Fetched {
    fn note(&mut self, name: &[u8], size: u64, monotone: bool) {
        let name = shown(name);
        self.lines.push(format!("fetched {name} ({size} bytes)"));
        let line = json!({ "name": name, "bytes": size, "monotone": monotone });
        self.document.push(line);
    }
}

pub(super) fn get(client: &mut Client, get: &Get, output: &mut impl Write) -> Outcome {
    let mut fetched = Fetched {
        lines: Vec::new(),
        document: Vec::new(),
    };
    match (&get.output, get.names.as_slice()) {
        (Some(path), [name]) if is_standard(path) => fetch(client, name.as_bytes(), |piece| {
            let written = output.write_all(&piece);
            written.map_err(|error| Fault::output(&error))
        })
        .map(drop)?,
        (Some(path), [name]) => to_file(client, name.as_bytes(), path, get.force, &mut fetched)?,
        _ => {
            let names = match get.recursive {
                true => below(client, &get.names)?,
                false => get.names.iter().map(|n| n.as_bytes().to_vec()).collect(),
            };
            many(client, &names, get.force, &mut fetched)?;
        }
    }
    Ok((fetched.lines, Value::Array(fetched.document)))
}

/// The names that were given, and all that are below one of them.
fn below(client: &mut Client, given: &[String]) -> Result<Vec<Vec<u8>>, Fault> {
    let listing = now(client.list()).map_err(|error| fault("get", &error))?;
    let is_below = |name: &[u8], given: &str| {
        let rest = name.strip_prefix(given.trim_end_matches('/').as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    if let Some(nothing) = given
        .iter()
        .find(|given| !listing.names.iter().any(|name| is_below(name, given)))
    {
        return Err(Fault::usage(format!(
            "get {}: there is nothing of that name; turncoat ls shows what there is",
            shown(nothing.as_bytes())
        )));
    }
    let mut names = listing.names;
    names.retain(|name| given.iter().any(|given| is_below(name, given)));
    Ok(names)
}

/// Small files come together; what is left is fetched one by one.
fn many(
    client: &mut Client,
    names: &[Vec<u8>],
    force: bool,
    fetched: &mut Fetched,
) -> Result<(), Fault> {
    let paths = names.iter().map(|name| local(name));
    let paths = paths.collect::<Result<Vec<PathBuf>, Fault>>()?;
    for path in &paths {
        vacant(path, force)?;
    }
    let mut rest: Vec<usize> = (0..names.len()).collect();
    if names.len() > 1 {
        let slices: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let mut landing = Landing::new(force);
        let mut landed = Ok(());
        let mut sizes = Vec::new();
        let came = now(client.download_many(&slices, |place, content| {
            // After a failure of the disk the rest is of no use.
            if landed.is_ok()
                && let Some(path) = paths.get(place)
            {
                landed = landing.add(path, &content);
                sizes.push((place, content.len() as u64));
            }
        }));
        let came = came.map_err(|error| fault("get", &error))?;
        landed.and_then(|()| landing.land())?;
        for (place, size) in sizes {
            fetched.note(&names[place], size, came.freshness.monotone);
        }
        rest = came.rest;
    }
    for place in rest {
        to_file(client, &names[place], &paths[place], force, fetched)?;
    }
    Ok(())
}

fn to_file(
    client: &mut Client,
    name: &[u8],
    path: &Path,
    force: bool,
    fetched: &mut Fetched,
) -> Result<(), Fault> {
    vacant(path, force)?;
    let large = Large::begin(path)?;
    let (size, monotone) = fetch(client, name, |piece| {
        large.add(piece);
        Ok(())
    })?;
    large.land(force)?;
    fetched.note(name, size, monotone);
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

/// Where a name belongs below the working folder.
fn local(name: &[u8]) -> Result<PathBuf, Fault> {
    // The bytes are judged, not `Path::components`, which passes over `.` and repeated slashes.
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    if !name.split(|byte| *byte == b'/').all(plain) {
        return Err(Fault::usage(format!(
            "{}: this name is no path below the working folder; say --output FILE",
            shown(name)
        )));
    }
    Ok(PathBuf::from(OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn names_lead_below_the_working_folder_or_nowhere() {
        for name in ["a", "a/b", "a b", "...", "a\nb"] {
            assert!(local(name.as_bytes()).is_ok(), "{name:?}");
        }
        for name in [
            "", "/a", "..", "../a", "a/../b", "a/./b", "./a", "a//b", "a/", "a\0b",
        ] {
            assert!(local(name.as_bytes()).is_err(), "{name:?}");
        }
    }
}
