//! Reads keys and the alarm: of the newest state, or as an attempt sees them.

use std::sync::{Arc, Weak};

use super::handle::RedisObject;
use crate::answer::Answer;
use crate::backend::redis::requests::question::ReadReply;
use crate::backend::redis::requests::read::{Get, GetAlarm, Look, Looked};
use crate::backend::redis::sending::batch::KeyChange;
use crate::backend::redis::sending::driver::Driver;
use crate::backend::redis::sending::state::State;
use crate::backend::{ReadResult, Start, Ticket};
use crate::concurrency::TransactionId;
use crate::error::{Error, Result};
use crate::key::{Key, Value};

impl RedisObject {
    /// The values of some keys as plain reads see them.
    pub(crate) fn read_latest(
        &self,
        keys: Vec<Key>,
        issued_by: Option<TransactionId>,
    ) -> Answer<ReadResult<Vec<Option<Value>>>> {
        let mut state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let mut found = vec![None; keys.len()];
        let mut missing = Vec::new();
        let newest = state.writes.gathering();
        for (place, key) in keys.into_iter().enumerate() {
            match newest.map_or(KeyChange::Unchanged, |batch| batch.change_of(&key)) {
                KeyChange::Stored(value) => found[place] = Some(value),
                KeyChange::Removed => {}
                KeyChange::Unchanged => missing.push((place, key)),
            }
        }
        if missing.is_empty() {
            return Answer::Now(Ok(ReadResult::Value(found)));
        }
        let barrier = barrier(&mut state, issued_by);
        let (places, keys): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let read = self.driver.ask(state, barrier, |caller| Get::new(keys, caller));
        Answer::later(async move {
            for (place, value) in places.into_iter().zip(read.wait().await?) {
                found[place] = value;
            }
            Ok(ReadResult::Value(found))
        })
    }

    /// The values of some keys as an attempt sees them.
    pub(crate) fn read_since(
        &self,
        start: Start,
        keys: Vec<Key>,
    ) -> Answer<ReadResult<Vec<Option<Value>>>> {
        self.look(start, keys, false, |looked| looked.values)
    }

    /// The alarm as plain reads see it.
    pub(crate) fn alarm_latest(
        &self,
        issued_by: Option<TransactionId>,
    ) -> Answer<ReadResult<Option<i64>>> {
        let mut state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if let Some(alarm) = state.writes.gathering().and_then(|batch| batch.writes.alarm()) {
            return Answer::Now(Ok(ReadResult::Value(alarm)));
        }
        let barrier = barrier(&mut state, issued_by);
        let read = self.driver.ask(state, barrier, |caller| GetAlarm { caller });
        Answer::later(async move { read.wait().await.map(ReadResult::Value) })
    }

    /// The alarm as an attempt sees it.
    pub(crate) fn alarm_since(&self, start: Start) -> Answer<ReadResult<Option<i64>>> {
        self.look(start, Vec::new(), true, |looked| looked.alarm)
    }

    fn look<T: Send + 'static>(
        &self,
        start: Start,
        keys: Vec<Key>,
        alarm: bool,
        part: impl FnOnce(Looked) -> T + Send + 'static,
    ) -> Answer<ReadResult<T>> {
        let state = match self.driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(running) = state.attempts.get(&start.id) else {
            return Answer::Now(Err(Error::UnknownTransaction { id: start.id }));
        };
        let (name, barrier) = (running.name.clone(), running.barrier);
        let look = |caller| Look::new(name, keys, alarm, caller);
        let looked = self.driver.ask(state, barrier, look);
        let driver = Arc::downgrade(&self.driver);
        Answer::later(
            async move { Ok(read_result(&driver, start, looked.wait().await?)?.map(part)) },
        )
    }
}

/// The plain writes that a read sees which the closure of `issued_by` has called.
pub(super) fn barrier(state: &mut State, issued_by: Option<TransactionId>) -> Ticket {
    // Writes that wait for the turn to end come after it.
    if state.turn_token(issued_by).is_some() { 0 } else { state.writes.barrier() }
}

/// What an attempt has read, or why it has lost.
pub(super) fn read_result<T>(
    driver: &Weak<Driver>,
    start: Start,
    read: ReadReply<T>,
) -> Result<ReadResult<T>> {
    match read {
        ReadReply::Value(found) => Ok(ReadResult::Value(found)),
        ReadReply::Conflict(what) => {
            let driver = driver.upgrade().ok_or(Error::Closed)?;
            let now = driver.shared.now();
            Ok(ReadResult::Conflict(driver.state()?.conflict(start.id, what, now)))
        }
    }
}
