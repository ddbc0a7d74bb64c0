//! What waits to be sent for one object, and what this process knows of the object.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use super::write_queue::WriteQueue;
use crate::backend::redis::requests::commit::Slots;
use crate::backend::redis::requests::question::{AttemptName, Question};
use crate::backend::redis::requests::request::Request;
use crate::backend::redis::requests::turn::{Leave, Renew};
use crate::backend::{ClaimId, Conflict, Ticket};
use crate::concurrency::TransactionId;
use crate::durability::Durability;
use crate::error::Error;

/// An attempt that runs in this process.
pub(crate) struct Running {
    pub(crate) name: AttemptName,
    /// The plain writes that come before it.
    pub(crate) barrier: Ticket,
    /// The attempt whose turn it shares.
    pub(crate) shares: Option<TransactionId>,
}

/// A turn that an attempt of this process has.
pub(crate) struct HeldTurn {
    pub(crate) id: TransactionId,
    pub(crate) name: AttemptName,
    /// When its lease ends.
    pub(crate) until: Instant,
}

/// What waits, and what is known.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) writes: WriteQueue,
    /// Everything else that waits, in the order of the calls.
    pub(crate) requests: VecDeque<Request>,
    /// Whether a task sends.
    pub(crate) driven: bool,
    /// Attempts that have begun in this process and have not ended.
    pub(crate) attempts: HashMap<TransactionId, Running>,
    /// Names of attempts that the server knows.
    pub(crate) registered: HashSet<AttemptName>,
    pub(crate) turn: Option<HeldTurn>,
    pub(crate) slots: Slots,
    /// Names of the handlings of alarms that are under way. Only the newest one counts on the server.
    pub(crate) claims: VecDeque<String>,
    /// The claim of an alarm that stays stored while it is handled, or waits to be handled again.
    pub(crate) alarm_claim: Option<ClaimId>,
    /// Whether that claim waits.
    pub(crate) claim_waits: bool,
    /// When the object was last added to the index on the server.
    pub(crate) indexed_at: Option<Instant>,
    /// How often in a row the server could not be reached.
    pub(crate) failures: u32,
    /// Why no operation is possible any more.
    pub(crate) ended: Option<Error>,
}

impl State {
    /// Whether `id` has its turn, or shares that of another.
    pub(crate) fn has_turn(&self, id: TransactionId) -> bool {
        let shared = self.attempts.get(&id).and_then(|running| running.shares);
        self.turn.as_ref().is_some_and(|turn| turn.id == id || shared == Some(turn.id))
    }

    /// The turn that an operation belongs to which the closure of `issued_by` has called.
    pub(crate) fn turn_token(&self, issued_by: Option<TransactionId>) -> Option<AttemptName> {
        let issued_by = issued_by?;
        let turn = self.turn.as_ref().filter(|_| self.has_turn(issued_by))?;
        Some(turn.name.clone())
    }

    /// The conflict of an attempt that has lost. An attempt that ran alone can only have lost to a write of its own
    /// closure.
    pub(crate) fn conflict(&self, id: TransactionId, what: String, now: Instant) -> Conflict {
        let alone = self.turn.as_ref().is_some_and(|turn| turn.id == id && now < turn.until);
        // The server has forgotten the attempt, or knows only that too much was written.
        let known = what != "its registration" && what != "too much";
        Conflict { own: alone && known, what }
    }

    /// Forgets an attempt, and gives its name on the server.
    pub(crate) fn forget(&mut self, id: TransactionId) -> Option<AttemptName> {
        if self.turn.as_ref().is_some_and(|turn| turn.id == id) {
            self.turn = None;
        }
        self.attempts.remove(&id).map(|running| running.name)
    }

    /// Lets everything that waits for the end of a turn be sent at once.
    pub(crate) fn turn_has_ended(&mut self) {
        self.writes.turn_has_ended();
        for request in &mut self.requests {
            request.turn_has_ended();
        }
    }

    /// Whether a request of an attempt may be under way.
    pub(crate) fn may_ask_for(&self, attempt: &str) -> bool {
        self.driven || self.requests.iter().any(|request| request.asks_for(attempt))
    }

    /// Queues the message that an attempt has ended without a commit.
    pub(crate) fn leave(&mut self, attempt: AttemptName, deadline: Instant) {
        self.requests.push_back(Request::new(Leave { attempt }, 0, deadline));
    }

    /// Queues the extension of the leases of what still runs; false if nothing does.
    pub(crate) fn renew(
        &mut self,
        deadline: Instant,
        name_of: impl FnOnce(ClaimId) -> String,
    ) -> bool {
        let running = self.attempts.values().map(|running| running.name.clone());
        let attempts: Vec<_> = running.filter(|name| self.registered.contains(name)).collect();
        let claim = self.alarm_claim.map(name_of).or_else(|| self.claims.back().cloned());
        let any = !attempts.is_empty() || claim.is_some();
        if any {
            self.requests.push_back(Request::new(Renew { attempts, claim }, 0, deadline));
        }
        any
    }

    /// Refuses later operations, and requests that only wait for a turn or an alarm. Others are still sent.
    pub(crate) fn retire(&mut self, deadline: Instant) {
        self.ended.get_or_insert(Error::Closed);
        self.writes.seal();
        let (sent, refused): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.requests)
            .into_iter()
            .partition(|request| request.kind.is_sent_at_close());
        self.requests = sent;
        for request in refused {
            request.refuse(&Error::Closed);
        }
        // No caller is left to commit these attempts, and other processes may wait for the turn of one.
        let left: Vec<_> = self.attempts.drain().map(|(_, running)| running.name).collect();
        self.turn = None;
        for name in left {
            let commits = self.requests.iter().any(|request| request.ends(&name));
            if !commits && (self.registered.contains(&name) || self.may_ask_for(&name)) {
                self.leave(name, deadline);
            }
        }
    }

    /// Fails everything, now and later.
    pub(crate) fn fail_all(&mut self, error: &Error, durability: &Durability) {
        self.ended.get_or_insert(error.clone());
        self.driven = false;
        self.writes.fail_all(error, durability);
        for request in std::mem::take(&mut self.requests) {
            request.refuse(error);
        }
    }

    /// Whether nothing waits and no task sends.
    pub(crate) fn is_idle(&self) -> bool {
        !self.driven && self.requests.is_empty() && self.writes.is_empty()
    }
}
