//! What the numbers mean that operations return.
//!
//! Zero and above is a result. Below are these codes, and below [`TICKET_FIRST`] the negated ticket of
//! an answer that comes later through `Completions`.

/// The key does not exist.
pub(crate) const ABSENT: f64 = -1.0;
/// The bytes did not fit into the scratch buffer: `Completions.takeBytes()` has them.
pub(crate) const OVERFLOW: f64 = -2.0;
/// The transaction's attempt has lost.
pub(crate) const LOST: f64 = -3.0;
/// Tickets count up from here.
pub(crate) const TICKET_FIRST: u64 = 16;
/// A write returns `removed + ticket * WRITE_UNIT`: how many keys it removed, and its durability ticket.
pub(crate) const WRITE_UNIT: u64 = 256;
