//! A pack that has its name and not yet for good.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use turncoat_server::shelf::{Disk, Folder, Shelf as _};

const PACK: &str = "ab00";

/// A file by its name.
type File = Option<(PathBuf, Vec<u8>)>;

/// A disk of one file, whose folder takes long to sync the first time, and fails.
#[derive(Clone)]
struct Slow {
    file: Arc<Mutex<File>>,
    did: Arc<Mutex<Vec<&'static str>>>,
    /// Where somebody who reads says that he has.
    read: Arc<Mutex<Receiver<()>>>,
    syncing: Sender<()>,
}

impl Slow {
    fn note(&self, what: &'static str) -> usize {
        let mut did = self.did.lock().expect("nobody panicked");
        did.push(what);
        did.iter().filter(|done| **done == what).count()
    }
}

impl Disk for Slow {
    fn read(&self, file: &Path, _: usize, _: usize) -> io::Result<Vec<u8>> {
        let found = self.file.lock().expect("nobody panicked");
        let found = found.as_ref().filter(|(name, _)| name == file);
        let (_, bytes) = found.ok_or(io::ErrorKind::NotFound)?;
        self.note("read");
        Ok(bytes.clone())
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        *self.file.lock().expect("nobody panicked") = Some((file.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn rename(&self, _: &Path, to: &Path) -> io::Result<()> {
        if let Some((name, _)) = self.file.lock().expect("nobody panicked").as_mut() {
            to.clone_into(name);
        }
        Ok(())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn make_folder(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn list(&self, _: &Path) -> io::Result<Vec<(String, bool)>> {
        Ok(Vec::new())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if !path.ends_with("ab") || self.note("sync") > 1 {
            return Ok(());
        }
        let _ = self.syncing.send(());
        // Whoever does not wait for the name has read by then.
        let _ = self
            .read
            .lock()
            .expect("nobody panicked")
            .recv_timeout(Duration::from_secs(1));
        self.note("failed");
        Err(io::Error::other("the folder is not durable"))
    }
}

#[test]
fn nobody_is_shown_a_name_that_is_not_durable() {
    let (syncing, begun) = channel();
    let (has_read, read) = channel();
    let disk = Slow {
        file: Arc::default(),
        did: Arc::default(),
        read: Arc::new(Mutex::new(read)),
        syncing,
    };
    let folder = Folder::on(disk.clone(), PathBuf::from("packs"));
    thread::scope(|scope| {
        let writer = scope.spawn(|| folder.write(PACK, b"sealed"));
        begun.recv().unwrap();
        let reader = scope.spawn(|| {
            let found = folder.read_part(PACK, 0, 9);
            // The writer may have gone on without it.
            let _ = has_read.send(());
            found
        });
        assert!(writer.join().unwrap().is_err());
        let found = reader.join().unwrap().unwrap();
        assert_eq!(found, Some(b"sealed".to_vec()));
    });
    let did = disk.did.lock().unwrap();
    assert_eq!(*did, ["sync", "failed", "sync", "read"]);
}
