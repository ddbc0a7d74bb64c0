//! Plain writes: outside attempts, or as part of a turn.

use std::sync::{Arc, MutexGuard};

use super::attempts::finished;
use super::handle::RedisObject;
use crate::answer::Answer;
use crate::backend::redis::requests::commit::Commit;
use crate::backend::redis::requests::question::AttemptName;
use crate::backend::redis::sending::state::State;
use crate::backend::{CommitOutcome, Committed};
use crate::concurrency::{ReadSet, TransactionId};
use crate::error::Error;
use crate::write_batch::WriteBatch;

impl RedisObject {
    /// Writes outside attempts. If the closure of an attempt that has its turn has called it, it is part of that turn.
    pub(crate) fn write_plain(
        &self,
        writes: WriteBatch,
        issued_by: Option<TransactionId>,
    ) -> Answer<Committed> {
        if writes.is_empty() {
            return Answer::Now(Ok(Committed::default()));
        }
        let driver = &self.driver;
        let mut state = match driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(turn_token) = state.turn_token(issued_by) {
            return self.write_in_turn(state, writes, turn_token);
        }
        let alarm = writes.alarm();
        let written = state.writes.write(writes, driver.deadline());
        if driver.shared.cork.is_corked() {
            // The timer of the alarm may be set before the server has answered.
            let alarms = &driver.shared.alarms;
            if let Some(Err(error)) = alarm.map(|alarm| alarms.set(&driver.key, alarm)) {
                return Answer::Now(Err(error));
            }
            return match written {
                Ok(committed) => Answer::Now(Ok(committed)),
                Err(awaited) => Answer::later(awaited.wait()),
            };
        }
        // No turn of an event loop ends that would seal the batch.
        let ticket = state.writes.last();
        state.writes.seal();
        drop(state);
        driver.send();
        let durable = driver.durability.wait(ticket);
        Answer::later(async move {
            let removed = match written {
                Ok(committed) => committed.removed,
                Err(awaited) => awaited.wait().await?.removed,
            };
            durable.wait().await?;
            Ok(Committed { removed, ticket: 0 })
        })
    }

    /// Writes as part of a turn: no other write comes between.
    fn write_in_turn(
        &self,
        state: MutexGuard<'_, State>,
        writes: WriteBatch,
        turn_token: AttemptName,
    ) -> Answer<Committed> {
        let nothing_read = ReadSet::default();
        let commit = |caller| Commit::new(None, Some(turn_token), nothing_read, writes, caller);
        let committing = self.driver.ask(state, 0, commit);
        let driver = Arc::downgrade(&self.driver);
        Answer::later(async move {
            let reply = committing.wait().await?;
            match finished(&driver, reply, None)? {
                CommitOutcome::Committed(committed) => Ok(committed),
                CommitOutcome::Lost(_) => Err(Error::Internal("a plain write has lost".into())),
            }
        })
    }
}
