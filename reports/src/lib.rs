//! Results in, documents out: the versioned result model of Turncoat, with one exporter per format.
//!
//! This crate knows nothing of how results come about and depends on no other crate of the
//! project. A caller fills in a [`Results`] and hands it to an [`Exporter`], or to
//! [`write_directory`] for all formats at once; [`decode()`] reads a result back.
//!
//! Every string in a result may have been chosen by a hostile server or a hostile client. The
//! exporters escape what could change how a document is read; see [`text`].

mod decode;
mod directory;
mod exporter;
mod guarantee;
mod json;
mod junit;
mod markdown;
mod model;
#[cfg(test)]
mod sample;
mod seed;
pub mod text;
mod verdict;
mod words;

pub use decode::{DecodeError, FORMAT, VERSION, decode, encode};
pub use directory::{DirectoryError, MARKER, check_directory, write_directory};
pub use exporter::{Exporter, exporters};
pub use guarantee::Guarantee;
pub use json::Json;
pub use junit::Junit;
pub use markdown::Markdown;
pub use model::{
    Claim, Client, ClientError, Conformance, Counters, OperationResult, Results, Run, RunResult,
    ScriptResult, Totals, UNCONTROLLED, agrees,
};
pub use seed::Seed;
pub use verdict::Verdict;
pub use words::{ErrorClass, Outcome, RunKind, Truth, UnknownWord, Works};
