//! A bar on what takes longer than a second, where a person is watching.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done within this time needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes that move.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    began: Instant,
    shown: Cell<bool>,
}

impl Progress {
    /// Of so many bytes in all, if that is known.
    pub(super) fn new(total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {eta} left",
            None => "{bytes} {spinner} {bytes_per_sec} {elapsed}",
        };
        // The templates are constants; a mistake in them costs the looks alone.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            began: Instant::now(),
            shown: Cell::new(false),
        }
    }

    /// So many more have moved.
    pub(super) fn add(&self, bytes: u64) {
        // Standard error draws nothing where it is no terminal.
        if !self.shown.get() && self.began.elapsed() >= PATIENCE {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(4));
            self.shown.set(true);
        }
        self.bar.inc(bytes);
    }

    /// How many have moved.
    pub(super) fn position(&self) -> u64 {
        self.bar.position()
    }

    /// So many had moved before, and count for no rate.
    pub(super) fn start_at(&self, bytes: u64) {
        self.bar.set_position(bytes);
        self.bar.reset_eta();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Whatever is told next starts on a clean line.
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Progress};
    use std::time::Instant;

    #[test]
    fn a_bar_is_shown_only_for_what_takes_its_time() {
        let mut progress = Progress::new(Some(10));
        progress.start_at(3);
        progress.add(1);
        assert!(!progress.shown.get());
        progress.began = Instant::now() - PATIENCE;
        progress.add(2);
        assert!(progress.shown.get());
        assert_eq!(progress.position(), 6);
        // What moves once more is counted once more.
        progress.start_at(4);
        progress.add(2);
        assert_eq!(progress.position(), 6);
    }
}
