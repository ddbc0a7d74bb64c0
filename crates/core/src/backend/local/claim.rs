//! The claim of an object's alarm, as its state keeps it.

use crate::backend::ClaimId;
use crate::error::Result;

/// Tells other processes of a claim, until it is dropped.
pub trait ClaimMarker: Send {
    /// Says whether the alarm is being handled now, or waits to be handled again.
    fn mark(&mut self, at: i64, runs: bool) -> Result<()>;
}

/// For objects that no other process can have.
impl ClaimMarker for () {
    fn mark(&mut self, _at: i64, _runs: bool) -> Result<()> {
        Ok(())
    }
}

/// A claim of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignClaim {
    /// For when the alarm is set, in milliseconds; `None` if that is unknown.
    pub at: Option<i64>,
    /// Whether it is being handled; if not, it waits to be handled again.
    pub runs: bool,
}

/// A claim that this process has.
pub(super) struct Held {
    pub(super) id: ClaimId,
    pub(super) at: i64,
    /// Whether the alarm is being handled; if not, it waits to be handled again.
    pub(super) runs: bool,
    /// Whether the alarm was set or removed since.
    pub(super) replaced: bool,
    pub(super) marker: Box<dyn ClaimMarker>,
}

/// Which claim there is, and whether its alarm was set or removed since.
pub(super) type Standing = Option<(ClaimId, bool)>;
