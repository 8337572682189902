//! Work on several threads whose results do not depend on how many there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `count` pieces of work on `jobs` threads and returns the results in the order of the work.
///
/// Each piece is done on one thread from beginning to end, and what it makes stays there.
/// `finished` is told of each result as it comes, in whatever order that is.
///
/// # Panics
///
/// If a piece of work panics.
pub fn parallel<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    finished: impl Fn(usize, &T) + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(place) = results.get(index) else {
                        return;
                    };
                    let result = work(index);
                    finished(index, &result);
                    if let Ok(mut place) = place.lock() {
                        *place = Some(result);
                    }
                }
            });
        }
    });
    let taken = results.into_iter().map(|place| {
        let result = place.into_inner().ok().flatten();
        result.expect("every index below the count was worked on, or the scope has panicked")
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::parallel;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for jobs in [0, 1, 3, 64] {
            let told = AtomicUsize::new(0);
            let results = parallel(
                20,
                jobs,
                |index| index * index,
                |_, _| {
                    told.fetch_add(1, Ordering::Relaxed);
                },
            );
            assert_eq!(
                results,
                (0..20).map(|index| index * index).collect::<Vec<_>>()
            );
            assert_eq!(told.into_inner(), 20);
        }
        assert!(parallel(0, 2, |index| index, |_, _| ()).is_empty());
    }
}
