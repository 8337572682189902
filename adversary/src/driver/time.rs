//! How long clients compute, for people who watch; no run depends on it.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Lets a client compute, and counts how long it took.
pub(crate) fn timed<T>(client: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = client();
    SPENT.set(SPENT.get() + start.elapsed());
    result
}

/// How long clients have computed on this thread so far.
#[must_use]
pub fn time_in_clients() -> Duration {
    SPENT.get()
}

/// Tells how long ago it was made; for people alone.
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let began = Instant::now();
    move || began.elapsed()
}
