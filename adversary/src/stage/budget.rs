//! Bounds on what a client may spend in a run.

/// What a run may spend before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Requests of one operation. A client that sends more does not stop by itself.
    pub requests_per_operation: u32,
    /// Bytes that one operation sends and receives.
    pub bytes_per_operation: u64,
    /// Calls of all devices of a run; more are the script's doing.
    pub calls: u64,
}

impl Budget {
    /// Far above what the limits of the hardened client allow one operation.
    pub const STANDARD: Self = Self {
        requests_per_operation: 20_000,
        bytes_per_operation: 2 << 30,
        calls: 1 << 20,
    };
}
