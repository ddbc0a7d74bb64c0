//! The whole contract of [`Object`] above a [`Table`] in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// Why no operation is possible any more: the place was closed, or a panic has left the table in doubt.
    ended: Option<Error>,
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
                ended: None,
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
            state.stop(Error::Closed);
        }
    }

    /// Runs `work` now, or when the turn of another attempt has ended. What it did stays done when
    /// nobody waits for the answer any more.
    fn perform<R: Send + 'static>(
        &self,
        origin: Option<TransactionId>,
        intent: Intent,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
    ) -> Answer<R> {
        self.perform_or_undo(origin, intent, work, |_, _| ())
    }

    /// As [`Self::perform`], but `undo` gets the result of waiting work that nobody has picked up.
    fn perform_or_undo<R: Send + 'static>(
        &self,
        origin: Option<TransactionId>,
        intent: Intent,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
        undo: fn(&mut State<T>, R),
    ) -> Answer<R> {
        let mut state = match lock(&self.state) {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(error) = &state.ended {
            return Answer::Now(Err(error.clone()));
        }
        if state.turn.admits(origin, intent) {
            let result = state.guarded(work);
            state.run_waiting();
            return Answer::Now(result);
        }
        let (send, receive) = oneshot::channel();
        let number = state.turn.wait(Box::new(move |state| {
            let result = state.guarded(work);
            if let Err(Ok(unwanted)) = send.send(result) {
                undo(state, unwanted);
            }
        }));
        Answer::later(Waiting { object: self.this.clone(), receive, undo }.wait(number))
    }

    /// Ends turn `number` if it is still on; gives the number of the turn that is on now.
    fn expire_turn(&self, number: u64) -> Option<u64> {
        let mut state = lock(&self.state).ok()?;
        state.turn.expire(number);
        state.run_waiting();
        state.turn.held_number()
    }
}

/// The result of a waiting job on its way to whoever asked.
struct Waiting<T: Table, R> {
    object: Weak<LocalObject<T>>,
    receive: oneshot::Receiver<Result<R>>,
    undo: fn(&mut State<T>, R),
}

impl<T: Table, R> Waiting<T, R> {
    /// Waits for the result, and ends each turn that outlasts its lease meanwhile.
    async fn wait(mut self, mut number: u64) -> Result<R> {
        loop {
            match tokio::time::timeout(TURN_LEASE, &mut self.receive).await {
                Ok(result) => return result.unwrap_or_else(|_| Err(self.why_ended())),
                Err(_) => {
                    if let Some(current) =
                        self.object.upgrade().and_then(|object| object.expire_turn(number))
                    {
                        number = current;
                    }
                }
            }
        }
    }

    fn why_ended(&self) -> Error {
        let ended =
            self.object.upgrade().and_then(|object| lock(&object.state).ok()?.ended.clone());
        ended.unwrap_or(Error::Closed)
    }
}

impl<T: Table, R> Drop for Waiting<T, R> {
    fn drop(&mut self) {
        self.receive.close();
        if let Ok(Ok(unwanted)) = self.receive.try_recv()
            && let Some(object) = self.object.upgrade()
            && let Ok(mut state) = lock(&object.state)
        {
            (self.undo)(&mut state, unwanted);
            state.run_waiting();
        }
    }
}

impl<T: Table> State<T> {
    /// Runs `work`; a panic in it ends the object, because nobody knows what it left behind.
    fn guarded<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            let error = Error::Internal("a panic has left the state of an object in doubt".into());
            self.stop(error.clone());
            Err(error)
        })
    }

    /// Makes every later operation fail, and every waiting one too.
    fn stop(&mut self, error: Error) {
        self.ended.get_or_insert(error);
        self.turn = Turn::default();
    }

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
        let recorded = self.log.is_needed().then(|| writes.clone());
        let alarm = writes.alarm();
        let ticket = self.table.apply(writes)?;
        self.sequence += 1;
        if let Some(recorded) = recorded {
            self.log.record(self.sequence, &recorded);
        }
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
        self.perform_or_undo(origin, intent, start, State::finish)
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
            Ok(state) => match &state.ended {
                Some(error @ Error::Internal(_)) => Answer::Now(Err(error.clone())),
                _ => state.table.durable(ticket),
            },
            Err(error) => Answer::Now(Err(error)),
        }
    }
}
