//! The table of fields: one line for each struct of the wire, and what short paths mean.

use turncoat_core::wire::{
    AtHeight, Commit, Envelope, Head, HistoryNode, KdfParams, Key, KeyBag, LeafChange, Pack,
    PublicRecord, Range, RecordRange, Refusal, Reply, Request, RequestBody, RosterAction,
    RosterChange, SegmentRecord, Selection, SignedEnvelope, SignedHead, SignedRecord,
    SignedRosterChange, View, ViewRequest,
};

use super::REFUSALS;
use super::field::{Field, Make, Value, encoded, replace, whole, whole_or_framed};

/// A name that is none of the struct's own.
macro_rules! inside {
    ($name:expr) => {
        None
    };
    ($name:expr, $within:expr) => {
        $within.step($name)
    };
}

/// A struct: its fields by name; a name that is none of them is looked for in `within`.
macro_rules! fields {
    ($($kind:ty { $($field:ident),* } $(within $within:ident)? by $read:ident;)*) => { $(
        impl Field for $kind {
            fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
                match name {
                    $( stringify!($field) => Some(&mut self.$field), )*
                    _ => inside!(name $(, self.$within)?),
                }
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
                $read(value)
            }
        }
    )* };
}

fields! {
    KdfParams { suite, iterations, salt_seed } by whole;
    Key { exponent, modulus } by whole;
    PublicRecord { realm, user, key_epoch, encryption, signing } by whole_or_framed;
    SignedRecord { record, signature } within record by whole_or_framed;
    KeyBag { user, kdf, commitment, nonce, sealed } by whole_or_framed;
    Head {
        space, height, previous, history, directory, entries, roster, roster_hash, epoch,
        commitment, author, author_key, device, written_ms, nonce
    } by whole_or_framed;
    SignedHead { head, signature } within head by whole_or_framed;
    HistoryNode { hash, roster_max, epoch_max } by whole;
    RosterChange { space, number, previous, signer, action } within action by whole_or_framed;
    SignedRosterChange { change, signature } within change by whole_or_framed;
    SegmentRecord { pack, offset, length, key_index, hash } by whole;
    Envelope {
        id, space, epoch, role, sender, sender_key, recipient, recipient_key, wrapped, note
    } by whole_or_framed;
    SignedEnvelope { envelope, signature } within envelope by whole_or_framed;
    Pack { id, bytes } by whole;
    Range { pack, offset, length } by whole;
    RecordRange { leaf, from, count } by whole;
    LeafChange { tag, leaf, keep, add } by whole;
    Commit {
        locator, expect, head, moves_to, roster, envelopes, leaves, pack
    } by whole;
    ViewRequest { locator, at, trusted, warm, roster_from, select } by whole;
}

/// An enum: the fields of the variant that it is.
macro_rules! variants {
    ($($kind:ty { $($variant:ident { $($field:ident),* },)* })*) => { $(
        impl Field for $kind {
            fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
                match self {
                    $( Self::$variant { $($field),* } => match name {
                        $( stringify!($field) => Some($field), )*
                        _ => None,
                    }, )*
                }
            }

            fn value(&self) -> Option<Value> {
                Some(encoded(self))
            }

            fn assign(&mut self, value: &Value) -> bool {
                match whole(value) {
                    Some(value) => {
                        *self = value;
                        true
                    }
                    None => false,
                }
            }
        }
    )* };
}

variants! {
    RosterAction {
        Add { user, fingerprint },
        Genesis { fingerprint, salt },
        Remove { user },
    }
}

/// The height of one head; nothing for the newest.
impl Field for AtHeight {
    fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
        None
    }

    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Newest => Value::Nothing,
            Self::Exactly(height) => Value::Number(height.0),
        })
    }

    fn assign(&mut self, value: &Value) -> bool {
        match value {
            Value::Nothing => *self = Self::Newest,
            Value::Number(height) => *self = Self::Exactly(turncoat_core::id::Height(*height)),
            _ => return false,
        }
        true
    }
}

impl Field for Selection {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        match (self, name) {
            (Self::Tags(tags), "tags") => Some(tags),
            (Self::Page { from, .. }, "from") => Some(from),
            (Self::Page { count, .. }, "count") => Some(count),
            _ => None,
        }
    }

    fn value(&self) -> Option<Value> {
        Some(encoded(self))
    }

    fn assign(&mut self, value: &Value) -> bool {
        whole(value).map(|selection| *self = selection).is_some()
    }
}

/// `kind` is what a view is: `absent`, `closed`, `same` or `shown`.
impl Field for View {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        if name == "kind" {
            // The kind of a view is the view, told by one word.
            return Some(self);
        }
        let Self::Shown {
            head,
            records,
            history,
            roster,
            directory,
            leaves,
            padding,
        } = self
        else {
            return None;
        };
        match name {
            "head" => Some(head),
            "records" => Some(records),
            "author" => {
                let author = head.head.author;
                let place = records
                    .iter()
                    .position(|record| record.record.user == author);
                let record = records.get_mut(place.unwrap_or(0));
                record.map(|record| -> &mut dyn Field { record })
            }
            "history" => Some(history),
            "roster" => Some(roster),
            "directory" => Some(directory),
            "leaves" => Some(leaves),
            "padding" => Some(padding),
            _ => None,
        }
    }

    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Absent => Value::Word("absent".to_owned()),
            Self::Closed => Value::Word("closed".to_owned()),
            Self::Same => Value::Word("same".to_owned()),
            Self::Shown { .. } => encoded(self),
        })
    }

    fn assign(&mut self, value: &Value) -> bool {
        replace(self, value)
    }
}

impl Make for View {
    fn make(value: &Value) -> Option<Self> {
        match value {
            Value::Word(word) => match word.as_str() {
                "absent" => Some(Self::Absent),
                "closed" => Some(Self::Closed),
                "same" => Some(Self::Same),
                _ => None,
            },
            value => whole(value),
        }
    }
}

/// Where a name is none of the reply's own, the first shown view is meant, or the first envelope.
impl Field for Reply {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        match (self, name) {
            (Self::Refused(refusal), "refusal") => Some(refusal),
            (Self::Kdf(params), "kdf") => Some(params),
            (Self::Login { token, .. } | Self::Registered { token }, "token") => Some(token),
            (Self::Login { record, .. }, "record") => Some(record),
            (Self::Login { bag, .. }, "bag") => Some(bag),
            (reply @ Self::Login { .. }, "login")
            | (reply @ Self::Registered { .. }, "register") => Some(reply),
            (Self::Record(record), "record") => Some(record),
            (Self::Views(views), "views") => Some(views),
            (Self::Views(views), name) => {
                let mut views = views.iter_mut();
                views
                    .find(|view| matches!(view, View::Shown { .. }))?
                    .step(name)
            }
            (Self::Segments(segments), "segments") => Some(segments),
            (Self::Content(content), "content") => Some(content),
            (Self::Inbox(envelopes), "inbox") => Some(envelopes),
            (Self::Inbox(envelopes), "envelope") => envelopes
                .first_mut()
                .map(|envelope| -> &mut dyn Field { envelope }),
            _ => None,
        }
    }

    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Done => Value::Word("done".to_owned()),
            reply => encoded(reply),
        })
    }

    fn assign(&mut self, value: &Value) -> bool {
        whole_or_framed(value).map(|reply| *self = reply).is_some()
    }
}

impl Field for Refusal {
    fn step(&mut self, _: &str) -> Option<&mut dyn Field> {
        None
    }

    fn value(&self) -> Option<Value> {
        let Value::Bytes(number) = encoded(self) else {
            return None;
        };
        let name = REFUSALS.get(usize::from(*number.first()?))?;
        Some(Value::Word((*name).to_owned()))
    }

    fn assign(&mut self, value: &Value) -> bool {
        let Value::Word(word) = value else {
            return false;
        };
        let place = REFUSALS.iter().position(|name| name == word);
        let number = place.and_then(|place| u8::try_from(place).ok());
        let refusal = number.and_then(|number| whole(&Value::Bytes(vec![number])));
        refusal.map(|refusal| *self = refusal).is_some()
    }
}

/// The token and the fields of the body; the name of the body may stand before them.
impl Field for Request {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        match name {
            "token" => Some(&mut self.token),
            name => self.body.step(name),
        }
    }

    fn value(&self) -> Option<Value> {
        Some(encoded(self))
    }

    fn assign(&mut self, value: &Value) -> bool {
        whole_or_framed(value)
            .map(|request| *self = request)
            .is_some()
    }
}

impl Field for RequestBody {
    fn step(&mut self, name: &str) -> Option<&mut dyn Field> {
        if super::kind(self) == name {
            return Some(self);
        }
        match (self, name) {
            (Self::Register { kdf, .. }, "kdf") => Some(kdf),
            (Self::Register { proof, .. } | Self::Login { proof, .. }, "proof") => Some(proof),
            (Self::Register { record, .. }, "record") => Some(record),
            (Self::Register { bag, .. }, "bag") => Some(bag),
            (Self::Register { space, .. }, "space") => Some(space),
            (Self::Kdf { user } | Self::Login { user, .. } | Self::Lookup { user }, "user") => {
                Some(user)
            }
            (Self::Read { views }, "views") => Some(views),
            (Self::Segments { ranges }, "ranges") => Some(ranges),
            (Self::Fetch { ranges }, "ranges") => Some(ranges),
            (Self::Store { pack }, "pack") => Some(pack),
            (Self::Commit(commit), name) => commit.step(name),
            (Self::Inbox { sender, .. }, "sender") => Some(sender),
            (Self::Inbox { space, .. }, "space") => Some(space),
            (Self::Inbox { before, .. }, "before") => Some(before),
            (Self::Inbox { count, .. }, "count") => Some(count),
            _ => None,
        }
    }

    fn value(&self) -> Option<Value> {
        Some(encoded(self))
    }

    fn assign(&mut self, value: &Value) -> bool {
        whole(value).map(|body| *self = body).is_some()
    }
}
