//! What the fuzz targets run: generators that turn bytes into a case, and oracles that judge it.
//!
//! An oracle that finds a bug panics. Fuzz targets are glue over these functions, and the replay
//! tests run the same functions over the committed seeds.

mod decode;
mod forge;
mod generate;
mod lines;
mod open;
mod opening;
mod proofs;
mod script;
mod session;
mod state;

pub use decode::decode;
pub use lines::{Lines, lines};
pub use open::{Opened, open};
pub use opening::{Beginning, conversation};
pub use proofs::{Proofs, proofs};
pub use script::{Read, script};
pub use session::{Depth, Share, fallen, session, session_again};
pub use state::{Remembered, state};
