//! Names in the store: any bytes up to a bound, shown without harm, and written down without loss.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use turncoat_core::Limits;
use turncoat_reports::text::visible;

use crate::status::Fault;

/// Bytes of one part of a path, and of a path, that file systems keep.
const PART_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// A name that was given, as the store has it: its bytes.
pub(super) fn given(name: &OsStr) -> Result<&[u8], Fault> {
    kept(name.as_bytes())
}

/// The store keeps any bytes, the empty name included, up to its bound.
pub(super) fn kept(name: &[u8]) -> Result<&[u8], Fault> {
    let max = Limits::standard().name_size_max;
    match u64::try_from(name.len()).is_ok_and(|size| size <= max) {
        true => Ok(name),
        false => Err(Fault::usage(format!(
            "{}...: a name of {} bytes; the store keeps {max} at most",
            shown(name.get(..64).unwrap_or_default()),
            name.len()
        ))),
    }
}

/// A name as a terminal may show it, on one line. Bytes that are no text are written out.
pub(super) fn shown(name: &[u8]) -> String {
    let mut shown = String::new();
    for part in name.utf8_chunks() {
        shown.push_str(&visible(part.valid()));
        for byte in part.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// A name for programs: the text that it is, or its bytes in hexadecimal where it is none.
pub(super) fn named(name: &[u8]) -> Value {
    match str::from_utf8(name) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "hex": hex(name) }),
    }
}

/// The name that was written down.
pub(super) fn unnamed(named: &Value) -> Option<Vec<u8>> {
    match named {
        Value::String(text) => Some(text.clone().into_bytes()),
        named => bytes(named["hex"].as_str()?),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().as_bytes();
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|v| u8::try_from(v).ok())
    };
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(value(*high)? << 4 | value(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// Where a name belongs below the working folder.
pub(super) fn local(name: &[u8]) -> Result<PathBuf, Fault> {
    // The bytes are judged, not `Path::components`, which passes over `.` and repeated slashes.
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    let why = if !name.split(|byte| *byte == b'/').all(plain) {
        "this name is no path below the working folder"
    } else if name.len() > PATH_MAX || name.split(|b| *b == b'/').any(|part| part.len() > PART_MAX)
    {
        "no file here can have a name as long as this"
    } else {
        return Ok(PathBuf::from(OsStr::from_bytes(name)));
    };
    let start = shown(name.get(..PART_MAX).unwrap_or(name));
    Err(Fault::usage(format!("{start}: {why}; say --output FILE")))
}

#[cfg(test)]
mod tests {
    use super::{bytes, hex, kept, local, named, shown, unnamed};
    use serde_json::json;

    #[test]
    fn names_lead_below_the_working_folder_or_nowhere() {
        let long = "x".repeat(255);
        for name in ["a", "a/b", "a b", "...", "a\nb", &long] {
            assert!(local(name.as_bytes()).is_ok(), "{name:?}");
        }
        let longer = "x".repeat(256);
        let deep = "x/".repeat(2048) + "x";
        for name in [
            "", "/a", "..", "../a", "a/../b", "a/./b", "./a", "a//b", "a/", "a\0b", &longer, &deep,
        ] {
            assert!(local(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn digits_stand_for_bytes_and_nothing_else_does() {
        let line = format!("{}\n", hex(&[0, 255, 16]));
        assert_eq!(bytes(&line), Some(vec![0, 255, 16]));
        assert_eq!(bytes("abc"), None);
        assert_eq!(bytes("+1"), None);
    }

    #[test]
    fn every_name_is_shown_on_one_line_and_written_down_without_loss() {
        assert_eq!(shown(b"a\nb\xff\x1b"), "a\\nb\\xff\\u{1b}");
        assert_eq!(named(b"a\nb"), json!("a\nb"));
        assert_eq!(named(b"a\xff"), json!({ "hex": "61ff" }));
        assert_ne!(named(b"\xff"), named(b"\xfe"));
        for name in [&b""[..], b"a\nb", b"a\xff"] {
            assert_eq!(unnamed(&named(name)).as_deref(), Some(name));
        }
        assert!(kept(b"").is_ok() && kept(&[b'x'; 16 << 10]).is_ok());
        assert!(kept(&[b'x'; (16 << 10) + 1]).is_err());
    }
}
