//! The claim of an object's alarm, as its state keeps it.

use crate::backend::{ClaimId, ClaimSign};

/// A claim that this process has.
pub(super) struct Held {
    pub(super) id: ClaimId,
    pub(super) at: i64,
    /// Whether the alarm is being handled; if not, it waits to be handled again.
    pub(super) runs: bool,
    /// Whether the alarm was set or removed since.
    pub(super) replaced: bool,
    pub(super) sign: Box<dyn ClaimSign>,
}

/// Which claim there is, and whether its alarm was set or removed since.
pub(super) type Standing = Option<(ClaimId, bool)>;
