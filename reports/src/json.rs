//! JSON: the whole model, one field a line, in printable characters only.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter};

use crate::decode::document;
use crate::text::is_hidden;
use crate::{Exporter, Results};

/// The JSON document, which [`decode`](crate::decode()) reads back.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Exporter for Json {
    fn file_name(&self) -> &'static str {
        crate::MARKER
    }

    fn export(&self, results: &Results, output: &mut dyn io::Write) -> io::Result<()> {
        let formatter = Printable {
            inner: PrettyFormatter::new(),
        };
        let mut serializer = serde_json::Serializer::with_formatter(&mut *output, formatter);
        document(results).serialize(&mut serializer)?;
        output.write_all(b"\n")?;
        output.flush()
    }
}

/// Escapes what JSON would let pass and a terminal or an editor would obey: C1 controls,
/// directions, invisible characters.
struct Printable {
    inner: PrettyFormatter<'static>,
}

/// Passes the layout on to the pretty formatter.
macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        fn $name<W: ?Sized + io::Write>(
            &mut self, writer: &mut W $(, $argument: $kind)*
        ) -> io::Result<()> {
            self.inner.$name(writer $(, $argument)*)
        }
    )*};
}

impl Formatter for Printable {
    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
        write_char_escape(escape: CharEscape);
    }

    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut start = 0;
        for (place, character) in fragment
            .char_indices()
            .filter(|&(_, found)| is_hidden(found))
        {
            writer.write_all(fragment.get(start..place).unwrap_or_default().as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            start = place + character.len_utf8();
        }
        writer.write_all(fragment.get(start..).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{sample, sample_file};

    #[test]
    fn sample_is_what_is_committed() {
        sample_file(&Json, "report.json");
    }

    #[test]
    fn hidden_characters_are_escaped_and_come_back() {
        let mut results = sample();
        results.run.command = "\u{202e}\u{9b}\u{e0041}\"\\\n\u{7f}z".to_owned();
        let bytes = crate::encode(&results);
        let text = core::str::from_utf8(&bytes).unwrap();
        assert!(
            text.contains(r#""\u202e\u009b\udb40\udc41\"\\\n\u007fz""#),
            "{text}"
        );
        assert_eq!(
            crate::decode(&bytes).unwrap().run.command,
            results.run.command
        );
    }

    #[test]
    fn format_and_version_come_first() {
        let text = String::from_utf8(crate::encode(&sample())).unwrap();
        let start = "{\n  \"format\": \"turncoat-report\",\n  \"version\": 1,\n";
        assert!(text.starts_with(start));
    }
}
