//! What a field of a message can hold, and how one steps from a field to those inside it.

use turncoat_core::id::{
    Checkpoint, DeviceId, Digest, EnvelopeId, Epoch, FileId, Fingerprint, HeadHash, Height,
    LeafHash, LeafId, Locator, PackId, Realm, RosterNumber, SpaceId, Tag, Token, UserId,
};
use turncoat_core::wire::{Blob, Frame, Padding, PartialTrie, Reader, Wire, Writer};

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes: an id, a signature, or the encoding of a field that has fields of its own.
    Bytes(Vec<u8>),
    /// Yes or no.
    Flag(bool),
    /// Several values.
    List(Vec<Self>),
    /// Nothing, where something may be.
    Nothing,
    /// A number.
    Number(u64),
    /// A word, such as the kind of a view.
    Word(String),
}

/// A field of a decoded message.
pub(super) trait Field {
    /// The field inside that has this name or place.
    fn step(&mut self, name: &str) -> Option<&mut dyn Field>;

    /// What it holds, if that can be said.
    fn value(&self) -> Option<Value>;

    /// Takes another value, or says that it cannot.
    fn assign(&mut self, value: &Value) -> bool;
}

/// A field that can be made where there is none.
pub(super) trait Make: Field + Sized {
    fn make(value: &Value) -> Option<Self>;

    /// A list of such fields; bytes are one value, not a list of numbers.
    fn make_list(value: &Value) -> Option<Vec<Self>> {
        match value {
            Value::List(values) => values.iter().map(Self::make).collect(),
            Value::Nothing => Some(Vec::new()),
            _ => None,
        }
    }

    fn list_value(fields: &[Self]) -> Option<Value> {
        let values = fields.iter().map(Field::value);
        values.collect::<Option<_>>().map(Value::List)
    }
}

/// Reads a whole value from bytes, with its frame or without.
pub(super) fn whole<T: Wire>(value: &Value) -> Option<T> {
    match value {
        Value::Bytes(bytes) => Reader::all(bytes, T::read).ok(),
        _ => None,
    }
}

/// Reads a whole value from bytes, with its frame or without.
pub(super) fn whole_or_framed<T: Frame>(value: &Value) -> Option<T> {
    match value {
        Value::Bytes(bytes) => T::decode(bytes).ok().or_else(|| whole(value)),
        _ => None,
    }
}

pub(super) fn encoded(value: &impl Wire) -> Value {
    let mut writer = Writer::new();
    value.write(&mut writer);
    Value::Bytes(writer.finish())
}

/// Assigns through [`Make`].
pub(super) fn replace<T: Make>(field: &mut T, value: &Value) -> bool {
    match T::make(value) {
        Some(made) => {
            *field = made;
            true
        }
        None => false,
    }
}

macro_rules! numbers {
    ($($kind:ty: $read:expr, $make:expr;)*) => { $(
        impl Field for $kind {
            fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
                None
            }

            fn value(&self) -> Option<Value> {
                let read: fn(&Self) -> u64 = $read;
                Some(Value::Number(read(self)))
            }

            fn assign(&mut self, value: &Value) -> bool {
                replace(self, value)
            }
        }

        impl Make for $kind {
            fn make(value: &Value) -> Option<Self> {
                let make: fn(u64) -> Option<Self> = $make;
                match value {
                    Value::Number(number) => make(*number),
                    _ => None,
                }
            }
        }
    )* };
}

numbers! {
    u16: |number| u64::from(*number), |number| number.try_into().ok();
    u32: |number| u64::from(*number), |number| number.try_into().ok();
    u64: |number| *number, Some;
    Height: |height| height.0, |number| Some(Self(number));
    Epoch: |epoch| epoch.0, |number| Some(Self(number));
    RosterNumber: |roster| roster.0, |number| Some(Self(number));
    Padding: |padding| u64::from(padding.0), |number| number.try_into().ok().map(Self);
}

impl Field for u8 {
    fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
        None
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Number(u64::from(*self)))
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl Make for u8 {
    fn make(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => (*number).try_into().ok(),
            _ => None,
        }
    }

    fn make_list(value: &Value) -> Option<Vec<Self>> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    fn list_value(fields: &[Self]) -> Option<Value> {
        Some(Value::Bytes(fields.to_vec()))
    }
}

macro_rules! arrays {
    ($($kind:ty)*) => { $(
        impl Field for $kind {
            fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
                None
            }

            fn value(&self) -> Option<Value> {
                Some(encoded(self))
            }

            fn assign(&mut self, value: &Value) -> bool {
                replace(self, value)
            }
        }

        impl Make for $kind {
            fn make(value: &Value) -> Option<Self> {
                whole(value)
            }
        }
    )* };
}

arrays!(Realm UserId Fingerprint SpaceId Locator Tag HeadHash LeafHash Digest Token DeviceId
    PackId LeafId EnvelopeId FileId [u8; 12] [u8; 16] [u8; 32]);

impl<const MAX: usize> Field for Blob<MAX> {
    fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
        None
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Bytes(self.0.clone()))
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl<const MAX: usize> Make for Blob<MAX> {
    fn make(value: &Value) -> Option<Self> {
        Make::make(value).map(Self)
    }
}

/// A list is stepped into by place, by `first` and by `last`; without a place, the first is meant.
impl<T: Make> Field for Vec<T> {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        if let Ok(place) = name.parse::<usize>() {
            return self.get_mut(place).map(|field| -> &mut dyn Field { field });
        }
        match name {
            "first" => self.first_mut().map(|field| -> &mut dyn Field { field }),
            "last" => self.last_mut().map(|field| -> &mut dyn Field { field }),
            _ => self.first_mut()?.step(name),
        }
    }

    fn value(&self) -> Option<Value> {
        T::list_value(self)
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl<T: Make> Make for Vec<T> {
    fn make(value: &Value) -> Option<Self> {
        T::make_list(value)
    }
}

impl<T: Make> Field for Option<T> {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        self.as_mut()?.step(name)
    }

    fn value(&self) -> Option<Value> {
        self.as_ref().map_or(Some(Value::Nothing), Field::value)
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl<T: Make> Make for Option<T> {
    fn make(value: &Value) -> Option<Self> {
        match value {
            Value::Nothing => Some(None),
            value => T::make(value).map(Some),
        }
    }
}

impl<T: Make> Field for Box<T> {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        self.as_mut().step(name)
    }

    fn value(&self) -> Option<Value> {
        self.as_ref().value()
    }

    fn assign(&mut self, value: &Value) -> bool {
        self.as_mut().assign(value)
    }
}

impl Field for Checkpoint {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        match name {
            "height" => Some(&mut self.height),
            "head" => Some(&mut self.head),
            _ => None,
        }
    }

    fn value(&self) -> Option<Value> {
        Some(encoded(self))
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl Make for Checkpoint {
    fn make(value: &Value) -> Option<Self> {
        whole(value)
    }
}

/// A directory is one value; the words `empty` and `opaque` stand for what they say.
impl Field for PartialTrie {
    fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
        None
    }

    fn value(&self) -> Option<Value> {
        Some(encoded(self))
    }

    fn assign(&mut self, value: &Value) -> bool {
        let shown = match value {
            Value::Word(word) if word == "empty" => Some(Self::Empty),
            Value::Word(word) if word == "opaque" => {
                Some(Self::Opaque(turncoat_core::tree::directory::root_of(self)))
            }
            value => whole_or_framed(value),
        };
        match shown {
            Some(shown) => {
                *self = shown;
                true
            }
            None => false,
        }
    }
}
