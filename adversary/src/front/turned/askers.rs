//! Who asks, as far as a server can tell: a user, and which of the user's sessions it is.

use std::collections::{BTreeMap, BTreeSet};

use turncoat_core::id::{Realm, Token, UserId};
use turncoat_core::wire::{Frame as _, Reply, Request, RequestBody};

use crate::acts::collude::user_id;
use crate::client::DeviceName;

/// Bytes of a reply to a login at most; longer ones are not looked into.
const LOGIN_MAX: usize = 64 << 10;

/// A request, and what an honest server answered.
pub(super) struct Asked<'a> {
    pub(super) who: &'a DeviceName,
    pub(super) request: &'a [u8],
    pub(super) reply: &'a [u8],
}

/// The users whose names are known, and all sessions.
///
/// A server sees no names, and no devices. The sessions of a user are numbered from one, the one
/// in which the account was made included: `alice/1`, `alice/2`. What is asked ahead of a login
/// belongs to the session that it would begin.
pub(super) struct Askers {
    names: BTreeMap<UserId, String>,
    sessions: BTreeMap<Token, DeviceName>,
    counts: BTreeMap<UserId, u32>,
}

impl Askers {
    pub(super) fn new(realm: &Realm, users: BTreeSet<String>) -> Self {
        let named = users.into_iter().map(|name| (user_id(realm, &name), name));
        Self {
            names: named.collect(),
            sessions: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Whose request this is.
    pub(super) fn device(&self, request: &[u8]) -> DeviceName {
        let nobody = || DeviceName::new("-", "0");
        let Ok(request) = Request::decode(request) else {
            return nobody();
        };
        if let Some(device) = self.sessions.get(&request.token) {
            return device.clone();
        }
        match entering(&request.body) {
            Some(user) => self.next(user),
            None => nobody(),
        }
    }

    fn next(&self, user: &UserId) -> DeviceName {
        let name = self.names.get(user).cloned().unwrap_or_else(|| {
            let start = user.as_bytes().iter().take(8);
            start.map(|byte| format!("{byte:02x}")).collect()
        });
        let count = self.counts.get(user).copied().unwrap_or(0);
        DeviceName::new(name, count.saturating_add(1).to_string())
    }

    /// Notes that a session began, if one did.
    pub(super) fn note(&mut self, asked: &Asked<'_>) {
        if asked.reply.len() > LOGIN_MAX {
            return;
        }
        let token = match Reply::decode(asked.reply) {
            Ok(Reply::Login { token, .. } | Reply::Registered { token }) => token,
            _ => return,
        };
        let request = Request::decode(asked.request);
        if let Some(user) = request
            .ok()
            .as_ref()
            .and_then(|request| entering(&request.body))
        {
            let count = self.counts.entry(*user).or_default();
            *count = count.saturating_add(1);
            self.sessions.insert(token, asked.who.clone());
        }
    }
}

/// The user who is about to log in.
const fn entering(body: &RequestBody) -> Option<&UserId> {
    match body {
        RequestBody::Kdf { user } | RequestBody::Login { user, .. } => Some(user),
        RequestBody::Register { record, .. } => Some(&record.record.user),
        _ => None,
    }
}
