//! One call of a verb: its receiver and arguments, checked one by one, and the world to act on.

use super::error::{Fault, ScriptError};
use super::known;
use super::performer::Progress;
use super::selector;
use super::value::{
    Actor, Content, Held, Hook, InHand, Keys, Op, Record, Server, Snapshot, Stored,
};
use super::world::World;
use crate::attack::{Object, Step};
use crate::client::{DeviceName, Failure, Operation};
use crate::codec::Bytes;
use crate::selector::{Audience, Selector};
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};
use std::any::TypeId;

/// What a verb gives back: a value, or what the script engine is to throw.
pub(crate) type Given<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// What a verb is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Receiver {
    Nothing,
    Actor,
    Server,
    Message,
    Content,
    Keys,
}

impl Receiver {
    pub(crate) fn type_id(self) -> Option<TypeId> {
        match self {
            Self::Nothing => None,
            Self::Actor => Some(TypeId::of::<Actor>()),
            Self::Server => Some(TypeId::of::<Server>()),
            Self::Message => Some(TypeId::of::<InHand>()),
            Self::Content => Some(TypeId::of::<Content>()),
            Self::Keys => Some(TypeId::of::<Keys>()),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Actor => "a user or device",
            Self::Server => "the server",
            Self::Message => "a message",
            Self::Content => "bytes",
            Self::Keys => "keys of the server's",
        }
    }
}

/// A word of the language.
#[derive(Clone, Copy)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    pub(crate) on: Receiver,
    /// The least and the largest number of arguments.
    pub(crate) takes: (usize, usize),
    /// How a script writes it.
    pub(crate) usage: &'static str,
    /// What it does, in one sentence.
    pub(crate) says: &'static str,
    pub(crate) does: Does,
}

/// What a call of a verb comes to.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Whatever this function does.
    This(fn(&Call<'_>) -> Given),
    /// An operation of a client, run to its end; `start_` before the name starts it only.
    Operation(fn(&Call<'_>) -> Given<Operation>),
}

/// The failure of an operation, as a script's `catch` gets it.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) operation: u32,
    pub(crate) failure: Failure,
}

/// One call of a verb.
pub(crate) struct Call<'a> {
    pub(crate) verb: &'a Verb,
    pub(crate) world: &'a World,
    pub(crate) context: &'a NativeCallContext<'a>,
    /// Receiver first, if the verb has one.
    pub(crate) values: &'a [Dynamic],
}

/// Throws a fault at the place of the call.
pub(crate) fn throw(error: ScriptError) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(
        Dynamic::from(error),
        Position::NONE,
    ))
}

impl Call<'_> {
    /// The arguments, without the receiver.
    pub(crate) fn arguments(&self) -> &[Dynamic] {
        let from = usize::from(self.verb.on != Receiver::Nothing);
        self.values.get(from..).unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.arguments().len()
    }

    fn receiver<T: Clone + 'static>(&self) -> Given<T> {
        let receiver = self.values.first().cloned();
        receiver
            .and_then(Dynamic::try_cast::<T>)
            .ok_or_else(|| self.misuse("it is not called on what it belongs to"))
    }

    pub(crate) fn actor(&self) -> Given<Actor> {
        self.receiver()
    }

    pub(crate) fn in_hand(&self) -> Given<InHand> {
        self.receiver()
    }

    pub(crate) fn content(&self) -> Given<Content> {
        self.receiver()
    }

    pub(crate) fn keys(&self) -> Given<Keys> {
        self.receiver()
    }

    /// A fault in how the verb is used, with how it is written.
    pub(crate) fn misuse(&self, what: &str) -> Box<EvalAltResult> {
        let what = format!("`{}` cannot be used like this: {what}", self.verb.name);
        throw(ScriptError::new(Fault::WrongUse, what).expected(format!("`{}`", self.verb.usage)))
    }

    /// A fault in the type of an argument, counted from zero.
    fn mistyped(&self, index: usize, wanted: &str) -> Box<EvalAltResult> {
        let found = self.arguments().get(index).map_or_else(
            || "missing".to_owned(),
            |value| format!("{} now", kind_of(value)),
        );
        let what = format!(
            "argument {} of `{}` must be {wanted}; it is {found}",
            index + 1,
            self.verb.name
        );
        throw(ScriptError::new(Fault::WrongType, what).expected(format!("`{}`", self.verb.usage)))
    }

    fn argument<T: Clone + 'static>(&self, index: usize, wanted: &str) -> Given<T> {
        let value = self.arguments().get(index).cloned();
        value
            .and_then(Dynamic::try_cast::<T>)
            .ok_or_else(|| self.mistyped(index, wanted))
    }

    pub(crate) fn value(&self, index: usize) -> Dynamic {
        self.arguments().get(index).cloned().unwrap_or_default()
    }

    pub(crate) fn text(&self, index: usize) -> Given<String> {
        let value = self.value(index);
        value
            .into_string()
            .map_err(|_| self.mistyped(index, "a string"))
    }

    /// Bytes: a string, a blob, or bytes made by a verb.
    pub(crate) fn bytes(&self, index: usize) -> Given<Bytes> {
        Content::take(&self.value(index)).ok_or_else(|| self.mistyped(index, "a string or bytes"))
    }

    pub(crate) fn number(&self, index: usize) -> Given<u64> {
        let wanted = "a number, zero or more";
        let number = self.value(index).as_int();
        number
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| self.mistyped(index, wanted))
    }

    pub(crate) fn small(&self, index: usize) -> Given<u32> {
        let number = self.number(index)?;
        u32::try_from(number).map_err(|_| self.mistyped(index, "a number below 2^32"))
    }

    pub(crate) fn truth(&self, index: usize) -> Given<bool> {
        let truth = self.value(index).as_bool();
        truth.map_err(|_| self.mistyped(index, "true or false"))
    }

    pub(crate) fn closure(&self, index: usize) -> Given<FnPtr> {
        self.argument(index, "a closure, such as `|| alice.list()`")
    }

    pub(crate) fn snapshot(&self, index: usize) -> Given<Snapshot> {
        self.argument(index, "what `server.snapshot()` gave")
    }

    pub(crate) fn held(&self, index: usize) -> Given<Held> {
        self.argument(index, "what `server.hold(..)` gave")
    }

    pub(crate) fn hook(&self, index: usize) -> Given<Hook> {
        self.argument(index, "what `server.on_reply(..)` gave")
    }

    pub(crate) fn record(&self, index: usize) -> Given<Record> {
        self.argument(index, "what `server.record(..)` or `m.keep()` gave")
    }

    pub(crate) fn op(&self, index: usize) -> Given<Op> {
        self.argument(
            index,
            "a started operation, such as `alice.start_list()` gives",
        )
    }

    pub(crate) fn list(&self, index: usize) -> Given<Array> {
        let value = self.value(index);
        value
            .into_array()
            .map_err(|_| self.mistyped(index, "an array"))
    }

    pub(crate) fn ops(&self, index: usize) -> Given<Vec<Op>> {
        let wanted = "an array of started operations";
        let list = self.list(index)?;
        list.into_iter()
            .map(|value| {
                value
                    .try_cast::<Op>()
                    .ok_or_else(|| self.mistyped(index, wanted))
            })
            .collect()
    }

    /// The name of a user: a string, or the user.
    pub(crate) fn user(&self, index: usize) -> Given<String> {
        let value = self.value(index);
        if let Some(actor) = value.clone().try_cast::<Actor>() {
            return Ok(actor.device.user);
        }
        value
            .into_string()
            .map_err(|_| self.mistyped(index, "a user's name, or a user"))
    }

    pub(crate) fn device(&self, index: usize) -> Given<DeviceName> {
        let value = self.value(index);
        if let Some(actor) = value.clone().try_cast::<Actor>() {
            return Ok(actor.device);
        }
        let text = value
            .into_string()
            .map_err(|_| self.mistyped(index, "a device, such as alice/phone"))?;
        Ok(DeviceName::parse(&text))
    }

    /// An object of the store, in the form that steps use.
    pub(crate) fn object(&self, index: usize) -> Given<Object> {
        let stored: Stored = self.argument(index, "an object, such as `alice.wrote()` lists")?;
        Ok(stored.0.object.clone())
    }

    /// One object or an array of them.
    pub(crate) fn objects(&self, index: usize) -> Given<Vec<Object>> {
        if !self.value(index).is_array() {
            return Ok(vec![self.object(index)?]);
        }
        let wanted = "an object, or an array of objects";
        self.list(index)?
            .into_iter()
            .map(|value| match value.try_cast::<Stored>() {
                Some(stored) => Ok(stored.0.object.clone()),
                None => Err(self.mistyped(index, wanted)),
            })
            .collect()
    }

    /// To whom an act is shown: the argument at this index, or everyone if there is none.
    pub(crate) fn audience(&self, index: usize) -> Given<Audience> {
        if index >= self.count() {
            return Ok(Audience::Everyone);
        }
        let value = self.value(index);
        if let Some(actor) = value.clone().try_cast::<Actor>() {
            return Ok(actor.audience());
        }
        let text = value
            .into_string()
            .map_err(|_| self.mistyped(index, "a view, such as \"bob\" or \"alice/phone\""))?;
        let audience = Audience::parse(&text);
        self.world.check_audience(&audience).map_err(throw)?;
        Ok(audience)
    }

    pub(crate) fn selector(&self, index: usize) -> Given<Selector> {
        selector::read(&self.text(index)?).map_err(throw)
    }

    /// A name of a refusal.
    pub(crate) fn refusal(&self, index: usize) -> Given<String> {
        let name = self.text(index)?;
        known::check_refusal(&name).map_err(throw)?;
        Ok(name)
    }

    /// Performs a step, running handlers as messages come.
    pub(crate) fn perform(&self, step: Step) -> Given<Progress> {
        self.world.perform(self.context, step)
    }

    /// Performs a step that gives nothing back.
    pub(crate) fn act(&self, step: Step) -> Given {
        self.perform(step)?;
        Ok(Dynamic::UNIT)
    }

    /// Performs a step that makes a numbered thing.
    pub(crate) fn make(&self, step: Step) -> Given<u32> {
        match self.perform(step)? {
            Progress::Number(number) => Ok(number),
            _ => Err(self.misuse("nothing came of it")),
        }
    }

    /// Calls a closure of the script.
    pub(crate) fn call(&self, closure: &FnPtr, values: impl rhai::FuncArgs) -> Given {
        closure.call_within_context(self.context, values)
    }
}

/// What a value is, in words.
pub(crate) fn kind_of(value: &Dynamic) -> String {
    let known = [
        (value.is_unit(), "nothing"),
        (value.is_int(), "a number"),
        (value.is_float(), "a fraction"),
        (value.is_bool(), "true or false"),
        (value.is_string(), "a string"),
        (value.is_array(), "an array"),
        (value.is_map(), "a map"),
        (value.is_fnptr(), "a closure"),
        (value.is_blob() || value.is::<Content>(), "bytes"),
        (value.is::<Actor>(), "a user or device"),
        (value.is::<Server>(), "the server"),
        (value.is::<Stored>(), "an object"),
        (value.is::<Snapshot>(), "a snapshot"),
        (value.is::<Op>(), "a started operation"),
        (value.is::<Held>(), "a hold"),
        (value.is::<Hook>(), "a hook"),
        (value.is::<Record>(), "a record"),
        (value.is::<InHand>(), "a message"),
        (value.is::<Keys>(), Receiver::Keys.name()),
    ];
    let found = known.into_iter().find(|(is, _)| *is);
    found.map_or_else(|| value.type_name().to_owned(), |(_, name)| name.to_owned())
}
