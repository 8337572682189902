//! Files into the store, and what is done to those that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde_json::{Value, json};
use turncoat_core::client::{BATCH_MAX, Comparer, Note};
use turncoat_core::id::{LeafHash, SpaceId};
use turncoat_core::{Error, Usage};

use super::connect::{Client, Connected, Upload, now};
use super::device::Device;
use super::gather::{Source, changed, gathered, inode, is_standard};
use super::journal::Journal;
use super::names::{given, named, shown};
use super::progress::Progress;
use super::report::{Report, listed};
use super::times::Times;
use super::told::{fault, fault_once};
use super::update::{self, Changes};
use super::{Append, Put, Remove};
use crate::status::Fault;

/// Files up to this size are stored together, many under one head.
const SMALL: u64 = 256 << 10;
/// Bytes of the files of one batch at most.
const BATCH_BYTES: usize = 24 << 20;
/// Files of this size on are gone on with after a cut.
pub(super) const RESUMED: u64 = 8 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// How much of a file there was, how much of that an earlier run had moved, and how much stayed
/// where it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) size: u64,
    pub(super) resumed: u64,
    pub(super) kept: u64,
}

impl Moved {
    /// All of so many bytes, now.
    pub(super) fn all(size: u64) -> Self {
        Self {
            size,
            ..Self::default()
        }
    }
}

/// Why a file was not stored.
pub(super) enum Failed {
    /// Something about this file alone.
    Alone(Fault),
    /// Nothing more can be stored.
    All(Fault),
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

pub(super) fn put(
    client: &mut Client,
    device: &Device,
    put: &Put,
    report: &mut Report,
) -> Result<(), Fault> {
    let (times, note) = Times::open(device.folder(), put.trust_times);
    note.into_iter().for_each(|note| report.note(note));
    let found = gathered(&put.files, put.name.as_deref(), put.recursive)?;
    for (path, why) in found.passed_over {
        report.note(format!("not stored: {}: {why}", path.display()));
    }
    for (name, fault) in found.failed {
        report.failed(&name, fault);
    }
    let sources = not_skipped(client, &times, found.sources, report)?;
    let piped = sources.iter().any(|source| is_standard(&source.path));
    let total = sources.iter().map(|source| source.size).sum();
    let mut batch = Batch {
        bar: Progress::new((!piped).then_some(total)),
        files: Vec::new(),
        held: 0,
        times,
    };
    let stored = batch.store(client, device, sources, put.changes, report);
    // Of what failed, what had been stored before is noted as well.
    let note = batch.times.end();
    note.into_iter().for_each(|note| report.note(note));
    stored?;
    report.end("put")
}

/// The files that have to be read. The others look as they did when they were stored, and what is
/// stored now is what was stored then. Of two names of one shared file neither is skipped: the one
/// given last is what it is to be.
fn not_skipped(
    client: &mut Client,
    times: &Times,
    sources: Vec<Source>,
    report: &mut Report,
) -> Result<Vec<Source>, Fault> {
    let known = |source: &Source| match is_standard(&source.path) {
        true => None,
        false => times.version(source),
    };
    if !sources.iter().any(|source| known(source).is_some()) {
        return Ok(sources);
    }
    let names: Vec<&[u8]> = sources.iter().map(|source| &*source.name).collect();
    let stored = match now(client.versions(&names)) {
        Ok(stored) => stored,
        // What nobody says is stored is stored now.
        Err(Error::Unavailable(_)) => return Ok(sources),
        Err(error) => return Err(fault("put", &error)),
    };
    let mut names_of: BTreeMap<(SpaceId, LeafHash), usize> = BTreeMap::new();
    for version in stored.iter().flatten() {
        *names_of.entry((version.space, version.leaf)).or_default() += 1;
    }
    let mut stored = stored.into_iter();
    // What an old memory noted may be of a time that it does not know of.
    let whole_memory = client.forgotten().is_empty();
    let mut others = Vec::new();
    for source in sources {
        let there = stored.next().flatten();
        let is_alone = there.is_some_and(|at| names_of.get(&(at.space, at.leaf)) == Some(&1));
        if !whole_memory || !is_alone || there != known(&source) {
            others.push(source);
            continue;
        }
        let Source { name, size, .. } = source;
        let line = format!(
            "skipped {} ({size} bytes): size and times are those of what is stored",
            shown(&name)
        );
        let item = json!({ "name": named(&name), "bytes": size, "skipped": true });
        report.did(line, item);
    }
    Ok(others)
}

/// Tells of one file.
pub(super) fn did(report: &mut Report, what: &str, name: &[u8], moved: Moved, mut more: Value) {
    let Moved {
        size,
        resumed,
        kept,
    } = moved;
    more["name"] = named(name);
    more["bytes"] = Value::from(size);
    let earlier = match (resumed, kept) {
        (0, 0) => String::new(),
        (0, kept) => {
            more["kept"] = Value::from(kept);
            more["sent"] = Value::from(size.saturating_sub(kept));
            let sent = size.saturating_sub(kept);
            format!(", {sent} of them sent and the others as they were")
        }
        (resumed, _) => {
            more["resumed"] = Value::from(resumed);
            format!(", {resumed} of them by an earlier run")
        }
    };
    let line = format!("{what} {} ({size} bytes{earlier})", shown(name));
    report.did(line, more);
}

/// Small files that wait to be stored under one head, and what is noted of all.
struct Batch {
    bar: Progress,
    files: Vec<(Source, Vec<u8>)>,
    held: usize,
    times: Times,
}

impl Batch {
    /// Stores files: the small ones together, each of the others by itself.
    fn store(
        &mut self,
        client: &mut Client,
        device: &Device,
        sources: Vec<Source>,
        changes: bool,
        report: &mut Report,
    ) -> Result<(), Fault> {
        for source in sources {
            let name = source.name.clone();
            let stored = match source.size > SMALL || is_standard(&source.path) {
                true => stream(client, device, &source, changes, &self.bar, report)
                    .map(|moved| self.stored(client, &source, moved, report)),
                false => self.add(client, source, report),
            };
            match stored {
                Ok(()) => {}
                Err(Failed::Alone(fault)) => report.failed(&name, fault),
                Err(Failed::All(fault)) => return Err(fault),
            }
        }
        self.flush(client, report)
    }

    fn add(
        &mut self,
        client: &mut Client,
        source: Source,
        report: &mut Report,
    ) -> Result<(), Failed> {
        let content = whole(&source).map_err(Failed::Alone)?;
        let full = self.held + content.len() > BATCH_BYTES || self.files.len() >= BATCH_MAX;
        if full {
            self.flush(client, report).map_err(Failed::All)?;
        }
        self.held += content.len();
        self.bar.add(content.len() as u64);
        self.files.push((source, content));
        Ok(())
    }

    fn flush(&mut self, client: &mut Client, report: &mut Report) -> Result<(), Fault> {
        if self.files.is_empty() {
            return Ok(());
        }
        let files = self.files.iter();
        let files: Vec<(&[u8], &[u8])> = files.map(|(of, c)| (&*of.name, &**c)).collect();
        let what = match files.as_slice() {
            [(name, _)] => format!("put {}", shown(name)),
            files => format!("put {} files", files.len()),
        };
        now(client.upload_many(&files)).map_err(|error| fault(&what, &error))?;
        for (source, content) in std::mem::take(&mut self.files) {
            let moved = Moved::all(content.len() as u64);
            self.stored(client, &source, moved, report);
        }
        self.held = 0;
        Ok(())
    }

    /// Notes and tells that a file was stored.
    fn stored(&mut self, client: &Client, source: &Source, moved: Moved, report: &mut Report) {
        if !is_standard(&source.path) {
            let version = client.written(&source.name).ok().flatten();
            self.times.stored(source, version);
        }
        did(report, "stored", &source.name, moved, json!({}));
    }
}

/// A large file, piece by piece: all of it, or what changed where that is asked for. All of it, cut
/// off, is gone on with by the next run of the same command.
fn stream(
    client: &mut Client,
    device: &Device,
    source: &Source,
    changes: bool,
    bar: &Progress,
    report: &mut Report,
) -> Result<Moved, Failed> {
    let mut journal = Journal::of(device.folder(), source);
    // What is piped cannot be told from what was piped before.
    let piped = is_standard(&source.path);
    let before = match piped || source.size < RESUMED {
        true => None,
        false => journal.read(),
    };
    if changes && !piped && before.is_none() && source.size >= Comparer::STRETCH as u64 {
        match update::only_changes(client, source, bar)? {
            Changes::Stored(moved) => {
                // Of an upload of an earlier content, nothing will be gone on with.
                let _ = journal.end();
                return Ok(moved);
            }
            Changes::Unlike => {}
            Changes::Unfit(why) => report.note(format!("{}: {why}", shown(&source.name))),
        }
    }
    let moved = match piped || source.size < RESUMED {
        true => pour(client.upload(&source.name), source, bar),
        false => {
            let mut keep = |note: Note<'_>| journal.keep(note);
            let uploading = client.upload_resumed(&source.name, before, &mut keep);
            pour(now(uploading), source, bar)
        }
    };
    if moved.as_ref().is_err_and(|(_, spent)| *spent) {
        // They are of no use, and no harm.
        let _ = journal.end();
    }
    moved.map_err(|(failed, _)| failed)
}

/// Writes all of a file, and publishes it. With what failed: whether that must not be gone on with.
fn pour(
    uploading: Result<Upload<'_>, Error>,
    source: &Source,
    bar: &Progress,
) -> Result<Moved, (Failed, bool)> {
    let doing = format!("put {}", shown(&source.name));
    let failed = |error: Error| {
        let other = matches!(error, Error::Usage(Usage::OtherContent));
        let fault = fault(&doing, &error);
        match other {
            true => (Failed::Alone(fault), true),
            false => (Failed::All(fault), false),
        }
    };
    let unread = |error| (Failed::Alone(unread(&source.path, &error)), false);
    let mut uploading = uploading.map_err(failed)?;
    let mut reader = source_of(source).map_err(unread)?;
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = full(&mut reader, &mut piece).map_err(unread)?;
        if read == 0 {
            break;
        }
        now(uploading.write(&piece[..read])).map_err(failed)?;
        size += read as u64;
        bar.add(read as u64);
    }
    if !is_standard(&source.path) {
        unchanged(source, size).map_err(|fault| (Failed::Alone(fault), true))?;
    }
    let resumed = uploading.resumed();
    now(uploading.finish()).map_err(failed)?;
    Ok(Moved {
        resumed,
        ..Moved::all(size)
    })
}

/// The content of the very file that was found: [`unchanged`] speaks of no other.
pub(super) fn source_of(source: &Source) -> io::Result<Box<dyn Read>> {
    match is_standard(&source.path) {
        true => opened(&source.path),
        false => Ok(Box::new(found(source)?)),
    }
}

fn found(source: &Source) -> io::Result<File> {
    let file = File::open(&source.path)?;
    match inode(&file.metadata()?) == source.inode {
        true => Ok(file),
        false => Err(io::Error::other(
            "another file has this name by now; put it again",
        )),
    }
}

fn opened(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(match is_standard(path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    })
}

/// Reads until the piece is full, or there is nothing more.
pub(super) fn full(reader: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match reader.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn unread(path: &Path, error: &io::Error) -> Fault {
    Fault::usage(format!("{}: {error}", path.display()))
}

/// A file that changes while it is read is not stored: what was read may never have been in it.
pub(super) fn unchanged(source: &Source, size: u64) -> Result<(), Fault> {
    let found = (source.size, source.changed, source.inode);
    match fs::metadata(&source.path) {
        Ok(now) if size == source.size && found == (now.len(), changed(&now), inode(&now)) => {
            Ok(())
        }
        _ => Err(Fault::usage(format!(
            "{}: it changed while it was read, and was not stored; put it again",
            source.path.display()
        ))),
    }
}

fn whole(source: &Source) -> Result<Vec<u8>, Fault> {
    let unread = |error| unread(&source.path, &error);
    let mut content = Vec::new();
    let file = found(source).map_err(unread)?;
    BufReader::new(file.take(SMALL + 1))
        .read_to_end(&mut content)
        .map_err(unread)?;
    unchanged(source, content.len() as u64)?;
    Ok(content)
}

pub(super) fn append(
    client: &mut Client,
    append: &Append,
    report: &mut Report,
) -> Result<(), Fault> {
    let unread = |error| unread(&append.file, &error);
    let name = given(&append.name)?;
    let doing = format!("append {}", shown(name));
    let failed = |error| fault_once(&doing, &error);
    let mut reader = opened(&append.file).map_err(unread)?;
    let mut piece = vec![0; PIECE];
    let read = full(&mut reader, &mut piece).map_err(unread)?;
    let mut size = read as u64;
    if read < piece.len() {
        now(client.append(name, &piece[..read])).map_err(failed)?;
    } else {
        let mut appending = now(client.appending(name)).map_err(failed)?;
        let mut read = read;
        while read > 0 {
            now(appending.write(&piece[..read])).map_err(failed)?;
            read = full(&mut reader, &mut piece).map_err(unread)?;
            size += read as u64;
        }
        now(appending.finish()).map_err(failed)?;
    }
    let line = format!("appended {size} bytes to {}", shown(name));
    report.done(vec![line], json!({ "name": named(name), "bytes": size }));
    Ok(())
}

pub(super) fn list(client: &mut Client, report: &mut Report) -> Result<(), Fault> {
    let listing = now(client.list()).map_err(|error| fault("ls", &error))?;
    let lines = listing.names.iter().map(|name| shown(name)).collect();
    let names: Vec<_> = listing.names.iter().map(|name| named(name)).collect();
    let document = json!({ "names": names, "monotone": listing.freshness.monotone });
    report.done(lines, document);
    Ok(())
}

/// Names that were given, each once, as the store has them; all of them must be there.
pub(super) fn present<'a>(
    client: &mut Client,
    doing: &str,
    names: &'a [OsString],
    report: &mut Report,
) -> Result<Vec<&'a [u8]>, Fault> {
    let mut seen = BTreeSet::new();
    let names: Vec<&[u8]> = names
        .iter()
        .map(|name| given(name))
        .collect::<Result<_, _>>()?;
    let present: Vec<&[u8]> = names
        .into_iter()
        .filter(|name| seen.insert(*name))
        .collect();
    let missing = now(client.missing(&present)).map_err(|error| fault(doing, &error))?;
    if missing.is_empty() {
        return Ok(present);
    }
    let missing: Vec<&[u8]> = missing
        .iter()
        .filter_map(|place| present.get(*place))
        .copied()
        .collect();
    let unknown = |what: &str, names: &[&[u8]]| {
        Fault::usage(format!(
            "{what}: there is no file named {}; turncoat ls shows what there is",
            listed(names)
        ))
        .named(turncoat_core::Usage::NoSuchFile.name())
    };
    for name in &missing {
        report.failed(name, unknown(doing, &[name]));
    }
    let nothing = match present.len() {
        1 => "",
        _ => "\n  nothing was done to the others",
    };
    Err(unknown(doing, &missing).and(nothing))
}

pub(super) fn remove(
    client: &mut Client,
    remove: &Remove,
    report: &mut Report,
) -> Result<(), Fault> {
    let names = present(client, "rm", &remove.names, report)?;
    now(client.delete_many(&names)).map_err(|error| fault("rm", &error))?;
    for name in names {
        report.did(format!("deleted {}", shown(name)), named(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{gathered, source_of, unchanged, whole};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_that_changed_since_it_was_found_is_not_stored() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"one").unwrap();
        let found = gathered(std::slice::from_ref(&path), None, false).unwrap();
        let source = &found.sources[0];
        assert_eq!(whole(source).unwrap(), b"one");
        assert!(unchanged(source, 3).is_ok() && unchanged(source, 2).is_err());
        // Another content of the same size, and a date that hides it.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, b"two").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(whole(source).is_err());
    }

    #[test]
    fn what_another_file_holds_that_took_the_place_meanwhile_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let [path, other] = ["file", "other"].map(|name| root.path().join(name));
        fs::write(&path, b"one").unwrap();
        fs::write(&other, b"two").unwrap();
        let link = root.path().join("link");
        symlink(&path, &link).unwrap();
        let found = gathered(std::slice::from_ref(&link), None, false).unwrap();
        assert!(source_of(&found.sources[0]).is_ok());
        fs::remove_file(&link).unwrap();
        symlink(&other, &link).unwrap();
        // It may lead back before anybody looks at the path once more.
        let refused = source_of(&found.sources[0]).err().unwrap();
        assert!(refused.to_string().contains("another file"), "{refused}");
    }
}
