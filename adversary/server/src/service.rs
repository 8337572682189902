//! One server: the honest rules over a durable store, or a script's; and who may have how much.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use turncoat_adversary::front::turned::Turned;
use turncoat_adversary::honest::native::{Handled, Native, Settings};
use turncoat_core::id::UserId;
use turncoat_core::wire::{Frame as _, Refusal, Request, RequestBody};
use turncoat_remote::api::{Operation, refusal};

use crate::door::Door;
use crate::store::Durable;

/// Says what was refused, one line each. A line names no user, no key and no content.
pub type Log = Box<dyn Fn(&str) + Send + Sync>;

/// The server.
pub struct Service {
    rules: Rules,
    door: Mutex<Door>,
    log: Log,
}

enum Rules {
    Honest(Mutex<State>),
    Turned(Turned),
}

struct State {
    native: Native,
    store: Durable,
}

impl Service {
    /// A server over this store. Logins are of this server's lifetime alone.
    pub fn new(settings: Settings, store: Durable, log: Log) -> Self {
        let native = Native::new(settings);
        Self::following(Rules::Honest(Mutex::new(State { native, store })), log)
    }

    /// A server that a script has turned.
    pub fn turned(turned: Turned, log: Log) -> Self {
        Self::following(Rules::Turned(turned), log)
    }

    fn following(rules: Rules, log: Log) -> Self {
        Self {
            rules,
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
    /// durable. There is no answer where a script loses it.
    pub fn handle(&self, operation: Operation, request: &Request) -> Option<Handled> {
        if Operation::of(&request.body) != operation {
            return Some(Handled::refused(Refusal::Invalid));
        }
        let handled = match &self.rules {
            Rules::Honest(state) => {
                // A panic between two requests leaves the rules whole: what they changed is one
                // batch.
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let State { native, store } = &mut *state;
                native.handle_decoded(store, request)
            }
            Rules::Turned(turned) => {
                let reply = turned.answer(request.encode())?;
                Handled {
                    refusal: refusal(&reply),
                    reply,
                    published: None,
                }
            }
        };
        if let RequestBody::Login { user, .. } = &request.body {
            self.note_login(*user, handled.refusal);
        }
        Some(handled)
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
