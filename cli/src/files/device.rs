//! What a device remembers: one file, replaced as a whole, for one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use turncoat_core::env::{Clock, Entropy};
use turncoat_core::remote::{Unusable, Vault};

use crate::status::Fault;
use crate::time;

/// Bytes of a state at most; more is no state of ours.
const STATE_MAX: u64 = 256 << 20;

/// The folder of one account on this device, locked for this process.
#[derive(Debug)]
pub(crate) struct Device {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Device {
    /// The folder of an account, made if it is missing.
    pub(crate) fn open(root: Option<&Path>, realm: &str, user: &str) -> Result<Self, Fault> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => data_folder()?,
        };
        let folder = root.join(plain(realm)).join(plain(user));
        let failed = |error: io::Error| Fault::machine(format!("{}: {error}", folder.display()));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(failed)?;
        let lock = private().open(folder.join("lock")).map_err(failed)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|_| {
            Fault::machine(format!(
                "{}: another turncoat works with this account here; wait for it, or give this one \
                 its own --state",
                folder.display()
            ))
        })?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Where it remembers what it has seen.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its memory.
    pub(crate) fn vault(&self) -> FileVault {
        FileVault {
            folder: self.folder.clone(),
        }
    }

    /// Keeps a file beside the state, under a name that is not taken, and says where.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let mut count = 1;
        loop {
            let path = self.folder.join(format!("{name}-{count}"));
            let fresh = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match fresh {
                Ok(mut file) => {
                    file.write_all(bytes)?;
                    file.sync_all()?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The state file of a device.
#[derive(Clone, Debug)]
pub(crate) struct FileVault {
    folder: PathBuf,
}

impl FileVault {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.folder.join("state")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut state = Vec::new();
        file.take(STATE_MAX).read_to_end(&mut state)?;
        Ok(Some(state))
    }

    fn write(&self, state: &[u8]) -> io::Result<()> {
        let partial = self.folder.join("state.partial");
        let mut file = private().truncate(true).open(&partial)?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(&partial, self.folder.join("state"))?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Vault for FileVault {
    async fn load(&mut self) -> Result<Option<Vec<u8>>, Unusable> {
        self.read().map_err(|_| Unusable)
    }

    async fn save(&mut self, state: Vec<u8>) -> Result<(), Unusable> {
        self.write(&state).map_err(|_| Unusable)
    }
}

/// The machine's randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Entropy for Machine {
    fn fill(&mut self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap_or_else(|error| {
            // Nothing may be sealed without it.
            unreachable!("the machine has no randomness: {error}")
        });
    }
}

impl Clock for Machine {
    fn now_ms(&self) -> u64 {
        time::now_ms()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

/// A name as a folder of its own: letters, digits and a few signs stay, the rest is written out.
fn plain(name: &str) -> String {
    let mut plain = String::from("_");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => plain.push(char::from(byte)),
            _ => plain.push_str(&format!("%{byte:02x}")),
        }
    }
    plain
}

/// `$XDG_DATA_HOME/turncoat`, or where that is by default.
fn data_folder() -> Result<PathBuf, Fault> {
    let absolute = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let data = data.ok_or_else(|| Fault::usage("there is no HOME: say --state DIR"))?;
    Ok(data.join("turncoat"))
}

#[cfg(test)]
mod tests {
    use super::{Device, plain};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn folders_of_different_names_differ_and_stay_inside() {
        let names = [
            "alice", "Alice", "..", ".", "", "a/b", "%61", "\u{e9}", "a\nb", "a b",
        ];
        let folders: std::collections::BTreeSet<String> = names.iter().map(|n| plain(n)).collect();
        assert_eq!(folders.len(), names.len());
        for folder in folders {
            assert!(folder.starts_with('_') && !folder.contains('/'), "{folder}");
        }
    }

    #[test]
    fn a_state_is_private_whole_and_of_one_process() {
        let root = tempfile::tempdir().unwrap();
        let device = Device::open(Some(root.path()), "realm", "alice").unwrap();
        assert!(device.vault().read().unwrap().is_none());
        device.vault().write(b"one").unwrap();
        device.vault().write(b"two").unwrap();
        assert_eq!(device.vault().read().unwrap().unwrap(), b"two");
        let state = device.folder.join("state");
        let mode = std::fs::metadata(state).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Device::open(Some(root.path()), "realm", "alice").unwrap_err();
        assert!(second.shown().contains("another turncoat"), "{second:?}");
        Device::open(Some(root.path()), "realm", "bob").unwrap();
        drop(device);
        Device::open(Some(root.path()), "realm", "alice").unwrap();
    }
}
