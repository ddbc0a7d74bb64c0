//! Optimistic concurrency control after Kung and Robinson (1981), as backends use it: read, validate, write.
//!
//! - [`read_set`]: what an attempt has read: keys, ranges, the alarm
//! - [`commit_log`]: what was written since the oldest running attempt started
//! - [`turn`]: the exclusive turn of an attempt that has lost too often, and the queue behind it

pub mod commit_log;
pub mod read_set;
pub mod turn;

pub use read_set::ReadSet;

/// Position of a commit in an object's history.
pub type Sequence = u64;
/// Names a running attempt of a transaction.
pub type TransactionId = u64;
