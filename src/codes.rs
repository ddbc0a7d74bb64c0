//! What the numbers mean that operations return.
//!
//! A number from 0 on is a result. A number up to -[`TICKET_FIRST`] is the negated ticket of an answer that comes later
//! through `Completions`. The numbers between are these codes.

use napi_derive::napi;

/// The key does not exist.
pub(crate) const ABSENT: f64 = -1.0;
/// The bytes did not fit into the scratch buffer: `Completions.takeBytes()` has them.
pub(crate) const OVERFLOW: f64 = -2.0;
/// The transaction's attempt has lost.
pub(crate) const LOST: f64 = -3.0;
/// The first ticket.
pub(crate) const TICKET_FIRST: u64 = 16;
/// A write returns `removed + ticket * WRITE_UNIT`: how many keys it removed, and its durability ticket.
pub(crate) const WRITE_UNIT: u64 = 256;

/// The codes that JavaScript reads once, when it loads the addon.
#[napi(object, object_from_js = false)]
pub struct Codes {
    /// The key does not exist.
    pub absent: f64,
    /// The bytes did not fit into the scratch buffer.
    pub overflow: f64,
    /// The transaction's attempt has lost.
    pub lost: f64,
    /// The first ticket; an operation returns the negated ticket.
    pub ticket_first: f64,
    /// What a write returns is how many keys it removed, plus its durability ticket times this.
    pub write_unit: f64,
}

/// What the numbers mean that operations return.
#[napi(catch_unwind)]
pub fn codes() -> Codes {
    Codes {
        absent: ABSENT,
        overflow: OVERFLOW,
        lost: LOST,
        ticket_first: number(TICKET_FIRST),
        write_unit: number(WRITE_UNIT),
    }
}

/// A code, a ticket or a unit as JavaScript takes it.
#[expect(clippy::cast_precision_loss, reason = "tickets stay far below 2^45")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}
