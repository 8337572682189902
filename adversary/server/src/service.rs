//! One server: the honest rules over a durable store, and who may have how much of it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use turncoat_adversary::honest::native::{Handled, Native, Settings};
use turncoat_core::id::UserId;
use turncoat_core::wire::{Frame as _, Refusal, Request, RequestBody};
use turncoat_remote::api::Operation;

use crate::door::Door;
use crate::store::Durable;

/// Says what was refused, one line each. A line names no user, no key and no content.
pub type Log = Box<dyn Fn(&str) + Send + Sync>;

/// The server.
pub struct Service {
    state: Mutex<State>,
    door: Mutex<Door>,
    log: Log,
}

struct State {
    native: Native,
    store: Durable,
}

impl Service {
    /// A server over this store. Logins are of this server's lifetime alone.
    pub fn new(settings: Settings, store: Durable, log: Log) -> Self {
        let native = Native::new(settings);
        Self {
            state: Mutex::new(State { native, store }),
            door: Mutex::new(Door::default()),
            log,
        }
    }

    /// How long a request waits before it is looked at.
    #[must_use]
    pub fn wait(&self, request: &Request) -> Duration {
        match &request.body {
            RequestBody::Login { user, .. } => self.door().wait(user, Instant::now()),
            _ => Duration::ZERO,
        }
    }

    /// Handles a request that came to the route of `operation`. Blocks until what it changed is
    /// durable.
    pub fn handle(&self, operation: Operation, request: &Request) -> Handled {
        if Operation::of(&request.body) != operation {
            return Handled::refused(Refusal::Invalid);
        }
        let handled = {
            // A panic between two requests leaves the rules whole: what they changed is one batch.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let State { native, store } = &mut *state;
            native.handle_decoded(store, request)
        };
        if let RequestBody::Login { user, .. } = &request.body {
            self.note_login(*user, handled.refusal);
        }
        handled
    }

    fn note_login(&self, user: UserId, refusal: Option<Refusal>) {
        let failed = refusal == Some(Refusal::Unauthenticated);
        if failed || refusal.is_none() {
            self.door().note(user, failed, Instant::now());
        }
    }

    fn door(&self) -> std::sync::MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line about a request that was refused.
    pub fn refused(&self, path: &str, status: u16, why: &str) {
        (self.log)(&format!("refused {status} {path}: {why}"));
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// A frame, or why it is none.
///
/// # Errors
///
/// [`Refusal::Invalid`].
pub fn decode(body: &[u8]) -> Result<Request, Refusal> {
    Request::decode(body).map_err(|_| Refusal::Invalid)
}
