//! The forms in which attacks print: each names one step, or one thing that a step made.

use super::super::call::{Call, Given, Receiver, Verb, throw};
use super::super::error::{Fault, ScriptError};
use super::super::performer::{ObjectInfo, Progress};
use super::super::value::{Actor, Content, Hand, Held, InHand, Op, Returns, Snapshot, Stored};
use super::verb;
use crate::attack::{Edit, Object, Step};
use crate::client::DeviceName;
use crate::history::ObjectKey;
use rhai::Dynamic;
use std::cell::RefCell;
use std::rc::Rc;

const NOTHING: Receiver = Receiver::Nothing;
const SERVER: Receiver = Receiver::Server;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(NOTHING, "device", (1, 1), "device(\"alice/phone\")",
        "A device by its whole name; nothing happens.", |call| {
            let device = DeviceName::parse(&call.text(0)?);
            call.world.mention_device(&device);
            Ok(Dynamic::from(Actor { device, whole: false }))
        }),
    verb(NOTHING, "new_device", (1, 1), "new_device(\"alice/phone\")",
        "A device appears; it logs in by an operation of its own.", |call| {
            let device = mentioned(call)?;
            call.act(Step::Device { device })
        }),
    verb(NOTHING, "crash", (1, 1), "crash(\"alice/phone\")",
        "Ends the process of a device without warning.", |call| {
            let device = mentioned(call)?;
            call.act(Step::Crash { device })
        }),
    verb(NOTHING, "start_again", (1, 1), "start_again(\"alice/phone\")",
        "Starts the process of a device again, and does not log in.", |call| {
            let device = mentioned(call)?;
            call.act(Step::Restart { device })
        }),
    verb(NOTHING, "start_empty", (1, 1), "start_empty(\"alice/phone\")",
        "Takes the durable state of a device away, and does not log in.", |call| {
            let device = mentioned(call)?;
            call.act(Step::Wipe { device })
        }),
    verb(NOTHING, "tear", (1, 1), "tear(\"alice/phone\")",
        "Ends the process of a device and spoils its durable state; nothing happens honestly.",
        |call| {
            let device = mentioned(call)?;
            call.act(Step::Tear { device })
        }),
    verb(NOTHING, "op", (1, 1), "op(number)",
        "The operation of this number in the run.", |call| {
            let number = call.small(0)?;
            Ok(Dynamic::from(Op { number, returns: Returns::Nothing, printed: true }))
        }),
    verb(NOTHING, "hold", (1, 1), "hold(number)",
        "The hold of this number in the run.", |call| {
            Ok(Dynamic::from(Held(call.small(0)?)))
        }),
    verb(NOTHING, "snapshot", (1, 1), "snapshot(number)",
        "The snapshot of this number in the run.", |call| {
            Ok(Dynamic::from(Snapshot(call.small(0)?)))
        }),
    verb(NOTHING, "object", (2, 2), "object(kind, id)",
        "The object of this kind and id.", |call| {
            let (kind, id) = (call.text(0)?, call.bytes(1)?.to_vec());
            let key = ObjectKey::new(kind, id);
            Ok(named(call, Object::Key { key }))
        }),
    verb(NOTHING, "wrote", (2, 2), "wrote(operation, index)",
        "What an operation wrote, by its place.", |call| {
            let (operation, index) = (call.small(0)?, call.small(1)?);
            Ok(named(call, Object::Written { operation, index }))
        }),
    verb(NOTHING, "canary", (1, 1), "canary(bytes)",
        "Bytes that the server must never see.", |call| {
            let bytes = call.bytes(0)?;
            call.act(Step::Secret { bytes })
        }),
    verb(NOTHING, "hex", (1, 1), "hex(\"00ff\")",
        "Bytes by their digits.", hex),
    verb(SERVER, "edit_request", (2, 2), "server.edit_request(number, |m| ..)",
        "Does this to the request of this number in the run.", |call| {
            let (request, edits) = (call.small(0)?, edits(call, 1)?);
            call.act(Step::EditRequest { request, edits })
        }),
    verb(SERVER, "edit_reply", (2, 2), "server.edit_reply(number, |m| ..)",
        "Does this to the reply to the request of this number in the run.", |call| {
            let (request, edits) = (call.small(0)?, edits(call, 1)?);
            call.act(Step::EditReply { request, edits })
        }),
    verb(SERVER, "pause", (2, 2), "server.pause(number, is_reply)",
        "Has the run pause when this message passes, until `server.resume`.", |call| {
            let (request, reply) = (call.small(0)?, call.truth(1)?);
            call.act(Step::Pause { request, reply })
        }),
    verb(SERVER, "resume", (1, 1), "server.resume(|m| ..)",
        "Does this to the message at which the run paused, and goes on.", resume),
];

fn mentioned(call: &Call<'_>) -> Given<DeviceName> {
    let device = call.device(0)?;
    call.world.mention_device(&device);
    Ok(device)
}

/// A handle on an object by its name, with what the server knows of it now.
fn named(call: &Call<'_>, object: Object) -> Dynamic {
    let content = call.world.ask(|performer| performer.content(&object));
    let (kind, id) = match &object {
        Object::Key { key } => (key.kind.clone(), key.id.clone()),
        Object::Written { .. } => (String::new(), Vec::new()),
    };
    let size = content.map_or(0, |bytes| bytes.len() as u64);
    Dynamic::from(Stored(Rc::new(ObjectInfo {
        object,
        kind,
        id,
        size,
    })))
}

fn hex(call: &Call<'_>) -> Given {
    let text = call.text(0)?;
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2));
    let Some(digits) = pairs else {
        let what = "bytes by their digits have two of them each, 0 to 9 and a to f";
        return Err(throw(ScriptError::new(Fault::WrongUse, what)));
    };
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8))
        .collect();
    call.world.make(bytes.len() as u64)?;
    Ok(Dynamic::from(Content(bytes.into())))
}

/// What a closure does to a message, noted and not done.
fn edits(call: &Call<'_>, index: usize) -> Given<Vec<Edit>> {
    let closure = call.closure(index)?;
    let hand = Rc::new(RefCell::new(Hand::blank()));
    call.call(&closure, (InHand(Rc::clone(&hand)),)).map(drop)?;
    hand.borrow_mut().here = false;
    let edits = hand.borrow().edits();
    Ok(edits)
}

fn resume(call: &Call<'_>) -> Given {
    let edits = edits(call, 0)?;
    if let Progress::Ended(ended) = call.perform(Step::Resume { edits })? {
        for (number, outcome) in ended {
            call.world
                .give(number, outcome, Returns::Nothing)
                .map(drop)?;
        }
    }
    Ok(Dynamic::UNIT)
}
