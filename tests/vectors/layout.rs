//! Layouts of formats, written from the manual and not from the code that encodes them.
//!
//! A layout is a list of fields. From it come one valid encoding, made of filler, and encodings
//! with one fault each, at the fields where a fault of that kind can be.

/// What a field is, and so what can be wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Bytes of a fixed number, of which none is wrong by itself.
    Fixed,
    /// Zero or one.
    Flag,
    /// Says which variant follows.
    Choice,
    /// Counts the items or the bytes that follow.
    Count,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: Kind,
    bytes: Vec<u8>,
}

/// The fields of one encoding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    fields: Vec<Field>,
}

/// One change of an encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) name: String,
    /// The first byte that changes.
    pub(crate) at: usize,
    /// How many bytes are taken out there.
    pub(crate) remove: usize,
    /// What takes their place.
    pub(crate) insert: Vec<u8>,
}

impl Fault {
    /// The encoding with the fault.
    pub(crate) fn applied(&self, bytes: &[u8]) -> Vec<u8> {
        let (before, rest) = bytes.split_at(self.at);
        [before, &self.insert, &rest[self.remove..]].concat()
    }
}

impl Layout {
    /// Adds the fields that `text` lists, separated by blanks:
    ///
    /// `name:N` filler of that many bytes, `name=HEX` these bytes, `name~N` a length and filler,
    /// `name#N` a count, `name?0` or `name?1` a flag, `name!HH` a choice, `{name}` another layout.
    pub(crate) fn add(&mut self, text: &str, others: &dyn Fn(&str) -> Layout) {
        for word in text.split_whitespace() {
            if let Some(other) = word
                .strip_prefix('{')
                .and_then(|word| word.strip_suffix('}'))
            {
                for mut field in others(other).fields {
                    field.name = format!("{other}.{}", field.name);
                    // Filler is counted anew, so that no two fields are alike.
                    if field.kind == Kind::Fixed && field.bytes.len() >= 8 {
                        field.bytes = self.filler(field.bytes.len());
                    }
                    self.fields.push(field);
                }
                continue;
            }
            let at = word.find([':', '=', '~', '#', '?', '!']);
            let (name, rest) = word.split_at(at.unwrap_or_else(|| panic!("{word} is no field")));
            let (sign, value) = rest.split_at(1);
            let number = || value.parse::<usize>().expect("a number");
            let count = || u32::try_from(number()).expect("a count").to_be_bytes();
            match sign {
                ":" => self.push(name, Kind::Fixed, self.filler(number())),
                "=" => self.push(name, Kind::Fixed, super::file::unhex(value)),
                "~" => {
                    self.push(&format!("length of {name}"), Kind::Count, count().to_vec());
                    self.push(name, Kind::Fixed, self.filler(number()));
                }
                "#" => self.push(&format!("count of {name}"), Kind::Count, count().to_vec()),
                "?" => self.push(name, Kind::Flag, vec![u8::from(value == "1")]),
                _ => self.push(name, Kind::Choice, super::file::unhex(value)),
            }
        }
    }

    /// Adds bytes that no word stands for.
    pub(crate) fn bytes(&mut self, name: &str, bytes: Vec<u8>) {
        self.push(name, Kind::Fixed, bytes);
    }

    fn push(&mut self, name: &str, kind: Kind, bytes: Vec<u8>) {
        let name = name.to_owned();
        self.fields.push(Field { name, kind, bytes });
    }

    /// Bytes that rise from field to field and are never zero.
    fn filler(&self, size: usize) -> Vec<u8> {
        let byte = u8::try_from(self.fields.len() % 0xdf + 0x10).expect("below 256");
        vec![byte; size]
    }

    /// The encoding.
    pub(crate) fn encoding(&self) -> Vec<u8> {
        let fields = self.fields.iter();
        fields
            .flat_map(|field| field.bytes.iter().copied())
            .collect()
    }

    /// Where a field is, and its bytes.
    fn find(&self, name: &str) -> (usize, &Field) {
        let at = self.fields.iter().position(|field| field.name == name);
        let at = at.unwrap_or_else(|| panic!("no field {name} among {self:?}"));
        let before = self.fields[..at].iter().map(|field| field.bytes.len());
        (before.sum(), &self.fields[at])
    }

    /// Other bytes in place of a field's.
    pub(crate) fn with(&self, fault: &str, name: &str, insert: Vec<u8>) -> Fault {
        let (at, field) = self.find(name);
        let remove = field.bytes.len();
        let name = fault.to_owned();
        Fault {
            name,
            at,
            remove,
            insert,
        }
    }

    /// The bytes of a field.
    pub(crate) fn value(&self, name: &str) -> Vec<u8> {
        self.find(name).1.bytes.clone()
    }

    /// The faults that every encoding can have, and those of its flags, choices and counts.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let size = self.encoding().len();
        let fault = |name: &str, at, remove, insert: &[u8]| Fault {
            name: name.to_owned(),
            at,
            remove,
            insert: insert.to_vec(),
        };
        let mut faults = vec![
            fault("one byte more", size, 0, &[0]),
            fault("one byte less", size - 1, 1, &[]),
            fault("nothing at all", 0, size, &[]),
        ];
        for field in &self.fields {
            let changed = |what: &str, insert: Vec<u8>| {
                self.with(&format!("{}: {what}", field.name), &field.name, insert)
            };
            match field.kind {
                Kind::Fixed => {}
                Kind::Flag => faults.push(changed("neither zero nor one", vec![2])),
                Kind::Choice => faults.push(changed("no such choice", vec![0xff])),
                Kind::Count => {
                    let four = field.bytes.as_slice().try_into().expect("four bytes");
                    let count = u32::from_be_bytes(four);
                    let more = (count + 1).to_be_bytes().to_vec();
                    faults.push(changed("one more than there is", more));
                    if let Some(less) = count.checked_sub(1) {
                        let less = less.to_be_bytes().to_vec();
                        faults.push(changed("one less than there is", less));
                    }
                    faults.push(changed("more than any input holds", vec![0xff; 4]));
                }
            }
        }
        faults
    }
}
