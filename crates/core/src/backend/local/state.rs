//! What an object is behind its lock, and what can be done there without waiting.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::claim::Held;
use super::journal::Journal;
use super::table::{Access, EmptyTable, Table};
use super::table_state::TableState;
use crate::alarm_index::AlarmIndex;
use crate::backend::{Committed, Conflict, ObjectKey, ReadResult, ReadView, Start, Ticket};
use crate::concurrency::commit_log::CommitLog;
use crate::concurrency::turn::{Intent, Turn};
use crate::concurrency::{Sequence, TransactionId};
use crate::error::{Error, Result};
use crate::write_batch::WriteBatch;

/// What a waiting operation does with the state, or with the reason why it cannot.
pub(super) type Run<T> = Box<dyn FnOnce(Result<&mut State<T>>) + Send>;

/// An operation that waits for the table, or for the end of a turn.
pub(super) struct Job<T> {
    pub(super) issued_by: Option<TransactionId>,
    pub(super) intent: Intent,
    pub(super) need: Need,
    pub(super) run: Run<T>,
}

/// What an operation needs of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// To end an attempt that writes nothing: only the log counts.
    Nothing,
    /// To read: an object that does not exist reads like an empty one.
    Read,
    /// To remove: that changes nothing if the object does not exist.
    Remove,
    /// To store.
    Write,
}

impl Need {
    pub(super) fn of(writes: &WriteBatch) -> Self {
        match writes {
            _ if writes.is_empty() => Self::Nothing,
            _ if writes.only_removes() => Self::Remove,
            _ => Self::Write,
        }
    }

    pub(super) fn access(self) -> Access {
        match self {
            Self::Nothing | Self::Read => Access::Read,
            Self::Remove | Self::Write => Access::Write,
        }
    }
}

/// What an object is, behind its lock.
pub(super) struct State<T> {
    pub(super) table: TableState<T>,
    /// Operations that wait for the table, in order of arrival.
    pub(super) arrivals: VecDeque<Job<T>>,
    /// Newest commit.
    pub(super) sequence: Sequence,
    /// Ticket of the newest write.
    pub(super) newest: Ticket,
    pub(super) log: CommitLog,
    pub(super) turn: Turn<Job<T>>,
    pub(super) key: ObjectKey,
    pub(super) alarms: Arc<AlarmIndex>,
    /// The claim of the alarm that this process has.
    pub(super) claim: Option<Held>,
    pub(super) journal: Option<Journal>,
    /// Callers that keep the table open.
    pub(super) pins: u32,
    /// How often the object was opened after another process may have had it.
    pub(super) foreign_arrivals: u64,
    /// The opener waits until the table is not in use.
    pub(super) idle_is_awaited: bool,
    /// Why the object accepts no operation any more: its store was closed, or a panic has left the table in doubt. What
    /// waits may still be done.
    pub(super) ended: Option<Error>,
}

impl<T: Table> State<T> {
    /// An object that has not been used yet.
    pub(super) fn new(table: TableState<T>, key: ObjectKey, alarms: Arc<AlarmIndex>) -> Self {
        Self {
            table,
            arrivals: VecDeque::new(),
            sequence: 0,
            newest: 0,
            log: CommitLog::default(),
            turn: Turn::default(),
            key,
            alarms,
            claim: None,
            journal: None,
            pins: 0,
            foreign_arrivals: 0,
            idle_is_awaited: false,
            ended: None,
        }
    }

    /// Runs `work`. A panic in it ends the object, because what it left behind is unknown.
    pub(super) fn guarded<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            let error = Error::Internal("a panic has left the state of an object in doubt".into());
            self.stop(error.clone());
            Err(error)
        })
    }

    /// Makes every later operation fail, and every waiting one too.
    pub(super) fn stop(&mut self, error: Error) {
        self.end_claim();
        let error = self.ended.get_or_insert(error).clone();
        self.fail_waiting(&error);
    }

    /// Makes every waiting operation fail.
    pub(super) fn fail_waiting(&mut self, error: &Error) {
        let turn = std::mem::take(&mut self.turn);
        for job in std::mem::take(&mut self.arrivals).into_iter().chain(turn.into_jobs()) {
            (job.run)(Err(error.clone()));
        }
    }

    /// Makes every running attempt lose, also one that has its turn: from now on others may write unseen.
    pub(super) fn lose_attempts(&mut self) {
        self.sequence += 1;
        self.log.invalidate(self.sequence);
        if let Some(number) = self.turn.held_number() {
            self.turn.expire(number);
        }
    }

    /// Takes the table away, if it is open. Running attempts lose.
    pub(super) fn take_table(&mut self) -> Option<T> {
        self.journal = None;
        let table = self.table.take()?;
        self.lose_attempts();
        Some(table)
    }

    /// Whether it is better to open the table again, and the table holds nothing that would be lost.
    pub(super) fn has_broken_table(&self) -> bool {
        self.table.get().is_some_and(|table| table.is_broken() && !table.is_dirty())
    }

    /// Whether the table must stay open: a turn is held, or a batch is not sealed.
    pub(super) fn is_busy(&self) -> bool {
        self.turn.held_number().is_some()
            || self.pins > 0
            || self.table.get().is_some_and(Table::is_dirty)
    }

    /// Whether closing the table and opening it again would make a difference. It would if the table is on its way, an
    /// attempt runs, or a batch is not sealed.
    pub(super) fn is_in_use(&self) -> bool {
        self.table.is_opening() || self.is_busy() || self.log.is_needed()
    }

    /// Whether `issued_by` may act now. While another process waits for the table, no operation overtakes those that wait
    /// here.
    pub(super) fn admits(&self, issued_by: Option<TransactionId>, intent: Intent) -> bool {
        let pausing = self.table.is_handing_over() && self.turn.held_number().is_none();
        let queues = pausing && intent != Intent::Resume && self.turn.is_awaited();
        !queues && self.turn.admits(issued_by, intent)
    }

    /// Ends the current batch. A table that fails is dropped.
    pub(super) fn seal(&mut self) -> Result<()> {
        let sealed = self.table.get_mut().map_or(Ok(()), Table::seal);
        if sealed.is_err() {
            self.take_table();
        }
        sealed
    }

    /// Makes a batch of what waits for the table. It is sealed as soon as the table has it.
    pub(super) fn seal_arrivals(&mut self) {
        if !self.arrivals.is_empty() {
            let run: Run<T> = Box::new(|state| {
                if let Ok(state) = state {
                    let _ = state.seal();
                }
            });
            let (intent, need) = (Intent::Resume, Need::Nothing);
            self.arrivals.push_back(Job { issued_by: None, intent, need, run });
        }
    }

    /// Reads from the table, or from an empty one if none is open. `conflict` names what the read has met that was written
    /// since a commit.
    pub(super) fn look<R>(
        &self,
        view: ReadView,
        read: impl FnOnce(&dyn Table) -> Result<R>,
        conflict: impl FnOnce(&CommitLog, &R, Sequence) -> Option<String>,
    ) -> Result<ReadResult<R>> {
        let found = match self.table.get() {
            Some(table) => read(table)?,
            None => read(&EmptyTable)?,
        };
        if let ReadView::Since(start) = view
            && let Some(what) = conflict(&self.log, &found, start.sequence)
        {
            return Ok(ReadResult::Conflict(Conflict {
                what,
                own: self.turn.is_held_by(start.id),
            }));
        }
        Ok(ReadResult::Value(found))
    }

    /// Writes, and records the writes for the attempts that run.
    pub(super) fn apply(&mut self, writes: WriteBatch) -> Result<Committed> {
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        self.note_before(&writes)?;
        let Some(table) = self.table.get_mut() else {
            let nothing_to_remove = writes.only_removes();
            let error = || Error::Internal("a write found no table".into());
            return nothing_to_remove.then(Committed::default).ok_or_else(error);
        };
        let mut removed = 0;
        for (key, value) in writes.entries() {
            if value.is_none() && table.get(key)?.is_some() {
                removed += 1;
            }
        }
        let recorded = self.log.is_needed().then(|| writes.clone());
        let alarm = writes.alarm();
        let ticket = table.apply(writes)?;
        let is_nested = table.sqlite().is_some_and(|sqlite| sqlite.is_nested());
        self.newest = ticket;
        self.sequence += 1;
        if let Some(recorded) = recorded {
            self.log.record(self.sequence, &recorded);
        }
        if let Some(alarm) = alarm {
            self.alarm_written();
            if !is_nested {
                self.alarms.set(&self.key, alarm)?;
            }
        }
        Ok(Committed { removed, ticket })
    }

    /// Forgets an attempt, and its turn if it has one.
    pub(super) fn finish(&mut self, start: Start) {
        self.log.end(start.sequence);
        self.turn.release(start.id);
    }
}
