//! The clock beside the runs: a script that takes too long, or is interrupted, is asked to stop.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use turncoat_adversary::script::Stop;

use super::interrupt::interrupted;

/// Wall time of one script with all its runs. Generous: a slow machine is no verdict.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The scripts that are running, and since when.
pub(super) struct Watch {
    running: Vec<Mutex<Option<(Instant, Stop)>>>,
    done: AtomicBool,
}

/// A script runs for as long as this lives.
pub(super) struct Watched<'a>(&'a Mutex<Option<(Instant, Stop)>>);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Ok(mut running) = self.0.lock() {
            *running = None;
        }
    }
}

impl Watch {
    pub(super) fn new(scripts: usize) -> Self {
        Self {
            running: (0..scripts).map(|_| Mutex::new(None)).collect(),
            done: AtomicBool::new(false),
        }
    }

    /// Watches one script.
    pub(super) fn begin(&self, index: usize, stop: Stop) -> Watched<'_> {
        let place = &self.running[index];
        if let Ok(mut running) = place.lock() {
            *running = Some((Instant::now(), stop));
        }
        Watched(place)
    }

    /// Does the work with the clock beside it.
    pub(super) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !self.done.load(Ordering::Relaxed) {
                    self.look();
                    std::thread::park_timeout(TICK);
                }
            });
            let result = work();
            self.done.store(true, Ordering::Relaxed);
            result
        })
    }

    fn look(&self) {
        for place in &self.running {
            if let Ok(running) = place.lock()
                && let Some((since, stop)) = &*running
                && (interrupted() || since.elapsed() > LIMIT)
            {
                stop.request();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_began_long_ago_is_asked_to_stop_and_others_are_not() {
        let watch = Watch::new(2);
        let (old, new) = (Stop::default(), Stop::default());
        let _old = watch.begin(0, old.clone());
        let _new = watch.begin(1, new.clone());
        let long_ago = Instant::now().checked_sub(LIMIT * 2);
        let long_ago = long_ago.expect("the machine has run for some minutes");
        *watch.running[0].lock().unwrap() = Some((long_ago, old.clone()));
        watch.look();
        assert!(old.is_requested() && !new.is_requested());
    }
}
