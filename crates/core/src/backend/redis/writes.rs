//! Writing to an object: plain writes, and attempts from their start to their commit.

use std::sync::{Arc, MutexGuard, Weak};

use tokio::time::Instant;

use super::commit::Outcome as Committing;
use super::object::RedisObject;
use super::op::{Commit, Kind};
use super::state::{HeldTurn, Running, State};
use crate::answer::Answer;
use crate::backend::{Committed, Outcome, Start};
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::transaction::turn::TURN_LEASE;
use crate::transaction::{Footprint, TransactionId};
use crate::write::WriteBatch;

impl RedisObject {
    /// Writes outside of attempts; out of the closure of one that has its turn, as part of that turn.
    pub(super) fn write_beside(
        &self,
        writes: WriteBatch,
        origin: Option<TransactionId>,
    ) -> Answer<Committed> {
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

    /// A write out of the closure of an attempt that has its turn: no other write comes between.
    fn write_in_turn(
        &self,
        state: MutexGuard<'_, State>,
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

    /// Starts an attempt, which sees the state of its first read.
    pub(super) fn begin_attempt(&self, turn: bool, origin: Option<TransactionId>) -> Answer<Start> {
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

    /// Commits what an attempt has written, if what it has read still holds.
    pub(super) fn commit_attempt(
        &self,
        start: Start,
        footprint: Footprint,
        writes: WriteBatch,
    ) -> Answer<Outcome> {
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
                        this.end_attempt(start);
                    }
                    Err(error)
                }
            }
        })
    }

    /// Ends an attempt that is not committed.
    pub(super) fn end_attempt(&self, start: Start) {
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
            object.end_attempt(Start { id: self.id, sequence: 0 });
        }
    }
}
