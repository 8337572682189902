//! The doors to the server and to what this device must remember.

use alloc::vec::Vec;
use core::future::Future;

/// Why a request has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// The reply did not arrive whole. The request may have taken effect.
    CutOff,
    /// The reply is longer than [`Limits`](crate::Limits) allow; it was not read.
    TooLarge,
    /// No reply came in time. The request may have taken effect.
    Timeout,
}

/// The single door to the server. The only await points of the client are calls of this trait and
/// of [`Vault`].
pub trait Remote {
    /// Sends an encoded [`Request`](crate::wire::Request) and returns the encoded reply.
    ///
    /// The implementation reads at most `reply_max` bytes. What it returns is untrusted.
    fn call(
        &mut self,
        request: Vec<u8>,
        reply_max: u64,
    ) -> impl Future<Output = Result<Vec<u8>, Lost>>;

    /// Says that the very same call will follow, so that it can begin now. What it asks for never
    /// changes. An implementation may do nothing.
    fn ahead(&mut self, request: Vec<u8>, reply_max: u64) {
        let _ = (request, reply_max);
    }

    /// Takes memory for a reply that comes, such as an earlier one lay in. It is empty: what is
    /// left in its room may have been opened there. An implementation may do nothing.
    fn reuse(&mut self, spent: Vec<u8>) {
        drop(spent);
    }
}

/// The durable memory of this device: one value, replaced as a whole.
///
/// One session at a time has it. Two would each replace what the other saved, and a head that one
/// of them accepted would be forgotten: whoever makes a vault keeps the second one out.
pub trait Vault {
    /// Returns what was saved last, or `None` on a device that never saved.
    fn load(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, Unusable>>;

    /// Replaces the value. Durable, and all or nothing, once it returns.
    fn save(&mut self, state: Vec<u8>) -> impl Future<Output = Result<(), Unusable>>;
}

/// The durable memory failed. Never read as "first use".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable;
