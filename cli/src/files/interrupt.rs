//! A signal ends the program with nothing left behind: no half a file, no terminal without echo.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use serde_json::json;

use super::report;
use crate::status::{Fault, Status};

/// What a signal must put right.
struct Left {
    partials: BTreeSet<PathBuf>,
    /// Files that a later run goes on with.
    kept: BTreeSet<PathBuf>,
    terminal: Option<(File, Termios)>,
}

static LEFT: Mutex<Left> = Mutex::new(Left {
    partials: BTreeSet::new(),
    kept: BTreeSet::new(),
    terminal: None,
});

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on an interrupt or a termination puts right what is noted here, and ends the program.
pub(super) fn watch(json: bool) -> Result<(), Fault> {
    ctrlc::set_handler(move || {
        // Held to the end: nothing new is begun any more.
        let left = left();
        for partial in &left.partials {
            let _ = fs::remove_file(partial);
        }
        if let Some((terminal, settings)) = &left.terminal {
            let _ = tcsetattr(terminal, SetArg::TCSANOW, settings);
        }
        let mut message =
            "interrupted; what had not come to its end may still take effect at the server"
                .to_owned();
        for kept in &left.kept {
            match fs::metadata(kept) {
                Ok(metadata) if metadata.len() > 0 => message.push_str(&going_on(kept)),
                // Nothing came.
                _ => drop(fs::remove_file(kept)),
            }
        }
        let fault = Fault::of(Status::Interrupted, message);
        // Nobody may be listening any more; that is no reason to stay. The lock of standard output
        // is another thread's.
        let _ = writeln!(io::stderr(), "\nerror: {}", fault.shown());
        if json {
            let code = fault.status.code();
            let document = json!({ "error": report::error(&fault), "status": code });
            let _ = nix::unistd::write(io::stdout().as_fd(), format!("{document}\n").as_bytes());
        }
        process::exit(i32::from(fault.status.code()));
    })
    .map_err(|error| Fault::machine(format!("no signal handler could be set: {error}")))
}

/// Notes a file that is to be removed.
pub(super) fn begun(partial: &Path) {
    left().partials.insert(partial.to_owned());
}

/// Notes a file that is to be left for a later run.
pub(super) fn kept(partial: &Path) {
    left().kept.insert(partial.to_owned());
}

/// The file has its name, or is removed.
pub(super) fn ended(partial: &Path) {
    let mut left = left();
    left.partials.remove(partial);
    left.kept.remove(partial);
}

/// What to know of a file that is left.
pub(super) fn going_on(kept: &Path) -> String {
    let kept = kept.display();
    format!("\n  what came is kept in {kept}; the same command goes on from there")
}

/// Puts the terminal back as it was once this is dropped, or at a signal.
#[derive(Debug)]
pub(super) struct Echo;

impl Echo {
    pub(super) fn kept() -> Self {
        // Where there is no terminal, none is changed.
        if let Ok(terminal) = File::open("/dev/tty")
            && let Ok(settings) = tcgetattr(&terminal)
        {
            left().terminal = Some((terminal, settings));
        }
        Self
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let mut left = left();
        if let Some((terminal, settings)) = left.terminal.take() {
            let _ = tcsetattr(&terminal, SetArg::TCSANOW, &settings);
        }
    }
}
