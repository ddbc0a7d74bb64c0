//! The whole contract of [`Object`] above a [`Table`] in this process.
//!
//! - `state`: what an object is behind its lock
//! - `queue`: operations that wait
//! - `lifetime`: when the table is there
//! - `claim`, `alarm`: who handles the alarm
//! - `journal`, `undo`: taking back the writes of a turn of the event loop

mod alarm;
mod claim;
mod journal;
mod lifetime;
mod queue;
mod state;
mod undo;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

pub use self::lifetime::Released;
use self::queue::Need;
use self::state::State;
use super::{
    AlarmClaim, AlarmEnd, ClaimId, Committed, Conflict, Object, ObjectKey, Outcome, Snapshot,
    Source, Start, Table, Ticket, View,
};
use crate::alarm_index::AlarmIndex;
use crate::answer::Answer;
use crate::concurrency::turn::Intent;
use crate::concurrency::{Footprint, TransactionId};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::write_batch::{TurnId, WriteBatch};

/// Names attempts across all objects of the process, so that an origin is never taken for another's.
static NEXT_TRANSACTION: AtomicU64 = AtomicU64::new(1);

/// One object whose bytes are in this process; shared by everybody who uses it here.
///
/// A table that comes from a [`Source`] is opened when it is first needed and can be released again;
/// operations that find it closed wait for it, in order.
pub struct LocalObject<T> {
    state: Mutex<State<T>>,
    key: ObjectKey,
    source: Option<Arc<dyn Source<T>>>,
    durability: Arc<Durability>,
    /// Stamp of the last use, to find what was not used for the longest time.
    used: AtomicU64,
    /// For background work: it must not keep the object alive.
    this: Weak<Self>,
}

impl<T: Table> LocalObject<T> {
    /// An object over `table`, which is always at hand. It keeps its entry in `alarms` true.
    pub fn new(table: T, key: ObjectKey, alarms: Arc<AlarmIndex>) -> Arc<Self> {
        Self::build(Some(table), None, Arc::default(), key, alarms)
    }

    /// An object whose table comes from `source`; `durability` is what its tables report to.
    pub fn over(
        source: Arc<dyn Source<T>>,
        durability: Arc<Durability>,
        key: ObjectKey,
        alarms: Arc<AlarmIndex>,
    ) -> Arc<Self> {
        Self::build(None, Some(source), durability, key, alarms)
    }

    fn build(
        table: Option<T>,
        source: Option<Arc<dyn Source<T>>>,
        durability: Arc<Durability>,
        key: ObjectKey,
        alarms: Arc<AlarmIndex>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State::new(table, key.clone(), alarms)),
            key,
            source,
            durability,
            used: AtomicU64::new(0),
            this: this.clone(),
        })
    }

    /// Names the object.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Stamp of the last use: the larger, the later.
    pub fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether the object holds neither a key nor an alarm, as far as its table is at hand.
    pub fn is_empty(&self) -> Result<bool> {
        lock(&self.state)?.table.as_ref().map_or(Ok(true), Table::is_empty)
    }

    /// What `look` sees in the table; none while it is not at hand.
    pub fn inspect<R>(&self, look: impl FnOnce(&T) -> R) -> Result<Option<R>> {
        Ok(lock(&self.state)?.table.as_ref().map(look))
    }

    /// Changes the table in another way than by a commit: every running attempt loses, and the index of
    /// alarms gets what `change` returns.
    pub fn change(&self, change: impl FnOnce(&mut T) -> Option<i64>) -> Result<()> {
        let mut state = self.locked()?;
        state.lose_attempts();
        state.end_claim();
        if let Some(alarm) = state.table.as_mut().map(change) {
            state.alarms.set(&state.key, alarm)?;
        }
        self.run_waiting(&mut state);
        Ok(())
    }
}

/// How a view is admitted: a running attempt reads on, everything else may have to wait.
fn admission(view: View) -> (Option<TransactionId>, Intent) {
    match view {
        View::Latest(origin) => (origin, Intent::Look),
        View::Since(start) => (Some(start.id), Intent::Continue),
    }
}

impl<T: Table> Object for LocalObject<T> {
    fn read(&self, keys: Vec<Key>, view: View) -> Answer<Snapshot<Vec<Option<Value>>>> {
        let (origin, intent) = admission(view);
        self.perform(origin, intent, Need::Read, move |state| {
            state.look(
                view,
                |table| keys.iter().map(|key| table.get(key)).collect(),
                |log, _, start| log.keys_conflict(keys.iter(), start),
            )
        })
    }

    fn list(&self, scan: Scan, view: View) -> Answer<Snapshot<Vec<Entry>>> {
        let (origin, intent) = admission(view);
        self.perform(origin, intent, Need::Read, move |state| {
            state.look(
                view,
                |table| table.scan(&scan),
                |log, entries, start| log.range_conflict(&scan.covered(entries), start),
            )
        })
    }

    fn alarm(&self, view: View) -> Answer<Snapshot<Option<i64>>> {
        let (origin, intent) = admission(view);
        let source = self.source.clone();
        self.perform(origin, intent, Need::Read, move |state| {
            let shown = |table: &dyn Table| match table.alarm()? {
                Some(at) if state.hides(at, source.as_deref())? => Ok(None),
                alarm => Ok(alarm),
            };
            state.look(view, shown, |log, _, start| log.alarm_conflict(start))
        })
    }

    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed> {
        self.perform(origin, Intent::Change, Need::of(&writes), move |state| state.apply(writes))
    }

    fn undo(&self, turn: TurnId) -> Answer<()> {
        self.perform(None, Intent::Change, Need::Write, move |state| state.undo(turn))
    }

    fn end_turn(&self, turn: TurnId) {
        if let Ok(mut state) = self.locked() {
            drop(state.take_journal(turn));
        }
    }

    fn prepare_alarm(&self) -> Answer<()> {
        if matches!(self.is_claimed_elsewhere(), Ok(true)) {
            return Answer::Now(Ok(()));
        }
        self.perform(None, Intent::Look, Need::Write, |_| Ok(()))
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        let source = self.source.clone();
        self.perform(None, Intent::Change, Need::Write, move |state| {
            let alarm = state.table.as_ref().map_or(Ok(None), Table::alarm)?;
            if alarm.is_none_or(|at| at > due_ms) || state.is_claimed(source.as_deref())? {
                return Ok(false);
            }
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            state.apply(writes)?;
            // Nobody waits for this write, who would seal it later.
            state.seal().map(|()| true)
        })
    }

    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>> {
        self.claim(due_ms, again)
    }

    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        self.finish_claim(claim, end)
    }

    fn begin(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start> {
        let intent = if turn { Intent::Change } else { Intent::Look };
        let start = move |state: &mut State<T>| {
            let id = NEXT_TRANSACTION.fetch_add(1, Ordering::Relaxed);
            if origin.is_some_and(|origin| state.turn.includes(origin)) {
                state.turn.join(id);
            } else if turn {
                state.turn.take(id);
            }
            state.log.begin(state.sequence);
            Ok(Start { id, sequence: state.sequence })
        };
        self.perform_or_undo(origin, intent, Need::Read, start, State::finish)
    }

    fn commit(&self, start: Start, footprint: Footprint, writes: WriteBatch) -> Answer<Outcome> {
        let need = Need::of(&writes);
        let durability = self.durability.clone();
        let work = move |state: &mut State<T>| {
            let conflict = state.log.conflict(&footprint, start.sequence);
            let own = state.turn.is_held_by(start.id);
            let outcome = match conflict {
                Some(what) => Ok(Outcome::Lost(Conflict { what, own })),
                // What somebody is told of has to be durable, so a reader waits for what it has read.
                None if writes.is_empty() && !footprint.is_empty() => {
                    let ticket = durability.unsettled(state.newest);
                    Ok(Outcome::Committed(Committed { removed: 0, ticket }))
                }
                None => state.apply(writes).map(Outcome::Committed),
            };
            state.finish(start);
            outcome
        };
        self.perform(Some(start.id), Intent::Change, need, work)
    }

    fn end(&self, start: Start) {
        if let Ok(mut state) = self.locked() {
            state.finish(start);
            self.run_waiting(&mut state);
        }
    }

    fn unsettled(&self) -> Ticket {
        lock(&self.state).map_or(0, |state| self.durability.unsettled(state.newest))
    }

    fn durable(&self, ticket: Ticket) -> Answer<()> {
        match lock(&self.state) {
            Ok(state) => match &state.ended {
                Some(error @ Error::Internal(_)) => Answer::Now(Err(error.clone())),
                _ => self.durability.wait(ticket),
            },
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn seal(&self) {
        if let Ok(mut state) = self.locked() {
            // Everybody who waits for the batch is told of a failure.
            let _ = state.seal();
            state.seal_arrivals();
            self.run_waiting(&mut state);
        }
    }
}
