//! Which version each file was stored as, by its size and times: whoever asks for that has files
//! passed over unread that look as they did, if what is stored is still that version.
//!
//! A record is replaced as a whole, and holds no secret of the account. What is no record, or not
//! all of one, is of no use; one of a later program is left alone.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use turncoat_core::client::Version;
use turncoat_core::id::{LeafHash, SpaceId};
use turncoat_core::remote::Unusable;

use super::gather::Source;
use super::journal::{array, gone};
use super::names::{named, unnamed};
use crate::time;

/// What a record begins with, and the form that it has.
const FORM: u64 = 1;
/// Bytes of a record at most; more is no record of ours.
const RECORD_MAX: u64 = 256 << 20;
/// A file that changed so shortly before it was found may change once more within the same tick of
/// its clock, unseen.
const RACY_MS: u64 = 2000;
/// How often the record is written while files are stored.
const SAVED_MS: u64 = 10_000;

/// What this device knows of the files that it stored.
#[derive(Debug)]
pub(super) struct Times {
    path: PathBuf,
    /// Nobody asks for it, or what is there is for a later program.
    idle: bool,
    /// When files were found.
    began_ms: u64,
    known: BTreeMap<Vec<u8>, Noted>,
    saved_ms: u64,
    /// There is more to know than was written.
    more: bool,
    failed: Option<io::Error>,
}

/// A file as it was when it was stored, and as what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Noted {
    path: Vec<u8>,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Without the file system's number, which is another one after each start of some machines.
    inode: u64,
    version: Version,
}

/// Why nothing of a record is used.
enum Unread {
    Missing,
    Later,
    Torn,
    Failed(io::Error),
}

impl Times {
    /// The record of this device, if it is asked for, and what to say about it. Files are found
    /// after this.
    pub(super) fn open(device: &Path, asked: bool) -> (Self, Option<String>) {
        let now_ms = time::now_ms();
        let mut times = Self {
            path: device.join("times"),
            idle: !asked,
            began_ms: now_ms,
            known: BTreeMap::new(),
            saved_ms: now_ms,
            more: false,
            failed: None,
        };
        if !asked {
            return (times, None);
        }
        let at = times.path.display();
        let why = match read(&times.path) {
            Ok(known) => {
                times.known = known;
                return (times, None);
            }
            Err(Unread::Missing) => return (times, None),
            Err(Unread::Later) => {
                let note = format!(
                    "{at}: this record of sizes and times is of a later turncoat: it is neither \
                     used nor replaced, and all files were read"
                );
                times.idle = true;
                return (times, Some(note));
            }
            Err(Unread::Torn) => "this is no whole record of sizes and times".to_owned(),
            Err(Unread::Failed(error)) => error.to_string(),
        };
        let note = format!("{at}: {why}: nothing of it was used, and all files were read");
        times.more = true;
        (times, Some(note))
    }

    /// The version that a file was stored as, if it looks as it did then.
    pub(super) fn version(&self, source: &Source) -> Option<Version> {
        let known = self.known.get(&source.name)?;
        let now = noted(source, known.version)?;
        (!self.idle && now == *known).then_some(known.version)
    }

    /// Notes that a file was stored, as it was found, as this version.
    pub(super) fn stored(&mut self, source: &Source, version: Option<Version>) {
        if self.idle {
            return;
        }
        let settled = source.modified.max(source.changed) < before(self.began_ms, RACY_MS);
        let now = version.filter(|_| settled);
        match now.and_then(|version| noted(source, version)) {
            Some(now) => self.known.insert(source.name.clone(), now),
            None => self.known.remove(&source.name),
        };
        self.more = true;
        if time::now_ms().saturating_sub(self.saved_ms) >= SAVED_MS {
            self.save();
        }
    }

    /// Writes down what is not written yet. What went wrong with that, at any time, is said once.
    pub(super) fn end(mut self) -> Option<String> {
        self.save();
        let error = self.failed?;
        let at = self.path.display();
        Some(format!("{at}: sizes and times were not noted: {error}"))
    }

    fn save(&mut self) {
        self.saved_ms = time::now_ms();
        if self.idle || !self.more {
            return;
        }
        match write(&self.path, &self.known) {
            Ok(()) => {
                self.more = false;
                self.failed = None;
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

/// Throws the record of a device away whose memory is an old one.
pub(super) fn forget(device: &Path) -> Result<(), Unusable> {
    let path = device.join("times");
    gone(fs::remove_file(path.with_extension("partial")))?;
    gone(fs::remove_file(path))
}

/// So many milliseconds before another time, as files have it.
fn before(time_ms: u64, less_ms: u64) -> (i64, i64) {
    let time_ms = i64::try_from(time_ms.saturating_sub(less_ms)).unwrap_or(i64::MAX);
    (time_ms / 1000, time_ms % 1000 * 1_000_000)
}

/// How a file was found. One whose place cannot be said is not noted.
fn noted(source: &Source, version: Version) -> Option<Noted> {
    let path = std::path::absolute(&source.path).ok()?;
    Some(Noted {
        path: path.as_os_str().as_bytes().to_vec(),
        size: source.size,
        modified: source.modified,
        changed: source.changed,
        inode: source.inode.1,
        version,
    })
}

fn read(path: &Path) -> Result<BTreeMap<Vec<u8>, Noted>, Unread> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Missing),
        file => file.map_err(Unread::Failed)?,
    };
    let mut lines = BufReader::new(file.take(RECORD_MAX));
    let first = line(&mut lines)?;
    match first["times"].as_u64() {
        Some(FORM) => {}
        Some(form) if form > FORM => return Err(Unread::Later),
        _ => return Err(Unread::Torn),
    }
    let count = first["files"].as_u64().ok_or(Unread::Torn)?;
    let mut known = BTreeMap::new();
    for _ in 0..count {
        let (name, noted) = entry(&line(&mut lines)?).ok_or(Unread::Torn)?;
        known.insert(name, noted);
    }
    let ended = lines.fill_buf().map_err(Unread::Failed)?.is_empty();
    match ended && known.len() as u64 == count {
        true => Ok(known),
        false => Err(Unread::Torn),
    }
}

/// The next line, which must be whole.
fn line(lines: &mut impl io::BufRead) -> Result<Value, Unread> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).map_err(Unread::Failed)?;
    let line = line.strip_suffix(b"\n").ok_or(Unread::Torn)?;
    serde_json::from_slice(line).map_err(|_| Unread::Torn)
}

fn entry(line: &Value) -> Option<(Vec<u8>, Noted)> {
    let time = |time: &Value| Some((time[0].as_i64()?, time[1].as_i64()?));
    let noted = Noted {
        path: unnamed(&line["path"])?,
        size: line["size"].as_u64()?,
        modified: time(&line["modified"])?,
        changed: time(&line["changed"])?,
        inode: line["inode"].as_u64()?,
        version: Version {
            space: SpaceId(array(&line["space"])?),
            leaf: LeafHash(array(&line["leaf"])?),
        },
    };
    Some((unnamed(&line["name"])?, noted))
}

fn write(path: &Path, known: &BTreeMap<Vec<u8>, Noted>) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(&partial)?);
    let first = json!({ "times": FORM, "files": known.len() });
    writeln!(file, "{first}")?;
    for (name, noted) in known {
        let line = json!({
            "name": named(name),
            "path": named(&noted.path),
            "size": noted.size,
            "modified": noted.modified,
            "changed": noted.changed,
            "inode": noted.inode,
            "space": noted.version.space.to_string(),
            "leaf": noted.version.leaf.to_string(),
        });
        writeln!(file, "{line}")?;
    }
    let file = file.into_inner()?;
    if file.metadata()?.len() > RECORD_MAX {
        fs::remove_file(&partial)?;
        return Err(io::Error::other("these are more files than a record holds"));
    }
    file.sync_all()?;
    fs::rename(&partial, path)?;
    let folder = path.parent().unwrap_or(path);
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{RACY_MS, Times, before, forget};
    use crate::files::gather::Source;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use turncoat_core::client::Version;
    use turncoat_core::id::{LeafHash, SpaceId};

    const VERSION: Version = Version {
        space: SpaceId([1; 32]),
        leaf: LeafHash([2; 32]),
    };

    fn source() -> Source {
        Source {
            path: "some/where".into(),
            name: b"\xff".to_vec(),
            size: 9,
            modified: (5, 6),
            changed: (7, 8),
            inode: (3, 4),
        }
    }

    fn opened(root: &Path) -> Times {
        let (times, note) = Times::open(root, true);
        assert_eq!(note, None);
        times
    }

    /// A device that noted the one file.
    fn noted() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let mut times = opened(root.path());
        times.stored(&source(), Some(VERSION));
        assert_eq!(times.end(), None);
        root
    }

    #[test]
    fn a_file_is_known_as_it_was_and_as_nothing_else() {
        let root = noted();
        let times = opened(root.path());
        assert_eq!(times.version(&source()), Some(VERSION));
        let changes: [fn(&mut Source); 9] = [
            |source| source.path = "else/where".into(),
            |source| source.path = "/some/where".into(),
            |source| source.name.push(7),
            |source| source.size += 1,
            |source| source.modified.0 += 1,
            |source| source.modified.1 -= 1,
            |source| source.changed.0 += 1,
            |source| source.changed.1 -= 1,
            |source| source.inode.1 += 1,
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut other = source();
            change(&mut other);
            assert_eq!(times.version(&other), None, "change {place}");
        }
        // The number of a file system is not the file's.
        let mut moved = source();
        moved.inode.0 += 1;
        assert_eq!(times.version(&moved), Some(VERSION));
    }

    #[test]
    fn the_record_is_private_and_whole_and_forgotten_with_the_rest() {
        let root = noted();
        let path = root.path().join("times");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!root.path().join("times.partial").exists());
        forget(root.path()).unwrap();
        forget(root.path()).unwrap();
        assert_eq!(opened(root.path()).version(&source()), None);
        assert!(!path.exists());
    }

    #[test]
    fn a_long_command_that_is_cut_off_has_noted_what_it_stored_before() {
        let root = tempfile::tempdir().unwrap();
        let mut times = opened(root.path());
        times.stored(&source(), Some(VERSION));
        assert_eq!(opened(root.path()).version(&source()), None);
        times.saved_ms = 0;
        times.stored(&source(), Some(VERSION));
        assert_eq!(opened(root.path()).version(&source()), Some(VERSION));
    }

    #[test]
    fn who_does_not_ask_reads_and_writes_nothing() {
        let root = noted();
        let path = root.path().join("times");
        let before = fs::read(&path).unwrap();
        let (mut times, note) = Times::open(root.path(), false);
        assert_eq!((note, times.version(&source())), (None, None));
        times.stored(&source(), None);
        assert_eq!(times.end(), None);
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_changed_just_before_it_was_found_is_not_known() {
        let root = noted();
        let began_ms = 1_000_000_000;
        let racy = before(began_ms, RACY_MS);
        assert_eq!(racy, (999_998, 0));
        let settled = (999_997, 999_999_999);
        let cases = [
            (settled, settled, true),
            (racy, settled, false),
            // Its owner may have turned the one back, and not the other.
            (settled, racy, false),
            ((2_000_000, 0), settled, false),
        ];
        for (modified, changed, known) in cases {
            let mut times = opened(root.path());
            times.began_ms = began_ms;
            let mut source = source();
            (source.modified, source.changed) = (modified, changed);
            times.stored(&source, Some(VERSION));
            assert_eq!(times.version(&source).is_some(), known, "{modified:?}");
            assert_eq!(times.end(), None);
            let times = opened(root.path());
            assert_eq!(times.version(&source).is_some(), known, "{modified:?}");
        }
    }

    #[test]
    fn of_what_is_no_whole_record_nothing_is_used_and_it_is_said() {
        let root = noted();
        let path = root.path().join("times");
        let whole = fs::read_to_string(&path).unwrap();
        let mut others: Vec<String> = (0..whole.len())
            .map(|end| whole[..end].to_owned())
            .collect();
        others.push(format!("{whole}more\n"));
        others.push(whole.replace("\"times\":1", "\"times\":0"));
        others.push(whole.replace("\"times\":1", "\"time\":1"));
        others.push(whole.replace("\"files\":1", "\"files\":2"));
        others.push(whole.replace("\"leaf\":\"02", "\"leaf\":\""));
        for other in others {
            assert_ne!(other, whole);
            fs::write(&path, &other).unwrap();
            let (times, note) = Times::open(root.path(), true);
            assert!(note.unwrap().contains("all files were read"), "{other}");
            assert_eq!(times.version(&source()), None, "{other}");
        }
        // Another one takes its place.
        let (times, _) = Times::open(root.path(), true);
        assert_eq!(times.end(), None);
        assert!(opened(root.path()).known.is_empty());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let (times, note) = Times::open(root.path(), true);
        assert!(note.unwrap().contains("all files were read"));
        assert!(times.end().unwrap().contains("not noted"));
    }

    #[test]
    fn the_record_of_a_later_program_is_left_alone() {
        let root = noted();
        let path = root.path().join("times");
        let later = "{\"times\":2,\"what\":[]}\nwhatever\n";
        fs::write(&path, later).unwrap();
        let (mut times, note) = Times::open(root.path(), true);
        assert!(note.unwrap().contains("a later turncoat"));
        times.stored(&source(), Some(VERSION));
        assert_eq!(times.version(&source()), None);
        assert_eq!(times.end(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), later);
    }
}
