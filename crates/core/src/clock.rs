//! Time as an argument: the core does not read it itself, and a lint refuses calls that would.

/// Reads the time. Tests may pass a clock of their own.
pub type Clock = fn() -> tokio::time::Instant;
