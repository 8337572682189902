//! The honest rules of one front, as the stage asks them.

use turncoat_core::Limits;

use crate::client::DeviceName;
use crate::codec::{Bytes, Code as _};
use crate::driver::{Front, ITERATIONS_MIN, ROSTER_CHANGES_MAX};
use crate::front::kv::{Condition, Reply, Request};
use crate::front::native::{self, Value};
use crate::honest::kv;
use crate::honest::native::{Checks, Native, Settings};
use crate::honest::storage::{Batch, Key, Storage, StorageFault};
use crate::script::performer::{Field, Message};

/// A head that the server made the newest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The space.
    pub space: [u8; 32],
    /// The head.
    pub head: [u8; 32],
    /// The one that it follows; zero for the first.
    pub parent: [u8; 32],
    /// Its height.
    pub height: u64,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The reply.
    pub reply: Vec<u8>,
    /// The head that the request made the newest one.
    pub published: Option<Published>,
}

/// The rules of one front over any store.
pub trait Rules {
    /// The word for a request's message; `*` for bytes that are none.
    fn kind(&self, request: &[u8]) -> &'static str;

    /// Answers a request, and does what it asks.
    fn answer(&mut self, store: &mut dyn Storage, asker: &DeviceName, request: &[u8]) -> Answered;

    /// Answers a request without a look at whether its writer may say what it says.
    fn wave_through(
        &mut self,
        store: &mut dyn Storage,
        asker: &DeviceName,
        request: &[u8],
    ) -> Answered {
        self.answer(store, asker, request)
    }

    /// The reply that refuses with this word; `None` if the front knows no such refusal.
    fn refusal(&self, name: &str) -> Option<Vec<u8>>;

    /// The reply that says that a write was done.
    fn acknowledgement(&self) -> Vec<u8>;

    /// A field of a message, if the front has a table of fields.
    fn field(&self, _message: &Message, _path: &str) -> Option<Field> {
        None
    }

    /// The message's bytes with a field changed.
    fn with_field(&self, _message: &Message, _path: &str, _value: &Field) -> Option<Bytes> {
        None
    }

    /// The rules with all that they remember outside the store, to find out what they would say.
    fn twin(&self) -> Box<dyn Rules>;
}

/// The rules of a front.
pub(super) fn of(front: Front) -> Box<dyn Rules> {
    match front {
        Front::Native => Box::new(NativeRules(Native::new(run_settings()))),
        Front::KeyValue => Box::new(KeyValueRules),
    }
}

/// The settings of the server of every run.
pub(crate) fn run_settings() -> Settings {
    let mut limits = Limits::standard();
    limits.roster_changes_max = ROSTER_CHANGES_MAX;
    Settings {
        secret: *b"what the server of a run invents",
        lifetime: [0; 32],
        // What users seem to have who do not exist.
        iterations: ITERATIONS_MIN,
        limits,
    }
}

/// The rules of the native front, which go on from here.
pub(crate) fn native_rules(native: &Native) -> Box<dyn Rules> {
    Box::new(NativeRules(native.clone()))
}

/// A store behind a reference, as the rules take it.
struct Behind<'a>(&'a mut dyn Storage);

impl Storage for Behind<'_> {
    fn fetch(&self, key: &Key) -> Result<Option<Bytes>, StorageFault> {
        self.0.fetch(key)
    }

    fn apply(&mut self, batch: Batch) -> Result<(), StorageFault> {
        self.0.apply(batch)
    }
}

struct NativeRules(Native);

impl NativeRules {
    fn handle(&mut self, store: &mut dyn Storage, request: &[u8], checks: Checks) -> Answered {
        let handled = self.0.handle_with(&mut Behind(store), request, checks);
        Answered {
            reply: handled.reply,
            published: handled.published.map(|head| Published {
                space: head.space.0,
                head: head.head.0,
                parent: head.previous.0,
                height: head.height.0,
            }),
        }
    }
}

impl Rules for NativeRules {
    fn kind(&self, request: &[u8]) -> &'static str {
        native::kind_of(request)
    }

    fn answer(&mut self, store: &mut dyn Storage, _: &DeviceName, request: &[u8]) -> Answered {
        self.handle(store, request, Checks::All)
    }

    fn wave_through(
        &mut self,
        store: &mut dyn Storage,
        _: &DeviceName,
        request: &[u8],
    ) -> Answered {
        self.handle(store, request, Checks::None)
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        native::refused(name)
    }

    fn acknowledgement(&self) -> Vec<u8> {
        native::done()
    }

    fn field(&self, message: &Message, path: &str) -> Option<Field> {
        native::get(&message.bytes, path).map(from_value)
    }

    fn with_field(&self, message: &Message, path: &str, value: &Field) -> Option<Bytes> {
        native::set(&message.bytes, path, &to_value(value)).map(Bytes::from)
    }

    fn twin(&self) -> Box<dyn Rules> {
        Box::new(Self(self.0.clone()))
    }
}

fn from_value(value: Value) -> Field {
    match value {
        Value::Bytes(bytes) => Field::Bytes(bytes.into()),
        Value::Flag(flag) => Field::Truth(flag),
        Value::List(values) => Field::List(values.into_iter().map(from_value).collect()),
        Value::Nothing => Field::Nothing,
        Value::Number(number) => Field::Number(number),
        Value::Word(word) => Field::Text(word),
    }
}

fn to_value(field: &Field) -> Value {
    match field {
        Field::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Field::Truth(flag) => Value::Flag(*flag),
        Field::List(fields) => Value::List(fields.iter().map(to_value).collect()),
        Field::Nothing => Value::Nothing,
        Field::Number(number) => Value::Number(*number),
        Field::Text(word) => Value::Word(word.clone()),
    }
}

struct KeyValueRules;

impl Rules for KeyValueRules {
    fn kind(&self, request: &[u8]) -> &'static str {
        Request::from_bytes(request).map_or("*", |request| request.kind())
    }

    fn answer(&mut self, store: &mut dyn Storage, _: &DeviceName, request: &[u8]) -> Answered {
        let reply = match Request::from_bytes(request) {
            Some(request) => key_value(&mut Behind(store), request),
            None => Reply::Refused { status: 400 },
        };
        Answered {
            reply: reply.to_bytes(),
            published: None,
        }
    }

    fn refusal(&self, name: &str) -> Option<Vec<u8>> {
        let reply = match name {
            "busy" => Reply::Refused { status: 503 },
            "conflict" | "exists" => Reply::Conflict,
            "not-found" => Reply::Absent,
            "too-large" => Reply::Refused { status: 413 },
            "unauthenticated" => Reply::Refused { status: 401 },
            "invalid" => Reply::Refused { status: 400 },
            _ => return None,
        };
        Some(reply.to_bytes())
    }

    fn acknowledgement(&self) -> Vec<u8> {
        Reply::Done.to_bytes()
    }

    fn twin(&self) -> Box<dyn Rules> {
        Box::new(Self)
    }
}

/// Answers a request of the key-value front, and does what it asks.
pub fn key_value(store: &mut impl Storage, request: Request) -> Reply {
    match request {
        Request::Get { id } => read(store, &kv::object(&id)),
        Request::GetPublic { user } => read(store, &kv::public(user.as_bytes())),
        Request::Put {
            id,
            bytes,
            condition,
        } => write(store, &kv::object(&id), bytes, condition),
        Request::PutPublic { user, bytes } => write(
            store,
            &kv::public(user.as_bytes()),
            bytes,
            Condition::Always,
        ),
        Request::Delete { id, condition } => {
            match kv::delete(store, &kv::object(&id), when(condition)) {
                Ok(true) => Reply::Done,
                Ok(false) => Reply::Absent,
                Err(refused) => refuse(refused),
            }
        }
    }
}

fn read(store: &impl Storage, key: &Key) -> Reply {
    match kv::get(store, key) {
        Ok(Some((bytes, tag))) => Reply::Found {
            bytes: bytes.to_vec(),
            tag,
        },
        Ok(None) => Reply::Absent,
        Err(StorageFault) => Reply::Refused { status: 503 },
    }
}

fn write(store: &mut impl Storage, key: &Key, bytes: Vec<u8>, condition: Condition) -> Reply {
    match kv::put(store, key, bytes.into(), when(condition)) {
        Ok(_) => Reply::Done,
        Err(refused) => refuse(refused),
    }
}

const fn when(condition: Condition) -> kv::Condition {
    match condition {
        Condition::Always => kv::Condition::Always,
        Condition::Absent => kv::Condition::IfAbsent,
        Condition::Matches { tag } => kv::Condition::IfMatch(tag),
    }
}

const fn refuse(refused: kv::Refused) -> Reply {
    match refused {
        kv::Refused::ConditionFailed => Reply::Conflict,
        kv::Refused::Fault => Reply::Refused { status: 503 },
    }
}
