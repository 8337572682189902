//! One large file, written and synced beside the work that makes it; after a cut, gone on with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use nix::fcntl::{Flock, FlockArg, OFlag};

use super::interrupt;
use super::journal::short;
use super::landing::{Partial, Places, failed, folder_of, synced_folder};
use crate::status::Fault;

/// Bytes after which what was written is pushed to the disk, so that little is left at the end.
const PUSHED: u64 = 32 << 20;
/// Pieces that may wait for the disk beside the one that it writes; each is as large as a pack.
const WAITING: usize = 1;
/// Bytes of what was left that are held against the store at a time: a pack's content and more.
const HELD: usize = 4 << 20;

/// One large file on its way.
#[derive(Debug)]
pub(super) struct Large {
    partial: Partial,
    file: File,
    pieces: SyncSender<Vec<u8>>,
    /// Pieces that are written. The kernel takes long to hand memory out, and got it back whenever
    /// one thread made a piece and another let it go.
    spent: Receiver<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
    /// Nobody else goes on with what was left while this one does.
    _lock: Option<Flock<File>>,
}

impl Large {
    /// A file that is gone if it does not land.
    pub(super) fn begin(path: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder_of(path)).map_err(failed(path))?;
        let (partial, file) = Partial::begin(path).map_err(failed(path))?;
        Self::written(partial, file, None)
    }

    /// A file of this name that a later run goes on with, and how much an earlier one left of it.
    /// `skip` says how much of what it is given, if anything, is what belongs there.
    pub(super) fn resumed(
        path: &Path,
        name: &[u8],
        skip: impl FnMut(&[u8]) -> usize,
    ) -> Result<(Self, u64), Fault> {
        fs::create_dir_all(folder_of(path)).map_err(failed(path))?;
        match left_over(path, name) {
            Ok((partial, lock)) => {
                let failed = failed(path);
                let mut file = lock.try_clone().map_err(&failed)?;
                let held = held(&file, skip).map_err(&failed)?;
                file.set_len(held).map_err(&failed)?;
                file.seek(SeekFrom::Start(held)).map_err(&failed)?;
                Ok((Self::written(partial, file, Some(lock))?, held))
            }
            // Another process goes on with it, or somebody else's file is in its place.
            Err(_) => Ok((Self::begin(path)?, 0)),
        }
    }

    fn written(partial: Partial, file: File, lock: Option<Flock<File>>) -> Result<Self, Fault> {
        let place = partial.place.clone();
        let failed = failed(&place);
        let (pieces, written) = sync_channel(WAITING);
        let (done, spent) = channel();
        let own = file.try_clone().map_err(&failed)?;
        let writer = std::thread::Builder::new().name("writer".to_owned());
        let writer = writer.spawn(move || write_all(own, &written, &done));
        Ok(Self {
            partial,
            file,
            pieces,
            spent,
            writer: writer.map_err(&failed)?,
            _lock: lock,
        })
    }

    /// Adds a piece, and returns the memory of an earlier one. A failure of the disk may come to
    /// light later, but before the file has its name.
    pub(super) fn add(&self, piece: Vec<u8>) -> Vec<u8> {
        // The writer ends early only where it failed, and says so at the end.
        let _ = self.pieces.send(piece);
        self.spent.try_recv().unwrap_or_default()
    }

    /// Makes it durable and gives it its name.
    pub(super) fn land(self, places: &mut Places) -> Result<(), Fault> {
        let Self {
            partial,
            file,
            pieces,
            spent: _,
            writer,
            _lock,
        } = self;
        let place = partial.place.clone();
        let failed = failed(&place);
        drop(pieces);
        let written = writer.join();
        written
            .unwrap_or_else(|_| Err(io::Error::other("the writer stopped")))
            .and_then(|()| file.sync_all())
            .map_err(&failed)?;
        places.name(partial)?;
        synced_folder(folder_of(&place))
    }

    /// Ends without landing, and says where what came is kept, if it is.
    pub(super) fn cut(mut self) -> Option<PathBuf> {
        drop(self.pieces);
        // What the disk did not take, a later run does not find.
        let _ = self.writer.join();
        // A file of nothing is good for nothing.
        self.partial.left &= self.file.metadata().is_ok_and(|left| left.len() > 0);
        self.partial.left.then(|| self.partial.path.clone())
    }

    /// Ends without landing, and keeps nothing.
    pub(super) fn discard(mut self) {
        self.partial.left = false;
    }
}

/// What an earlier run left beside the place, or a new file for a later one.
fn left_over(place: &Path, name: &[u8]) -> io::Result<(Partial, Flock<File>)> {
    let own = place.file_name().unwrap_or_default().as_bytes();
    let file = format!(".turncoat-{}.partial", short(&[own, b"/", name].concat()));
    let path = place.with_file_name(file);
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(OFlag::O_NOFOLLOW.bits());
    // Whatever else is there, somebody may have put there for this program to write into.
    let ours = path.symlink_metadata().is_ok_and(|there| {
        let user = nix::unistd::geteuid().as_raw();
        there.is_file() && there.uid() == user && there.nlink() == 1
    });
    let file = match ours {
        true => options.open(&path)?,
        false => options.create_new(true).open(&path)?,
    };
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
    interrupt::kept(&path);
    let partial = Partial {
        path,
        place: place.to_owned(),
        left: true,
    };
    Ok((partial, lock))
}

/// How many bytes from the start are what belongs there.
fn held(file: &File, mut skip: impl FnMut(&[u8]) -> usize) -> io::Result<u64> {
    let mut piece = vec![0; HELD];
    let mut held = 0;
    loop {
        let mut filled = 0;
        while filled < piece.len() {
            match file.read_at(&mut piece[filled..], held + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        match skip(&piece[..filled]) {
            0 => return Ok(held),
            fits => held += fits as u64,
        }
    }
}

fn write_all(
    mut file: File,
    pieces: &Receiver<Vec<u8>>,
    spent: &Sender<Vec<u8>>,
) -> io::Result<()> {
    let (push, pushes) = sync_channel::<()>(1);
    let own = file.try_clone()?;
    let pusher = std::thread::Builder::new().name("pusher".to_owned());
    let pusher = pusher.spawn(move || {
        // A failure comes up again when all is synced in the end.
        while pushes.recv().is_ok() && own.sync_data().is_ok() {}
    })?;
    let mut since = 0;
    while let Ok(piece) = pieces.recv() {
        file.write_all(&piece)?;
        since += piece.len() as u64;
        if since >= PUSHED && push.try_send(()).is_ok() {
            since = 0;
        }
        // Nobody may want it any more.
        let _ = spent.send(piece);
    }
    drop(push);
    // It holds a handle of the file and nothing else.
    let _ = pusher.join();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Large, Places, WAITING};
    use std::fs;

    #[test]
    fn a_large_file_lands_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("x".repeat(255));
        let large = Large::begin(&path).unwrap();
        let mut given_back = 0;
        for byte in 0..40 {
            let spent = large.add(vec![byte; 1 << 20]);
            given_back += usize::from(spent.capacity() >= 1 << 20);
        }
        // All but the first, the one that waits, and the one that is written.
        assert!(given_back >= 40 - 2 - WAITING, "{given_back}");
        large.land(&mut Places::new(false)).unwrap();
        let content = fs::read(&path).unwrap();
        assert!(
            content
                .chunks(1 << 20)
                .zip(0..40)
                .all(|(piece, byte)| piece == vec![byte; 1 << 20])
        );
        assert_eq!(content.len(), 40 << 20);
        let cut = Large::begin(&path.with_file_name("cut")).unwrap();
        cut.add(vec![1]);
        assert_eq!(cut.cut(), None);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_left_is_gone_on_with_as_far_as_it_fits_and_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let (large, held) = Large::resumed(&path, b"name", |_| 0).unwrap();
        assert_eq!(held, 0);
        large.add(b"abcdef".to_vec());
        let (other, held) = Large::resumed(&path, b"name", |_| 3).unwrap();
        assert_eq!((held, other.cut()), (0, None));
        let (empty, _) = Large::resumed(&path, b"another name", |_| 0).unwrap();
        assert_eq!(empty.cut(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let kept = large.cut().unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"abcdef");
        let mut seen = Vec::new();
        let fits = |left: &[u8]| {
            seen.push(left.to_vec());
            [2, 1, 0][seen.len() - 1]
        };
        let (large, held) = Large::resumed(&path, b"name", fits).unwrap();
        assert_eq!(held, 3);
        assert_eq!(seen, [&b"abcdef"[..], b"cdef", b"def"]);
        large.add(b"xy".to_vec());
        large.land(&mut Places::new(false)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcxy");
        assert!(!kept.exists());
    }
}
