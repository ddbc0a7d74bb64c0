//! The whole contract of [`ObjectStorage`] above a [`Table`] in this process.
//!
//! - [`table`]: what a backend implements
//! - [`object`]: the object, and the opener that gives it its tables
//! - [`table_state`]: where the table is
//! - [`state`]: what an object is, behind its lock
//! - [`queue`]: operations that wait
//! - [`lifetime`]: opens, closes and hands over the table
//! - [`claim`], [`alarm`]: who handles the alarm
//! - [`sqlite_table`], [`sql`]: a table over a SQLite database, and its SQL
//! - [`journal`], [`undo`]: undoes the writes of a turn of the event loop

mod alarm;
mod claim;
mod journal;
mod lifetime;
mod object;
mod queue;
mod sql;
mod sqlite_table;
mod state;
mod table;
mod table_state;
mod undo;

use std::sync::atomic::{AtomicU64, Ordering};

pub use self::claim::{ClaimMarker, ForeignClaim};
pub use self::lifetime::IdleTable;
pub use self::object::{LocalObject, TableOpener};
pub use self::sqlite_table::{Home, SqliteTable};
use self::state::{Need, State};
pub use self::table::{Access, SqlTable, Table};
use super::{
    AlarmClaim, AlarmEnd, ClaimId, CommitOutcome, Committed, Conflict, ObjectStorage, ReadResult,
    ReadView, SqlStorage, Start, Ticket,
};
use crate::answer::Answer;
use crate::concurrency::turn::Intent;
use crate::concurrency::{ReadSet, TransactionId};
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::write_batch::{TurnId, WriteBatch};

/// Names attempts across all objects of the process, so that no two attempts have the same name.
static NEXT_TRANSACTION: AtomicU64 = AtomicU64::new(1);

impl<T: Table> LocalObject<T> {
    /// Changes the table other than by a commit. Every running attempt loses, and the index of alarms gets what `change`
    /// returns.
    pub fn change(&self, change: impl FnOnce(&mut T) -> Option<i64>) -> Result<()> {
        let mut state = self.locked()?;
        state.lose_attempts();
        state.end_claim();
        if let Some(alarm) = state.table.get_mut().map(change) {
            state.alarms.set(&state.key, alarm)?;
        }
        self.run_waiting(&mut state);
        Ok(())
    }
}

/// How a read is admitted: a running attempt reads on, and any other read may have to wait.
fn admission(view: ReadView) -> (Option<TransactionId>, Intent) {
    match view {
        ReadView::Latest(issued_by) => (issued_by, Intent::Read),
        ReadView::Since(start) => (Some(start.id), Intent::Resume),
    }
}

impl<T: Table> ObjectStorage for LocalObject<T> {
    fn sql(&self) -> Option<&dyn SqlStorage> {
        Some(self)
    }

    fn read(&self, keys: Vec<Key>, view: ReadView) -> Answer<ReadResult<Vec<Option<Value>>>> {
        let (issued_by, intent) = admission(view);
        self.perform(issued_by, intent, Need::Read, move |state| {
            state.look(
                view,
                |table| keys.iter().map(|key| table.get(key)).collect(),
                |log, _, start| log.keys_conflict(keys.iter(), start),
            )
        })
    }

    fn list(&self, scan: Scan, view: ReadView) -> Answer<ReadResult<Vec<Entry>>> {
        let (issued_by, intent) = admission(view);
        self.perform(issued_by, intent, Need::Read, move |state| {
            state.look(
                view,
                |table| table.scan(&scan),
                |log, entries, start| log.range_conflict(&scan.covered(entries), start),
            )
        })
    }

    fn alarm(&self, view: ReadView) -> Answer<ReadResult<Option<i64>>> {
        let (issued_by, intent) = admission(view);
        let opener = self.opener.clone();
        self.perform(issued_by, intent, Need::Read, move |state| {
            let shown = |table: &dyn Table| match table.alarm()? {
                Some(at) if state.hides(at, opener.as_deref())? => Ok(None),
                alarm => Ok(alarm),
            };
            state.look(view, shown, |log, _, start| log.alarm_conflict(start))
        })
    }

    fn write(&self, writes: WriteBatch, issued_by: Option<TransactionId>) -> Answer<Committed> {
        self.perform(issued_by, Intent::Write, Need::of(&writes), move |state| state.apply(writes))
    }

    fn undo(&self, turn: TurnId) -> Answer<()> {
        self.perform(None, Intent::Write, Need::Write, move |state| state.undo(turn))
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
        self.perform(None, Intent::Read, Need::Write, |_| Ok(()))
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        let opener = self.opener.clone();
        self.perform(None, Intent::Write, Need::Write, move |state| {
            let alarm = state.table.get().map_or(Ok(None), Table::alarm)?;
            if alarm.is_none_or(|at| at > due_ms) || state.is_claimed(opener.as_deref())? {
                return Ok(false);
            }
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            state.apply(writes)?;
            // No caller waits for this write, so none seals it later.
            state.seal().map(|()| true)
        })
    }

    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>> {
        self.claim(due_ms, again)
    }

    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        self.finish_claim(claim, end)
    }

    fn begin(&self, turn: bool, issued_by: Option<TransactionId>) -> Answer<Start> {
        let intent = if turn { Intent::Write } else { Intent::Read };
        let start = move |state: &mut State<T>| {
            let id = NEXT_TRANSACTION.fetch_add(1, Ordering::Relaxed);
            if issued_by.is_some_and(|issued_by| state.turn.includes(issued_by)) {
                state.turn.join(id);
            } else if turn {
                state.turn.take(id);
            }
            state.log.begin(state.sequence);
            Ok(Start { id, sequence: state.sequence })
        };
        self.perform_or_undo(issued_by, intent, Need::Read, start, State::finish)
    }

    fn commit(&self, start: Start, read_set: ReadSet, writes: WriteBatch) -> Answer<CommitOutcome> {
        let need = Need::of(&writes);
        let durability = self.durability.clone();
        let work = move |state: &mut State<T>| {
            let conflict = state.log.conflict(&read_set, start.sequence);
            let own = state.turn.is_held_by(start.id);
            let outcome = match conflict {
                Some(what) => Ok(CommitOutcome::Lost(Conflict { what, own })),
                // What a caller is told has to be durable, so the commit waits for the writes that the attempt has read.
                None if writes.is_empty() && !read_set.is_empty() => {
                    let ticket = durability.pending(state.newest);
                    Ok(CommitOutcome::Committed(Committed { removed: 0, ticket }))
                }
                None => state.apply(writes).map(CommitOutcome::Committed),
            };
            state.finish(start);
            outcome
        };
        self.perform(Some(start.id), Intent::Write, need, work)
    }

    fn end(&self, start: Start) {
        if let Ok(mut state) = self.locked() {
            state.finish(start);
            self.run_waiting(&mut state);
        }
    }

    fn pending_ticket(&self) -> Ticket {
        lock(&self.state).map_or(0, |state| self.durability.pending(state.newest))
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
            // Callers that wait for the batch get the error.
            let _ = state.seal();
            state.seal_arrivals();
            self.run_waiting(&mut state);
        }
    }
}
