//! Time as an argument: the core does not read the clock, and a lint refuses calls that do.

/// Reads the time. Tests may pass a clock of their own.
pub type Clock = fn() -> tokio::time::Instant;
