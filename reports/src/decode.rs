//! Bytes to results: a file is accepted whole, or refused with what is wrong and what to do.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Results, Totals, agrees};
use crate::text::visible;

/// The word by which a result of ours is known.
pub const FORMAT: &str = "turncoat-report";

/// The one version of the result model that this crate writes and reads.
pub const VERSION: u64 = 1;

/// What surrounds the results in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<R> {
    format: String,
    version: u64,
    results: R,
}

/// As much of a file as any version of it has in common.
#[derive(Deserialize)]
struct Probe {
    format: Option<String>,
    version: Option<u64>,
}

/// Why bytes are not a result that this version can read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file ends in the middle.
    Torn {
        /// How many bytes there are.
        length: usize,
    },
    /// The file is not a result of ours.
    Foreign {
        /// What is there instead.
        detail: String,
    },
    /// The file was written by a newer version.
    Newer {
        /// The version in the file.
        found: u64,
    },
    /// The file says that it is of this version, and does not keep to it.
    Malformed {
        /// What is wrong, with line and column.
        detail: String,
    },
    /// The file's parts contradict each other.
    Inconsistent {
        /// Which parts.
        detail: String,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { length } => write!(
                formatter,
                "the result ends in the middle, after {length} bytes: it was cut short while it \
                 was written or copied. Copy it again, or repeat the run that made it."
            ),
            Self::Foreign { detail } => write!(
                formatter,
                "this is not a result of Turncoat ({}). Name a file that `turncoat attack --json` \
                 or `--report` wrote.",
                visible(detail)
            ),
            Self::Newer { found } => write!(
                formatter,
                "the result has format version {found}, and this program knows versions up to \
                 {VERSION}. Read it with a newer Turncoat, or repeat the run with this one."
            ),
            Self::Malformed { detail } => write!(
                formatter,
                "the result says that it has format version {VERSION}, and does not keep to it: \
                 {}. It was altered after it was written; repeat the run that made it.",
                visible(detail)
            ),
            Self::Inconsistent { detail } => write!(
                formatter,
                "the result contradicts itself: {}. It was altered after it was written; repeat \
                 the run that made it.",
                visible(detail)
            ),
        }
    }
}

impl core::error::Error for DecodeError {}

/// What is written for these results: format and version first.
pub(crate) fn document(results: &Results) -> impl Serialize + '_ {
    Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        results,
    }
}

/// The canonical bytes of a result, as the JSON exporter writes them.
#[must_use]
pub fn encode(results: &Results) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes every byte, and the model has no map with keys that are not text.
    crate::Exporter::export(&crate::Json, results, &mut bytes)
        .expect("the model is JSON and a vector does not fail");
    bytes
}

/// Reads only whose file this is and of which version.
pub(crate) fn version_of(bytes: &[u8]) -> Result<u64, DecodeError> {
    let probe: Probe = serde_json::from_slice(bytes).map_err(|error| {
        if error.is_eof() {
            DecodeError::Torn {
                length: bytes.len(),
            }
        } else {
            DecodeError::Foreign {
                detail: error.to_string(),
            }
        }
    })?;
    match (probe.format.as_deref(), probe.version) {
        (Some(FORMAT), Some(version)) if version > 0 => Ok(version),
        (Some(FORMAT), _) => Err(DecodeError::Foreign {
            detail: "it has no format version".to_owned(),
        }),
        (Some(other), _) => Err(DecodeError::Foreign {
            detail: format!("its format is '{other}'"),
        }),
        (None, _) => Err(DecodeError::Foreign {
            detail: "it names no format".to_owned(),
        }),
    }
}

/// Reads a result of this version, whole or not at all.
///
/// # Errors
///
/// [`DecodeError`]; its text says what to do.
pub fn decode(bytes: &[u8]) -> Result<Results, DecodeError> {
    let version = version_of(bytes)?;
    if version > VERSION {
        return Err(DecodeError::Newer { found: version });
    }
    let document: Document<Results> =
        serde_json::from_slice(bytes).map_err(|error| DecodeError::Malformed {
            detail: error.to_string(),
        })?;
    check(&document.results)?;
    Ok(document.results)
}

/// Holds what is stored twice against what it is derived from.
fn check(results: &Results) -> Result<(), DecodeError> {
    for script in &results.scripts {
        if script.as_expected != agrees(script.expected, script.verdict) {
            let detail = format!("script '{}' and its `as_expected`", script.id);
            return Err(DecodeError::Inconsistent { detail });
        }
    }
    if results.totals != Totals::of(&results.scripts) {
        let detail = "the totals and the scripts".to_owned();
        return Err(DecodeError::Inconsistent { detail });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{hostile, sample};

    fn altered(from: &str, into: &str) -> Vec<u8> {
        let text = String::from_utf8(encode(&sample())).unwrap();
        assert!(text.contains(from), "{from}");
        text.replacen(from, into, 1).into_bytes()
    }

    #[test]
    fn results_survive_the_round_trip() {
        for results in [sample(), hostile()] {
            let bytes = encode(&results);
            assert_eq!(decode(&bytes), Ok(results));
            assert_eq!(encode(&decode(&bytes).unwrap()), bytes);
        }
    }

    #[test]
    fn newer_version_is_named_with_what_to_do() {
        let error = decode(&altered(
            "\"version\": 1,",
            "\"version\": 2, \"lanes\": [],",
        ));
        assert_eq!(error, Err(DecodeError::Newer { found: 2 }));
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("version 2") && text.contains("newer Turncoat"),
            "{text}"
        );
    }

    #[test]
    fn every_prefix_is_torn() {
        let bytes = encode(&sample());
        // The last byte is a line feed, without which the document is complete.
        for length in 0..bytes.len() - 1 {
            assert_eq!(decode(&bytes[..length]), Err(DecodeError::Torn { length }));
        }
        assert_eq!(decode(&bytes[..bytes.len() - 1]), Ok(sample()));
    }

    #[test]
    fn foreign_files_are_foreign() {
        let others: [&[u8]; 8] = [
            b"{}",
            b"[1, 2]",
            b"hello",
            b"\xff\xfe{}",
            b"{\"format\": \"sarif\", \"version\": 1}",
            b"{\"format\": \"turncoat-report\"}",
            b"{\"format\": \"turncoat-report\", \"version\": 0}",
            b"{\"format\": \"turncoat-report\", \"version\": -1}",
        ];
        for bytes in others {
            let error = decode(bytes).unwrap_err();
            assert!(matches!(error, DecodeError::Foreign { .. }), "{error:?}");
        }
    }

    #[test]
    fn same_version_with_other_fields_is_malformed() {
        let cases = [
            ("\"seed\":", "\"sneed\":"),
            ("\"run\": {", "\"run\": { \"more\": 1,"),
            ("\"results\":", "\"more\": 1, \"results\":"),
            ("\"verdict\": \"caught\"", "\"verdict\": \"fine\""),
            ("\"G3\"", "\"G99\""),
            ("\"requests\": ", "\"requests\": -"),
            ("\"commit\":", "\"seed\": \"0x1\", \"commit\":"),
        ];
        for (from, into) in cases {
            let error = decode(&altered(from, into)).unwrap_err();
            assert!(
                matches!(&error, DecodeError::Malformed { .. }),
                "{into}: {error:?}"
            );
            assert!(error.to_string().contains("line"), "{error}");
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&sample());
        bytes.extend_from_slice(b"{}");
        assert!(matches!(decode(&bytes), Err(DecodeError::Foreign { .. })));
    }

    #[test]
    fn contradictions_are_inconsistent() {
        let cases = [
            ("\"as_expected\": true", "\"as_expected\": false"),
            ("\"not_as_expected\": ", "\"not_as_expected\": 7"),
            ("\"verdict\": \"caught\"", "\"verdict\": \"refused\""),
        ];
        for (from, into) in cases {
            let error = decode(&altered(from, into)).unwrap_err();
            assert!(
                matches!(error, DecodeError::Inconsistent { .. }),
                "{into}: {error:?}"
            );
        }
    }

    #[test]
    fn hostile_names_in_a_file_do_not_reach_the_terminal() {
        let error = decode(&altered("\"seed\":", "\"\u{202e}\\u001b[2J\":")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("u{202e}"), "{text}");
        assert!(
            !text.contains('\u{202e}') && !text.contains('\u{1b}'),
            "{text}"
        );
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let bytes = "[".repeat(1_000_000).into_bytes();
        assert!(matches!(decode(&bytes), Err(DecodeError::Foreign { .. })));
    }
}
