//! One tool at work: its folder, its commands, the processes that it keeps.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::data::Data;

/// Why there is no measurement.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl Failed {
    pub(crate) fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    Login,
    StoreBig,
    StoreMany,
    List,
    FetchBig,
    FetchMany,
    Change,
    Append,
}

impl Task {
    pub(crate) const ALL: [Self; 8] = [
        Self::Login,
        Self::StoreBig,
        Self::StoreMany,
        Self::List,
        Self::FetchBig,
        Self::FetchMany,
        Self::Change,
        Self::Append,
    ];
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "log in, and nothing else",
            Self::StoreBig => "store the large file",
            Self::StoreMany => "store the small files",
            Self::List => "list the small files",
            Self::FetchBig => "fetch the large file",
            Self::FetchMany => "fetch the small files",
            Self::Change => "store it with one byte changed",
            Self::Append => "append 1 KiB to it",
        })
    }
}

/// The folders of one tool in one round.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// All of it.
    pub(crate) folder: PathBuf,
    /// What it stores.
    pub(crate) store: PathBuf,
    /// What it fetches.
    pub(crate) out: PathBuf,
}

impl Place {
    /// Takes a folder away, and the bytes of its files; the files themselves stay until the end.
    /// For minutes after thousands of files were removed, ext4 looks for room past every one of
    /// them whenever a file is made.
    fn lay_aside(&self, folder: &Path) -> Result<(), Failed> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        emptied(folder).map_err(Failed::of)?;
        let aside = self.folder.with_file_name(format!("aside-{number}"));
        fs::rename(folder, aside).map_err(Failed::of)
    }

    pub(crate) fn make(root: &Path, name: &str, round: usize) -> Result<Self, Failed> {
        let folder = root.join(format!("{name}-{round}"));
        let place = Self {
            store: folder.join("store"),
            out: folder.join("out"),
            folder,
        };
        fs::create_dir_all(&place.store).map_err(Failed::of)?;
        Ok(place)
    }
}

/// What a piece of work took, until it was synced.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) whole: Duration,
    /// Of it, the login, where the tool says so itself.
    pub(crate) login: Option<Duration>,
    pub(crate) command: String,
}

/// What a tool runs for a task.
pub(crate) type Commands = Box<dyn Fn(Task) -> Option<Command>>;

/// A tool that has a store.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) commands: Commands,
    /// Processes that serve or mount, and how each is asked to end.
    pub(crate) kept: Vec<(Child, Option<Command>)>,
    /// Its output is JSON with `login_ms`.
    pub(crate) says_login: bool,
}

impl Tool {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Bytes of the store.
    pub(crate) fn stored(&self) -> Result<u64, Failed> {
        size_of_all(&self.place.store).map_err(Failed::of)
    }

    /// Does the work, syncs, compares what was fetched; `None` if the tool has no such thing.
    pub(crate) fn perform(&mut self, task: Task, data: &Data) -> Result<Option<Taken>, Failed> {
        let Some(mut command) = (self.commands)(task) else {
            return Ok(None);
        };
        fs::create_dir_all(&self.place.out).map_err(Failed::of)?;
        data.synced()?;
        let began = Instant::now();
        let output = run(&mut command)?;
        data.synced()?;
        let whole = began.elapsed();
        data.compare(task, &self.place.out)?;
        self.place.lay_aside(&self.place.out)?;
        let login = match self.says_login {
            true => Some(said(&output)?),
            false => None,
        };
        Ok(Some(Taken {
            whole,
            login,
            command: line(&command, &self.place, data),
        }))
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        for (child, ending) in &mut self.kept {
            let asked = ending.as_mut().is_some_and(|ending| run(ending).is_ok());
            if !asked {
                // It may have ended already.
                let _ = child.kill();
            }
            let _ = child.wait();
        }
        // The folder is inside one that is removed as a whole; this makes room for the next round.
        let _ = self.place.lay_aside(&self.place.folder);
    }
}

fn said(output: &[u8]) -> Result<Duration, Failed> {
    let document: serde_json::Value = serde_json::from_slice(output).map_err(Failed::of)?;
    let login = document["login_ms"].as_f64();
    let login = login.ok_or_else(|| Failed("no login_ms in the output".to_owned()))?;
    Ok(Duration::from_secs_f64(login / 1e3))
}

/// The command as a person would type it, with `$W` for the tool's folder.
fn line(command: &Command, place: &Place, data: &Data) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    let line = words.join(" ");
    line.replace(&place.folder.display().to_string(), "$W")
        .replace(&data.folder().display().to_string(), "$DATA")
}

/// Runs a command to its end, within bounds, and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, Failed> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: String| Failed(format!("{name}: {why}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    // Both are read while it works: a full pipe would stop it.
    let stdout = child.stdout.take().map(read_on);
    let stderr = child.stderr.take().map(read_on);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|error| failed(error.to_string()))?
        {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("not done after {PATIENCE:?}")));
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    let text = |reading: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reading
            .and_then(|reading| reading.join().ok())
            .unwrap_or_default()
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        return Err(failed(format!("{status}: {}", said.trim())));
    }
    Ok(stdout)
}

fn read_on(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is what there is to say.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn emptied(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            emptied(&entry.path())?;
        } else if kind.is_file() {
            // Some tools protect what they store.
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
            let file = fs::OpenOptions::new().write(true).open(entry.path())?;
            file.set_len(0)?;
        }
    }
    Ok(())
}

fn size_of_all(folder: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += match metadata.is_dir() {
            true => size_of_all(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(size)
}
