//! What every format promises: a result goes to a writer, and every fault of the writer comes back.

use std::io;

use crate::{Json, Junit, Markdown, Results};

/// One document format.
pub trait Exporter {
    /// The name of this document in a report directory.
    fn file_name(&self) -> &'static str;

    /// Writes the whole document and flushes.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns; the document is then incomplete and worth nothing.
    fn export(&self, results: &Results, output: &mut dyn io::Write) -> io::Result<()>;
}

/// Every format, in the order in which a report directory is filled.
#[must_use]
pub fn exporters() -> [&'static dyn Exporter; 3] {
    [&Json, &Markdown, &Junit]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Budgeted, hostile, sample};

    #[test]
    fn a_writer_that_fails_at_any_byte_is_reported() {
        for exporter in exporters() {
            let mut whole = Vec::new();
            exporter.export(&sample(), &mut whole).unwrap();
            for budget in 0..whole.len() {
                let mut writer = Budgeted::new(budget);
                let error = exporter.export(&sample(), &mut writer).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::StorageFull, "byte {budget}");
                assert_eq!(writer.written, whole[..budget]);
            }
            let mut writer = Budgeted::new(whole.len());
            exporter.export(&sample(), &mut writer).unwrap();
            assert!(writer.flushed);
        }
    }

    #[test]
    fn a_flush_that_fails_is_reported() {
        for exporter in exporters() {
            let mut writer = Budgeted::new(usize::MAX);
            writer.flush_fails = true;
            assert!(exporter.export(&sample(), &mut writer).is_err());
        }
    }

    #[test]
    fn no_document_contains_a_hidden_character() {
        for exporter in exporters() {
            let mut bytes = Vec::new();
            exporter.export(&hostile(), &mut bytes).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            for character in text.chars().filter(|&character| character != '\n') {
                assert!(!crate::text::is_hidden(character), "{character:?}");
            }
        }
    }

    #[test]
    fn names_of_documents_are_distinct() {
        let names: std::collections::BTreeSet<_> = exporters()
            .iter()
            .map(|exporter| exporter.file_name())
            .collect();
        assert_eq!(names.len(), exporters().len());
    }
}
