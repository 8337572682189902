//! Translates between HTTP messages and the key-value front's requests and replies.

use super::message::{Message, Reply};
use crate::front::kv::{self, Condition, Request};

/// How long an object's name may be, in bytes after percent-decoding.
const ID_MAX: usize = 1024;

/// Splits `/d/SECRET/REST` into the secret and the rest.
pub(super) fn split(target: &str) -> Result<(&str, &str), Reply> {
    target
        .strip_prefix("/d/")
        .and_then(|path| path.split_once('/'))
        .ok_or_else(|| Reply::plain(403, "no device has this base URL"))
}

/// Reads the request that `message` makes of the object named by `rest`.
pub(super) fn request(message: &Message, rest: &str) -> Result<Request, Reply> {
    let unknown = || Reply::plain(400, "the paths are obj/{id} and pub/{user}");
    let (kind, name) = rest.split_once('/').ok_or_else(unknown)?;
    let name = percent_decode(name)
        .filter(|name| (1..=ID_MAX).contains(&name.len()))
        .ok_or_else(|| Reply::plain(400, "a name has 1 to 1024 bytes, percent-encoded"))?;
    match kind {
        "obj" => object_request(message, name),
        "pub" => {
            let user = String::from_utf8(name)
                .map_err(|_| Reply::plain(400, "a user's name is valid UTF-8"))?;
            match message.method.as_str() {
                "GET" => Ok(Request::GetPublic { user }),
                "PUT" => Ok(Request::PutPublic {
                    user,
                    bytes: message.body.clone(),
                }),
                _ => Err(Reply::plain(405, "pub/{user} takes GET and PUT")),
            }
        }
        _ => Err(unknown()),
    }
}

fn object_request(message: &Message, id: Vec<u8>) -> Result<Request, Reply> {
    match message.method.as_str() {
        "GET" => Ok(Request::Get { id }),
        "PUT" => {
            let condition = condition(message)?;
            Ok(Request::Put {
                id,
                bytes: message.body.clone(),
                condition,
            })
        }
        "DELETE" => Ok(Request::Delete {
            id,
            condition: condition(message)?,
        }),
        _ => Err(Reply::plain(405, "obj/{id} takes GET, PUT and DELETE")),
    }
}

fn condition(message: &Message) -> Result<Condition, Reply> {
    match (
        message.if_match.as_deref(),
        message.if_none_match.as_deref(),
    ) {
        (None, None) => Ok(Condition::Always),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some(tag), None) => parse_tag(tag)
            .map(|tag| Condition::Matches { tag })
            .ok_or_else(|| Reply::plain(412, "no version has this tag")),
        _ => Err(Reply::plain(
            400,
            "either If-Match: \"TAG\" or If-None-Match: *",
        )),
    }
}

/// The reply that HTTP has for the front's own.
pub(super) fn reply(request: &Request, reply: kv::Reply) -> Reply {
    match reply {
        kv::Reply::Found { bytes, tag } => Reply {
            status: 200,
            tag: Some(hexadecimal(&tag)),
            body: bytes,
            last: false,
        },
        kv::Reply::Absent => Reply::plain(404, "there is no such object"),
        kv::Reply::Done => {
            let tag = match request {
                Request::Put { bytes, .. } | Request::PutPublic { bytes, .. } => {
                    Some(hexadecimal(&kv::tag(bytes)))
                }
                _ => None,
            };
            Reply {
                status: 204,
                tag,
                body: Vec::new(),
                last: false,
            }
        }
        kv::Reply::Conflict => Reply::plain(412, "the condition does not hold"),
        kv::Reply::Refused { status } => Reply::plain(status, "the server refuses"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the tag of an `If-Match`; none where it is none of ours.
fn parse_tag(text: &str) -> Option<kv::Tag> {
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut tag = kv::Tag::default();
    if digits.len() != 2 * tag.len() || !digits.bytes().all(|one| one.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, place) in tag.iter_mut().zip((0..digits.len()).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(place..place + 2)?, 16).ok()?;
    }
    Some(tag)
}

/// Undoes percent-encoding; none where it is broken.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        rest = after;
        let digit = |one: u8| char::from(one).to_digit(16);
        let value = digit(*digits.first()?)?
            .checked_mul(16)?
            .checked_add(digit(*digits.get(1)?)?)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}
