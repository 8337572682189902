//! The doors through which randomness and time enter.

/// A source of secret random bytes.
///
/// A restarted device must never repeat its stream: a repeated key is a repeated nonce.
pub trait Entropy {
    /// Fills `bytes` with fresh random bytes, all of them.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// A clock that this device trusts no further than its user does.
pub trait Clock {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}
