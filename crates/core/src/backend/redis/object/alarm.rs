//! Claims the alarm of an object when it is due, and ends its handling.

use std::sync::Arc;

use super::handle::RedisObject;
use crate::answer::Answer;
use crate::backend::redis::requests::alarm::{AlarmDone, TakeAlarm, Taken};
use crate::error::Error;

impl RedisObject {
    /// Claims the alarm if it is due; says whether the caller has to handle it.
    pub(crate) fn claim_alarm(&self, due_ms: i64) -> Answer<bool> {
        let driver = &self.driver;
        let mut state = match driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let barrier = state.writes.newest();
        let name = driver.shared.new_name();
        let claim = name.clone();
        let taking = driver.ask(state, barrier, |caller| TakeAlarm { due_ms, claim, caller });
        let driver = Arc::downgrade(driver);
        Answer::later(async move {
            let taken = taking.wait().await?;
            let driver = driver.upgrade().ok_or(Error::Closed)?;
            match taken {
                Taken::Ours => driver.state()?.claims.push_back(name),
                Taken::Others => {}
                Taken::NotDue(_) => {
                    let now = driver.shared.now();
                    driver.shared.alarms.refuse(&driver.key, due_ms, now)?;
                }
            }
            Ok(taken == Taken::Ours)
        })
    }

    /// Ends the handling of the alarm that was claimed first.
    pub(crate) fn end_claim(&self) -> Answer<()> {
        let mut state = match self.driver.state() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let Some(claim) = state.claims.pop_front() else {
            return Answer::Now(Ok(()));
        };
        let ending = self.driver.ask(state, 0, |caller| AlarmDone { claim, caller });
        Answer::later(ending.wait())
    }
}
