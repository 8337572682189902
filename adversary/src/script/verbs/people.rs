//! Users, their devices, and the operations that they can be asked for.

use super::super::call::{Call, Does, Given, Receiver, Verb};
use super::super::value::{Actor, Content, Stored};
use super::verb;
use crate::attack::Step;
use crate::client::{DeviceName, Operation};
use rhai::{Dynamic, ImmutableString, Map};
use std::rc::Rc;

const ACTOR: Receiver = Receiver::Actor;

pub(super) const VERBS: &[Verb] = &[
    verb(
        Receiver::Nothing,
        "user",
        (1, 1),
        "user(\"alice\")",
        "A user with an account; signs up when first mentioned.",
        user,
    ),
    verb(
        Receiver::Nothing,
        "new_user",
        (1, 1),
        "new_user(\"eve\")",
        "A user who has not signed up.",
        new_user,
    ),
    verb(
        ACTOR,
        "device",
        (1, 1),
        "alice.device(\"phone\")",
        "A device of the user; logs in when first mentioned.",
        device,
    ),
    verb(
        ACTOR,
        "wrote",
        (0, 0),
        "alice.wrote()",
        "The objects that the device's latest operation wrote, in order.",
        wrote,
    ),
    verb(
        ACTOR,
        "crash",
        (0, 0),
        "alice.crash()",
        "Ends the process of the device without warning.",
        crash,
    ),
    verb(
        ACTOR,
        "restart",
        (0, 0),
        "alice.restart()",
        "Starts the process again with the same durable state, and logs in.",
        restart,
    ),
    verb(
        ACTOR,
        "tear",
        (0, 0),
        "alice.tear()",
        "Ends the process and spoils the durable state, as a power cut may; not in honest runs.",
        |call| {
            let device = call.actor()?.device;
            call.act(Step::Tear { device })
        },
    ),
    verb(
        ACTOR,
        "wipe",
        (0, 0),
        "alice.wipe()",
        "Takes the durable state away, and logs in like a fresh device.",
        wipe,
    ),
    operation(
        "sign_up",
        (0, 0),
        "eve.sign_up()",
        "Makes the account.",
        |_| Ok(Operation::SignUp),
    ),
    operation(
        "login",
        (0, 0),
        "alice.login()",
        "Logs in once more on this device.",
        |_| Ok(Operation::Login),
    ),
    operation(
        "upload",
        (2, 2),
        "alice.upload(name, content)",
        "Writes a whole file.",
        |call| {
            Ok(Operation::Upload {
                name: name(call, 0)?,
                content: name(call, 1)?,
            })
        },
    ),
    operation(
        "update",
        (2, 2),
        "alice.update(name, content)",
        "Writes a whole file, of which only what changed is sent.",
        |call| {
            Ok(Operation::Update {
                name: name(call, 0)?,
                content: name(call, 1)?,
            })
        },
    ),
    operation(
        "upload_many",
        (1, 1),
        "alice.upload_many(#{\"a.txt\": \"one\", \"b.txt\": \"two\"})",
        "Writes several files as one batch.",
        upload_many,
    ),
    operation(
        "download",
        (1, 1),
        "alice.download(name)",
        "Reads a whole file.",
        |call| {
            Ok(Operation::Download {
                name: name(call, 0)?,
            })
        },
    ),
    operation(
        "append",
        (2, 2),
        "alice.append(name, content)",
        "Adds to the end of a file.",
        |call| {
            Ok(Operation::Append {
                name: name(call, 0)?,
                content: name(call, 1)?,
            })
        },
    ),
    operation(
        "delete",
        (1, 1),
        "alice.delete(name)",
        "Removes a file.",
        |call| {
            Ok(Operation::Delete {
                name: name(call, 0)?,
            })
        },
    ),
    operation("list", (0, 0), "alice.list()", "Lists all names.", |_| {
        Ok(Operation::List)
    }),
    operation(
        "share",
        (2, 2),
        "alice.share(name, \"bob\")",
        "Invites a user to a file; gives the pointer that the recipient may be told.",
        |call| {
            Ok(Operation::Share {
                name: name(call, 0)?,
                with: call.user(1)?,
            })
        },
    ),
    operation(
        "receive",
        (3, 3),
        "bob.receive(\"alice\", name, as_name)",
        "Takes an invitation, found by the sender's name for the file.",
        |call| {
            Ok(Operation::Receive {
                from: call.user(0)?,
                name: Some(name(call, 1)?),
                pointer: None,
                as_name: name(call, 2)?,
            })
        },
    ),
    operation(
        "receive_pointer",
        (3, 3),
        "bob.receive_pointer(\"alice\", pointer, as_name)",
        "Takes an invitation, found by the pointer that `share` gave.",
        |call| {
            Ok(Operation::Receive {
                from: call.user(0)?,
                name: None,
                pointer: Some(name(call, 1)?),
                as_name: name(call, 2)?,
            })
        },
    ),
    operation(
        "revoke",
        (2, 2),
        "alice.revoke(name, \"bob\")",
        "Excludes a user from a file.",
        |call| {
            Ok(Operation::Revoke {
                name: name(call, 0)?,
                from: call.user(1)?,
            })
        },
    ),
    operation(
        "fingerprint",
        (1, 1),
        "alice.fingerprint(\"bob\")",
        "The fingerprint of a user's keys, to be compared outside.",
        |call| {
            Ok(Operation::Fingerprint {
                user: call.user(0)?,
            })
        },
    ),
    operation(
        "verify",
        (2, 2),
        "alice.verify(\"bob\", fingerprint)",
        "States that a fingerprint was compared outside.",
        |call| {
            Ok(Operation::Verify {
                user: call.user(0)?,
                fingerprint: name(call, 1)?,
            })
        },
    ),
    operation(
        "compare",
        (1, 1),
        "alice.compare(bob)",
        "Exchanges accepted heads and pinned keys with another device.",
        |call| {
            Ok(Operation::Compare {
                other: call.device(0)?,
            })
        },
    ),
];

/// A verb that is an operation of a client.
const fn operation(
    name: &'static str,
    takes: (usize, usize),
    usage: &'static str,
    says: &'static str,
    build: fn(&Call<'_>) -> Given<Operation>,
) -> Verb {
    Verb {
        name,
        on: ACTOR,
        takes,
        usage,
        says,
        does: Does::Operation(build),
    }
}

fn name(call: &Call<'_>, index: usize) -> Given<Vec<u8>> {
    Ok(call.bytes(index)?.to_vec())
}

pub(super) fn check_name(call: &Call<'_>, name: &str) -> Given<()> {
    if name.is_empty() || name.contains(['/', ':', '#', '*']) {
        return Err(call.misuse("a user's name is not empty and has no `/`, `:`, `#` or `*`"));
    }
    Ok(())
}

fn appear(call: &Call<'_>) -> Given<(Actor, bool)> {
    let name = call.text(0)?;
    check_name(call, &name)?;
    let first = call.world.mention_user(&name);
    if first {
        let user = name.clone();
        call.perform(Step::User { user })?;
    }
    Ok((Actor::user(&name), first))
}

pub(super) fn user(call: &Call<'_>) -> Given {
    let (actor, first) = appear(call)?;
    if first {
        call.world
            .run(call.context, &actor.device, Operation::SignUp)
            .map(drop)?;
    }
    Ok(Dynamic::from(actor))
}

fn new_user(call: &Call<'_>) -> Given {
    let (actor, first) = appear(call)?;
    if !first {
        return Err(call.misuse("the user has appeared before"));
    }
    Ok(Dynamic::from(actor))
}

fn device(call: &Call<'_>) -> Given {
    let user = call.actor()?.device.user;
    let device = DeviceName::new(user, call.text(0)?);
    if device.device.is_empty() || device.device.contains(['/', ':', '#', '*']) {
        return Err(call.misuse("a device's name is not empty and has no `/`, `:`, `#` or `*`"));
    }
    if call.world.mention_device(&device) {
        let appearing = Step::Device {
            device: device.clone(),
        };
        call.perform(appearing)?;
        call.world
            .run(call.context, &device, Operation::Login)
            .map(drop)?;
    }
    Ok(Dynamic::from(Actor {
        device,
        whole: false,
    }))
}

fn wrote(call: &Call<'_>) -> Given {
    let device = call.actor()?.device;
    let objects = call.world.ask(|performer| performer.wrote(&device));
    let give = |info| Dynamic::from(Stored(Rc::new(info)));
    Ok(Dynamic::from_array(objects.into_iter().map(give).collect()))
}

fn crash(call: &Call<'_>) -> Given {
    let device = call.actor()?.device;
    call.act(Step::Crash { device })
}

fn restart(call: &Call<'_>) -> Given {
    let device = call.actor()?.device;
    let again = Step::Restart {
        device: device.clone(),
    };
    call.perform(again)?;
    call.world.run(call.context, &device, Operation::Login)
}

fn wipe(call: &Call<'_>) -> Given {
    let device = call.actor()?.device;
    let gone = Step::Wipe {
        device: device.clone(),
    };
    call.perform(gone)?;
    call.world.run(call.context, &device, Operation::Login)
}

fn upload_many(call: &Call<'_>) -> Given<Operation> {
    let pairs: Vec<(Dynamic, Dynamic)> = if let Ok(list) = call.value(0).into_array() {
        let pairs = list.into_iter().map(|pair| {
            let pair: Option<[Dynamic; 2]> = pair.into_array().ok()?.try_into().ok();
            pair.map(|[name, content]| (name, content))
        });
        pairs
            .collect::<Option<_>>()
            .ok_or_else(|| call.misuse("each file is [name, content]"))?
    } else if let Some(map) = call.value(0).try_cast::<Map>() {
        let pairs = map.into_iter();
        pairs
            .map(|(name, content)| (ImmutableString::from(name).into(), content))
            .collect()
    } else {
        return Err(call.misuse("it takes a map of names and contents"));
    };
    let taken = pairs.iter().map(|(name, content)| {
        let (name, content) = (Content::take(name)?, Content::take(content)?);
        Some((name.to_vec(), content.to_vec()))
    });
    match taken.collect() {
        Some(files) => Ok(Operation::UploadMany { files }),
        None => Err(call.misuse("names and contents are strings or bytes")),
    }
}
