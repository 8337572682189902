//! Words that make contents, pick objects, and go through them.

use super::super::call::{Call, Given, Receiver, Verb};
use super::super::value::{Content, Stored};
use super::verb;
use crate::attack::Step;
use crate::chooser::seeded_bytes;
use crate::honest::storage::Kind;
use crate::stage::Secrets;
use rhai::{Dynamic, ImmutableString};
use std::collections::BTreeSet;

const NOTHING: Receiver = Receiver::Nothing;
const CONTENT: Receiver = Receiver::Content;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(NOTHING, "bytes", (1, 2), "bytes(count, which)",
        "Seeded bytes that no compressor shortens; `which` makes several that differ.", bytes),
    verb(NOTHING, "secret", (1, 1), "secret(count)",
        "A text that the server must never see, different at each call.", secret),
    verb(NOTHING, "either", (2, 2), "either(bytes(1), bytes(256))",
        "The one in the first, the other in the second run of a script that says `secrets: two`.",
        either),
    verb(NOTHING, "content_of", (1, 1), "content_of(objects)",
        "The largest of the objects that hold content; of all, if none does.", content_of),
    verb(NOTHING, "kind_of", (2, 2), "kind_of(objects, \"head\")",
        "The first object of a kind, or nothing.", kind_of),
    verb(NOTHING, "for_each", (2, 2), "for_each(list, |one| ..)",
        "Calls a closure with each element of a list.", for_each),
    verb(NOTHING, "each_byte", (2, 2), "each_byte(object, |index| ..)",
        "Calls a closure with the place of each byte of an object.", each_byte),
    verb(NOTHING, "sample", (3, 3), "sample(count, size, |index| ..)",
        "Calls a closure with so many places below `size`, picked by the header's seed.", sample),
    verb(CONTENT, "part", (2, 2), "content.part(from, to)",
        "The bytes from one place up to another.", part),
];

/// The seed of what a script makes up: other contents where the secrets are others.
fn secret_seed(call: &Call<'_>) -> u64 {
    call.world
        .ask(|performer| performer.secrets().seed(performer.seed()))
}

/// Which of two values that must look the same to the server.
fn either(call: &Call<'_>) -> Given {
    Ok(match call.world.ask(|performer| performer.secrets()) {
        Secrets::First => call.value(0),
        Secrets::Second => call.value(1),
    })
}

fn bytes(call: &Call<'_>) -> Given {
    let count = call.number(0)?;
    let which = match call.count() {
        1 => 0,
        _ => call.number(1)?,
    };
    call.world.make(count)?;
    let seed = secret_seed(call);
    let made = seeded_bytes(seed, &format!("content {which}"), count as usize);
    Ok(Dynamic::from(Content(made.into())))
}

fn secret(call: &Call<'_>) -> Given {
    let count = call.number(0)?;
    if !(16..=1 << 20).contains(&count) {
        return Err(call.misuse("a secret has 16 letters or more, and at most a million"));
    }
    call.world.make(count)?;
    let seed = secret_seed(call);
    let label = format!("secret {}", call.world.count("secret"));
    let letters = b"abcdefghijklmnopqrstuvwxyz234567";
    let text: String = seeded_bytes(seed, &label, count as usize)
        .into_iter()
        .map(|byte| char::from(letters[usize::from(byte % 32)]))
        .collect();
    let bytes = text.as_bytes().into();
    call.perform(Step::Secret { bytes })?;
    Ok(Dynamic::from(ImmutableString::from(text)))
}

fn stored(call: &Call<'_>) -> Given<Vec<Stored>> {
    let list = call.list(0)?.into_iter();
    list.map(|value| {
        value
            .try_cast::<Stored>()
            .ok_or_else(|| call.misuse("it takes an array of objects"))
    })
    .collect()
}

fn content_of(call: &Call<'_>) -> Given {
    let objects = stored(call)?;
    let mut largest: Option<&Stored> = None;
    let weight = |object: &Stored| {
        let kind = Kind::parse(&object.0.kind);
        (kind.is_some_and(Kind::holds_content), object.0.size)
    };
    for object in &objects {
        if largest.is_none_or(|largest| weight(object) > weight(largest)) {
            largest = Some(object);
        }
    }
    match largest {
        Some(object) => Ok(Dynamic::from(object.clone())),
        None => Err(call.misuse("there are no objects")),
    }
}

fn kind_of(call: &Call<'_>) -> Given {
    let kind = call.text(1)?;
    let found = stored(call)?
        .into_iter()
        .find(|object| object.0.kind == kind);
    Ok(found.map_or(Dynamic::UNIT, Dynamic::from))
}

fn for_each(call: &Call<'_>) -> Given {
    let closure = call.closure(1)?;
    for value in call.list(0)? {
        call.call(&closure, (value,)).map(drop)?;
    }
    Ok(Dynamic::UNIT)
}

fn each_byte(call: &Call<'_>) -> Given {
    let closure = call.closure(1)?;
    let object = call.object(0)?;
    let size = call
        .world
        .ask(|performer| performer.content(&object).map_or(0, |bytes| bytes.len()));
    for index in 0..size {
        call.call(&closure, (index as i64,)).map(drop)?;
    }
    Ok(Dynamic::UNIT)
}

fn sample(call: &Call<'_>) -> Given {
    let (count, size) = (call.number(0)?, call.number(1)?);
    let closure = call.closure(2)?;
    for index in positions(call.world.sample_seed, count, size) {
        call.call(&closure, (index as i64,)).map(drop)?;
    }
    Ok(Dynamic::UNIT)
}

/// At most `count` distinct places below `size`, in order; all of them if there are no more.
fn positions(seed: u64, count: u64, size: u64) -> Vec<u64> {
    if size <= count {
        return (0..size).collect();
    }
    let mut found = BTreeSet::new();
    let mut round = 0_u32;
    while (found.len() as u64) < count {
        for word in seeded_bytes(seed, &format!("sample {round}"), 4096).chunks_exact(8) {
            let number = word
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            if (found.len() as u64) < count {
                found.insert(number % size);
            }
        }
        round += 1;
    }
    found.into_iter().collect()
}

fn part(call: &Call<'_>) -> Given {
    let content = call.content()?.0;
    let (from, to) = (call.number(0)? as usize, call.number(1)? as usize);
    let Some(part) = content.get(from..to) else {
        return Err(call.misuse(&format!("there are {} bytes", content.len())));
    };
    call.world.make(part.len() as u64)?;
    Ok(Dynamic::from(Content(part.into())))
}

#[cfg(test)]
mod tests {
    use super::positions;

    #[test]
    fn sampled_places_are_distinct_and_repeatable() {
        let places = positions(1, 64, 1000);
        assert_eq!(places.len(), 64);
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(places.iter().all(|place| *place < 1000));
        assert_eq!(places, positions(1, 64, 1000));
        assert_ne!(places, positions(2, 64, 1000));
    }

    #[test]
    fn small_range_is_taken_whole() {
        assert_eq!(positions(1, 64, 3), [0, 1, 2]);
        assert_eq!(positions(1, 3, 3), [0, 1, 2]);
    }
}
