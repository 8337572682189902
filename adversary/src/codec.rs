//! The one byte encoding of histories and attacks: canonical, so that equal values are equal bytes.

use std::sync::Arc;

/// Immutable bytes that histories, stores and saved worlds share.
pub type Bytes = Arc<[u8]>;

/// What is left of an encoding.
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }
}

/// A value with exactly one encoding.
pub trait Code: Sized {
    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one value; `None` if the bytes are no encoding.
    fn decode(input: &mut Input<'_>) -> Option<Self>;

    /// Appends the encodings of a list's items, without its length.
    fn encode_items(items: &[Self], out: &mut Vec<u8>) {
        for item in items {
            item.encode(out);
        }
    }

    /// Reads `count` items.
    fn decode_items(count: usize, input: &mut Input<'_>) -> Option<Vec<Self>> {
        // The count is not believed: no capacity is reserved for it.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(Self::decode(input)?);
        }
        Some(items)
    }

    /// The encoding alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads a value that is the whole of `bytes`.
    #[must_use]
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut input = Input::new(bytes);
        let value = Self::decode(&mut input)?;
        input.is_empty().then_some(value)
    }
}

impl Code for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        input.take(1).map(|byte| byte[0])
    }

    fn encode_items(items: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(items);
    }

    fn decode_items(count: usize, input: &mut Input<'_>) -> Option<Vec<Self>> {
        input.take(count).map(<[u8]>::to_vec)
    }
}

macro_rules! number {
    ($($kind:ty),*) => { $(
        impl Code for $kind {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(input: &mut Input<'_>) -> Option<Self> {
                let bytes = input.take(size_of::<Self>())?;
                Some(Self::from_be_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}

number!(u16, u32, u64);

impl Code for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        match u8::decode(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<const N: usize> Code for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        input.take(N)?.try_into().ok()
    }
}

impl<T: Code> Code for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self, out);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        let count = usize::try_from(u32::decode(input)?).ok()?;
        T::decode_items(count, input)
    }
}

impl Code for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self, out);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        let count = usize::try_from(u32::decode(input)?).ok()?;
        input.take(count).map(Arc::from)
    }
}

impl Code for String {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_list(self.as_bytes(), out);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        Self::from_utf8(Vec::decode(input)?).ok()
    }
}

impl<T: Code> Code for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        if bool::decode(input)? {
            T::decode(input).map(Some)
        } else {
            Some(None)
        }
    }
}

impl<T: Code, E: Code> Code for Result<T, E> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_ok().encode(out);
        match self {
            Ok(value) => value.encode(out),
            Err(error) => error.encode(out),
        }
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        if bool::decode(input)? {
            T::decode(input).map(Ok)
        } else {
            E::decode(input).map(Err)
        }
    }
}

impl<A: Code, B: Code> Code for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        Some((A::decode(input)?, B::decode(input)?))
    }
}

/// A list longer than 4 GiB does not fit in memory twice, so the length always fits.
fn encode_list<T: Code>(items: &[T], out: &mut Vec<u8>) {
    let count = u32::try_from(items.len()).expect("no list of a run is longer than 4 Gi items");
    count.encode(out);
    T::encode_items(items, out);
}

/// Declares a struct or an enum together with its encoding.
///
/// A struct is its fields in order; an enum is the number of the variant, then its fields.
macro_rules! coded {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident: $kind:ty, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_meta])* pub $field: $kind, )* }

        impl $crate::codec::Code for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                let Self { $( $field ),* } = self;
                $( $crate::codec::Code::encode($field, out); )*
            }

            fn decode(input: &mut $crate::codec::Input<'_>) -> Option<Self> {
                Some(Self { $( $field: $crate::codec::Code::decode(input)?, )* })
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $number:literal => $variant:ident $({
                $( $(#[$field_meta:meta])* $field:ident: $kind:ty, )*
            })?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant $({
                $( $(#[$field_meta])* $field: $kind, )*
            })?, )*
        }

        impl $crate::codec::Code for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $( Self::$variant $({ $( $field ),* })? => {
                        out.push($number);
                        $( $( $crate::codec::Code::encode($field, out); )* )?
                    } )*
                }
            }

            fn decode(input: &mut $crate::codec::Input<'_>) -> Option<Self> {
                match <u8 as $crate::codec::Code>::decode(input)? {
                    $( $number => Some(Self::$variant $({
                        $( $field: $crate::codec::Code::decode(input)?, )*
                    })?), )*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use coded;

#[cfg(test)]
mod tests {
    use super::{Bytes, Code};

    fn check<T: Code + PartialEq + std::fmt::Debug>(value: &T) {
        let bytes = value.to_bytes();
        assert_eq!(T::from_bytes(&bytes).as_ref(), Some(value));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(T::from_bytes(&longer), None, "a byte too many is accepted");
        for cut in 0..bytes.len() {
            assert_eq!(T::from_bytes(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn every_kind_of_value_survives_and_no_other_bytes_are_it() {
        check(&7_u8);
        check(&0x0102_0304_0506_0708_u64);
        check(&true);
        check(&"alice/phone".to_owned());
        check(&vec![1_u8, 2, 3]);
        check(&vec![Some("a".to_owned()), None]);
        check(&Bytes::from(&b"abc"[..]));
        check(&Ok::<u32, String>(5));
        check(&Err::<u32, String>("lost".to_owned()));
        check(&([9_u8; 32], 5_u16));
    }

    #[test]
    fn a_second_way_to_write_a_bool_is_refused() {
        assert_eq!(bool::from_bytes(&[2]), None);
    }

    #[test]
    fn a_length_beyond_the_input_costs_nothing() {
        assert_eq!(Vec::<String>::from_bytes(&[255, 255, 255, 255]), None);
    }
}
