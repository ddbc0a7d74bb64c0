//! What a client knows of one object of Redis.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::batch::Lane;
use super::commit::Slots;
use super::op::Op;
use crate::backend::{Conflict, Ticket};
use crate::error::Error;
use crate::transaction::TransactionId;

/// An attempt that runs here.
pub(super) struct Running {
    /// Its name on the server.
    pub(super) who: Arc<str>,
    /// The plain writes that come before it.
    pub(super) barrier: Ticket,
    /// The turn that it shares.
    pub(super) shares: Option<TransactionId>,
}

/// A turn that an attempt of this process has.
pub(super) struct HeldTurn {
    /// Whose it is.
    pub(super) id: TransactionId,
    /// Its name on the server.
    pub(super) who: Arc<str>,
    /// When its lease runs out.
    pub(super) until: Instant,
}

/// What waits, and what is known.
#[derive(Default)]
pub(super) struct State {
    /// Plain writes.
    pub(super) lane: Lane,
    /// Everything else, in order.
    pub(super) ops: VecDeque<Op>,
    /// Whether somebody sends.
    pub(super) driven: bool,
    /// Attempts that have begun.
    pub(super) attempts: HashMap<TransactionId, Running>,
    /// Names of attempts that the server knows.
    pub(super) registered: HashSet<Arc<str>>,
    /// The turn that an attempt of this process has.
    pub(super) turn: Option<HeldTurn>,
    /// Where the server remembers answers.
    pub(super) slots: Slots,
    /// The handlings of alarms that are under way; only the newest counts on the server.
    pub(super) claims: VecDeque<String>,
    /// When it was last noted that the object may hold data.
    pub(super) noted_at: Option<Instant>,
    /// Failed attempts to reach the server, in a row.
    pub(super) failures: u32,
    /// Why no operation is possible any more.
    pub(super) ended: Option<Error>,
}

impl State {
    /// Whether `id` has its turn, or shares that of another.
    pub(super) fn has_turn(&self, id: TransactionId) -> bool {
        let shared = self.attempts.get(&id).and_then(|running| running.shares);
        self.turn.as_ref().is_some_and(|turn| turn.id == id || shared == Some(turn.id))
    }

    /// Name of the turn that something out of the closure of `origin` belongs to.
    pub(super) fn pass(&self, origin: Option<TransactionId>) -> Option<Arc<str>> {
        let origin = origin?;
        let turn = self.turn.as_ref().filter(|_| self.has_turn(origin))?;
        Some(turn.who.clone())
    }

    /// Why an attempt has lost. One that ran alone can only have met its own closure.
    pub(super) fn conflict(&self, id: TransactionId, what: String, now: Instant) -> Conflict {
        let alone = self.turn.as_ref().is_some_and(|turn| turn.id == id && now < turn.until);
        // The server has forgotten the attempt, or knows only that too much was written.
        let known = what != "its registration" && what != "too much";
        Conflict { own: alone && known, what }
    }

    /// Forgets an attempt, and gives its name on the server.
    pub(super) fn forget(&mut self, id: TransactionId) -> Option<Arc<str>> {
        if self.turn.as_ref().is_some_and(|turn| turn.id == id) {
            self.turn = None;
        }
        self.attempts.remove(&id).map(|running| running.who)
    }

    /// A turn has ended: whoever waits for that may try again.
    pub(super) fn hurry(&mut self) {
        self.lane.hurry();
        for op in &mut self.ops {
            op.hurry();
        }
    }

    /// Whether an attempt has asked something that is not answered.
    pub(super) fn asks(&self, who: &str) -> bool {
        self.driven || self.ops.iter().any(|op| op.is_of(who))
    }

    /// Whether nothing waits and nobody sends.
    pub(super) fn is_idle(&self) -> bool {
        !self.driven && self.ops.is_empty() && self.lane.is_empty()
    }
}
