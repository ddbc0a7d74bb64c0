//! Decides when more objects may be open than the limit says, because otherwise they could wait for each other for ever.
//!
//! A transaction may wait for an object that waits for a slot, and so keep all slots taken. When no slot has moved for
//! [`PATIENCE`], more slots are given out, and twice as many more after twice the wait.

use std::mem;
use std::time::Duration;

/// How long all slots may be taken by objects that cannot be closed, before more are given out.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest such wait, in doublings of the first one.
const PATIENCE_DOUBLINGS_MAX: u32 = 7;

/// How long no slot has moved, and how many more slots that allows.
#[derive(Default)]
pub struct Patience {
    /// Counts slots that were given out or came back.
    moves: u64,
    /// Whether a timer runs, after which [`Self::look`] is called.
    watched: bool,
    /// How often no slot had moved when the timer ended.
    stills: u32,
    /// Most slots beyond the limit.
    extra: usize,
}

impl Patience {
    /// A slot was given out, or has come back.
    pub fn moved(&mut self) {
        self.moves += 1;
    }

    /// Starts a timer, unless one runs: gives its duration and the count of moves, for [`Self::look`].
    pub fn watch(&mut self) -> Option<(Duration, u64)> {
        if mem::replace(&mut self.watched, true) {
            return None;
        }
        Some((PATIENCE * 2_u32.pow(self.doublings()), self.moves))
    }

    /// The timer has ended. If no slot has moved since and `may_move` says that none is about to, more are allowed;
    /// `limit` is the configured number of slots.
    pub fn look(&mut self, moves: u64, may_move: bool, limit: usize) {
        self.watched = false;
        if self.moves == moves && !may_move {
            self.extra += limit << self.doublings();
            self.stills += 1;
        }
    }

    /// The limit holds again.
    pub fn reset(&mut self) {
        self.extra = 0;
        self.stills = 0;
    }

    /// Most slots beyond the limit.
    pub fn extra(&self) -> usize {
        self.extra
    }

    fn doublings(&self) -> u32 {
        self.stills.min(PATIENCE_DOUBLINGS_MAX)
    }
}
