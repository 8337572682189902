//! Acts on the store: which version of which object is shown to whom, and its bytes.

use super::super::call::{Call, Given, Receiver, Verb};
use super::super::value::{Actor, Content, Snapshot, Stored};
use super::verb;
use crate::attack::{Object, Step};
use crate::chooser::seeded_bytes;
use crate::codec::Bytes;
use crate::history::ObjectKey;
use crate::selector::Audience;
use rhai::Dynamic;
use std::rc::Rc;

const SERVER: Receiver = Receiver::Server;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(SERVER, "snapshot", (0, 0), "server.snapshot()",
        "Marks this moment of the store.", snapshot),
    verb(SERVER, "roll_back_to", (1, 2), "server.roll_back_to(snapshot, view)",
        "Shows the store as of a snapshot.", roll_back_to),
    verb(SERVER, "objects", (0, 1), "server.objects(kind)",
        "All live objects, or those of one kind.", objects),
    verb(SERVER, "read", (1, 1), "server.read(object)",
        "The bytes of an object as the server holds it.", read),
    verb(SERVER, "flip", (1, 3), "server.flip(object, bit, view)",
        "Turns one bit over; a seeded one if none is named.", flip),
    verb(SERVER, "truncate", (2, 3), "server.truncate(object, size, view)",
        "Cuts an object after so many bytes.", |call| {
            let size = call.number(1)?;
            each(call, 2, |object, audience| Step::Truncate { object, size, audience })
        }),
    verb(SERVER, "extend", (2, 3), "server.extend(object, bytes_or_count, view)",
        "Adds bytes to the end of an object.", |call| {
            let bytes = extension(call, 1)?;
            each(call, 2, |object, audience| Step::Extend {
                object,
                bytes: bytes.clone(),
                audience,
            })
        }),
    verb(SERVER, "zero", (1, 2), "server.zero(object, view)",
        "Turns every byte of an object to zero.", |call| {
            each(call, 1, |object, audience| Step::Zero { object, audience })
        }),
    verb(SERVER, "replace", (2, 3), "server.replace(object, by, view)",
        "Shows another object's bytes in place of an object's.", |call| {
            let (object, by) = (call.object(0)?, call.object(1)?);
            let audience = call.audience(2)?;
            call.act(Step::Replace { object, by, audience })
        }),
    verb(SERVER, "swap", (2, 3), "server.swap(one, other, view)",
        "Shows each of two objects with the other one's bytes.", |call| {
            let (first, second) = (call.object(0)?, call.object(1)?);
            let audience = call.audience(2)?;
            call.act(Step::Swap { first, second, audience })
        }),
    verb(SERVER, "hide", (1, 2), "server.hide(object, view)",
        "Denies an object.", |call| {
            each(call, 1, |object, audience| Step::Hide { object, audience })
        }),
    verb(SERVER, "hide_all", (0, 1), "server.hide_all(view)",
        "Denies every object.", |call| {
            let audience = call.audience(0)?;
            call.act(Step::HideAll { audience })
        }),
    verb(SERVER, "resurrect", (1, 2), "server.resurrect(object, view)",
        "Shows the last version of an object before its deletion.", |call| {
            each(call, 1, |object, audience| Step::Resurrect { object, audience })
        }),
    verb(SERVER, "roll_back", (2, 3), "server.roll_back(object, versions, view)",
        "Shows an object as it was some versions earlier.", |call| {
            let versions = call.small(1)?;
            each(call, 2, |object, audience| Step::RollBack { object, versions, audience })
        }),
    verb(SERVER, "put", (2, 3), "server.put(object, bytes, view)",
        "Shows the server's own bytes in place of an object's.", |call| {
            let bytes = call.bytes(1)?;
            each(call, 2, |object, audience| Step::Put {
                object,
                bytes: bytes.clone(),
                audience,
            })
        }),
    verb(SERVER, "put_new", (3, 4), "server.put_new(kind, id, bytes, view)",
        "Shows an object that nobody stored.", put_new),
    verb(SERVER, "fork", (1, 1), "server.fork(view)",
        "Puts a view on a branch of its own from now on.", |call| {
            let audience = call.audience(0)?;
            call.act(Step::Fork { audience })
        }),
    verb(SERVER, "join", (0, 0), "server.join()",
        "Shows everybody the trunk again.", |call| call.act(Step::Join)),
    verb(SERVER, "show", (2, 2), "server.show(view, of)",
        "Shows one view the branch of another.", |call| {
            let (audience, of) = (call.audience(0)?, call.audience(1)?);
            call.act(Step::Show { audience, of })
        }),
    verb(SERVER, "freeze", (1, 1), "server.freeze(view)",
        "Keeps what a view shows as it is now; its own writes apply for it alone.", |call| {
            let audience = call.audience(0)?;
            call.act(Step::Freeze { audience })
        }),
    verb(SERVER, "heal", (0, 0), "server.heal()",
        "Ends every act and every handler: honest from here on.", heal),
];

/// An act on one object, or on each of an array; the view is the last argument.
fn each(call: &Call<'_>, view: usize, step: impl Fn(Object, Audience) -> Step) -> Given {
    let audience = call.audience(view)?;
    for object in call.objects(0)? {
        call.perform(step(object, audience.clone()))?;
    }
    Ok(Dynamic::UNIT)
}

fn snapshot(call: &Call<'_>) -> Given {
    Ok(Dynamic::from(Snapshot(call.make(Step::Snapshot)?)))
}

fn roll_back_to(call: &Call<'_>) -> Given {
    let snapshot = call.snapshot(0)?.0;
    let audience = call.audience(1)?;
    call.act(Step::RollBackTo { snapshot, audience })
}

fn objects(call: &Call<'_>) -> Given {
    let kind = match call.count() {
        0 => None,
        _ => Some(call.text(0)?),
    };
    let found = call
        .world
        .ask(|performer| performer.objects(kind.as_deref()));
    let give = |info| Dynamic::from(Stored(Rc::new(info)));
    Ok(Dynamic::from_array(found.into_iter().map(give).collect()))
}

fn read(call: &Call<'_>) -> Given {
    let object = call.object(0)?;
    let Some(bytes) = call.world.ask(|performer| performer.content(&object)) else {
        return Err(call.misuse("the server holds no such object now"));
    };
    call.world.make(bytes.len() as u64)?;
    Ok(Dynamic::from(Content(bytes)))
}

fn flip(call: &Call<'_>) -> Given {
    let second = call.value(1);
    let names_view = second.is_string() || second.is::<Actor>();
    let (bit, view) = if call.count() == 1 || names_view {
        (None, 1)
    } else {
        (Some(call.number(1)?), 2)
    };
    if names_view && call.count() == 3 {
        return Err(call.misuse("the bit stands before the view"));
    }
    let audience = call.audience(view)?;
    for object in call.objects(0)? {
        let audience = audience.clone();
        let bit = match bit {
            Some(bit) => bit,
            None => seeded_bit(call, &object)?,
        };
        call.perform(Step::Flip {
            object,
            bit,
            audience,
        })?;
    }
    Ok(Dynamic::UNIT)
}

fn seeded_bit(call: &Call<'_>, object: &Object) -> Given<u64> {
    let content = call.world.ask(|performer| performer.content(object));
    match content.map_or(0, |bytes| bytes.len()) {
        0 => Err(call.misuse("the server holds no bytes of this object now")),
        size => Ok(call.world.pick(size as u64 * 8)),
    }
}

/// Bytes to add: those given, or so many seeded ones.
pub(super) fn extension(call: &Call<'_>, index: usize) -> Given<Bytes> {
    if !call.value(index).is_int() {
        return call.bytes(index);
    }
    let count = call.number(index)?;
    call.world.make(count)?;
    let seed = call.world.ask(|performer| performer.seed());
    let label = format!("extension {}", call.world.count("extension"));
    Ok(seeded_bytes(seed, &label, usize::try_from(count).unwrap_or(0)).into())
}

fn put_new(call: &Call<'_>) -> Given {
    let key = ObjectKey::new(call.text(0)?, call.bytes(1)?.to_vec());
    let bytes = call.bytes(2)?;
    let audience = call.audience(3)?;
    let object = Object::Key { key };
    call.act(Step::Put {
        object,
        bytes,
        audience,
    })
}

fn heal(call: &Call<'_>) -> Given {
    call.world.forget_handlers();
    call.act(Step::Heal)
}
