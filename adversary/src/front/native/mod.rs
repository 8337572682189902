//! The native front: names of its messages, and every field of them by path, for message acts.
//!
//! A path is names and places, such as `head.height`, `views[0].roster[2].signature` or
//! `commit.leaves[0].keep`. A message that does not decode has no fields.

mod anatomy;
mod field;
mod table;

pub use anatomy::Requests;
pub use field::Value;

use turncoat_core::wire::{Frame, Refusal, Reply, Request, RequestBody};

use field::Field;

/// The names of the messages, in the order of the wire.
pub const KINDS: &[&str] = &[
    "kdf", "register", "login", "lookup", "read", "segments", "fetch", "store", "commit", "inbox",
];

/// The names of the refusals.
pub const REFUSALS: &[&str] = &[
    "busy",
    "conflict",
    "exists",
    "not-found",
    "too-large",
    "unauthenticated",
    "invalid",
];

/// The name of a request's body.
#[must_use]
pub const fn kind(body: &RequestBody) -> &'static str {
    match body {
        RequestBody::Kdf { .. } => "kdf",
        RequestBody::Register { .. } => "register",
        RequestBody::Login { .. } => "login",
        RequestBody::Lookup { .. } => "lookup",
        RequestBody::Read { .. } => "read",
        RequestBody::Segments { .. } => "segments",
        RequestBody::Fetch { .. } => "fetch",
        RequestBody::Store { .. } => "store",
        RequestBody::Commit(_) => "commit",
        RequestBody::Inbox { .. } => "inbox",
    }
}

/// The name of an encoded request; `*` if it is none.
#[must_use]
pub fn kind_of(request: &[u8]) -> &'static str {
    Request::decode(request).map_or("*", |request| kind(&request.body))
}

/// The encoded reply that refuses, for one of [`REFUSALS`].
#[must_use]
pub fn refused(name: &str) -> Option<Vec<u8>> {
    let refusal = match name {
        "busy" => Refusal::Busy,
        "conflict" => Refusal::Conflict,
        "exists" => Refusal::Exists,
        "not-found" => Refusal::NotFound,
        "too-large" => Refusal::TooLarge,
        "unauthenticated" => Refusal::Unauthenticated,
        "invalid" => Refusal::Invalid,
        _ => return None,
    };
    Some(Reply::Refused(refusal).encode())
}

/// The encoded reply that says that it is done.
#[must_use]
pub fn done() -> Vec<u8> {
    Reply::Done.encode()
}

/// A field of an encoded request or reply.
#[must_use]
pub fn get(message: &[u8], path: &str) -> Option<Value> {
    let mut message = Message::decode(message)?;
    find(message.top(), path)?.value()
}

/// An encoded request or reply with another value in one field.
///
/// `None` if there is no such field, or if the field cannot have that value: a number that is too
/// large for it, bytes that are not of its length or not its encoding.
#[must_use]
pub fn set(message: &[u8], path: &str, value: &Value) -> Option<Vec<u8>> {
    let mut message = Message::decode(message)?;
    if find(message.top(), path)?.assign(value) {
        Some(message.encode())
    } else {
        None
    }
}

enum Message {
    Reply(Reply),
    Request(Request),
}

impl Message {
    fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.get(2)? {
            &Request::KIND => Request::decode(bytes).ok().map(Self::Request),
            _ => Reply::decode(bytes).ok().map(Self::Reply),
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Reply(reply) => reply.encode(),
            Self::Request(request) => request.encode(),
        }
    }

    fn top(&mut self) -> &mut dyn Field {
        match self {
            Self::Reply(reply) => reply,
            Self::Request(request) => request,
        }
    }
}

/// Follows a path. A first name that says the kind of the message is no step.
fn find<'a>(top: &'a mut dyn Field, path: &str) -> Option<&'a mut dyn Field> {
    let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    let mut field = top;
    for step in steps {
        field = field.step(step)?;
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use turncoat_core::id::Realm;
    use turncoat_core::id::{Token, UserId};
    use turncoat_core::wire::{Blob, KdfParams, Key, KeyBag, PublicRecord, SignedRecord};

    fn login() -> Vec<u8> {
        let key = || Key {
            exponent: 65537,
            modulus: vec![7; 256],
        };
        Reply::Login {
            token: Token([1; 32]),
            record: SignedRecord {
                record: PublicRecord {
                    realm: Realm([2; 32]),
                    user: UserId([3; 32]),
                    key_epoch: 1,
                    encryption: key(),
                    signing: key(),
                },
                signature: Blob(vec![4; 256]),
            },
            bag: KeyBag {
                user: UserId([3; 32]),
                kdf: KdfParams {
                    suite: 1,
                    iterations: 600_000,
                    salt_seed: [5; 32],
                },
                commitment: [6; 32],
                nonce: [7; 12],
                sealed: Blob(vec![8; 100]),
            },
        }
        .encode()
    }

    #[test]
    fn fields_are_found_by_long_and_short_paths() {
        let reply = login();
        let number = Some(Value::Number(600_000));
        assert_eq!(get(&reply, "bag.kdf.iterations"), number);
        assert_eq!(get(&reply, "login.bag.kdf.iterations"), number);
        let modulus = Some(Value::Bytes(vec![7; 256]));
        assert_eq!(get(&reply, "record.encryption.modulus"), modulus);
        assert_eq!(get(&reply, "record.user"), Some(Value::Bytes(vec![3; 32])));
        assert_eq!(get(&reply, "bag.iterations"), None);
        assert_eq!(get(&reply, "head.height"), None);
        assert_eq!(get(&reply[1..], "token"), None);
    }

    #[test]
    fn a_field_that_was_set_alone_is_another() {
        let reply = login();
        let weaker = set(&reply, "bag.kdf.iterations", &Value::Number(2)).unwrap();
        assert_eq!(get(&weaker, "bag.kdf.iterations"), Some(Value::Number(2)));
        let back = set(&weaker, "bag.kdf.iterations", &Value::Number(600_000));
        assert_eq!(back, Some(reply.clone()));
        let longer = set(&reply, "record.signature", &Value::Bytes(vec![0; 300])).unwrap();
        assert_eq!(longer.len(), reply.len() + 44);
    }

    #[test]
    fn a_field_refuses_what_it_cannot_hold() {
        let reply = login();
        let refuses = |path, value| assert_eq!(set(&reply, path, &value), None, "{path}");
        refuses("bag.kdf.iterations", Value::Number(1 << 32));
        refuses("bag.kdf.suite", Value::Bytes(vec![1]));
        refuses("bag.user", Value::Bytes(vec![1; 31]));
        refuses("bag", Value::Bytes(vec![1; 31]));
        refuses("nothing", Value::Number(1));
    }

    #[test]
    fn a_whole_field_goes_from_one_message_into_another() {
        let reply = login();
        let bag = get(&reply, "bag").unwrap();
        let weaker = set(&reply, "bag.kdf.iterations", &Value::Number(2)).unwrap();
        assert_eq!(set(&weaker, "bag", &bag), Some(reply));
    }

    #[test]
    fn views_lists_and_words() {
        use turncoat_core::wire::View;
        let views = Reply::Views(vec![View::Absent, View::Same]).encode();
        let word = |word: &str| Value::Word(word.to_owned());
        assert_eq!(get(&views, "views[1].kind"), Some(word("same")));
        let closed = set(&views, "views[1].kind", &word("closed")).unwrap();
        assert_eq!(get(&closed, "views.last"), Some(word("closed")));
        let fewer = set(&views, "views", &Value::List(vec![word("absent")])).unwrap();
        assert_eq!(
            get(&fewer, "views"),
            Some(Value::List(vec![word("absent")]))
        );
        for name in REFUSALS {
            assert_eq!(get(&refused(name).unwrap(), "refusal"), Some(word(name)));
        }
        assert_eq!(refused("no"), None);
    }

    #[test]
    fn requests_are_named_and_have_fields() {
        let request = Request {
            token: Token([9; 32]),
            body: RequestBody::Login {
                user: UserId([3; 32]),
                proof: [1; 32],
            },
        }
        .encode();
        assert_eq!(kind_of(&request), "login");
        assert_eq!(kind_of(&done()), "*");
        let proof = Some(Value::Bytes(vec![1; 32]));
        assert_eq!(get(&request, "login.proof"), proof);
        assert_eq!(get(&request, "proof"), proof);
        let other = set(&request, "token", &Value::Bytes(vec![0; 32])).unwrap();
        assert_eq!(get(&other, "token"), Some(Value::Bytes(vec![0; 32])));
    }
}
