//! One object of Redis, as this process uses it: the contract of [`Object`] over questions to the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::batch::{Awaited, Reply};
use super::driver::drive;
use super::failure::Failure;
use super::link::PATIENCE;
use super::names::ObjectNames;
use super::op::{Kind, Op, Taken};
use super::shared::Shared;
use super::state::State;
use crate::answer::Answer;
use crate::backend::{Committed, Object, ObjectKey, Outcome, Snapshot, Start, Ticket, View};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::transaction::{Footprint, TransactionId};
use crate::write::WriteBatch;

/// How long a note that an object may hold data counts.
const NOTE_AGE_MAX: Duration = Duration::from_secs(60);

/// One object of a place.
pub(super) struct RedisObject {
    pub(super) place: Arc<Shared>,
    pub(super) key: ObjectKey,
    pub(super) names: ObjectNames,
    pub(super) state: Mutex<State>,
    pub(super) durability: Durability,
    /// Wakes whoever sends.
    pub(super) wake: Notify,
    pub(super) this: Weak<Self>,
}

impl RedisObject {
    /// The object of that name and id.
    pub(super) fn new(place: Arc<Shared>, key: ObjectKey) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            names: ObjectNames::new(&key),
            place,
            key,
            state: Mutex::default(),
            durability: Durability::default(),
            wake: Notify::new(),
            this: this.clone(),
        })
    }

    /// Sends what waits.
    pub(super) fn kick(&self) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        let driven = std::mem::replace(&mut state.driven, true);
        // Whoever is woken wants the lock at once.
        drop(state);
        if driven {
            self.wake.notify_one();
        } else if let Some(this) = self.this.upgrade() {
            self.place.runtime.spawn(drive(this));
        }
    }

    /// Sends what waits, now or at the end of this turn of the event loop.
    fn kick_soon(&self) {
        if !self.place.cork(&self.this) {
            self.kick();
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.state).is_ok_and(|state| state.is_idle())
    }

    /// Makes every later operation fail, and whoever waits for a turn or an alarm. What was called before is done.
    pub(super) fn retire(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.ended.get_or_insert(Error::Closed);
            state.lane.seal();
            let waiting = std::mem::take(&mut state.ops);
            let (done, given_up): (VecDeque<_>, VecDeque<_>) =
                waiting.into_iter().partition(Op::is_done_at_close);
            state.ops = done;
            for op in given_up {
                op.fail(&Error::Closed);
            }
            // Nobody commits them any more, and others may wait for the turn of one.
            let left: Vec<_> = state.attempts.drain().map(|(_, running)| running.who).collect();
            state.turn = None;
            for who in left {
                let commits = state.ops.iter().any(|op| op.ends(&who));
                if !commits && (state.registered.contains(&who) || state.asks(&who)) {
                    self.leave(&mut state, who);
                }
            }
        }
        self.kick();
    }

    /// Makes everything fail, now and later.
    pub(super) fn end_all(&self, error: &Error) {
        // Whoever has panicked has left the lock poisoned, if it had it.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.ended.get_or_insert(error.clone());
        state.driven = false;
        state.lane.fail_all(error, &self.durability);
        for op in std::mem::take(&mut state.ops) {
            op.fail(error);
        }
    }

    /// Extends the leases of what still runs.
    pub(super) fn renew(&self) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        let running = state.attempts.values().map(|running| running.who.clone());
        let who: Vec<_> = running.filter(|who| state.registered.contains(who)).collect();
        let claim = state.claims.back().cloned();
        if who.is_empty() && claim.is_none() {
            return;
        }
        state.ops.push_back(Op::new(Kind::Renew { who, claim }, 0, self.deadline()));
        drop(state);
        self.kick();
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.place.link.patience()
    }

    /// Notes on the server what has to be known before a write: that the object may hold data, and its alarms.
    pub(super) async fn prepare(
        &self,
        alarms: Option<Vec<(i64, String)>>,
    ) -> std::result::Result<(), Failure> {
        let Some(alarms) = alarms else {
            return Ok(());
        };
        let now = Instant::now();
        let noted = lock(&self.state).ok().and_then(|state| state.noted_at);
        if noted.is_none_or(|at| now - at > NOTE_AGE_MAX) {
            self.place.note_object(&self.key).await?;
            if let Ok(mut state) = lock(&self.state) {
                state.noted_at = Some(now);
            }
        }
        for (time, name) in alarms {
            self.place.note_alarm(&self.key, time, &name).await?;
        }
        Ok(())
    }

    /// An alarm is no longer set: its note goes.
    pub(super) fn forget_alarm(&self, name: Option<String>) {
        if let Some(name) = name {
            let (place, key) = (self.place.clone(), self.key.clone());
            self.place.runtime.spawn(async move {
                // What stays behind is found to be nothing when it is due.
                let _ = place.forget_alarm(&key, &name).await;
            });
        }
    }

    /// Asks a question; the answer comes later.
    pub(super) fn ask<T>(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
        barrier: Ticket,
        question: impl FnOnce(Reply<T>) -> Kind,
    ) -> Awaited<T> {
        let (reply, awaited) = Awaited::new();
        state.ops.push_back(Op::new(question(reply), barrier, self.deadline()));
        drop(state);
        self.kick_soon();
        awaited
    }

    /// The state, unless the object takes no more operations.
    pub(super) fn open(&self) -> Result<std::sync::MutexGuard<'_, State>> {
        let state = lock(&self.state)?;
        match &state.ended {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    /// Tells the server that an attempt has ended.
    pub(super) fn leave(&self, state: &mut State, who: Arc<str>) {
        state.ops.push_back(Op::new(Kind::Leave { who }, 0, self.deadline()));
    }
}

/// The error for something that was not answered; `in_doubt` if it may have been applied.
pub(super) fn unanswered(error: &Error, in_doubt: bool) -> Error {
    match error {
        Error::RedisUnreachable { url, reason } if in_doubt => Error::RedisUnknownOutcome {
            url: url.clone(),
            seconds: PATIENCE.as_secs(),
            reason: reason.clone(),
        },
        other => other.clone(),
    }
}

impl Object for RedisObject {
    fn read(&self, keys: Vec<Key>, view: View) -> Answer<Snapshot<Vec<Option<Value>>>> {
        match view {
            View::Latest(origin) => self.read_latest(keys, origin),
            View::Since(start) => self.look(start, keys, false).and_then(|snapshot| {
                Ok(match snapshot {
                    Snapshot::Fresh(looked) => Snapshot::Fresh(looked.values),
                    Snapshot::Stale(conflict) => Snapshot::Stale(conflict),
                })
            }),
        }
    }

    fn list(&self, scan: Scan, view: View) -> Answer<Snapshot<Vec<Entry>>> {
        match view {
            _ if scan.is_empty() => Answer::Now(Ok(Snapshot::Fresh(Vec::new()))),
            View::Latest(origin) => self.list_latest(scan, origin),
            View::Since(start) => self.list_since(scan, start),
        }
    }

    fn alarm(&self, view: View) -> Answer<Snapshot<Option<i64>>> {
        match view {
            View::Latest(origin) => self.alarm_latest(origin),
            View::Since(start) => self.look(start, Vec::new(), true).and_then(|snapshot| {
                Ok(match snapshot {
                    Snapshot::Fresh(looked) => Snapshot::Fresh(looked.alarm),
                    Snapshot::Stale(conflict) => Snapshot::Stale(conflict),
                })
            }),
        }
    }

    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed> {
        self.write_beside(writes, origin)
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let barrier = state.lane.newest();
        let claim = self.place.new_name();
        let name = claim.clone();
        let taking = self.ask(state, barrier, |reply| Kind::TakeAlarm { due_ms, claim, reply });
        let this = self.this.clone();
        Answer::later(async move {
            let taken = taking.wait().await?;
            let this = this.upgrade().ok_or(Error::Closed)?;
            let ours = matches!(taken, Taken::Ours(_));
            match taken {
                Taken::Ours(before) => {
                    this.forget_alarm(before);
                    lock(&this.state)?.claims.push_back(name);
                }
                Taken::Others => {}
                Taken::NotDue(_) => this.place.refuse_alarm(&this.key, due_ms)?,
            }
            Ok(ours)
        })
    }

    fn alarm_done(&self) -> Answer<()> {
        let mut state = match lock(&self.state) {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(claim) = state.claims.pop_front() else {
            return Answer::Now(Ok(()));
        };
        let ending = self.ask(state, 0, |reply| Kind::AlarmDone { claim, reply });
        let this = self.this.clone();
        Answer::later(async move {
            let name = ending.wait().await?;
            if let Some(this) = this.upgrade() {
                this.forget_alarm((!name.is_empty()).then_some(name));
            }
            Ok(())
        })
    }

    fn begin(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start> {
        self.begin_attempt(turn, origin)
    }

    fn commit(&self, start: Start, footprint: Footprint, writes: WriteBatch) -> Answer<Outcome> {
        self.commit_attempt(start, footprint, writes)
    }

    fn end(&self, start: Start) {
        self.end_attempt(start);
    }

    fn unsettled(&self) -> Ticket {
        lock(&self.state).map_or(0, |state| self.durability.unsettled(state.lane.last()))
    }

    fn durable(&self, ticket: Ticket) -> Answer<()> {
        self.durability.wait(ticket)
    }

    fn seal(&self) {
        let sealed = lock(&self.state).is_ok_and(|mut state| state.lane.seal());
        if sealed {
            self.kick();
        }
    }
}
