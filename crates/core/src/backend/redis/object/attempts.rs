//! Attempts from their start to their commit or end.

use std::sync::{Arc, MutexGuard, Weak};

use super::handle::RedisObject;
use crate::answer::Answer;
use crate::backend::redis::requests::commit::{Commit, CommitReply};
use crate::backend::redis::requests::question::AttemptName;
use crate::backend::redis::requests::turn::TakeTurn;
use crate::backend::redis::sending::driver::Driver;
use crate::backend::redis::sending::state::{HeldTurn, Running, State};
use crate::backend::{CommitOutcome, Committed, Start, Ticket};
use crate::concurrency::turn::TURN_LEASE;
use crate::concurrency::{ReadSet, TransactionId};
use crate::error::{Error, Result};
use crate::write_batch::WriteBatch;

impl RedisObject {
    /// Starts an attempt, which sees the state of its first read.
    pub(crate) fn begin_attempt(
        &self,
        turn: bool,
        issued_by: Option<TransactionId>,
    ) -> Answer<Start> {
        let driver = &self.driver;
        let mut state = match driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let id = driver.shared.next_id();
        let name = AttemptName::from(driver.shared.name_of(id));
        let shares = state.turn_token(issued_by).and(state.turn.as_ref()).map(|turn| turn.id);
        let barrier = if shares.is_some() { 0 } else { state.writes.newest() };
        let start = Start { id, sequence: 0 };
        state.attempts.insert(id, Running { name: name.clone(), barrier, shares });
        if turn && shares.is_none() {
            return self.take_turn(state, start, name, barrier);
        }
        Answer::Now(Ok(start))
    }

    /// Waits until the attempt may run alone.
    fn take_turn(
        &self,
        state: MutexGuard<'_, State>,
        start: Start,
        name: AttemptName,
        barrier: Ticket,
    ) -> Answer<Start> {
        let attempt = name.clone();
        let granted = self.driver.ask(state, barrier, |caller| TakeTurn { attempt, caller });
        let unclaimed = Unclaimed { driver: Arc::downgrade(&self.driver), start, claimed: false };
        Answer::later(async move {
            let mut unclaimed = unclaimed;
            granted.wait().await?;
            let driver = unclaimed.driver.upgrade().ok_or(Error::Closed)?;
            let until = driver.shared.now() + TURN_LEASE;
            let mut state = driver.state()?;
            if let Some(error) = state.ended.clone() {
                state.leave(name, driver.deadline());
                drop(state);
                driver.send();
                return Err(error);
            }
            state.turn = Some(HeldTurn { id: start.id, name, until });
            unclaimed.claimed = true;
            Ok(start)
        })
    }

    /// Commits what an attempt has written, if what it has read has not changed.
    pub(crate) fn commit_attempt(
        &self,
        start: Start,
        read_set: ReadSet,
        writes: WriteBatch,
    ) -> Answer<CommitOutcome> {
        let mut state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (name, begun_behind) = (running.name.clone(), running.barrier);
        let held = state.turn.as_ref().is_some_and(|turn| turn.id == start.id);
        if read_set.is_empty() && writes.is_empty() && !held && !state.registered.contains(&name) {
            state.attempts.remove(&start.id);
            return Answer::Now(Ok(CommitOutcome::Committed(Committed::default())));
        }
        let turn_token = state.turn_token(Some(start.id));
        // Writes that wait for the turn to end come after it. All others come before what this attempt writes.
        let first = turn_token.is_some() || writes.is_empty();
        let barrier = if first { begun_behind } else { state.writes.newest() };
        let commit = |caller| Commit::new(Some(name), turn_token, read_set, writes, caller);
        let committing = self.driver.ask(state, barrier, commit);
        let driver = Arc::downgrade(&self.driver);
        Answer::later(async move {
            match committing.wait().await {
                Ok(reply) => finished(&driver, reply, Some(start.id)),
                Err(error) => {
                    if let Some(driver) = driver.upgrade() {
                        end(&driver, start);
                    }
                    Err(error)
                }
            }
        })
    }

    /// Ends an attempt that is not committed.
    pub(crate) fn end_attempt(&self, start: Start) {
        end(&self.driver, start);
    }
}

/// Ends an attempt that is not committed, also on the server if the server may know it.
fn end(driver: &Driver, start: Start) {
    let Ok(mut state) = driver.state() else {
        return;
    };
    let held = state.turn.as_ref().is_some_and(|turn| turn.id == start.id);
    if let Some(name) = state.forget(start.id)
        && (held || state.registered.contains(&name) || state.may_ask_for(&name))
    {
        state.leave(name, driver.deadline());
        drop(state);
        driver.send();
    }
}

/// What follows from the reply to a commit, which has ended the attempt `id` if there is one.
pub(super) fn finished(
    driver: &Weak<Driver>,
    reply: CommitReply,
    id: Option<TransactionId>,
) -> Result<CommitOutcome> {
    let driver = driver.upgrade().ok_or(Error::Closed)?;
    let mut state = driver.state()?;
    let outcome = match reply {
        CommitReply::Committed { exists, .. } => {
            let removed = exists.iter().fold(0, |count, exists| count + u32::from(*exists));
            CommitOutcome::Committed(Committed { removed, ticket: 0 })
        }
        CommitReply::Lost(what) => {
            let now = driver.shared.now();
            CommitOutcome::Lost(state.conflict(id.unwrap_or_default(), what, now))
        }
        CommitReply::Wait => return Err(Error::Internal("a commit still waits".into())),
    };
    if let Some(id) = id {
        state.forget(id);
    }
    Ok(outcome)
}

/// Gives a turn back if its caller leaves before it has the turn.
struct Unclaimed {
    driver: Weak<Driver>,
    start: Start,
    claimed: bool,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if !self.claimed
            && let Some(driver) = self.driver.upgrade()
        {
            end(&driver, self.start);
        }
    }
}
