//! What the fuzz targets run: generators that turn bytes into a case, and oracles that judge it.
//!
//! An oracle that finds a bug panics. Fuzz targets are glue over these functions, and the replay
//! tests run the same functions over the committed seeds.

mod decode;
mod generate;
mod session;

pub use decode::decode;
pub use session::{fallen, session};
