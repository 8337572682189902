//! An interrupt or a termination ends every client at once, and keeps what was finished.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use turncoat_adversary::driver::external;

use crate::status::{Fault, Status};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether the run was asked to end. What ends after this is no finding: its client was killed.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// From now on an interrupt or a termination ends external clients and lets the run wind up; a
/// second one ends the program.
pub(crate) fn watch() -> Result<(), Fault> {
    ctrlc::set_handler(|| {
        // First the word, then the deed: a client's death must never be taken for its own doing.
        let again = INTERRUPTED.swap(true, Ordering::SeqCst);
        external::end_all();
        if again {
            process::exit(i32::from(Status::Interrupted.code()));
        }
        // Nobody may be listening any more; that is no reason to stay.
        let _ = writeln!(
            io::stderr(),
            "interrupted: every client was ended; what was finished is told. Again ends at once."
        );
    })
    .map_err(|error| Fault::machine(format!("no signal handler could be set: {error}")))
}
