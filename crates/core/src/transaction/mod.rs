//! Runs a transaction: attempt after attempt, until one commits.
//!
//! [`attempt`] is one run of the closure: its reads and its writes over one object.

mod attempt;

use std::sync::{Arc, Mutex};

pub use self::attempt::Attempt;
use crate::answer::Answer;
use crate::backend::{CommitOutcome, ObjectStorage};
use crate::concurrency::TransactionId;
use crate::concurrency::turn::{OPTIMISTIC_ATTEMPTS_MAX, TURN_LEASE};
use crate::error::{Error, Result};
use crate::lock::lock;

/// How many turns of a transaction may outlast their lease before it gives up.
pub const TURNS_MAX: u32 = 5;

/// A transaction over one object. Its attempts run one after the other.
///
/// **Progress:** after [`OPTIMISTIC_ATTEMPTS_MAX`] lost attempts the next one runs alone, and commits. Only an attempt that
/// outlasts its lease can lose again. That can happen [`TURNS_MAX`] times.
#[derive(Clone)]
pub struct Transaction {
    object: Arc<dyn ObjectStorage>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    attempts: u32,
    current: Option<Arc<Attempt>>,
}

impl Transaction {
    /// A transaction that has not begun.
    pub fn new(object: Arc<dyn ObjectStorage>) -> Self {
        Self { object, state: Arc::default() }
    }

    /// Starts the next attempt, and names it. `issued_by` is the attempt whose closure issued the transaction.
    pub fn begin(&self, issued_by: Option<TransactionId>) -> Answer<TransactionId> {
        let attempts = match lock(&self.state) {
            Ok(mut state) => {
                state.current = None;
                state.attempts += 1;
                state.attempts
            }
            Err(error) => return Answer::Now(Err(error)),
        };
        if attempts > OPTIMISTIC_ATTEMPTS_MAX + TURNS_MAX {
            let seconds = TURN_LEASE.as_secs();
            return Answer::Now(Err(Error::AttemptsExhausted { attempts: attempts - 1, seconds }));
        }
        let (object, state) = (self.object.clone(), self.state.clone());
        self.object.begin(attempts > OPTIMISTIC_ATTEMPTS_MAX, issued_by).and_then(move |start| {
            lock(&state)?.current = Some(Arc::new(Attempt::new(object, start)));
            Ok(start.id)
        })
    }

    /// The running attempt.
    pub fn attempt(&self) -> Result<Arc<Attempt>> {
        lock(&self.state)?.current.clone().ok_or(Error::UnknownTransaction { id: 0 })
    }

    /// Whether the running attempt runs alone.
    pub fn has_turn(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.attempts > OPTIMISTIC_ATTEMPTS_MAX)
    }

    /// Ends the running attempt: validates its reads, and writes its writes unless `discard` is set. `discard` is for a
    /// closure that has thrown: its error counts only if nothing that it has read has changed. After a lost attempt, begin
    /// another one.
    pub fn commit(&self, discard: bool) -> Answer<CommitOutcome> {
        let attempt = match lock(&self.state) {
            Ok(mut state) => state.current.take().and_then(Arc::into_inner),
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(attempt) = attempt else {
            return Answer::Now(Err(Error::UnknownTransaction { id: 0 }));
        };
        attempt.commit(discard)
    }

    /// Ends the running attempt without validating or writing anything.
    pub fn rollback(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.current = None;
        }
    }
}
