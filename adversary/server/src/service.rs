//! One server: the honest rules over a durable store, or a script's; and who may have how much.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use turncoat_adversary::front::turned::Turned;
use turncoat_adversary::honest::native::{Handled, Native, Settings};
use turncoat_adversary::honest::storage::StorageFault;
use turncoat_core::id::{PackId, UserId};
use turncoat_core::wire::{Frame as _, Pack, Refusal, Request, RequestBody};
use turncoat_remote::api::{Operation, refusal};

use crate::door::Door;
use crate::store::{Durable, Swept};

/// Says what was refused, one line each. A line names no user, no key and no content.
pub type Log = Box<dyn Fn(&str) + Send + Sync>;

/// Packs are written one at a time for each of so many beginnings of their names.
const LANES: u8 = 16;
/// Packs whose use is remembered at most.
const USED_MAX: usize = 1 << 16;

/// The server.
pub struct Service {
    rules: Rules,
    door: Mutex<Door>,
    log: Log,
}

enum Rules {
    Honest(Box<Honest>),
    Turned(Turned),
}

struct Honest {
    state: Mutex<State>,
    /// The store once more, for what is about packs alone.
    packs: Durable,
    /// One writer at a time for packs whose names begin alike, so that none is replaced.
    writing: [Mutex<()>; LANES as usize],
    used: Mutex<BTreeSet<PackId>>,
}

struct State {
    native: Native,
    store: Durable,
}

impl Honest {
    fn new(native: Native, store: Durable) -> Self {
        Self {
            packs: store.clone(),
            writing: Default::default(),
            used: Mutex::default(),
            state: Mutex::new(State { native, store }),
        }
    }

    fn handle(&self, request: &Request) -> Handled {
        if let Some(handled) = self.handle_packs(request) {
            return handled;
        }
        let _alone = pack_of(&request.body).map(|pack| self.lane(pack));
        let mut state = self.state();
        let State { native, store } = &mut *state;
        native.handle_decoded(store, request)
    }

    /// Handles what is about packs alone beside everything else: most of its time it waits for the
    /// disk.
    fn handle_packs(&self, request: &Request) -> Option<Handled> {
        if !matches!(
            request.body,
            RequestBody::Fetch { .. } | RequestBody::Store { .. }
        ) {
            return None;
        }
        if self.state().native.user_of(&request.token).is_none() {
            return Some(Handled::refused(Refusal::Unauthenticated));
        }
        let _alone = pack_of(&request.body).map(|pack| self.lane(pack));
        self.note_use(&request.body);
        Native::handle_packs(&mut self.packs.clone(), &request.body)
    }

    /// Sweeps the store while nothing else is done to it.
    fn sweep(&self) -> Result<Swept, StorageFault> {
        // In the order of every request: a lane first, the state after it.
        let lanes = self.writing.iter();
        let _alone: Vec<_> = lanes
            .map(|lane| lane.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let mut state = self.state();
        let used = std::mem::take(&mut *self.used());
        state.store.sweep(&used)
    }

    /// Packs that somebody asked for, or sent once more, since the sweep before.
    fn used(&self) -> MutexGuard<'_, BTreeSet<PackId>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An upload that goes on looks for what it sent, and sends what is gone.
    fn note_use(&self, body: &RequestBody) {
        let mut used = self.used();
        match body {
            RequestBody::Store { pack } => drop(used.insert(pack.id)),
            RequestBody::Fetch { ranges } => used.extend(ranges.iter().map(|range| range.pack)),
            _ => {}
        }
        // Whom that does not serve sends a pack again.
        while used.len() > USED_MAX {
            used.pop_first();
        }
    }

    /// Waits until no other request writes a pack of this name.
    fn lane(&self, pack: &Pack) -> MutexGuard<'_, ()> {
        let [first, ..] = pack.id.as_bytes();
        let lane = &self.writing[usize::from(first % LANES)];
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic between two requests leaves the rules whole: what they changed is one batch.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// A server over this store. Logins are of this server's lifetime alone.
    pub fn new(settings: Settings, store: Durable, log: Log) -> Self {
        let native = Native::new(settings);
        Self::following(Rules::Honest(Box::new(Honest::new(native, store))), log)
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
            Rules::Honest(honest) => honest.handle(request),
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

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what no head has reached since the sweep before. A server that a script turned
    /// keeps everything. Blocks, and has every request wait.
    pub fn sweep(&self) {
        let Rules::Honest(honest) = &self.rules else {
            return;
        };
        match honest.sweep() {
            Ok(Swept { gone: 0, .. }) => {}
            Ok(Swept { gone, waiting }) => {
                (self.log)(&format!("swept: {gone} objects are gone, {waiting} wait"));
            }
            Err(StorageFault) => (self.log)(
                "not swept: the store cannot be read or written, or lacks what a newest head needs",
            ),
        }
    }

    /// Writes a line about a request that was refused.
    pub fn refused(&self, path: &str, status: u16, why: &str) {
        (self.log)(&format!("refused {status} {path}: {why}"));
    }
}

/// The pack that a request brings.
fn pack_of(body: &RequestBody) -> Option<&Pack> {
    match body {
        RequestBody::Store { pack } => Some(pack),
        RequestBody::Commit(commit) => commit.pack.as_ref(),
        RequestBody::Register { space, .. } => space.pack.as_ref(),
        _ => None,
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
