//! The routes of the API: where each request goes.
//!
//! Bodies are the frames that the client also speaks in process, so that a script means the same
//! over both. The path says what the frame asks; a frame on another path is refused.

use turncoat_core::wire::{Frame as _, Refusal, Reply, RequestBody};

macro_rules! operations {
    ($($(#[$doc:meta])* $number:literal => $name:ident $pattern:pat, $path:literal;)*) => {
        /// What a request asks, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The path below the server's address. Every request is a `POST` of the frame.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }

            /// What a request asks.
            #[must_use]
            pub const fn of(body: &RequestBody) -> Self {
                match body { $($pattern => Self::$name,)* }
            }

            const fn numbered(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

operations! {
    /// How to derive the key of an account.
    0 => Derivation RequestBody::Kdf { .. }, "/v1/accounts/derivation";
    /// A new account.
    1 => Register RequestBody::Register { .. }, "/v1/accounts";
    /// A login.
    2 => Login RequestBody::Login { .. }, "/v1/sessions";
    /// A user's public record.
    3 => Lookup RequestBody::Lookup { .. }, "/v1/records/lookup";
    /// Views of spaces.
    4 => Read RequestBody::Read { .. }, "/v1/spaces/read";
    /// Segment records of a leaf.
    5 => Segments RequestBody::Segments { .. }, "/v1/segments/read";
    /// Bytes of packs.
    6 => Fetch RequestBody::Fetch { .. }, "/v1/packs/fetch";
    /// A pack.
    7 => Store RequestBody::Store { .. }, "/v1/packs";
    /// A new head.
    8 => Commit RequestBody::Commit(_), "/v1/heads";
    /// Envelopes.
    9 => Inbox RequestBody::Inbox { .. }, "/v1/envelopes/read";
}

/// The media type of every body.
pub const MEDIA_TYPE: &str = "application/vnd.turncoat.frame";

/// Bytes before the number of what is asked: the frame's header, and the token.
const NUMBER_AT: usize = 4 + 32;

impl Operation {
    /// What an encoded request asks; its body is not decoded for that.
    #[must_use]
    pub fn of_encoded(request: &[u8]) -> Option<Self> {
        request.get(NUMBER_AT).copied().and_then(Self::numbered)
    }
}

/// The status of an answer. Clients read the frame in the body; the status is for everything that
/// stands between.
#[must_use]
pub const fn status(refusal: Option<Refusal>) -> u16 {
    match refusal {
        None => 200,
        Some(Refusal::Invalid) => 400,
        Some(Refusal::Unauthenticated) => 401,
        Some(Refusal::NotFound) => 404,
        Some(Refusal::Conflict | Refusal::Exists) => 409,
        Some(Refusal::TooLarge) => 413,
        Some(Refusal::Busy) => 503,
    }
}

/// Why an encoded reply refuses, if it does.
#[must_use]
pub fn refusal(reply: &[u8]) -> Option<Refusal> {
    /// Bytes of a refusal at most; whatever is longer need not be decoded to see that it is none.
    const REFUSAL_MAX: usize = 64;
    match reply.len() <= REFUSAL_MAX {
        true => match Reply::decode(reply) {
            Ok(Reply::Refused(refusal)) => Some(refusal),
            _ => None,
        },
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use turncoat_core::id::{PackId, Token, UserId};
    use turncoat_core::wire::{Blob, Frame as _, Pack, Refusal, Reply, Request, RequestBody};

    use super::{Operation, refusal, status};

    #[test]
    fn a_refusal_is_told_from_any_other_reply() {
        let refused = Reply::Refused(Refusal::Conflict).encode();
        assert_eq!(refusal(&refused), Some(Refusal::Conflict));
        assert_eq!(status(refusal(&refused)), 409);
        assert_eq!(refusal(&Reply::Done.encode()), None);
        assert_eq!(refusal(&refused[1..]), None);
    }

    #[test]
    fn an_encoded_request_says_what_it_asks() {
        let user = UserId([2; 32]);
        let bodies = [
            RequestBody::Kdf { user },
            RequestBody::Login {
                user,
                proof: [3; 32],
            },
            RequestBody::Lookup { user },
            RequestBody::Read { views: Vec::new() },
            RequestBody::Segments { ranges: Vec::new() },
            RequestBody::Fetch { ranges: Vec::new() },
            RequestBody::Store {
                pack: Pack {
                    id: PackId([5; 16]),
                    bytes: Blob(Vec::new()),
                },
            },
            RequestBody::Inbox {
                sender: user,
                space: None,
                before: None,
                count: 9,
            },
        ];
        for body in bodies {
            let operation = Operation::of(&body);
            let token = Token([9; 32]);
            let encoded = Request { token, body }.encode();
            assert_eq!(Operation::of_encoded(&encoded), Some(operation));
        }
        assert_eq!(Operation::of_encoded(b"TC"), None);
    }
}
