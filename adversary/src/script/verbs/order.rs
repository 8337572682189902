//! What happens when: started operations, races, crashes, and requests that wait.

use super::super::call::{Call, Failed, Given, Receiver, Verb};
use super::super::performer::Progress;
use super::super::value::{Held, Op};
use super::verb;
use crate::attack::{Expectation, Step};
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map};

const NOTHING: Receiver = Receiver::Nothing;
const SERVER: Receiver = Receiver::Server;

#[rustfmt::skip]
pub(super) const VERBS: &[Verb] = &[
    verb(NOTHING, "finish", (1, 1), "finish(op)",
        "Runs a started operation to its end and gives its answer.", finish),
    verb(NOTHING, "race", (1, 1), "race([op, op])",
        "Runs started operations to their ends, interleaved as the run's choices say.", race),
    verb(NOTHING, "crash_at", (2, 2), "crash_at(op, point)",
        "Ends the device's process at an await point of an operation, counted from one.", crash_at),
    verb(NOTHING, "try_op", (1, 1), "try_op(|| ..)",
        "Runs operations that may fail; gives a map with ok, value, class and name.", try_op),
    verb(SERVER, "hold", (1, 1), "server.hold(selector)",
        "Has matching requests wait from now on.", hold),
    verb(SERVER, "held", (1, 1), "server.held(hold)",
        "How many requests wait.", held),
    verb(SERVER, "answer", (1, 1), "server.answer(hold)",
        "Lets the oldest request that waits go on.", |call| {
            let hold = call.held(0)?.0;
            call.act(Step::Answer { hold })
        }),
    verb(SERVER, "answer_all", (1, 1), "server.answer_all(hold)",
        "Lets all requests that wait go on, and ends the hold.", |call| {
            let hold = call.held(0)?.0;
            call.act(Step::AnswerAll { hold })
        }),
];

fn finish(call: &Call<'_>) -> Given {
    let op = call.op(0)?;
    if op.printed || call.world.outcome(op.number).is_none() {
        call.perform(Step::Finish {
            operation: op.number,
        })?;
    }
    answer(call, &op)
}

/// The answer of an operation that ended.
fn answer(call: &Call<'_>, op: &Op) -> Given {
    match call.world.outcome(op.number) {
        Some(outcome) => call.world.give(op.number, outcome, op.returns),
        None => Err(call.misuse("the operation waits for something and cannot end yet")),
    }
}

fn race(call: &Call<'_>) -> Given {
    let ops = call.ops(0)?;
    let running: Vec<u32> = ops
        .iter()
        .filter(|op| op.printed || call.world.outcome(op.number).is_none())
        .map(|op| op.number)
        .collect();
    if !running.is_empty() {
        call.perform(Step::Race {
            operations: running,
        })?;
    }
    let answers = ops.iter().map(|op| answer(call, op));
    Ok(Dynamic::from_array(answers.collect::<Given<_>>()?))
}

fn crash_at(call: &Call<'_>) -> Given {
    let operation = call.op(0)?.number;
    let point = call.small(1)?;
    call.act(Step::CrashAt { operation, point })
}

fn try_op(call: &Call<'_>) -> Given {
    let closure = call.closure(0)?;
    let expectation = Expectation::Anything;
    let opened = call.perform(Step::Expect { expectation });
    let result = opened.and_then(|_| call.call(&closure, ()));
    let mut map = Map::new();
    match result {
        Ok(value) => {
            map.insert("ok".into(), true.into());
            map.insert("value".into(), value);
        }
        Err(error) => {
            let Some(failed) = failure(&error) else {
                return Err(error);
            };
            let text = |text: &str| Dynamic::from(ImmutableString::from(text));
            map.insert("ok".into(), false.into());
            map.insert("class".into(), text(failed.failure.class.name()));
            map.insert("name".into(), text(&failed.failure.name));
        }
    }
    call.perform(Step::Met)?;
    Ok(Dynamic::from_map(map))
}

/// The failed operation behind an error, if it is one.
pub(super) fn failure(error: &EvalAltResult) -> Option<Failed> {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast::<Failed>(),
        _ => None,
    }
}

fn hold(call: &Call<'_>) -> Given {
    let selector = call.selector(0)?;
    Ok(Dynamic::from(Held(call.make(Step::Hold { selector })?)))
}

fn held(call: &Call<'_>) -> Given {
    let hold = call.held(0)?.0;
    let count = call.world.ask(|performer| performer.held(hold));
    Ok(i64::from(count).into())
}

/// Starts an operation and gives its handle.
pub(in super::super) fn start(call: &Call<'_>, operation: crate::client::Operation) -> Given {
    let device = call.actor()?.device;
    let returns = super::super::value::Returns::of(&operation);
    let number = match call.perform(Step::Start { device, operation })? {
        Progress::Number(number) => number,
        _ => return Err(call.misuse("the operation could not be started")),
    };
    Ok(Dynamic::from(Op {
        number,
        returns,
        printed: false,
    }))
}
