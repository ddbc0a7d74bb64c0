//! Optimistic transactions after Kung and Robinson (1981): read, validate, write.
//!
//! - [`footprint`]: what an attempt has read: keys, ranges, the alarm
//! - [`commit_log`]: what has been written since the oldest running attempt started
//! - [`turn`]: when an attempt runs alone, and who waits meanwhile
//! - [`attempt`]: one run of the closure: its footprint and its writes over one object
//! - [`transaction`]: what the user holds: attempts until one commits

pub mod attempt;
pub mod commit_log;
pub mod footprint;
#[expect(
    clippy::module_inception,
    reason = "the type that the user holds is a transaction"
)]
pub mod transaction;
pub mod turn;

pub use attempt::{Attempt, Read};
pub use footprint::Footprint;
pub use transaction::{Settled, Transaction};

/// Position of a commit in an object's history.
pub type Sequence = u64;
/// Names a running transaction attempt, or the attempt out of whose closure a plain operation comes.
pub type TransactionId = u64;
