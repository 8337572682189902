//! Builds a script engine whose verbs act on one world.

use super::budget::Meter;
use super::call::{Call, Does, Failed, Given, Receiver, Verb};
use super::value::{
    Actor, Content, Held, Hook, InHand, Keys, Op, Record, Server, Snapshot, Stored,
};
use super::verbs::{self, order};
use super::world::World;
use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage,
    CorePackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Module, NativeCallContext,
    OptimizationLevel, Position, Shared,
};
use std::any::TypeId;
use std::rc::Rc;

/// What `server` is called in scripts.
const SERVER: &str = "server";

/// The words of the engine that a script must not use: they wait, end the script half-way, or hide
/// code from the checks made before a run.
pub(crate) const FORBIDDEN: [&str; 4] = ["eval", "sleep", "import", "exit"];

thread_local! {
    /// What the language itself offers: the same for every engine, and slow to put together.
    static PACKAGES: [Shared<Module>; 8] = [
        CorePackage::new().as_shared_module(),
        BitFieldPackage::new().as_shared_module(),
        LogicPackage::new().as_shared_module(),
        BasicMathPackage::new().as_shared_module(),
        BasicArrayPackage::new().as_shared_module(),
        BasicBlobPackage::new().as_shared_module(),
        BasicMapPackage::new().as_shared_module(),
        MoreStringPackage::new().as_shared_module(),
    ];
}

/// The engine without a world: enough to parse, and to know which functions exist.
pub(crate) fn bare(meter: &Rc<Meter>) -> Engine {
    let mut engine = Engine::new_raw();
    PACKAGES.with(|packages| {
        for package in packages {
            engine.register_global_module(Shared::clone(package));
        }
    });
    engine.set_optimization_level(OptimizationLevel::None);
    for word in FORBIDDEN {
        engine.disable_symbol(word);
    }
    // A pointer to a function made from a text can name what no check before the run sees.
    engine.register_fn("sleep", |_: i64| ());
    engine.register_fn("sleep", |_: f64| ());
    meter.limit(&mut engine);
    engine
}

/// The engine of one run.
pub(crate) fn engine(world: &Rc<World>) -> Engine {
    let mut engine = bare(&world.meter);
    types(&mut engine);
    contents(&mut engine);
    for verb in verbs::all() {
        register(&mut engine, world, verb);
    }
    names(&mut engine, world);
    let meter = Rc::clone(&world.meter);
    let counting = Rc::clone(world);
    engine.on_progress(move |_| {
        let spent = meter.step()?;
        let error = counting.spent(spent);
        counting.fatal.borrow_mut().get_or_insert(error);
        Some(Dynamic::UNIT)
    });
    // What a script prints is for the person who writes it, and no part of the run.
    let (printing, debugging) = (Rc::clone(world), Rc::clone(world));
    engine.on_print(move |text| printing.print(text));
    engine.on_debug(move |text, _, place| match place.line() {
        Some(line) => debugging.print(&format!("line {line}: {text}")),
        None => debugging.print(text),
    });
    engine
}

/// The verbs that take the place of a function of the engine, with its exact types.
const INSTEAD: [&str; 1] = ["for_each"];

/// Registers a verb once for each number of arguments, and once more as `start_` if it is an
/// operation. Arguments are checked by the verb itself, which knows what to say.
fn register(engine: &mut Engine, world: &Rc<World>, verb: &'static Verb) {
    for count in verb.takes.0..=verb.takes.1 {
        let mut types: Vec<TypeId> = verb.on.type_id().into_iter().collect();
        types.resize(types.len() + count, TypeId::of::<Dynamic>());
        if INSTEAD.contains(&verb.name) {
            types = vec![TypeId::of::<Array>(), TypeId::of::<FnPtr>()];
        }
        let here = Rc::clone(world);
        engine.register_raw_fn(verb.name, &types, move |context, values| {
            run(&here, verb, &context, values, false)
        });
        if matches!(verb.does, Does::Operation(_)) {
            let here = Rc::clone(world);
            let name = format!("{}{}", verbs::START, verb.name);
            engine.register_raw_fn(name, &types, move |context, values| {
                run(&here, verb, &context, values, true)
            });
        }
    }
}

fn run(
    world: &Rc<World>,
    verb: &'static Verb,
    context: &NativeCallContext<'_>,
    values: &mut [&mut Dynamic],
    start: bool,
) -> Given {
    let values: Vec<Dynamic> = values.iter().map(|value| value.flatten_clone()).collect();
    let call = Call {
        verb,
        world,
        context,
        values: &values,
    };
    match verb.does {
        Does::This(does) => does(&call),
        Does::Operation(build) => {
            let operation = build(&call)?;
            if start {
                return order::start(&call, operation);
            }
            let device = call.actor()?.device;
            world.run(context, &device, operation)
        }
    }
}

/// Gives handles their names and properties.
fn types(engine: &mut Engine) {
    let text = |text: &str| ImmutableString::from(text);
    engine
        .register_type_with_name::<Actor>(Receiver::Actor.name())
        .register_type_with_name::<Server>(Receiver::Server.name())
        .register_type_with_name::<InHand>(Receiver::Message.name())
        .register_type_with_name::<Content>(Receiver::Content.name())
        .register_type_with_name::<Keys>(Receiver::Keys.name())
        .register_type_with_name::<Stored>("an object")
        .register_type_with_name::<Snapshot>("a snapshot")
        .register_type_with_name::<Op>("a started operation")
        .register_type_with_name::<Held>("a hold")
        .register_type_with_name::<Hook>("a hook")
        .register_type_with_name::<Record>("a record")
        .register_type_with_name::<Failed>("a failed operation");
    engine
        .register_get("size", |object: &mut Stored| {
            i64::try_from(object.0.size).unwrap_or(i64::MAX)
        })
        .register_get("kind", move |object: &mut Stored| text(&object.0.kind))
        .register_get("id", |object: &mut Stored| {
            Content::give(object.0.id.clone())
        })
        .register_fn("==", |one: Stored, other: Stored| {
            one.0.object == other.0.object
        })
        .register_fn("!=", |one: Stored, other: Stored| {
            one.0.object != other.0.object
        })
        .register_get("name", move |actor: &mut Actor| text(&actor.device.user));
    engine
        .register_get("user", move |hand: &mut InHand| {
            text(&hand.0.borrow().message.device.user)
        })
        .register_get("device", move |hand: &mut InHand| {
            text(&hand.0.borrow().message.device.to_string())
        })
        .register_get("kind", move |hand: &mut InHand| {
            text(&hand.0.borrow().message.kind)
        })
        .register_get("count", |hand: &mut InHand| {
            i64::from(hand.0.borrow().count)
        })
        .register_get("size", |hand: &mut InHand| {
            hand.0.borrow().message.bytes.len() as i64
        })
        .register_get("body", |hand: &mut InHand| {
            Content(hand.0.borrow().message.bytes.clone())
        });
    engine
        .register_get("operation", |failed: &mut Failed| {
            i64::from(failed.operation)
        })
        .register_get("class", move |failed: &mut Failed| {
            text(failed.failure.class.name())
        })
        .register_get("name", move |failed: &mut Failed| {
            text(&failed.failure.name)
        });
}

/// Lets bytes be compared, measured and joined, among themselves and with strings.
fn contents(engine: &mut Engine) {
    fn equal(one: &Content, other: &str) -> bool {
        *one.0 == *other.as_bytes()
    }
    fn join(one: &[u8], other: &[u8]) -> Content {
        Content([one, other].concat().into())
    }
    engine
        .register_fn("len", |content: &mut Content| content.0.len() as i64)
        .register_fn("==", |one: Content, other: Content| one == other)
        .register_fn("!=", |one: Content, other: Content| one != other)
        .register_fn("==", |one: Content, other: &str| equal(&one, other))
        .register_fn("!=", |one: Content, other: &str| !equal(&one, other))
        .register_fn("==", |one: &str, other: Content| equal(&other, one))
        .register_fn("!=", |one: &str, other: Content| !equal(&other, one))
        .register_fn("+", |one: Content, other: Content| join(&one.0, &other.0))
        .register_fn("+", |one: Content, other: &str| {
            join(&one.0, other.as_bytes())
        })
        .register_fn("+", |one: &str, other: Content| {
            join(one.as_bytes(), &other.0)
        })
        .register_fn("+", |one: Content, other: Blob| join(&one.0, &other))
        .register_fn("+", |one: Blob, other: Content| join(&one, &other.0));
    engine.register_indexer_get(
        |content: &mut Content, at: i64| -> Result<i64, Box<EvalAltResult>> {
            let byte = usize::try_from(at).ok().and_then(|at| content.0.get(at));
            byte.map(|byte| i64::from(*byte)).ok_or_else(|| {
                let size = content.0.len();
                EvalAltResult::ErrorArrayBounds(size, at, Position::NONE).into()
            })
        },
    );
}

/// Resolves `server`, and users and devices by value, each time that a script says their names.
///
/// A closure that captured the variable itself would find it locked while an operation of the same
/// user runs, and handlers run in the middle of operations.
#[expect(
    deprecated,
    reason = "the engine marks these hooks as volatile, not as going away; the version is pinned"
)]
fn names(engine: &mut Engine, world: &Rc<World>) {
    let here = Rc::clone(world);
    engine.on_var(move |name, _, context| {
        if name == SERVER {
            return Ok(Some(Dynamic::from(Server)));
        }
        let depth = context.call_level();
        let scope = context.scope();
        let variables = scope.iter_raw().map(|(_, _, value)| value);
        if let Some(spent) = here.meter.look(depth, variables) {
            return Err(here.fail(here.spent(spent)));
        }
        let actor = scope
            .get(name)
            .and_then(|value| value.read_lock::<Actor>().map(|actor| actor.clone()));
        Ok(actor.map(Dynamic::from))
    });
    engine.on_def_var(|_, info, _| Ok(info.name() != SERVER));
}
