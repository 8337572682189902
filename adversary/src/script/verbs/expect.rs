//! Expectations: what the operations inside a closure must come to.

use super::super::call::{Call, Given, Receiver, Verb, throw};
use super::super::error::{Fault, Place, ScriptError};
use super::super::known::{self, FailureClass};
use super::super::performer::Progress;
use super::super::world::Judgement;
use super::order::failure;
use super::verb;
use crate::attack::{Expectation, Step};
use rhai::{Dynamic, FnPtr};

const NOTHING: Receiver = Receiver::Nothing;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(NOTHING, "expect_violation", (2, 3), "expect_violation(\"rollback\", || .., honest_usage)",
        "Attacked: exactly this violation. Honest: success, or the named error of usage.",
        violation),
    verb(NOTHING, "expect_unavailable", (2, 3),
        "expect_unavailable(\"withheld\", || .., honest_usage)",
        "Attacked: no usable answer, by this name or by \"any\". Honest: success.", unavailable),
    verb(NOTHING, "expect_usage", (2, 2), "expect_usage(\"no-such-file\", || ..)",
        "In every run this error of usage.", |call| {
            let name = word(call, FailureClass::Usage, 0)?;
            guard(call, Expectation::Usage { name }, 1)
        }),
    verb(NOTHING, "expect_ok", (1, 1), "expect_ok(|| ..)",
        "In every run success, and the right answer.", |call| {
            guard(call, Expectation::Success, 0)
        }),
    verb(NOTHING, "expect_any", (2, 2), "expect_any([\"violation:misbound\", \"ok\"], || ..)",
        "Attacked: one of these. Honest: success.", any),
    verb(NOTHING, "expect_admitted", (2, 2), "expect_admitted(\"no-freshness\", || ..)",
        "Success, and the client says what it cannot know.", admitted),
    verb(NOTHING, "observe", (1, 1), "observe(|| ..)",
        "In every run success, while the server only watches; the oracles judge.", |call| {
            guard(call, Expectation::Observed, 0)
        }),
    verb(NOTHING, "expect_unchanged", (1, 1), "expect_unchanged(|| ..)",
        "In every run nothing durable changes on the device.", |call| {
            guard(call, Expectation::Unchanged, 0)
        }),
    verb(NOTHING, "expect_no_request", (2, 2), "expect_no_request(\"login\", || ..)",
        "Attacked: no matching request is sent inside. Honest: one is.", |call| {
            let selector = call.selector(0)?;
            guard(call, Expectation::NoRequest { selector }, 1)
        }),
    verb(NOTHING, "expect_same_view", (2, 2), "expect_same_view(|| .., || ..)",
        "The server sees no difference between the two but what may differ.", same_view),
    verb(NOTHING, "expect_closed_to", (2, 3), "expect_closed_to(\"bob\", objects)",
        "What the server holds stays closed to a colluder.", |call| {
            opened(call, |colluder, object| Expectation::ClosedTo { colluder, object })
        }),
    verb(NOTHING, "expect_opened_by", (2, 3), "expect_opened_by(\"bob\", objects)",
        "A colluder can open this, so that the decryptor is known to work.", |call| {
            opened(call, |colluder, object| Expectation::OpenedBy { colluder, object })
        }),
];

fn word(call: &Call<'_>, class: FailureClass, index: usize) -> Given<String> {
    let name = call.text(index)?;
    class.check(&name).map_err(throw)?;
    Ok(name)
}

fn honest(call: &Call<'_>) -> Given<Option<String>> {
    if call.count() < 3 {
        return Ok(None);
    }
    word(call, FailureClass::Usage, 2).map(Some)
}

fn violation(call: &Call<'_>) -> Given {
    let name = word(call, FailureClass::Violation, 0)?;
    let honest = honest(call)?;
    guard(call, Expectation::Violation { name, honest }, 1)
}

fn unavailable(call: &Call<'_>) -> Given {
    let name = match call.text(0)? {
        any if any == "any" => any,
        _ => word(call, FailureClass::Unavailable, 0)?,
    };
    let honest = honest(call)?;
    guard(call, Expectation::Unavailable { name, honest }, 1)
}

/// Checks one outcome of `expect_any`: `ok`, or `class:name`.
pub(in super::super) fn check_outcome(text: &str) -> Result<(), ScriptError> {
    if text == "ok" {
        return Ok(());
    }
    let (class, name) = text.split_once(':').unwrap_or((text, ""));
    let classes = [
        FailureClass::Violation,
        FailureClass::Unavailable,
        FailureClass::Usage,
    ];
    match classes.into_iter().find(|known| known.name() == class) {
        Some(FailureClass::Unavailable) if name == "any" => Ok(()),
        Some(class) => class.check(name),
        None => Err(ScriptError::not_in(
            Fault::UnknownWord,
            "outcome",
            class,
            ["ok", "violation", "unavailable", "usage"],
        )
        .expected("`ok`, `violation:NAME`, `unavailable:NAME` or `usage:NAME`")),
    }
}

fn any(call: &Call<'_>) -> Given {
    let mut outcomes = Vec::new();
    for value in call.list(0)? {
        let Ok(text) = value.into_string() else {
            return Err(call.misuse("an outcome is a string"));
        };
        check_outcome(&text).map_err(throw)?;
        outcomes.push(text);
    }
    guard(call, Expectation::Any { outcomes }, 1)
}

fn admitted(call: &Call<'_>) -> Given {
    let claim = call.text(0)?;
    known::check_admission(&claim).map_err(throw)?;
    guard(call, Expectation::Admitted { claim }, 1)
}

fn same_view(call: &Call<'_>) -> Given {
    if let Ok(second) = call.value(0).as_bool() {
        return guard(call, Expectation::SameView { second }, 1);
    }
    guard(call, Expectation::SameView { second: false }, 0).map(drop)?;
    guard(call, Expectation::SameView { second: true }, 1)
}

fn opened(
    call: &Call<'_>,
    expectation: impl Fn(String, crate::attack::Object) -> Expectation,
) -> Given {
    let colluder = call.user(0)?;
    if call.world.strict && !call.world.knows(&colluder) {
        return Err(call.misuse("there is no such user"));
    }
    call.world.collude(&colluder);
    // An attack prints each expectation with a closure, here an empty one.
    let closure = match call.count() {
        2 => None,
        _ => Some(call.closure(2)?),
    };
    for object in call.objects(1)? {
        let expectation = expectation(colluder.clone(), object);
        open(call, expectation, closure.as_ref()).map(drop)?;
    }
    Ok(Dynamic::UNIT)
}

/// Opens an expectation, runs what it guards, and closes it.
fn guard(call: &Call<'_>, expectation: Expectation, closure: usize) -> Given {
    let closure = call.closure(closure)?;
    open(call, expectation, Some(&closure))
}

fn open(call: &Call<'_>, expectation: Expectation, closure: Option<&FnPtr>) -> Given {
    if call.world.guarded.replace(true) {
        return Err(call.misuse("expectations do not stand inside each other"));
    }
    let opening = Step::Expect {
        expectation: expectation.clone(),
    };
    let result = call
        .perform(opening)
        .and_then(|_| closure.map_or(Ok(Dynamic::UNIT), |closure| call.call(closure, ())));
    call.world.guarded.set(false);
    let value = match result {
        Ok(value) => value,
        // A failed operation is what many expectations are about; the judgement says whether.
        Err(error) if failure(&error).is_some() => Dynamic::UNIT,
        Err(error) => return Err(error),
    };
    let instead = match call.perform(Step::Met)? {
        Progress::Judged(judgement) => judgement.err(),
        _ => None,
    };
    let position = call.context.call_position();
    let place = position.line().map(|line| Place {
        line,
        column: position.position().unwrap_or(1),
    });
    call.world.judgements.borrow_mut().push(Judgement {
        place,
        expectation,
        instead,
    });
    Ok(value)
}
