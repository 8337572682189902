//! One request and its reply.

use super::Session;
use crate::defence::{Defence, construct, defend};
use crate::env::{Clock, Entropy};
use crate::error::{Error, Unavailable, Violation};
use crate::id::Token;
use crate::limits::{ENVELOPE_SIZE_MAX, Limits, SHORT_REPLY_MAX};
use crate::remote::{Lost, Remote, Vault};
use crate::wire::{Frame, Refusal, Reply, Request, RequestBody, SegmentRecord};

/// Sends a request and decodes the reply. What comes back is well formed and nothing more.
pub(super) async fn ask<R: Remote>(
    remote: &mut R,
    limits: &Limits,
    token: Token,
    body: RequestBody,
) -> Result<Reply, Error> {
    let reply_max = reply_max(limits, &body);
    let request = Request { token, body }.encode();
    let bytes = remote.call(request, reply_max).await.map_err(lost)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|size| size <= reply_max);
    defend!(Defence::ReplySize, fits, Violation::TooLarge);
    Ok(Reply::decode_whole(bytes)?)
}

/// What an honest reply can hold at most: replies that were asked for ahead are held together.
fn reply_max(limits: &Limits, body: &RequestBody) -> u64 {
    construct!(Defence::ReplySize, asked_for(limits, body), boundless())
}

fn asked_for(limits: &Limits, body: &RequestBody) -> u64 {
    let most = match body {
        RequestBody::Read { .. } => limits.reply_size_max,
        RequestBody::Segments { ranges } => ranges.iter().fold(SHORT_REPLY_MAX, |sum, range| {
            sum.saturating_add(many(range.count, SegmentRecord::SIZE))
        }),
        RequestBody::Inbox { count, .. } => {
            SHORT_REPLY_MAX.saturating_add(many(*count, ENVELOPE_SIZE_MAX))
        }
        RequestBody::Fetch { ranges } => ranges.iter().fold(SHORT_REPLY_MAX, |sum, range| {
            sum.saturating_add(u64::from(range.length))
        }),
        RequestBody::Kdf { .. }
        | RequestBody::Register { .. }
        | RequestBody::Login { .. }
        | RequestBody::Lookup { .. }
        | RequestBody::Store { .. }
        | RequestBody::Commit(_) => SHORT_REPLY_MAX,
    };
    most.min(limits.reply_size_max)
}

fn many(count: u32, size: usize) -> u64 {
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    u64::from(count).saturating_mul(size)
}

fn lost(lost: Lost) -> Error {
    match lost {
        Lost::CutOff => Unavailable::CutOff.into(),
        Lost::Timeout => Unavailable::Timeout.into(),
        Lost::TooLarge => Violation::TooLarge.into(),
    }
}

/// What a reply means that is none of those that the request can have.
pub(super) fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Refused(Refusal::NotFound) => Unavailable::Withheld.into(),
        Reply::Refused(Refusal::Busy) => Unavailable::Busy.into(),
        Reply::Refused(Refusal::Exists) => Unavailable::Taken.into(),
        Reply::Refused(_) => Unavailable::Refused.into(),
        _ => Violation::OutOfTurn.into(),
    }
}

impl<R: Remote, V: Vault, E: Entropy, C: Clock> Session<R, V, E, C> {
    /// Says that this request will be asked; what it asks for must never change.
    pub(super) fn ask_ahead(&mut self, body: RequestBody) {
        let reply_max = reply_max(&self.config.limits, &body);
        let token = self.token;
        self.ports
            .remote
            .ahead(Request { token, body }.encode(), reply_max);
    }

    /// Sends a request of this session.
    pub(super) async fn ask(&mut self, body: RequestBody) -> Result<Reply, Error> {
        ask(
            &mut self.ports.remote,
            &self.config.limits,
            self.token,
            body,
        )
        .await
    }
}
