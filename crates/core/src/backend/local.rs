//! The whole contract of [`Object`] above a [`Table`] in this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::oneshot;

use super::{
    Committed, Conflict, Object, ObjectKey, Outcome, Snapshot, Start, Table, Ticket, View,
};
use crate::alarm::AlarmIndex;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::transaction::commit_log::CommitLog;
use crate::transaction::turn::{Intent, TURN_LEASE, Turn};
use crate::transaction::{Footprint, Sequence, TransactionId};
use crate::write::WriteBatch;

/// Names attempts across all objects of the process, so that an origin is never taken for another's.
static NEXT_TRANSACTION: AtomicU64 = AtomicU64::new(1);

/// One object whose bytes are in this process; shared by everybody who uses it here.
pub struct LocalObject<T> {
    state: Mutex<State<T>>,
    /// For leases: they must not keep the object alive.
    this: Weak<Self>,
}

type Job<T> = Box<dyn FnOnce(&mut State<T>) + Send>;

struct State<T> {
    table: T,
    /// Newest commit.
    sequence: Sequence,
    log: CommitLog,
    turn: Turn<Job<T>>,
    key: ObjectKey,
    alarms: Arc<AlarmIndex>,
    closed: bool,
}

impl<T: Table> LocalObject<T> {
    /// An object over `table`, which keeps its entry in `alarms` true.
    pub fn new(table: T, key: ObjectKey, alarms: Arc<AlarmIndex>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State {
                table,
                sequence: 0,
                log: CommitLog::default(),
                turn: Turn::default(),
                key,
                alarms,
                closed: false,
            }),
            this: this.clone(),
        })
    }

    /// Whether the object holds neither a key nor an alarm.
    pub fn is_empty(&self) -> Result<bool> {
        lock(&self.state)?.table.is_empty()
    }

    /// Makes every later operation fail, and every waiting one too.
    pub fn close(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.closed = true;
            state.turn = Turn::default();
        }
    }

    /// Runs `work` now, or when the turn of another attempt has ended.
    fn perform<R: Send + 'static>(
        &self,
        origin: Option<TransactionId>,
        intent: Intent,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
    ) -> Answer<R> {
        let mut state = match lock(&self.state) {
            Ok(state) if state.closed => return Answer::Now(Err(Error::Closed)),
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if state.turn.admits(origin, intent) {
            let result = work(&mut state);
            state.run_waiting();
            return Answer::Now(result);
        }
        let (send, receive) = oneshot::channel();
        let number = state.turn.wait(Box::new(move |state| {
            // The receiver is gone only if nobody wants the answer any more.
            let _ = send.send(work(state));
        }));
        Answer::later(wait_for_turn(self.this.clone(), number, receive))
    }

    /// Ends turn `number` if it is still on; gives the number of the turn that is on now.
    fn expire_turn(&self, number: u64) -> Option<u64> {
        let mut state = lock(&self.state).ok()?;
        state.turn.expire(number);
        state.run_waiting();
        state.turn.held_number()
    }
}

/// Waits for a job's result, and ends each turn that outlasts its lease meanwhile.
async fn wait_for_turn<T: Table, R>(
    object: Weak<LocalObject<T>>,
    mut number: u64,
    mut receive: oneshot::Receiver<Result<R>>,
) -> Result<R> {
    loop {
        match tokio::time::timeout(TURN_LEASE, &mut receive).await {
            Ok(result) => return result.unwrap_or(Err(Error::Closed)),
            Err(_) => {
                if let Some(current) =
                    object.upgrade().and_then(|object| object.expire_turn(number))
                {
                    number = current;
                }
            }
        }
    }
}

impl<T: Table> State<T> {
    fn run_waiting(&mut self) {
        while let Some(job) = self.turn.next_job() {
            job(self);
        }
    }

    fn look<R>(
        &self,
        view: View,
        read: impl FnOnce(&T) -> Result<R>,
        conflict: impl FnOnce(&CommitLog, &R, Sequence) -> Option<String>,
    ) -> Result<Snapshot<R>> {
        let found = read(&self.table)?;
        if let View::Since(start) = view
            && let Some(what) = conflict(&self.log, &found, start.sequence)
        {
            return Ok(Snapshot::Stale(Conflict { what, own: self.turn.is_held_by(start.id) }));
        }
        Ok(Snapshot::Fresh(found))
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Committed> {
        if writes.is_empty() {
            return Ok(Committed::default());
        }
        let mut removed = 0;
        for (key, value) in writes.entries() {
            if value.is_none() && self.table.get(key)?.is_some() {
                removed += 1;
            }
        }
        self.log.record(self.sequence + 1, &writes);
        self.sequence += 1;
        let alarm = writes.alarm();
        let ticket = self.table.apply(writes)?;
        if let Some(alarm) = alarm {
            self.alarms.set(&self.key, alarm)?;
        }
        Ok(Committed { removed, ticket })
    }

    fn finish(&mut self, start: Start) {
        self.log.end(start.sequence);
        self.turn.release(start.id);
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
        self.perform(origin, intent, move |state| {
            state.look(
                view,
                |table| keys.iter().map(|key| table.get(key)).collect(),
                |log, _, start| log.keys_conflict(keys.iter(), start),
            )
        })
    }

    fn list(&self, scan: Scan, view: View) -> Answer<Snapshot<Vec<Entry>>> {
        let (origin, intent) = admission(view);
        self.perform(origin, intent, move |state| {
            state.look(
                view,
                |table| table.scan(&scan),
                |log, entries, start| log.range_conflict(&scan.covered(entries), start),
            )
        })
    }

    fn alarm(&self, view: View) -> Answer<Snapshot<Option<i64>>> {
        let (origin, intent) = admission(view);
        self.perform(origin, intent, move |state| {
            state.look(view, Table::alarm, |log, _, start| log.alarm_conflict(start))
        })
    }

    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed> {
        self.perform(origin, Intent::Change, move |state| state.apply(writes))
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        self.perform(None, Intent::Change, move |state| {
            if state.table.alarm()?.is_none_or(|at| at > due_ms) {
                return Ok(false);
            }
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            state.apply(writes).map(|_| true)
        })
    }

    fn begin(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start> {
        let intent = if turn { Intent::Change } else { Intent::Look };
        self.perform(origin, intent, move |state| {
            let id = NEXT_TRANSACTION.fetch_add(1, Ordering::Relaxed);
            if origin.is_some_and(|origin| state.turn.includes(origin)) {
                state.turn.join(id);
            } else if turn {
                state.turn.take(id);
            }
            state.log.begin(state.sequence);
            Ok(Start { id, sequence: state.sequence })
        })
    }

    fn commit(&self, start: Start, footprint: Footprint, writes: WriteBatch) -> Answer<Outcome> {
        let work = move |state: &mut State<T>| {
            let conflict = state.log.conflict(&footprint, start.sequence);
            let own = state.turn.is_held_by(start.id);
            let outcome = match conflict {
                Some(what) => Ok(Outcome::Lost(Conflict { what, own })),
                None => state.apply(writes).map(Outcome::Committed),
            };
            state.finish(start);
            outcome
        };
        self.perform(Some(start.id), Intent::Change, work)
    }

    fn end(&self, start: Start) {
        if let Ok(mut state) = lock(&self.state) {
            state.finish(start);
            state.run_waiting();
        }
    }

    fn durable(&self, ticket: Ticket) -> Answer<()> {
        match lock(&self.state) {
            Ok(state) => state.table.durable(ticket),
            Err(error) => Answer::Now(Err(error)),
        }
    }
}
