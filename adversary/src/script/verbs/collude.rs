//! Keys that the server holds: a member's who works with it, and its own.

use super::super::call::{Call, Given, Receiver, Verb, throw};
use super::super::error::{Fault, ScriptError};
use super::super::value::{Actor, Content, Hand, Keys};
use super::message::with;
use super::verb;
use crate::acts::collude::{self, Colluder, Scheme};
use crate::attack::Step;
use crate::front::native::{self, Value};
use crate::pool;
use rhai::Dynamic;
use std::rc::Rc;
use turncoat_core::id::Realm;
use turncoat_core::wire::{Reader, SignedEnvelope, Wire};

const NOTHING: Receiver = Receiver::Nothing;
const SERVER: Receiver = Receiver::Server;
const MESSAGE: Receiver = Receiver::Message;
const KEYS: Receiver = Receiver::Keys;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(NOTHING, "colluder", (1, 1), "colluder(\"bob\")",
        "A user like any other, whose keys the server holds.", |call| {
            if call.world.is_impostor(&call.user(0)?) {
                return Err(call.misuse("an impostor's keys are not the server's"));
            }
            let user = super::people::user(call)?;
            call.world.collude(&call.user(0)?);
            Ok(user)
        }),
    verb(SERVER, "identity", (1, 1), "server.identity(\"eve\")",
        "Keys of the server's own, under a name.", identity),
    verb(SERVER, "impostor", (2, 2), "server.impostor(\"mallory\", \"bob\")",
        "A new user, who has not signed up, and whose account is going to bear another user's \
         name; in an honest run it bears her own.",
        impostor),
    verb(KEYS, "record", (0, 0), "eve.record()",
        "The public record of these keys under their own name.", |call| {
            made(call, call.keys()?.0.record())
        }),
    verb(KEYS, "record_for", (1, 1), "eve.record_for(\"bob\")",
        "A public record of another user's name and these keys.", |call| {
            let user = call.user(0)?;
            made(call, call.keys()?.0.record_for(&user))
        }),
    verb(KEYS, "fingerprint", (0, 0), "eve.fingerprint()",
        "The fingerprint of these keys.", |call| {
            let fingerprint = call.keys()?.0.fingerprint();
            made(call, fingerprint.map(|fingerprint| fingerprint.as_bytes().to_vec()))
        }),
    verb(KEYS, "fingerprint_for", (1, 1), "eve.fingerprint_for(\"bob\")",
        "The fingerprint of a record of another user's name and these keys.", |call| {
            let user = call.user(0)?;
            let fingerprint = call.keys()?.0.fingerprint_for(&user);
            made(call, fingerprint.map(|fingerprint| fingerprint.as_bytes().to_vec()))
        }),
    verb(MESSAGE, "sign", (2, 3), "m.sign(path, who, scheme)",
        "Signs the head, record, roster change or envelope at a path anew, with these keys.", sign),
    verb(MESSAGE, "hash", (1, 1), "m.hash(path)",
        "The hash by which others name the head or the roster change at a path; of leaves, the \
         directory that has them and no others.", |call| {
            let path = call.text(0)?;
            let hash = in_hand(call, |hand| collude::hash(&hand.message.bytes, &path))?;
            made(call, hash.map(Vec::from))
        }),
    verb(MESSAGE, "fit_both", (3, 3), "m.fit_both(path, one, other)",
        "Makes the key bag at a path one that opens under both passwords, and commits to the \
         first.", |call| {
            let (path, one, other) = (call.text(0)?, call.text(1)?, call.text(2)?);
            let bytes = in_hand(call, |hand| hand.message.bytes.clone())?;
            let passwords = [one.as_bytes(), other.as_bytes()];
            changed(call, collude::bag_for_two(&REALM, &bytes, &path, passwords))
        }),
    verb(MESSAGE, "wrap", (2, 3), "m.wrap(path, who, key)",
        "Wraps a key anew for whoever asks, in the envelope at a path, and signs it: the one that \
         is given, the genuine one if who has it, or one of the server's.", wrap),
];

/// The realm of all runs.
const REALM: Realm = Realm(crate::driver::REALM);

fn keys(name: &str, identity: &pool::Identity) -> Option<Colluder> {
    Colluder::new(REALM, name, identity)
}

/// Keys from the end of the pool: users take theirs from its beginning.
fn identity(call: &Call<'_>) -> Given {
    let name = call.text(0)?;
    let identities = pool::identities();
    let number = call.world.number_of("identity", &name) as usize;
    let chosen = identities.iter().rev().nth(number % identities.len());
    match chosen.and_then(|identity| keys(&name, identity)) {
        Some(keys) => Ok(Dynamic::from(Keys(Rc::new(keys)))),
        None => Err(call.misuse("the pool has no such keys")),
    }
}

/// Signing up is left to the script: an honest server knows of one account of a name.
fn impostor(call: &Call<'_>) -> Given {
    let user = call.text(0)?;
    let of = call.user(1)?;
    super::people::check_name(call, &user)?;
    if call.world.knows(&user) {
        return Err(call.misuse("the user has appeared before"));
    }
    if call.world.strict && (!call.world.knows(&of) || call.world.is_impostor(&of)) {
        return Err(call.misuse("nobody of that name has appeared, or an impostor has"));
    }
    call.world.mention_impostor(&user);
    let actor = Actor::user(&user);
    call.perform(Step::Impostor { user, of })?;
    Ok(Dynamic::from(actor))
}

/// The keys of a colluding user, or the server's own.
fn holder(call: &Call<'_>, index: usize) -> Given<Rc<Colluder>> {
    let value = call.value(index);
    if let Some(keys) = value.clone().try_cast::<Keys>() {
        return Ok(keys.0);
    }
    let Some(actor) = value.try_cast::<Actor>() else {
        return Err(call.misuse("whose keys: a user, or what `server.identity(..)` gave"));
    };
    if call.world.strict && !call.world.colludes(&actor.device.user) {
        return Err(
            call.misuse("that user's keys are not the server's; `colluder(..)` gives it them")
        );
    }
    match of_user(call, &actor.device.user) {
        Some(keys) => Ok(Rc::new(keys)),
        None => Err(call.misuse("the server has no keys of that user")),
    }
}

fn of_user(call: &Call<'_>, user: &str) -> Option<Colluder> {
    let place = call.world.place_of(user)?;
    let secrets = call.world.ask(|performer| performer.secrets());
    keys(user, secrets.identity(place))
}

fn made(call: &Call<'_>, bytes: Option<Vec<u8>>) -> Given {
    match bytes {
        Some(bytes) => Ok(Dynamic::from(Content(bytes.into()))),
        None => Err(call.misuse("these keys cannot do that")),
    }
}

fn in_hand<T>(call: &Call<'_>, read: impl FnOnce(&Hand) -> T) -> Given<T> {
    with(call, |hand| Ok(read(&hand)))
}

/// Replaces the message; false if there is nothing of the kind at the path.
fn changed(call: &Call<'_>, bytes: Option<Vec<u8>>) -> Given {
    let found = bytes.is_some();
    if let Some(bytes) = bytes {
        super::message::rewrite(call, bytes).map(drop)?;
    }
    Ok(found.into())
}

fn sign(call: &Call<'_>) -> Given {
    let (path, holder) = (call.text(0)?, holder(call, 1)?);
    let name = match call.count() {
        2 => "pss".to_owned(),
        _ => call.text(2)?,
    };
    let Some(scheme) = Scheme::parse(&name) else {
        let known = ["pss", "pss-salt-0", "pss-salt-20", "pkcs1"];
        let error = ScriptError::not_in(Fault::UnknownWord, "scheme", &name, known);
        return Err(throw(error));
    };
    let bytes = in_hand(call, |hand| hand.message.bytes.clone())?;
    changed(call, holder.sign(&bytes, &path, scheme))
}

fn wrap(call: &Call<'_>) -> Given {
    let (path, holder) = (call.text(0)?, holder(call, 1)?);
    let user = in_hand(call, |hand| hand.message.device.user.clone())?;
    let bytes = in_hand(call, |hand| hand.message.bytes.clone())?;
    let key = match call.count() {
        2 => genuine(call, &bytes, &path),
        _ => Some(
            call.bytes(2)?
                .to_vec()
                .try_into()
                .map_err(|_| call.misuse("a key has 32 bytes"))?,
        ),
    };
    let record = of_user(call, &user).and_then(|recipient| recipient.record());
    let wrapped = record.and_then(|record| holder.wrap_key(&bytes, &path, &record, key, b"file"));
    changed(call, wrapped)
}

/// The key that belongs into an envelope, if a colluding user opens it with keys of their own.
fn genuine(call: &Call<'_>, message: &[u8], path: &str) -> Option<[u8; 32]> {
    let user = call.value(1).try_cast::<Actor>()?.device.user;
    let Some(Value::Bytes(bytes)) = native::get(message, path) else {
        return None;
    };
    let signed = Reader::all(&bytes, SignedEnvelope::read).ok()?;
    call.world
        .ask(|performer| performer.key_of(&user, &signed.envelope))
}
