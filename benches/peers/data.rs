//! What is stored: incompressible bytes from a seed; and the bare price of copying and sealing.

use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use turncoat_core::hazmat::{aead, hash};

use crate::tool::{Failed, Task};

const PIECE: usize = 4 << 20;
const SMALL: usize = 4 << 10;
/// What is sealed under one key and hashed on its way, as the client does it.
const CHUNK: usize = 64 << 10;

/// The files to store.
pub(crate) struct Data {
    folder: PathBuf,
    size: usize,
    files: usize,
    /// The byte that changes, and what it was.
    changes: (u64, u8),
}

/// A stream of bytes that nothing compresses: what AES makes of zeros.
struct Stream {
    key: [u8; 32],
    count: u64,
}

impl Stream {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        let mut nonce = [0; aead::NONCE_SIZE];
        nonce[..8].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        let _tag = aead::seal_slice(&self.key, &nonce, b"", bytes);
    }
}

impl Data {
    /// Writes the files below `root`.
    pub(crate) fn make(root: &Path, mib: usize, files: usize, seed: u64) -> Result<Self, Failed> {
        let folder = root.join("data");
        fs::create_dir_all(folder.join("many")).map_err(Failed::of)?;
        let mut stream = Stream {
            key: hash::sha256(&seed.to_be_bytes()),
            count: 0,
        };
        let size = mib << 20;
        let mut big = File::create(folder.join("big")).map_err(Failed::of)?;
        let mut piece = vec![0; PIECE];
        let mut left = size;
        let mut changes = (0, 0);
        while left > 0 {
            let now = left.min(PIECE);
            stream.fill(&mut piece[..now]);
            // In the middle, so that nothing is at a boundary.
            if left > size / 2 {
                changes = ((size - left + now / 3) as u64, piece[now / 3]);
            }
            big.write_all(&piece[..now]).map_err(Failed::of)?;
            left -= now;
        }
        for number in 0..files {
            stream.fill(&mut piece[..SMALL]);
            let path = folder.join(format!("many/f{number:05}"));
            fs::write(path, &piece[..SMALL]).map_err(Failed::of)?;
        }
        stream.fill(&mut piece[..1024]);
        fs::write(folder.join("kib"), &piece[..1024]).map_err(Failed::of)?;
        fs::write(folder.join("password"), "correct horse\n").map_err(Failed::of)?;
        let data = Self {
            folder,
            size,
            files,
            changes,
        };
        data.synced()?;
        Ok(data)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Brings the source to where a task finds it.
    pub(crate) fn before(&self, task: Task) -> Result<(), Failed> {
        match task {
            Task::Change => self.set(self.changes.1 ^ 0xff)?,
            Task::Append => {
                let kib = fs::read(self.file("kib")).map_err(Failed::of)?;
                let mut big = OpenOptions::new();
                let mut big = big
                    .append(true)
                    .open(self.file("big"))
                    .map_err(Failed::of)?;
                big.write_all(&kib).map_err(Failed::of)?;
            }
            _ => {}
        }
        self.synced()
    }

    /// The source as it was in the beginning.
    pub(crate) fn restore(&self) -> Result<(), Failed> {
        self.set(self.changes.1)?;
        let big = OpenOptions::new().write(true).open(self.file("big"));
        big.and_then(|big| big.set_len(self.size as u64))
            .map_err(Failed::of)?;
        self.synced()
    }

    fn set(&self, byte: u8) -> Result<(), Failed> {
        let big = OpenOptions::new().write(true).open(self.file("big"));
        let mut big = big.map_err(Failed::of)?;
        big.seek(SeekFrom::Start(self.changes.0))
            .map_err(Failed::of)?;
        big.write_all(&[byte]).map_err(Failed::of)
    }

    /// Waits until everything on the disk of the data is durable.
    pub(crate) fn synced(&self) -> Result<(), Failed> {
        let folder = File::open(&self.folder).map_err(Failed::of)?;
        nix::unistd::syncfs(&folder).map_err(Failed::of)
    }

    /// What was fetched is what was stored, all of it.
    pub(crate) fn compare(&self, task: Task, fetched: &Path) -> Result<(), Failed> {
        let names = match task {
            Task::FetchBig => vec!["big".to_owned()],
            Task::FetchMany => (0..self.files).map(|n| format!("many/f{n:05}")).collect(),
            _ => return Ok(()),
        };
        for name in names {
            let (source, copy) = (self.file(&name), fetched.join(&name));
            if !same(&source, &copy).map_err(|error| Failed(format!("{name}: {error}")))? {
                return Err(Failed(format!("{name} came back different")));
            }
        }
        Ok(())
    }

    /// AES-256-GCM and SHA-256 over as many bytes as the large file has, one core, in memory.
    pub(crate) fn bare(&self) -> [(&'static str, Duration); 2] {
        let mut piece = vec![0x5a; PIECE];
        let rounds = self.size / PIECE;
        let began = Instant::now();
        for _ in 0..rounds {
            for chunk in piece.chunks_mut(CHUNK) {
                black_box(aead::seal_slice(&[7; 32], &[0; 12], b"", chunk));
            }
        }
        let sealing = began.elapsed();
        let began = Instant::now();
        for _ in 0..rounds {
            black_box(hash::sha256(black_box(&piece)));
        }
        [("AES-256-GCM", sealing), ("SHA-256", began.elapsed())]
    }
}

fn same(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// Touches memory: on a virtual machine the first touch of what was given back costs seconds.
pub(crate) fn warm(bytes: usize) {
    let mut memory = vec![1_u8; bytes];
    for page in memory.chunks_mut(4096) {
        page[0] = 2;
    }
    black_box(&memory);
}
