//! Reads vector files: blocks of `field = value`, separated by empty lines.

use std::collections::BTreeMap;
use std::fs;

/// Where the vector files are.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/data");

/// One block of a file.
#[derive(Debug)]
pub(crate) struct Vector {
    fields: BTreeMap<String, String>,
}

impl Vector {
    /// The value of `field`, which the block must have.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .unwrap_or_else(|| panic!("{self:?} lacks {field}"))
    }

    /// Whether the block has `field`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The bytes of `field`.
    pub(crate) fn bytes(&self, field: &str) -> Vec<u8> {
        unhex(self.text(field))
    }

    /// The bytes of `field`, which must be as many as asked for.
    pub(crate) fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.bytes(field)
            .try_into()
            .unwrap_or_else(|_| panic!("{self:?}: {field} is not {N} bytes"))
    }

    /// The name of the vector.
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    /// Whether the vector must be accepted.
    pub(crate) fn is_valid(&self) -> bool {
        match self.text("expect") {
            "valid" => true,
            "invalid" => false,
            other => panic!("{self:?}: no such expectation: {other}"),
        }
    }
}

/// All blocks of the file `name`; at least one.
pub(crate) fn read(name: &str) -> Vec<Vector> {
    let text = fs::read_to_string(format!("{FOLDER}/{name}")).expect("the vector file is there");
    let vectors: Vec<Vector> = text
        .split("\n\n")
        .map(|block| Vector {
            fields: block.lines().filter_map(field).collect(),
        })
        .filter(|vector| !vector.fields.is_empty())
        .collect();
    assert!(!vectors.is_empty(), "{name} has no vectors");
    vectors
}

fn field(line: &str) -> Option<(String, String)> {
    if line.starts_with('#') || line.is_empty() {
        return None;
    }
    let (field, value) = line
        .split_once(" =")
        .unwrap_or_else(|| panic!("not a field: {line}"));
    Some((field.to_owned(), value.trim_start().to_owned()))
}

/// The bytes that `hex` writes.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte in {hex}");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a vector is hexadecimal"))
        .collect()
}
