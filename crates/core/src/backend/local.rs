//! The whole contract of [`Object`] above a [`Table`] in this process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::oneshot;

use super::memory::MemoryTable;
use super::{
    Access, Committed, Conflict, Object, ObjectKey, Outcome, Snapshot, Source, Start, Table,
    Ticket, View,
};
use crate::alarm::AlarmIndex;
use crate::answer::Answer;
use crate::durability::Durability;
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

/// Counts uses of objects, to order them by last use.
static USES: AtomicU64 = AtomicU64::new(1);

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

/// What a waiting operation does with the state, or with the reason why it cannot.
type Run<T> = Box<dyn FnOnce(Result<&mut State<T>>) + Send>;

/// An operation that waits: for the table, or for the end of a turn.
struct Job<T> {
    origin: Option<TransactionId>,
    intent: Intent,
    need: Need,
    run: Run<T>,
}

struct State<T> {
    table: Option<T>,
    opening: bool,
    /// Whether what is being opened is a table that was at hand and could not be written to. Nobody else
    /// has had the object meanwhile, so that attempts go on.
    widening: bool,
    /// What waits for the table, in order of arrival.
    arrivals: VecDeque<Job<T>>,
    /// Newest commit.
    sequence: Sequence,
    /// Ticket of the newest write.
    newest: Ticket,
    log: CommitLog,
    turn: Turn<Job<T>>,
    key: ObjectKey,
    alarms: Arc<AlarmIndex>,
    /// Somebody else waits for the table: it goes as soon as no turn is on and every write is sealed.
    wanted: bool,
    /// Why no operation is possible any more: the place was closed, or a panic has left the table in doubt.
    ended: Option<Error>,
}

/// What an operation needs of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// To end an attempt that writes nothing: only the log counts.
    Nothing,
    /// To read: an object that does not exist is as good as an empty one.
    Read,
    /// To remove, which changes nothing where there is no object.
    Remove,
    /// To store.
    Write,
}

impl Need {
    fn of(writes: &WriteBatch) -> Self {
        match writes {
            _ if writes.is_empty() => Self::Nothing,
            _ if writes.only_removes() => Self::Remove,
            _ => Self::Write,
        }
    }

    fn access(self) -> Access {
        match self {
            Self::Nothing | Self::Read => Access::Read,
            Self::Remove | Self::Write => Access::Write,
        }
    }
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
            state: Mutex::new(State {
                table,
                opening: false,
                widening: false,
                arrivals: VecDeque::new(),
                sequence: 0,
                newest: 0,
                log: CommitLog::default(),
                turn: Turn::default(),
                key: key.clone(),
                alarms,
                wanted: false,
                ended: None,
            }),
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

    /// Whether the table is at hand.
    pub fn is_open(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.table.is_some())
    }

    /// Makes every later operation fail; those that wait for the table still get it.
    pub fn retire(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.ended.get_or_insert(Error::Closed);
        }
    }

    /// Whether the table is being opened, which always ends.
    pub fn is_opening(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.opening)
    }

    /// Makes every later operation fail, and every waiting one too. Gives back the table.
    pub fn close(&self) -> Option<T> {
        let mut state = lock(&self.state).ok()?;
        state.stop(Error::Closed);
        state.table.take()
    }

    /// What `look` sees in the table; none while it is not at hand.
    pub fn inspect<R>(&self, look: impl FnOnce(&T) -> R) -> Result<Option<R>> {
        Ok(lock(&self.state)?.table.as_ref().map(look))
    }

    /// Changes the table in another way than by a commit: every running attempt loses, and the index of
    /// alarms gets what `change` returns.
    pub fn change(&self, change: impl FnOnce(&mut T) -> Option<i64>) -> Result<()> {
        let mut state = lock(&self.state)?;
        state.lose_attempts();
        if let Some(alarm) = state.table.as_mut().map(change) {
            state.alarms.set(&state.key, alarm)?;
        }
        self.run_waiting(&mut state);
        Ok(())
    }

    /// Takes the table away to save memory, unless an attempt runs or a write is not sealed.
    pub fn release(&self) -> Option<T> {
        let mut state = lock(&self.state).ok()?;
        if state.is_busy() || state.log.is_needed() {
            return None;
        }
        state.take_table()
    }

    /// Gives the table back to its source, because somebody else waits for it: at once, or when the
    /// turn has ended and every write is sealed; no later turn comes before that. Running attempts lose.
    pub fn hand_over(&self) {
        if let Ok(mut state) = lock(&self.state)
            && state.table.is_some()
        {
            state.wanted = true;
            self.run_waiting(&mut state);
        }
    }

    /// Takes away a table that has nothing in it any more, to be removed. Attempts go on: an object that
    /// does not exist is as good as an empty one.
    pub fn vacate(&self) -> Option<T> {
        let mut state = lock(&self.state).ok()?;
        if state.is_busy() || !state.table.as_ref()?.is_empty().ok()? {
            return None;
        }
        state.wanted = false;
        state.table.take()
    }

    /// Drops a table that could not keep what it was given: the next operation opens it anew.
    pub fn abandon(&self) -> Option<T> {
        let mut state = lock(&self.state).ok()?;
        let table = state.take_table();
        self.run_waiting(&mut state);
        table
    }

    /// Runs `work` now, or when the table is there and the turn of another attempt has ended. What it did
    /// stays done when nobody waits for the answer any more.
    fn perform<R: Send + 'static>(
        &self,
        origin: Option<TransactionId>,
        intent: Intent,
        need: Need,
        work: impl FnOnce(&mut State<T>) -> Result<R> + Send + 'static,
    ) -> Answer<R> {
        self.perform_or_undo(origin, intent, need, work, |_, _| ())
    }

    /// As [`Self::perform`], but `undo` gets the result of waiting work that nobody has picked up.
    fn perform_or_undo<R: Send + 'static>(
        &self,
        origin: Option<TransactionId>,
        intent: Intent,
        need: Need,
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
        self.used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if state.has_broken_table() {
            state.take_table();
        }
        let ready = self.is_ready(&state, need);
        if ready && state.admits(origin, intent) {
            let result = state.guarded(work);
            self.run_waiting(&mut state);
            return Answer::Now(result);
        }
        let (send, receive) = oneshot::channel();
        let run = Box::new(move |state: Result<&mut State<T>>| match state {
            Ok(state) => {
                let result = state.guarded(work);
                if let Err(Ok(unwanted)) = send.send(result) {
                    undo(state, unwanted);
                }
            }
            // Nobody is left to be told if the receiver is gone.
            Err(error) => drop(send.send(Err(error))),
        });
        let job = Job { origin, intent, need, run };
        let number = if ready {
            state.turn.wait(job)
        } else {
            state.arrivals.push_back(job);
            self.open(&mut state, need);
            state.turn.number()
        };
        Answer::later(Waiting { object: self.this.clone(), receive, undo }.wait(number))
    }

    /// Whether an operation need not wait for the table.
    fn is_ready(&self, state: &State<T>, need: Need) -> bool {
        match &state.table {
            Some(table) => need.access() == Access::Read || table.takes_writes(),
            None => self.can_do_without(state, need),
        }
    }

    /// Whether an operation needs no table; none does to read where nothing is stored.
    fn can_do_without(&self, state: &State<T>, need: Need) -> bool {
        let absent = || self.source.as_ref().is_some_and(|source| source.is_absent());
        !state.opening
            && match need {
                Need::Nothing => true,
                Need::Read | Need::Remove => absent(),
                Need::Write => false,
            }
    }

    /// Starts opening the table for what is needed, unless that is under way. One that is at hand, but
    /// takes no writes, is opened anew.
    fn open(&self, state: &mut State<T>, need: Need) {
        let (Some(source), Some(this)) = (&self.source, self.this.upgrade()) else {
            return;
        };
        if state.opening {
            return;
        }
        state.opening = true;
        match state.table.take() {
            Some(table) => {
                state.widening = true;
                source.clone().widen(table, this);
            }
            None => source.clone().open(need.access(), this),
        }
    }

    /// Called by the source: the table is there, or cannot be had. Everything that waited goes on.
    pub fn opened(&self, table: Result<T>) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        state.opening = false;
        let widened = std::mem::take(&mut state.widening);
        match table {
            Ok(_) if state.ended.is_some() && state.arrivals.is_empty() => {}
            Ok(table) => {
                if let Ok(alarm) = table.alarm() {
                    // The index is a help; the table is the truth.
                    let _ = state.alarms.set(&state.key, alarm);
                }
                // Attempts that began while there was no object have read that it is empty.
                if !widened && !table.is_empty().is_ok_and(|empty| empty) {
                    state.lose_attempts();
                }
                state.table = Some(table);
                self.run_waiting(&mut state);
            }
            Err(error) => {
                if widened {
                    // The object was let go, so that others may write.
                    state.lose_attempts();
                }
                state.fail_waiting(&error);
            }
        }
    }

    /// Runs what waits, as far as the table and the turn allow.
    fn run_waiting(&self, state: &mut State<T>) {
        loop {
            if state.wanted && state.table.is_some() && state.turn.held_number().is_none() {
                if state.is_busy() {
                    return;
                }
                self.give_back(state);
            }
            // What waits for the end of a turn has come before what waits for the table.
            let (job, behind_turn) = match state.turn.next_job() {
                Some(job) => (job, true),
                None => match state.arrivals.pop_front() {
                    Some(job) => (job, false),
                    None => return,
                },
            };
            if !self.is_ready(state, job.need) {
                let need = job.need;
                if behind_turn {
                    state.turn.put_back(job);
                } else {
                    state.arrivals.push_front(job);
                }
                self.open(state, need);
                return;
            }
            if behind_turn || state.admits(job.origin, job.intent) {
                (job.run)(Ok(state));
            } else {
                state.turn.wait(job);
            }
        }
    }

    /// Lets the source have the table, for somebody else.
    fn give_back(&self, state: &mut State<T>) {
        if let (Some(source), Some(table)) = (&self.source, state.take_table()) {
            source.clone().released(table);
        }
    }

    /// Ends turn `number` if it is still on; gives the number of the turn that is on now.
    fn expire_turn(&self, number: u64) -> Option<u64> {
        let mut state = lock(&self.state).ok()?;
        state.turn.expire(number);
        self.run_waiting(&mut state);
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
            object.run_waiting(&mut state);
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
        let error = self.ended.get_or_insert(error).clone();
        self.fail_waiting(&error);
    }

    fn fail_waiting(&mut self, error: &Error) {
        let turn = std::mem::take(&mut self.turn);
        for job in std::mem::take(&mut self.arrivals).into_iter().chain(turn.into_jobs()) {
            (job.run)(Err(error.clone()));
        }
    }

    /// Makes every running attempt lose, also one that has its turn: others may write where nobody here
    /// sees it.
    fn lose_attempts(&mut self) {
        self.sequence += 1;
        self.log.invalidate(self.sequence);
        if let Some(number) = self.turn.held_number() {
            self.turn.expire(number);
        }
    }

    fn take_table(&mut self) -> Option<T> {
        self.wanted = false;
        let table = self.table.take()?;
        self.lose_attempts();
        Some(table)
    }

    /// Whether the table is better opened anew, and holds nothing that would be lost.
    fn has_broken_table(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.is_broken() && !table.is_dirty())
    }

    /// Whether the table must stay: a turn is on, or a batch gathers.
    fn is_busy(&self) -> bool {
        self.turn.held_number().is_some() || self.table.as_ref().is_some_and(Table::is_dirty)
    }

    /// Whether `origin` may act now. While somebody else waits for the table, nobody overtakes those
    /// who wait here.
    fn admits(&self, origin: Option<TransactionId>, intent: Intent) -> bool {
        let pausing = self.wanted && self.turn.held_number().is_none();
        let queues = pausing && intent != Intent::Continue && self.turn.is_awaited();
        !queues && self.turn.admits(origin, intent)
    }

    /// Ends the batch that gathers. A table that fails is dropped.
    fn seal(&mut self) -> Result<()> {
        let sealed = self.table.as_mut().map_or(Ok(()), Table::seal);
        if sealed.is_err() {
            self.take_table();
        }
        sealed
    }

    /// Lets what waits for the table be a batch of its own, to be sealed as soon as the table has it.
    fn seal_arrivals(&mut self) {
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

    fn look<R>(
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

    fn apply(&mut self, writes: WriteBatch) -> Result<Committed> {
        if writes.is_empty() {
            return Ok(Committed::default());
        }
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
        self.perform(origin, intent, Need::Read, move |state| {
            state.look(view, Table::alarm, |log, _, start| log.alarm_conflict(start))
        })
    }

    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed> {
        self.perform(origin, Intent::Change, Need::of(&writes), move |state| state.apply(writes))
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        self.perform(None, Intent::Change, Need::Write, move |state| {
            let alarm = state.table.as_ref().map_or(Ok(None), Table::alarm)?;
            if alarm.is_none_or(|at| at > due_ms) {
                return Ok(false);
            }
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            state.apply(writes)?;
            // Nobody waits for this write, who would seal it later.
            state.seal().map(|()| true)
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
        if let Ok(mut state) = lock(&self.state) {
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
        if let Ok(mut state) = lock(&self.state) {
            // Everybody who waits for the batch is told of a failure.
            let _ = state.seal();
            state.seal_arrivals();
            self.run_waiting(&mut state);
        }
    }
}
