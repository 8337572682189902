//! What an upload needs to go on after a cut: noted before it is sent, and no secret.
//!
//! Notes are for one file of the machine, as it was: of another content they are of no use, and
//! after a loss of power the latest of them may be missing.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use turncoat_core::client::{Begun, Note};
use turncoat_core::id::{Digest, Epoch, PackId, SpaceId};
use turncoat_core::remote::Unusable;
use turncoat_core::wire::SegmentRecord;

use super::gather::Source;
use super::names::{bytes, hex, named};

/// The notes on one upload: a line on it, and one for each segment.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// What is stored, and as what.
    source: Value,
    /// The upload that the notes are on, and where the next one goes.
    noted: Option<(Begun, File)>,
    /// Of an upload that could not be noted once, nothing is noted any more.
    given_up: bool,
}

/// A short name for something whose own may be as long as it likes.
pub(super) fn short(name: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Journal {
    /// The notes on the upload of this file, where this device keeps them.
    pub(super) fn of(device: &Path, source: &Source) -> Self {
        Self {
            path: folder(device).join(short(&source.name)),
            source: json!({
                "name": named(&source.name),
                "size": source.size,
                "changed": source.changed,
                "inode": source.inode,
            }),
            noted: None,
            given_up: false,
        }
    }

    /// What an earlier run noted of an upload of this very file.
    pub(super) fn read(&mut self) -> Option<(Begun, Vec<SegmentRecord>)> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let mut lines = BufReader::new(file.ok()?);
        let mut whole = 0;
        let first = line(&mut lines, &mut whole)?;
        if first["source"] != self.source {
            return None;
        }
        let begun = Begun {
            id: array(&first["id"])?,
            space: SpaceId(array(&first["space"])?),
            epoch: Epoch(first["epoch"].as_u64()?),
        };
        let mut records = Vec::new();
        while let Some(line) = line(&mut lines, &mut whole) {
            records.push(record(&line)?);
        }
        // A torn note is of a segment that was not sent.
        let mut file = lines.into_inner();
        file.set_len(whole).ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        self.noted = Some((begun, file));
        Some((begun, records))
    }

    /// Does what the client asks for before it goes on. An upload that cannot be noted goes on all
    /// the same, and is not gone on with later.
    pub(super) fn keep(&mut self, note: Note<'_>) -> Result<(), Unusable> {
        match note {
            Note::Sealed(..) if self.given_up => Ok(()),
            Note::Sealed(begun, record) => match self.add(begun, record) {
                Ok(()) => Ok(()),
                Err(_) => {
                    self.given_up = true;
                    self.end()
                }
            },
            Note::Spent => self.end(),
        }
    }

    fn add(&mut self, begun: Begun, record: &SegmentRecord) -> io::Result<()> {
        let mut text = String::new();
        if self.noted.as_ref().is_none_or(|(known, _)| *known != begun) {
            let first = json!({
                "source": self.source,
                "id": hex(&begun.id),
                "space": begun.space.to_string(),
                "epoch": begun.epoch.0,
            });
            text = format!("{first}\n");
            self.noted = Some((begun, created(&self.path)?));
        }
        let line = json!({
            "pack": record.pack.to_string(),
            "offset": record.offset,
            "length": record.length,
            "key": record.key_index,
            "hash": record.hash.to_string(),
        });
        text.push_str(&format!("{line}\n"));
        match &mut self.noted {
            Some((_, file)) => file.write_all(text.as_bytes()),
            None => Ok(()),
        }
    }

    /// Throws the notes away, for good: a loss of power does not bring them back.
    pub(super) fn end(&mut self) -> Result<(), Unusable> {
        self.noted = None;
        gone(fs::remove_file(&self.path))?;
        let folder = self.path.parent().unwrap_or(&self.path);
        gone(File::open(folder).and_then(|folder| folder.sync_all()))
    }
}

/// Throws all notes of a device away whose memory is an old one: what they say may be old as well.
pub(super) fn forget(device: &Path) -> Result<(), Unusable> {
    gone(fs::remove_dir_all(folder(device)))
}

pub(super) fn gone(removed: io::Result<()>) -> Result<(), Unusable> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Unusable),
        _ => Ok(()),
    }
}

fn folder(device: &Path) -> PathBuf {
    device.join("uploads")
}

/// The next line, if it is whole.
fn line(lines: &mut BufReader<File>, whole: &mut u64) -> Option<Value> {
    let mut line = String::new();
    let length = lines.read_line(&mut line).ok()?;
    let value = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
    *whole += length as u64;
    Some(value)
}

fn record(line: &Value) -> Option<SegmentRecord> {
    Some(SegmentRecord {
        pack: PackId(array(&line["pack"])?),
        offset: u32::try_from(line["offset"].as_u64()?).ok()?,
        length: u32::try_from(line["length"].as_u64()?).ok()?,
        key_index: u16::try_from(line["key"].as_u64()?).ok()?,
        hash: Digest(array(&line["hash"])?),
    })
}

fn created(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

pub(super) fn array<const N: usize>(digits: &Value) -> Option<[u8; N]> {
    bytes(digits.as_str()?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Journal, forget};
    use crate::files::gather::Source;
    use std::fs;
    use turncoat_core::client::{Begun, Note};
    use turncoat_core::id::{Digest, Epoch, PackId, SpaceId};
    use turncoat_core::wire::SegmentRecord;

    const BEGUN: Begun = Begun {
        id: [7; 16],
        space: SpaceId([1; 32]),
        epoch: Epoch(3),
    };

    fn source() -> Source {
        Source {
            path: "anywhere".into(),
            name: b"\xff".to_vec(),
            size: 9,
            modified: (0, 0),
            changed: (1, 2),
            inode: (3, 4),
        }
    }

    fn sealed(number: u8) -> SegmentRecord {
        SegmentRecord {
            pack: PackId([number; 16]),
            offset: 0,
            length: 9,
            key_index: 0,
            hash: Digest([number; 32]),
        }
    }

    #[test]
    fn notes_are_read_back_up_to_where_they_are_torn() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::of(root.path(), &source());
        assert!(journal.read().is_none());
        journal.keep(Note::Sealed(BEGUN, &sealed(0))).unwrap();
        journal.keep(Note::Sealed(BEGUN, &sealed(1))).unwrap();
        let text = fs::read_to_string(&journal.path).unwrap();
        fs::write(&journal.path, &text[..text.len() - 1]).unwrap();
        let mut journal = Journal::of(root.path(), &source());
        assert_eq!(journal.read(), Some((BEGUN, vec![sealed(0)])));
        journal.keep(Note::Sealed(BEGUN, &sealed(2))).unwrap();
        let mut journal = Journal::of(root.path(), &source());
        assert_eq!(journal.read(), Some((BEGUN, vec![sealed(0), sealed(2)])));
        journal.keep(Note::Spent).unwrap();
        assert!(Journal::of(root.path(), &source()).read().is_none());
    }

    #[test]
    fn notes_are_for_one_upload_of_one_file_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::of(root.path(), &source());
        journal.keep(Note::Sealed(BEGUN, &sealed(0))).unwrap();
        let changes: [fn(&mut Source); 4] = [
            |source| source.name.push(7),
            |source| source.size += 1,
            |source| source.changed.1 += 1,
            |source| source.inode.1 += 1,
        ];
        for change in changes {
            let mut other = source();
            change(&mut other);
            assert!(Journal::of(root.path(), &other).read().is_none());
        }
        let mut later = BEGUN;
        later.epoch.0 += 1;
        journal.keep(Note::Sealed(later, &sealed(1))).unwrap();
        let mut journal = Journal::of(root.path(), &source());
        assert_eq!(journal.read(), Some((later, vec![sealed(1)])));
        forget(root.path()).unwrap();
        forget(root.path()).unwrap();
        assert!(Journal::of(root.path(), &source()).read().is_none());
    }

    #[test]
    fn notes_that_cannot_be_kept_are_none() {
        let root = tempfile::tempdir().unwrap();
        let mut journal = Journal::of(root.path(), &source());
        fs::write(root.path().join("uploads"), b"no folder").unwrap();
        let kept = journal.keep(Note::Sealed(BEGUN, &sealed(0)));
        assert!(kept.is_err(), "nobody can say what is there");
        let mut journal = Journal::of(root.path(), &source());
        fs::remove_file(root.path().join("uploads")).unwrap();
        fs::create_dir(root.path().join("uploads")).unwrap();
        fs::create_dir(&journal.path).unwrap();
        assert!(journal.keep(Note::Sealed(BEGUN, &sealed(0))).is_err());
        fs::remove_dir(&journal.path).unwrap();
        journal.keep(Note::Sealed(BEGUN, &sealed(1))).unwrap();
        assert!(!journal.path.exists(), "the first one would be missing");
    }
}
