//! Every child is the leader of a process group that this registry ends, whatever ends the run.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// The groups and scratch folders of all runs of this process.
pub(super) static REGISTRY: Registry = Registry::new();

/// Ends every process group of every run, removes what they kept on disk, and lets no new one
/// start.
///
/// For the handler of an interrupt or a termination, just before the program ends.
pub fn end_all() {
    REGISTRY.end_all();
}

/// What must not outlive the program.
#[derive(Debug)]
pub(super) struct Registry(Mutex<Live>);

#[derive(Debug)]
struct Live {
    ended: bool,
    groups: BTreeSet<i32>,
    folders: BTreeSet<PathBuf>,
}

impl Registry {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Live {
            ended: false,
            groups: BTreeSet::new(),
            folders: BTreeSet::new(),
        }))
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a command as the leader of a new group.
    ///
    /// The lock is held meanwhile, so that no child slips in while all are being ended.
    pub(super) fn spawn(&'static self, command: &mut Command) -> io::Result<Leader> {
        let mut live = self.live();
        if live.ended {
            return Err(io::Error::other("the program is ending"));
        }
        let child = command.process_group(0).spawn()?;
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        live.groups.insert(group.as_raw());
        Ok(Leader {
            child,
            group,
            registry: self,
            ended: false,
        })
    }

    /// Adds a folder that is removed when all is ended.
    pub(super) fn add_folder(&self, folder: &Path) {
        self.live().folders.insert(folder.to_owned());
    }

    /// Forgets a folder that its owner removes.
    pub(super) fn forget_folder(&self, folder: &Path) {
        self.live().folders.remove(folder);
    }

    pub(super) fn end_all(&self) {
        let mut live = self.live();
        live.ended = true;
        for group in &live.groups {
            let _already_gone = killpg(Pid::from_raw(*group), Signal::SIGKILL);
        }
        for folder in &live.folders {
            let _best_effort = std::fs::remove_dir_all(folder);
        }
    }
}

/// A child that leads its own process group. Dropping it ends the whole group.
#[derive(Debug)]
pub(super) struct Leader {
    child: Child,
    group: Pid,
    registry: &'static Registry,
    ended: bool,
}

impl Leader {
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How the leader ended, if it did, without releasing its process id.
    pub(super) fn peek(&self) -> Option<String> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.group), flags) {
            Ok(WaitStatus::Exited(_, status)) => Some(format!("ended with status {status}")),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("ended by {signal}")),
            _ => None,
        }
    }

    /// Ends the group and waits for the leader.
    ///
    /// The leader is waited for last: until then nobody else can get its process id, so that the
    /// signal meets no stranger.
    pub(super) fn end(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        {
            let mut live = self.registry.live();
            let _already_gone = killpg(self.group, Signal::SIGKILL);
            live.groups.remove(&self.group.as_raw());
        }
        self.child.wait().map(Some)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let _not_ours_any_more = self.end();
    }
}
