//! One object of Redis, as this process uses it: the contract of [`Object`] over questions to the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::batch::{Awaited, Effect, Reply};
use super::commit::Outcome as Committing;
use super::driver::drive;
use super::failure::Failure;
use super::link::PATIENCE;
use super::names::ObjectNames;
use super::op::{Commit, GetShare, Kind, LookShare, Looked, Op, Page, Seen, Taken};
use super::shared::Shared;
use super::state::{HeldTurn, Running, State};
use crate::answer::Answer;
use crate::backend::{Committed, Object, ObjectKey, Outcome, Snapshot, Start, Ticket, View};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Entry, Key, Value, successor};
use crate::lock::lock;
use crate::merge::merge;
use crate::range::Scan;
use crate::transaction::transaction::OPTIMISTIC_ATTEMPTS_MAX;
use crate::transaction::turn::TURN_LEASE;
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
    this: Weak<Self>,
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
        if state.driven {
            self.wake.notify_one();
        } else if let Some(this) = self.this.upgrade() {
            state.driven = true;
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
    fn ask<T>(
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

    fn open(&self) -> Result<std::sync::MutexGuard<'_, State>> {
        let state = lock(&self.state)?;
        match &state.ended {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    /// Tells the server that an attempt has ended.
    fn leave(&self, state: &mut State, who: Arc<str>) {
        state.ops.push_back(Op::new(Kind::Leave { who }, 0, self.deadline()));
    }

    fn read_latest(
        &self,
        keys: Vec<Key>,
        origin: Option<TransactionId>,
    ) -> Answer<Snapshot<Vec<Option<Value>>>> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let mut found = vec![None; keys.len()];
        let mut missing = Vec::new();
        for (place, key) in keys.into_iter().enumerate() {
            match state.lane.gathering().map_or(Effect::None, |batch| batch.value(&key)) {
                Effect::Stored(value) => found[place] = Some(value),
                Effect::Removed => {}
                Effect::None => missing.push((place, key)),
            }
        }
        if missing.is_empty() {
            return Answer::Now(Ok(Snapshot::Fresh(found)));
        }
        let barrier = barrier(&mut state, origin);
        let (places, keys): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let count = keys.len();
        let read = self.ask(state, barrier, |reply| Kind::Get {
            keys,
            shares: vec![GetShare { count, reply }],
        });
        Answer::later(async move {
            for (place, value) in places.into_iter().zip(read.wait().await?) {
                found[place] = value;
            }
            Ok(Snapshot::Fresh(found))
        })
    }

    /// What an attempt sees of some keys and the alarm.
    fn look(&self, start: Start, keys: Vec<Key>, alarm: bool) -> Answer<Snapshot<Looked>> {
        let state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (who, barrier, count) = (running.who.clone(), running.barrier, keys.len());
        let looked = self.ask(state, barrier, |reply| Kind::Look {
            who,
            keys,
            alarm,
            shares: vec![LookShare { count, reply }],
        });
        let this = self.this.clone();
        Answer::later(async move { snapshot(&this, start, looked.wait().await?) })
    }

    /// Lists page by page. `who` is an attempt, which the first page has registered if there is another one.
    async fn pages(
        self: Arc<Self>,
        who: Arc<str>,
        mut scan: Scan,
        first: Awaited<Seen<Page>>,
    ) -> Result<Seen<Vec<Entry>>> {
        let mut entries = Vec::new();
        let mut page = first.wait().await?;
        loop {
            let Page { entries: found, more } = match page {
                Ok(page) => page,
                Err(what) => return Ok(Err(what)),
            };
            if let Some(limit) = &mut scan.limit {
                *limit = limit.saturating_sub(found.len());
            }
            if let Some((last, _)) = found.last() {
                if scan.reverse {
                    scan.range.end = Some(last.clone());
                } else {
                    scan.range.start = Key::from(successor(last));
                }
            }
            entries.extend(found);
            if !more {
                return Ok(Ok(entries));
            }
            let (who, scan) = (who.clone(), scan.clone());
            let state = lock(&self.state)?;
            // The last page counts only if nothing was written since the first one either.
            let next = self.ask(state, 0, |reply| Kind::List { who, lazy: false, scan, reply });
            self.kick();
            page = next.wait().await?;
        }
    }

    /// Lists the newest state, as it is at one moment. A list of several pages that is overtaken by writes is
    /// made anew, and in the end with a turn.
    fn list_latest(
        &self,
        scan: Scan,
        origin: Option<TransactionId>,
    ) -> Answer<Snapshot<Vec<Entry>>> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let gathering = state.lane.gathering();
        let newer = gathering.map(|batch| batch.writes.entries_in(&scan.range)).unwrap_or_default();
        if gathering.is_some_and(|batch| batch.writes.clears()) {
            return Answer::Now(Ok(Snapshot::Fresh(merge(Vec::new(), newer, &scan))));
        }
        let wide = scan.widened(newer.len());
        let barrier = barrier(&mut state, origin);
        let who: Arc<str> = self.place.new_name().into();
        let question = |who: &Arc<str>, lazy: bool| {
            let (who, scan) = (who.clone(), wide.clone());
            move |reply| Kind::List { who, lazy, scan, reply }
        };
        let mut first = self.ask(state, barrier, question(&who, true));
        let Some(this) = self.this.upgrade() else {
            return Answer::Now(Err(Error::Closed));
        };
        Answer::later(async move {
            let mut who = who;
            for attempt in 1.. {
                let listed = this.clone().pages(who.clone(), wide.clone(), first).await;
                if let Ok(mut state) = lock(&this.state)
                    && (state.registered.contains(&who) || !matches!(listed, Ok(Ok(_))))
                {
                    this.leave(&mut state, who.clone());
                    drop(state);
                    this.kick();
                }
                if let Ok(entries) = listed? {
                    return Ok(Snapshot::Fresh(merge(entries, newer, &scan)));
                }
                who = this.place.new_name().into();
                if attempt >= OPTIMISTIC_ATTEMPTS_MAX {
                    let turn = this
                        .ask(lock(&this.state)?, 0, |reply| Kind::Turn { who: who.clone(), reply });
                    this.kick();
                    turn.wait().await?;
                }
                let state = lock(&this.state)?;
                let (again, wide) = (who.clone(), wide.clone());
                let question =
                    move |reply| Kind::List { who: again, lazy: true, scan: wide, reply };
                first = this.ask(state, 0, question);
                this.kick();
            }
            Err(Error::Internal("a list was never made".into()))
        })
    }

    /// A write out of the closure of an attempt that has its turn: no other write comes between.
    fn write_in_turn(
        &self,
        state: std::sync::MutexGuard<'_, State>,
        writes: WriteBatch,
        pass: Arc<str>,
    ) -> Answer<Committed> {
        let nothing_read = Footprint::default();
        let committing =
            self.ask(state, 0, |reply| Commit::ask(None, Some(pass), nothing_read, writes, reply));
        let this = self.this.clone();
        Answer::later(async move {
            let outcome = committing.wait().await?;
            match finished(&this, outcome, None)? {
                Outcome::Committed(committed) => Ok(committed),
                Outcome::Lost(_) => Err(Error::Internal("a plain write has lost".into())),
            }
        })
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

/// The plain writes that a read out of the closure of `origin` sees.
fn barrier(state: &mut State, origin: Option<TransactionId>) -> Ticket {
    // Writes that wait for the turn to end come after it.
    if state.pass(origin).is_some() { 0 } else { state.lane.barrier() }
}

fn snapshot<T>(this: &Weak<RedisObject>, start: Start, seen: Seen<T>) -> Result<Snapshot<T>> {
    match seen {
        Ok(found) => Ok(Snapshot::Fresh(found)),
        Err(what) => {
            let this = this.upgrade().ok_or(Error::Closed)?;
            let state = lock(&this.state)?;
            Ok(Snapshot::Stale(state.conflict(start.id, what, Instant::now())))
        }
    }
}

/// What follows from the end of a commit, of the attempt `id` if there is one.
fn finished(
    this: &Weak<RedisObject>,
    outcome: Committing,
    id: Option<TransactionId>,
) -> Result<Outcome> {
    let this = this.upgrade().ok_or(Error::Closed)?;
    let mut state = lock(&this.state)?;
    let outcome = match outcome {
        Committing::Committed { alarm_before, exists } => {
            this.forget_alarm(alarm_before);
            let removed = exists.iter().fold(0, |count, exists| count + u32::from(*exists));
            Outcome::Committed(Committed { removed, ticket: 0 })
        }
        Committing::Lost(what) => {
            Outcome::Lost(state.conflict(id.unwrap_or_default(), what, Instant::now()))
        }
        Committing::Wait => return Err(Error::Internal("a commit still waits".into())),
    };
    if let Some(id) = id {
        state.forget(id);
    }
    Ok(outcome)
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
        if scan.is_empty() {
            return Answer::Now(Ok(Snapshot::Fresh(Vec::new())));
        }
        let start = match view {
            View::Latest(origin) => return self.list_latest(scan, origin),
            View::Since(start) => start,
        };
        let (state, this) = match (self.open(), self.this.upgrade()) {
            (Ok(state), Some(this)) => (state, this),
            (Err(error), _) => return Answer::Now(Err(error)),
            (_, None) => return Answer::Now(Err(Error::Closed)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (who, barrier) = (running.who.clone(), running.barrier);
        let question =
            |who: Arc<str>, scan: Scan| move |reply| Kind::List { who, lazy: false, scan, reply };
        let first = self.ask(state, barrier, question(who.clone(), scan.clone()));
        let weak = self.this.clone();
        Answer::later(async move {
            let listed = this.pages(who, scan, first).await?;
            snapshot(&weak, start, listed)
        })
    }

    fn alarm(&self, view: View) -> Answer<Snapshot<Option<i64>>> {
        let origin = match view {
            View::Latest(origin) => origin,
            View::Since(start) => {
                return self.look(start, Vec::new(), true).and_then(|snapshot| {
                    Ok(match snapshot {
                        Snapshot::Fresh(looked) => Snapshot::Fresh(looked.alarm),
                        Snapshot::Stale(conflict) => Snapshot::Stale(conflict),
                    })
                });
            }
        };
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(alarm) = state.lane.gathering().and_then(|batch| batch.writes.alarm()) {
            return Answer::Now(Ok(Snapshot::Fresh(alarm)));
        }
        let barrier = barrier(&mut state, origin);
        let read = self.ask(state, barrier, |reply| Kind::Alarm { reply });
        Answer::later(async move { read.wait().await.map(Snapshot::Fresh) })
    }

    fn write(&self, writes: WriteBatch, origin: Option<TransactionId>) -> Answer<Committed> {
        if writes.is_empty() {
            return Answer::Now(Ok(Committed::default()));
        }
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(pass) = state.pass(origin) {
            return self.write_in_turn(state, writes, pass);
        }
        let deadline = self.deadline();
        let alarm = writes.alarm();
        let written = state.lane.write(writes, deadline);
        if self.place.is_corked() {
            // Its timer may be set before the server has answered.
            if let Some(Err(error)) = alarm.map(|alarm| self.place.set_alarm(&self.key, alarm)) {
                return Answer::Now(Err(error));
            }
            return match written {
                Ok(committed) => Answer::Now(Ok(committed)),
                Err(awaited) => Answer::later(awaited.wait()),
            };
        }
        // No turn of an event loop ends that would seal the batch.
        let ticket = state.lane.last();
        state.lane.seal();
        drop(state);
        self.kick();
        let durable = self.durability.wait(ticket);
        Answer::later(async move {
            let removed = match written {
                Ok(committed) => committed.removed,
                Err(awaited) => awaited.wait().await?.removed,
            };
            durable.wait().await?;
            Ok(Committed { removed, ticket: 0 })
        })
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

    /// The state that the attempt sees is that of its first read.
    fn begin(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let id = self.place.next_id();
        let who: Arc<str> = self.place.name_of(id).into();
        let shares = state.pass(origin).and(state.turn.as_ref()).map(|turn| turn.id);
        let barrier = if shares.is_some() { 0 } else { state.lane.newest() };
        let start = Start { id, sequence: 0 };
        state.attempts.insert(id, Running { who: who.clone(), barrier, shares });
        if !turn || shares.is_some() {
            return Answer::Now(Ok(start));
        }
        let asked = who.clone();
        let granted = self.ask(state, barrier, |reply| Kind::Turn { who: asked, reply });
        let unclaimed = Unclaimed { object: self.this.clone(), id, claimed: false };
        Answer::later(async move {
            let mut unclaimed = unclaimed;
            granted.wait().await?;
            let this = unclaimed.object.upgrade().ok_or(Error::Closed)?;
            let until = Instant::now() + TURN_LEASE;
            let mut state = lock(&this.state)?;
            if let Some(error) = state.ended.clone() {
                this.leave(&mut state, who);
                drop(state);
                this.kick();
                return Err(error);
            }
            state.turn = Some(HeldTurn { id, who, until });
            unclaimed.claimed = true;
            Ok(start)
        })
    }

    fn commit(&self, start: Start, footprint: Footprint, writes: WriteBatch) -> Answer<Outcome> {
        let mut state = match self.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (who, begun_behind) = (running.who.clone(), running.barrier);
        let held = state.turn.as_ref().is_some_and(|turn| turn.id == start.id);
        if footprint.is_empty() && writes.is_empty() && !held && !state.registered.contains(&who) {
            state.attempts.remove(&start.id);
            return Answer::Now(Ok(Outcome::Committed(Committed::default())));
        }
        let pass = state.pass(Some(start.id));
        // Writes that wait for the turn to end come after it; all others come before what this one writes.
        let first = pass.is_some() || writes.is_empty();
        let barrier = if first { begun_behind } else { state.lane.newest() };
        let commit = |reply| Commit::ask(Some(who), pass, footprint, writes, reply);
        let committing = self.ask(state, barrier, commit);
        let this = self.this.clone();
        Answer::later(async move {
            let outcome = committing.wait().await;
            match outcome {
                Ok(outcome) => finished(&this, outcome, Some(start.id)),
                Err(error) => {
                    if let Some(this) = this.upgrade() {
                        this.end(start);
                    }
                    Err(error)
                }
            }
        })
    }

    fn end(&self, start: Start) {
        let Ok(mut state) = lock(&self.state) else {
            return;
        };
        let held = state.turn.as_ref().is_some_and(|turn| turn.id == start.id);
        if let Some(who) = state.forget(start.id)
            && (held || state.registered.contains(&who) || state.asks(&who))
        {
            self.leave(&mut state, who);
            drop(state);
            self.kick();
        }
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

/// Gives a turn back that nobody waits for any more.
struct Unclaimed {
    object: Weak<RedisObject>,
    id: TransactionId,
    claimed: bool,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if !self.claimed
            && let Some(object) = self.object.upgrade()
        {
            object.end(Start { id: self.id, sequence: 0 });
        }
    }
}
