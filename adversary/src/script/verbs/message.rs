//! Acts on the messages of the native front, and the handlers that perform them.

use super::super::call::{Call, Given, Receiver, Verb, throw};
use super::super::known;
use super::super::performer::{Direction, Field};
use super::super::value::{Content, Hand, Hook, Record};
use super::store::extension;
use super::verb;
use crate::attack::Edit;
use crate::codec::Bytes;
use rhai::{Dynamic, ImmutableString};
use std::cell::RefMut;

const SERVER: Receiver = Receiver::Server;
const MESSAGE: Receiver = Receiver::Message;

/// How many requests may come before a late one: it is kept as long.
const LATE_MAX: u32 = 1_000;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(SERVER, "on_reply", (2, 2), "server.on_reply(selector, |m| ..)",
        "Shows every matching reply to a handler before it is delivered.",
        |call| hook(call, Direction::Reply)),
    verb(SERVER, "on_request", (2, 2), "server.on_request(selector, |m| ..)",
        "Shows every matching request to a handler before the server sees it.",
        |call| hook(call, Direction::Request)),
    verb(SERVER, "off", (1, 1), "server.off(hook)",
        "Takes a handler off.", off),
    verb(SERVER, "after", (2, 2), "server.after(ms, || ..)",
        "Calls a closure so much later; `turncoat serve --script` alone has a clock.", after),
    verb(SERVER, "record", (1, 1), "server.record(selector)",
        "The latest honest answer to a matching request.", record),
    verb(SERVER, "kept", (1, 1), "server.kept(selector)",
        "All honest answers to matching requests so far, oldest first.", kept),
    verb(MESSAGE, "get", (1, 1), "m.get(path)",
        "A field of the message, or nothing.", get),
    verb(MESSAGE, "has", (1, 1), "m.has(path)",
        "Whether the message has a field.", |call| {
            Ok((!get(call)?.is_unit()).into())
        }),
    verb(MESSAGE, "set", (2, 2), "m.set(path, value)",
        "Changes a field, which the message must have.", |call| set(call, true)),
    verb(MESSAGE, "try_set", (2, 2), "m.try_set(path, value)",
        "Changes a field; false if the message has no such field.", |call| set(call, false)),
    verb(MESSAGE, "flip", (0, 1), "m.flip(bit)",
        "Turns one bit over; a seeded one if none is named.", flip),
    verb(MESSAGE, "truncate", (1, 1), "m.truncate(size)",
        "Cuts the message after so many bytes.", truncate),
    verb(MESSAGE, "extend", (1, 1), "m.extend(bytes_or_count)",
        "Adds bytes to the end of the message.", extend),
    verb(MESSAGE, "put", (1, 1), "m.put(bytes)",
        "Delivers other bytes instead.", put),
    verb(MESSAGE, "keep", (0, 0), "m.keep()",
        "The message as it came, for later.", keep),
    verb(MESSAGE, "replay", (1, 1), "m.replay(record)",
        "Delivers a kept message instead.", replay),
    verb(MESSAGE, "drop", (0, 0), "m.drop()",
        "Loses the message: a reply after the server acted, a request before.", |call| {
            fate(call, Edit::Drop, false)
        }),
    verb(MESSAGE, "refuse", (1, 1), "m.refuse(\"not-found\")",
        "Answers with a refusal.", |call| {
            let name = call.refusal(0)?;
            fate(call, Edit::Refuse { name }, false)
        }),
    verb(MESSAGE, "delay", (1, 1), "m.delay(ms)",
        "Moves the clock on before the message is delivered.", delay),
    verb(MESSAGE, "late", (1, 1), "m.late(requests)",
        "Has the sender give up; before so many requests more, the server handles this one.",
        |call| {
            let requests = call.number(0)?;
            let bounded = u32::try_from(requests).ok();
            let Some(requests) = bounded.filter(|count| (1..=LATE_MAX).contains(count)) else {
                return Err(call.misuse(&format!("it comes 1 to {LATE_MAX} requests late")));
            };
            fate(call, Edit::Late { requests }, true)
        }),
    verb(MESSAGE, "twice", (0, 0), "m.twice()",
        "Has the server handle the request twice.", |call| fate(call, Edit::Twice, true)),
    verb(MESSAGE, "acknowledge", (0, 0), "m.acknowledge()",
        "Answers that it is done, and does nothing.", |call| {
            fate(call, Edit::Acknowledge, true)
        }),
    verb(MESSAGE, "store_but", (1, 1), "m.store_but(\"conflict\")",
        "Does what the request asks, and answers with a refusal.", |call| {
            let name = call.refusal(0)?;
            fate(call, Edit::StoreBut { name }, true)
        }),
    verb(MESSAGE, "framed", (1, 1), "m.framed(\"short\")",
        "Sends the reply in another frame of HTTP; in memory and in `serve`, what that comes to.",
        framed),
    verb(MESSAGE, "wave_through", (0, 0), "m.wave_through()",
        "Takes what an honest server would refuse to take of this writer.", |call| {
            fate(call, Edit::WaveThrough, true)
        }),
];

fn hook(call: &Call<'_>, direction: Direction) -> Given {
    let selector = call.selector(0)?;
    let handler = call.closure(1)?;
    let number = call.world.hook(direction, selector, handler);
    Ok(Dynamic::from(Hook(number)))
}

fn off(call: &Call<'_>) -> Given {
    call.world.unhook(call.hook(0)?.0);
    Ok(Dynamic::UNIT)
}

fn after(call: &Call<'_>) -> Given {
    let (later_ms, closure) = (call.number(0)?, call.closure(1)?);
    if !call.world.served.get() {
        return Err(call.misuse("a run has no clock; only a server that serves has one"));
    }
    call.world.timers.borrow_mut().push((later_ms, closure));
    Ok(Dynamic::UNIT)
}

fn record(call: &Call<'_>) -> Given {
    let selector = call.selector(0)?;
    let kept = call.world.ask(|performer| performer.kept(&selector));
    match kept.last() {
        Some(bytes) => Ok(Dynamic::from(Record(bytes.clone()))),
        None => Err(call.misuse("no such request was answered yet")),
    }
}

fn kept(call: &Call<'_>) -> Given {
    let selector = call.selector(0)?;
    let kept = call.world.ask(|performer| performer.kept(&selector));
    let give = |bytes| Dynamic::from(Record(bytes));
    Ok(Dynamic::from_array(kept.into_iter().map(give).collect()))
}

/// Does something to the message in hand.
pub(super) fn with<T>(call: &Call<'_>, act: impl FnOnce(RefMut<'_, Hand>) -> Given<T>) -> Given<T> {
    let hand = call.in_hand()?.0;
    if !hand.borrow().here {
        return Err(call.misuse("the message was delivered; only its handler can touch it"));
    }
    act(hand.borrow_mut())
}

fn get(call: &Call<'_>) -> Given {
    let path = call.text(0)?;
    let message = with(call, |hand| Ok(hand.message.clone()))?;
    let field = call.world.ask(|performer| performer.field(&message, &path));
    Ok(field.map_or(Dynamic::UNIT, give))
}

fn give(field: Field) -> Dynamic {
    match field {
        Field::Truth(truth) => truth.into(),
        Field::Number(number) => i64::try_from(number).unwrap_or(i64::MAX).into(),
        Field::Text(text) => ImmutableString::from(text).into(),
        Field::Bytes(bytes) => Dynamic::from(Content(bytes)),
        Field::List(list) => Dynamic::from_array(list.into_iter().map(give).collect()),
        Field::Nothing => Dynamic::UNIT,
    }
}

fn take(value: &Dynamic) -> Option<Field> {
    if value.is_unit() {
        return Some(Field::Nothing);
    }
    if let Ok(truth) = value.as_bool() {
        return Some(Field::Truth(truth));
    }
    if let Ok(number) = value.as_int() {
        return u64::try_from(number).ok().map(Field::Number);
    }
    if value.is_string() {
        return value.clone().into_string().ok().map(Field::Text);
    }
    if let Ok(list) = value.clone().into_array() {
        return list
            .iter()
            .map(take)
            .collect::<Option<_>>()
            .map(Field::List);
    }
    if let Some(record) = value.clone().try_cast::<Record>() {
        return Some(Field::Bytes(record.0));
    }
    Content::take(value).map(Field::Bytes)
}

fn set(call: &Call<'_>, must: bool) -> Given {
    let path = call.text(0)?;
    let Some(value) = take(&call.value(1)) else {
        return Err(call.misuse("a field is a number, a text, bytes, true or false, or a list"));
    };
    let message = with(call, |hand| Ok(hand.message.clone()))?;
    let changed = call
        .world
        .ask(|performer| performer.with_field(&message, &path, &value));
    if must && changed.is_none() {
        let what = format!("the message has no `{path}` that takes this; `try_set` may miss");
        return Err(call.misuse(&what));
    }
    with(call, |mut hand| {
        let found = changed.is_some();
        if let Some(bytes) = changed {
            hand.rewrite(bytes);
        }
        Ok(found.into())
    })
}

pub(super) fn rewrite(call: &Call<'_>, bytes: impl Into<Bytes>) -> Given {
    with(call, |mut hand| {
        hand.rewrite(bytes.into());
        Ok(Dynamic::UNIT)
    })
}

fn current(call: &Call<'_>) -> Given<Vec<u8>> {
    with(call, |hand| Ok(hand.message.bytes.to_vec()))
}

fn flip(call: &Call<'_>) -> Given {
    let mut bytes = current(call)?;
    let bit = match call.count() {
        0 => call.world.pick(bytes.len() as u64 * 8),
        _ => call.number(0)?,
    };
    let size = bytes.len();
    let Some(byte) = usize::try_from(bit / 8)
        .ok()
        .and_then(|at| bytes.get_mut(at))
    else {
        return Err(call.misuse(&format!("the message has {size} bytes")));
    };
    *byte ^= 0x80 >> (bit % 8);
    rewrite(call, bytes)
}

fn truncate(call: &Call<'_>) -> Given {
    let mut bytes = current(call)?;
    bytes.truncate(usize::try_from(call.number(0)?).unwrap_or(usize::MAX));
    rewrite(call, bytes)
}

fn extend(call: &Call<'_>) -> Given {
    let mut bytes = current(call)?;
    bytes.extend_from_slice(&extension(call, 0)?);
    call.world.make(bytes.len() as u64)?;
    rewrite(call, bytes)
}

fn put(call: &Call<'_>) -> Given {
    rewrite(call, call.bytes(0)?)
}

fn keep(call: &Call<'_>) -> Given {
    with(call, |hand| {
        Ok(Dynamic::from(Record(hand.original.clone())))
    })
}

fn replay(call: &Call<'_>) -> Given {
    rewrite(call, call.record(0)?.0)
}

fn delay(call: &Call<'_>) -> Given {
    let duration_ms = call.number(0)?;
    with(call, |mut hand| {
        hand.delay(duration_ms);
        Ok(Dynamic::UNIT)
    })
}

fn framed(call: &Call<'_>) -> Given {
    let name = call.text(0)?;
    let framing = known::framing(&name).map_err(throw)?;
    with(call, |mut hand| {
        if hand.message.direction == Direction::Request && !hand.is_printed() {
            return Err(call.misuse("it is for replies, in a handler of `server.on_reply`"));
        }
        hand.decide(Edit::Framed { framing });
        Ok(Dynamic::UNIT)
    })
}

fn fate(call: &Call<'_>, edit: Edit, requests_only: bool) -> Given {
    with(call, |mut hand| {
        if requests_only && hand.message.direction == Direction::Reply {
            return Err(call.misuse("it is for requests, in a handler of `server.on_request`"));
        }
        hand.decide(edit);
        Ok(Dynamic::UNIT)
    })
}
