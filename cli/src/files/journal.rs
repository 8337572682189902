//! What an upload needs to go on after a cut: noted as it goes, and no secret.
//!
//! Nothing of it is believed: the client proves each segment against the file and the server.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use turncoat_core::client::Begun;
use turncoat_core::id::{Digest, Epoch, PackId, SpaceId};
use turncoat_core::wire::SegmentRecord;

use super::names::{bytes, hex, named};

/// The notes on one upload: a line on it, and one for each segment that was stored.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Where notes are added, and what is in it.
    noted: Option<(File, Begun, Vec<SegmentRecord>)>,
}

/// A short name for something whose own may be as long as it likes.
pub(super) fn short(name: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Journal {
    /// The notes on the upload of this name, where this device keeps them.
    pub(super) fn of(folder: &Path, name: &[u8]) -> Self {
        Self {
            path: folder.join("uploads").join(short(name)),
            noted: None,
        }
    }

    /// What an earlier run noted of an upload of this name; the first line that is none ends it.
    pub(super) fn read(&self, name: &[u8]) -> Option<(Begun, Vec<SegmentRecord>)> {
        let mut lines = BufReader::new(File::open(&self.path).ok()?).lines();
        let first: Value = serde_json::from_str(&lines.next()?.ok()?).ok()?;
        if first["name"] != named(name) {
            return None;
        }
        let begun = Begun {
            id: array(&first["id"])?,
            space: SpaceId(array(&first["space"])?),
            epoch: Epoch(first["epoch"].as_u64()?),
        };
        let record = |line: io::Result<String>| {
            let line: Value = serde_json::from_str(&line.ok()?).ok()?;
            Some(SegmentRecord {
                pack: PackId(array(&line["pack"])?),
                offset: u32::try_from(line["offset"].as_u64()?).ok()?,
                length: u32::try_from(line["length"].as_u64()?).ok()?,
                key_index: u16::try_from(line["key"].as_u64()?).ok()?,
                hash: Digest(array(&line["hash"])?),
            })
        };
        Some((begun, lines.map_while(record).collect()))
    }

    /// Notes what was stored since. An upload that cannot be noted goes on all the same.
    pub(super) fn note(&mut self, name: &[u8], begun: Begun, stored: &[SegmentRecord]) {
        let Some(last) = stored.last() else {
            return;
        };
        let grown = |(_, known, noted): &&mut (File, Begun, Vec<SegmentRecord>)| {
            *known == begun && noted.last().is_none_or(|last| stored.contains(last))
        };
        // What an earlier run noted stays until more than that is stored.
        if self.noted.is_none()
            && self
                .read(name)
                .is_some_and(|(known, noted)| known == begun && noted.contains(last))
        {
            return;
        }
        let mut text = String::new();
        let noted = match self.noted.as_mut().filter(grown) {
            Some(noted) => noted,
            None => {
                let Ok(file) = created(&self.path) else {
                    return;
                };
                let first = json!({
                    "name": named(name),
                    "id": hex(&begun.id),
                    "space": begun.space.to_string(),
                    "epoch": begun.epoch.0,
                });
                text.push_str(&format!("{first}\n"));
                self.noted.insert((file, begun, Vec::new()))
            }
        };
        let (file, _, noted) = noted;
        for record in stored.get(noted.len()..).unwrap_or_default() {
            let line = json!({
                "pack": record.pack.to_string(),
                "offset": record.offset,
                "length": record.length,
                "key": record.key_index,
                "hash": record.hash.to_string(),
            });
            text.push_str(&format!("{line}\n"));
            noted.push(record.clone());
        }
        // At worst there is less to go on with.
        let _ = file.write_all(text.as_bytes());
    }

    /// The upload came to its end, or what was stored is of no use.
    pub(super) fn end(self) {
        let _ = fs::remove_file(self.path);
    }
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

fn array<const N: usize>(digits: &Value) -> Option<[u8; N]> {
    bytes(digits.as_str()?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::Journal;
    use std::fs;
    use turncoat_core::client::Begun;
    use turncoat_core::id::{Digest, Epoch, PackId, SpaceId};
    use turncoat_core::wire::SegmentRecord;

    #[test]
    fn notes_are_read_back_up_to_where_they_are_torn() {
        let root = tempfile::tempdir().unwrap();
        let begun = Begun {
            id: [7; 16],
            space: SpaceId([1; 32]),
            epoch: Epoch(3),
        };
        let stored: Vec<SegmentRecord> = (0..3)
            .map(|number| SegmentRecord {
                pack: PackId([number; 16]),
                offset: 0,
                length: 9,
                key_index: 0,
                hash: Digest([number; 32]),
            })
            .collect();
        let mut journal = Journal::of(root.path(), b"\xff");
        assert!(journal.read(b"\xff").is_none());
        journal.note(b"\xff", begun, &stored[..1]);
        journal.note(b"\xff", begun, &stored);
        assert_eq!(journal.read(b"\xff"), Some((begun, stored.clone())));
        assert_eq!(journal.read(b"another"), None);
        let text = fs::read_to_string(&journal.path).unwrap();
        fs::write(&journal.path, &text[..text.len() - 9]).unwrap();
        assert_eq!(journal.read(b"\xff"), Some((begun, stored[..2].to_vec())));
        journal.end();
        assert!(Journal::of(root.path(), b"\xff").read(b"\xff").is_none());
    }
}
