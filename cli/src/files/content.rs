//! Files into the store, and what is done to those that are there.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::connect::{Client, Connected, now};
use super::told::fault;
use super::{Append, Put, Remove, shown};
use crate::status::Fault;

pub(super) type Outcome = Result<(Vec<String>, Value), Fault>;

/// Files up to this size are stored together, many under one head.
const SMALL: u64 = 256 << 10;
/// Bytes and number of the files of one batch at most.
const BATCH_BYTES: usize = 24 << 20;
const BATCH_FILES: usize = 4096;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// A file to store, and its name there.
struct Source {
    path: PathBuf,
    name: Vec<u8>,
    size: u64,
}

pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn login_to_put(put: &Put) -> Result<Connected, Fault> {
    let stdin = put.files.iter().any(|file| is_standard(file));
    if stdin && (put.files.len() != 1 || put.name.is_none()) {
        return Err(Fault::usage("standard input is one file and needs --name"));
    }
    if put.name.is_some() && (put.files.len() != 1 || put.recursive) {
        return Err(Fault::usage("--name is for one file"));
    }
    put.account.login(stdin)
}

pub(super) fn put(client: &mut Client, put: &Put) -> Outcome {
    let sources = sources(put)?;
    let total = sources.iter().map(|source| source.size).sum();
    let bar = bar(total);
    let mut stored = Vec::new();
    let mut batch: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut held = 0;
    for source in sources {
        if source.size > SMALL || is_standard(&source.path) {
            let size = stream(client, &source, &bar)?;
            stored.push((source.name, size));
            continue;
        }
        let content = whole(&source)?;
        if held + content.len() > BATCH_BYTES || batch.len() >= BATCH_FILES {
            flush(client, &mut batch, &mut stored)?;
            held = 0;
        }
        held += content.len();
        bar.inc(content.len() as u64);
        batch.push((source.name, content));
    }
    flush(client, &mut batch, &mut stored)?;
    bar.finish_and_clear();
    let lines = stored
        .iter()
        .map(|(name, size)| format!("stored {} ({size} bytes)", shown(name)));
    let document = stored
        .iter()
        .map(|(name, size)| json!({ "name": shown(name), "bytes": size }));
    Ok((lines.collect(), document.collect()))
}

fn flush(
    client: &mut Client,
    batch: &mut Vec<(Vec<u8>, Vec<u8>)>,
    stored: &mut Vec<(Vec<u8>, u64)>,
) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    let files: Vec<(&[u8], &[u8])> = batch.iter().map(|(n, c)| (&**n, &**c)).collect();
    let what = format!("put {} files", files.len());
    now(client.upload_many(&files)).map_err(|error| fault(&what, &error))?;
    stored.extend(
        batch
            .drain(..)
            .map(|(name, content)| (name, content.len() as u64)),
    );
    Ok(())
}

fn stream(client: &mut Client, source: &Source, bar: &ProgressBar) -> Result<u64, Fault> {
    let doing = format!("put {}", shown(&source.name));
    let failed = |error| fault(&doing, &error);
    let unread = |error: io::Error| Fault::usage(format!("{}: {error}", source.path.display()));
    let mut reader: Box<dyn Read> = match is_standard(&source.path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(&source.path).map_err(unread)?),
    };
    let mut uploading = client.upload(&source.name).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = match reader.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(unread)?,
        };
        if read == 0 {
            break;
        }
        now(uploading.write(&piece[..read])).map_err(failed)?;
        size += read as u64;
        bar.inc(read as u64);
    }
    if !is_standard(&source.path) {
        unchanged(source, size)?;
    }
    now(uploading.finish()).map_err(failed)?;
    Ok(size)
}

/// A file that changes while it is read is not stored: what was read may never have been in it.
fn unchanged(source: &Source, size: u64) -> Result<(), Fault> {
    let now = fs::metadata(&source.path).map(|metadata| metadata.len());
    match now {
        Ok(now) if now == size && now == source.size => Ok(()),
        _ => Err(Fault::usage(format!(
            "{}: it changed while it was read; nothing was stored, put it again",
            source.path.display()
        ))),
    }
}

fn whole(source: &Source) -> Result<Vec<u8>, Fault> {
    let unread = |error: io::Error| Fault::usage(format!("{}: {error}", source.path.display()));
    let mut content = Vec::new();
    let file = File::open(&source.path).map_err(unread)?;
    BufReader::new(file.take(SMALL + 1))
        .read_to_end(&mut content)
        .map_err(unread)?;
    unchanged(source, content.len() as u64)?;
    Ok(content)
}

fn sources(put: &Put) -> Result<Vec<Source>, Fault> {
    let mut found = Vec::new();
    for path in &put.files {
        let name = match (&put.name, path.file_name()) {
            (Some(name), _) => name.as_bytes().to_vec(),
            (None, Some(name)) => name.as_bytes().to_vec(),
            (None, None) => {
                return Err(Fault::usage(format!(
                    "{}: this path has no name; say --name",
                    path.display()
                )));
            }
        };
        if is_standard(path) {
            found.push(Source {
                path: path.clone(),
                name,
                size: 0,
            });
        } else {
            gather(path, name, put.recursive, &mut found)?;
        }
    }
    let mut names: Vec<&[u8]> = found.iter().map(|source| source.name.as_slice()).collect();
    names.sort_unstable();
    if let Some(double) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Fault::usage(format!(
            "two of the files would be stored as {}",
            shown(double[0])
        )));
    }
    Ok(found)
}

fn gather(
    path: &Path,
    name: Vec<u8>,
    recursive: bool,
    found: &mut Vec<Source>,
) -> Result<(), Fault> {
    let unread = |error: io::Error| Fault::usage(format!("{}: {error}", path.display()));
    let metadata = fs::metadata(path).map_err(unread)?;
    if metadata.is_file() {
        found.push(Source {
            path: path.to_owned(),
            name,
            size: metadata.len(),
        });
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(Fault::usage(format!(
            "{}: neither file nor folder",
            path.display()
        )));
    }
    if !recursive {
        let what = format!(
            "{}: a folder; say -r to store what is in it",
            path.display()
        );
        return Err(Fault::usage(what));
    }
    let entries = fs::read_dir(path).map_err(unread)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unread)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // Links are not followed: they may lead out of the folder, or round in it.
        let kind = entry.file_type().map_err(unread)?;
        if kind.is_file() || kind.is_dir() {
            let below = [&name, b"/".as_slice(), entry.file_name().as_bytes()].concat();
            gather(&entry.path(), below, true, found)?;
        }
    }
    Ok(())
}

pub(super) fn append(client: &mut Client, append: &Append) -> Outcome {
    let unread = |error: io::Error| Fault::usage(format!("{}: {error}", append.file.display()));
    let mut content = Vec::new();
    match is_standard(&append.file) {
        true => io::stdin()
            .lock()
            .read_to_end(&mut content)
            .map_err(unread)?,
        false => File::open(&append.file)
            .and_then(|mut file| file.read_to_end(&mut content))
            .map_err(unread)?,
    };
    let name = append.name.as_bytes();
    let doing = format!("append {}", shown(name));
    now(client.append(name, &content)).map_err(|error| fault(&doing, &error))?;
    let line = format!("appended {} bytes to {}", content.len(), shown(name));
    Ok((
        vec![line],
        json!({ "name": append.name, "bytes": content.len() }),
    ))
}

pub(super) fn list(client: &mut Client) -> Outcome {
    let listing = now(client.list()).map_err(|error| fault("ls", &error))?;
    let names: Vec<String> = listing.names.iter().map(|name| shown(name)).collect();
    let document = json!({ "names": names, "monotone": listing.freshness.monotone });
    Ok((names, document))
}

pub(super) fn remove(client: &mut Client, remove: &Remove) -> Outcome {
    let mut lines = Vec::new();
    for name in &remove.names {
        let shown = shown(name.as_bytes());
        let failed = |error| fault(&format!("rm {shown}"), &error);
        now(client.delete(name.as_bytes())).map_err(failed)?;
        lines.push(format!("deleted {shown}"));
    }
    Ok((lines, json!(remove.names)))
}

/// Shows itself where a person is watching, once something takes longer than a second.
pub(super) fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(4));
    let template = "{bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
