//! Requests that are under way while the client goes on: packs that are sent, replies that are
//! fetched before they are asked for.
//!
//! Nothing is promised by it. A pack means nothing before the head that names it, and no other
//! request is sent before every pack before it was acknowledged; the first that was not is the
//! answer to that request, which then is not sent.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use turncoat_core::remote::Lost;

/// What came of a request.
pub(crate) type Answer = Result<Vec<u8>, Lost>;

/// Requests for what is small that may wait for their turn.
const FETCHED_MAX: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that do one request after another, until nobody gives them any.
struct Crew {
    jobs: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    size: usize,
}

impl Default for Crew {
    fn default() -> Self {
        let (jobs, queue) = channel();
        Self {
            jobs,
            queue: Arc::new(Mutex::new(queue)),
            size: 0,
        }
    }
}

impl Crew {
    /// Begins a request as soon as one of `most` threads is free.
    fn begin(
        &mut self,
        most: usize,
        call: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<Receiver<Answer>, Lost> {
        if self.size < most {
            let queue = Arc::clone(&self.queue);
            let thread = thread::Builder::new().name("request".to_owned());
            let begun = thread.spawn(move || {
                loop {
                    // Taken out first: the lock must not be held while the job is done.
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    job();
                }
            });
            match begun {
                Ok(_) => self.size += 1,
                Err(_) if self.size == 0 => return Err(Lost::CutOff),
                Err(_) => {}
            }
        }
        let (answered, answer) = channel();
        let job = Box::new(move || {
            // Nobody may want it any more.
            let _ = answered.send(call());
        });
        self.jobs.send(job).map_err(|_| Lost::CutOff)?;
        Ok(answer)
    }
}

/// A thread that panicked has no answer.
fn end(answer: &Receiver<Answer>) -> Answer {
    answer.recv().unwrap_or(Err(Lost::CutOff))
}

/// The requests under way, oldest first.
#[derive(Default)]
pub(crate) struct Ahead {
    crew: Crew,
    sent: VecDeque<Receiver<Answer>>,
    fetched: VecDeque<(Vec<u8>, Receiver<Answer>)>,
}

impl Ahead {
    /// Sends something whose reply should be `done`, at most `most` at a time.
    ///
    /// Returns `done`, or the reply to an earlier one that was another; this one is then not sent.
    pub(crate) fn send(
        &mut self,
        most: usize,
        done: Vec<u8>,
        call: impl FnOnce() -> Answer + Send + 'static,
    ) -> Answer {
        while self.sent.len() >= most {
            if let Err(earlier) = self.oldest(&done) {
                return earlier;
            }
        }
        self.sent.push_back(self.crew.begin(most, call)?);
        Ok(done)
    }

    /// Waits until all that was sent is answered. The first answer that is not `done` is returned.
    pub(crate) fn settle(&mut self, done: &[u8]) -> Result<(), Answer> {
        while !self.sent.is_empty() {
            self.oldest(done)?;
        }
        Ok(())
    }

    fn oldest(&mut self, done: &[u8]) -> Result<(), Answer> {
        let answer = self.sent.pop_front().map(|answer| end(&answer));
        match answer {
            Some(Ok(reply)) if reply == done => Ok(()),
            None => Ok(()),
            Some(other) => {
                // What was sent after it belongs to the same upload, which ends here.
                for later in self.sent.drain(..) {
                    let _ = end(&later);
                }
                Err(other)
            }
        }
    }

    /// Begins a request that will be asked for.
    pub(crate) fn fetch(
        &mut self,
        most: usize,
        request: Vec<u8>,
        call: impl FnOnce() -> Answer + Send + 'static,
    ) {
        if self.fetched.len() < FETCHED_MAX
            && let Ok(answer) = self.crew.begin(most, call)
        {
            self.fetched.push_back((request, answer));
        }
    }

    /// The answer to a request that was begun. Those begun before it are not wanted any more, and
    /// none of them is if it was not.
    pub(crate) fn take(&mut self, request: &[u8]) -> Option<Answer> {
        while let Some((begun, answer)) = self.fetched.pop_front() {
            if begun == request {
                return Some(end(&answer));
            }
        }
        None
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead")
            .field("sent", &self.sent.len())
            .field("fetched", &self.fetched.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use turncoat_core::remote::Lost;

    use super::Ahead;

    const DONE: &[u8] = b"done";

    #[test]
    fn what_was_sent_is_all_answered_once_it_is_settled_and_few_are_under_way() {
        let mut ahead = Ahead::default();
        let (now, most, all) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        for _ in 0..20 {
            let (now, most, all) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&all));
            let call = move || {
                let together = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(together, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                Ok(DONE.to_vec())
            };
            assert_eq!(ahead.send(3, DONE.to_vec(), call), Ok(DONE.to_vec()));
        }
        assert_eq!(ahead.settle(DONE), Ok(()));
        assert_eq!(all.load(Ordering::SeqCst), 20);
        assert!((2..=3).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn the_first_that_was_not_acknowledged_is_the_answer_to_what_follows() {
        for lost in [Ok(b"refused".to_vec()), Err(Lost::Timeout)] {
            let mut ahead = Ahead::default();
            let first = lost.clone();
            assert_eq!(
                ahead.send(2, DONE.to_vec(), move || first),
                Ok(DONE.to_vec())
            );
            let second = || Ok(b"later".to_vec());
            assert_eq!(ahead.send(2, DONE.to_vec(), second), Ok(DONE.to_vec()));
            let third = || -> super::Answer { panic!("this is not sent") };
            assert_eq!(ahead.send(2, DONE.to_vec(), third), lost);
            // It was told once; a new upload begins with nothing under way.
            assert_eq!(ahead.settle(DONE), Ok(()));
        }
    }

    #[test]
    fn a_request_is_answered_by_its_own_reply_and_passed_ones_are_dropped() {
        let mut ahead = Ahead::default();
        for request in [b"a", b"b", b"c"] {
            ahead.fetch(2, request.to_vec(), move || Ok(request.repeat(2)));
        }
        assert_eq!(ahead.take(b"b"), Some(Ok(b"bb".to_vec())));
        assert_eq!(ahead.take(b"a"), None);
        assert_eq!(ahead.take(b"c"), None);
    }

    #[test]
    fn a_request_that_panics_is_lost() {
        let mut ahead = Ahead::default();
        let panics = || -> super::Answer { panic!("on purpose") };
        assert_eq!(ahead.send(1, DONE.to_vec(), panics), Ok(DONE.to_vec()));
        assert_eq!(ahead.settle(DONE), Err(Err(Lost::CutOff)));
    }
}
