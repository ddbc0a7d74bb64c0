//! What an object is behind its lock, and what may be done to it there without waiting.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::claim::Held;
use super::journal::Journal;
use super::queue::{Job, Need, Run};
use crate::alarm_index::AlarmIndex;
use crate::backend::memory::MemoryTable;
use crate::backend::{Committed, Conflict, ObjectKey, Snapshot, Start, Table, Ticket, View};
use crate::concurrency::commit_log::CommitLog;
use crate::concurrency::turn::{Intent, Turn};
use crate::concurrency::{Sequence, TransactionId};
use crate::error::{Error, Result};
use crate::write_batch::WriteBatch;

/// Whether the table of an object is being opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    No,
    /// Others may have had the object before.
    Afresh,
    /// It was at hand and could not be written to. Nobody else has had the object meanwhile, so that attempts go on.
    ToWrite,
}

/// What an object is, behind its lock.
pub(super) struct State<T> {
    pub(super) table: Option<T>,
    pub(super) opening: Opening,
    /// What waits for the table, in order of arrival.
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
    /// The source waits until the table is not in use.
    pub(super) awaited: bool,
    /// Somebody else waits for the table: it goes as soon as no turn is on and every write is sealed.
    pub(super) wanted: bool,
    /// Why no operation is possible any more: the place was closed, or a panic has left the table in doubt.
    pub(super) ended: Option<Error>,
}

impl<T: Table> State<T> {
    /// An object that nobody has used yet.
    pub(super) fn new(table: Option<T>, key: ObjectKey, alarms: Arc<AlarmIndex>) -> Self {
        Self {
            table,
            opening: Opening::No,
            arrivals: VecDeque::new(),
            sequence: 0,
            newest: 0,
            log: CommitLog::default(),
            turn: Turn::default(),
            key,
            alarms,
            claim: None,
            journal: None,
            awaited: false,
            wanted: false,
            ended: None,
        }
    }

    /// Runs `work`; a panic in it ends the object, because nobody knows what it left behind.
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

    pub(super) fn fail_waiting(&mut self, error: &Error) {
        let turn = std::mem::take(&mut self.turn);
        for job in std::mem::take(&mut self.arrivals).into_iter().chain(turn.into_jobs()) {
            (job.run)(Err(error.clone()));
        }
    }

    /// Makes every running attempt lose, also one that has its turn: others may write where nobody here
    /// sees it.
    pub(super) fn lose_attempts(&mut self) {
        self.sequence += 1;
        self.log.invalidate(self.sequence);
        if let Some(number) = self.turn.held_number() {
            self.turn.expire(number);
        }
    }

    pub(super) fn take_table(&mut self) -> Option<T> {
        self.wanted = false;
        self.journal = None;
        let table = self.table.take()?;
        self.lose_attempts();
        Some(table)
    }

    /// Whether the table is better opened anew, and holds nothing that would be lost.
    pub(super) fn has_broken_table(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.is_broken() && !table.is_dirty())
    }

    /// Whether the table must stay: a turn is on, or a batch gathers.
    pub(super) fn is_busy(&self) -> bool {
        self.turn.held_number().is_some() || self.table.as_ref().is_some_and(Table::is_dirty)
    }

    /// Whether the table cannot be closed and opened again without a difference: it is being opened, an attempt runs,
    /// or a batch gathers.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_opening() || self.is_busy() || self.log.is_needed()
    }

    /// Whether the table is being opened, which always ends.
    pub(super) fn is_opening(&self) -> bool {
        self.opening != Opening::No
    }

    /// Whether `origin` may act now. While somebody else waits for the table, nobody overtakes those
    /// who wait here.
    pub(super) fn admits(&self, origin: Option<TransactionId>, intent: Intent) -> bool {
        let pausing = self.wanted && self.turn.held_number().is_none();
        let queues = pausing && intent != Intent::Continue && self.turn.is_awaited();
        !queues && self.turn.admits(origin, intent)
    }

    /// Ends the batch that gathers. A table that fails is dropped.
    pub(super) fn seal(&mut self) -> Result<()> {
        let sealed = self.table.as_mut().map_or(Ok(()), Table::seal);
        if sealed.is_err() {
            self.take_table();
        }
        sealed
    }

    /// Lets what waits for the table be a batch of its own, to be sealed as soon as the table has it.
    pub(super) fn seal_arrivals(&mut self) {
        if !self.arrivals.is_empty() {
            let run: Run<T> = Box::new(|state| {
                if let Ok(state) = state {
                    let _ = state.seal();
                }
            });
            let (intent, need) = (Intent::Continue, Need::Nothing);
            self.arrivals.push_back(Job { origin: None, intent, need, run });
        }
    }

    pub(super) fn look<R>(
        &self,
        view: View,
        read: impl FnOnce(&dyn Table) -> Result<R>,
        conflict: impl FnOnce(&CommitLog, &R, Sequence) -> Option<String>,
    ) -> Result<Snapshot<R>> {
        let found = match &self.table {
            Some(table) => read(table)?,
            None => read(&MemoryTable::default())?,
        };
        if let View::Since(start) = view
            && let Some(what) = conflict(&self.log, &found, start.sequence)
        {
            return Ok(Snapshot::Stale(Conflict { what, own: self.turn.is_held_by(start.id) }));
        }
        Ok(Snapshot::Fresh(found))
    }

    pub(super) fn apply(&mut self, writes: WriteBatch) -> Result<Committed> {
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        self.note_before(&writes)?;
        let Some(table) = &mut self.table else {
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
        self.newest = ticket;
        self.sequence += 1;
        if let Some(recorded) = recorded {
            self.log.record(self.sequence, &recorded);
        }
        if let Some(alarm) = alarm {
            self.alarm_written();
            self.alarms.set(&self.key, alarm)?;
        }
        Ok(Committed { removed, ticket })
    }

    pub(super) fn finish(&mut self, start: Start) {
        self.log.end(start.sequence);
        self.turn.release(start.id);
    }
}
