//! Claims the alarm of an object so that it stays stored while it is handled, and ends the claim.

use std::sync::Arc;

use super::handle::RedisObject;
use crate::answer::Answer;
use crate::backend::redis::requests::claim::{ClaimAlarm, Claimed, FinishAlarm};
use crate::backend::{AlarmClaim, AlarmEnd, ClaimId};
use crate::error::Error;

impl RedisObject {
    /// As [`crate::backend::ObjectStorage::claim_alarm`].
    pub(crate) fn claim_stored_alarm(
        &self,
        due_ms: i64,
        again: Option<ClaimId>,
    ) -> Answer<Option<AlarmClaim>> {
        let driver = &self.driver;
        let mut state = match driver.open() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        let id = again.unwrap_or_else(|| driver.shared.next_id());
        if again.is_some() && !(state.claim_waits && state.alarm_claim == Some(id)) {
            return Answer::Now(Ok(None));
        }
        let barrier = state.writes.newest();
        let claim = driver.shared.name_of(id);
        let again = again.is_some();
        let claiming =
            driver.ask(state, barrier, |caller| ClaimAlarm { due_ms, claim, again, caller });
        let driver = Arc::downgrade(driver);
        Answer::later(async move {
            let claimed = claiming.wait().await?;
            let driver = driver.upgrade().ok_or(Error::Closed)?;
            let alarms = &driver.shared.alarms;
            Ok(match claimed {
                Claimed::Ours(at) => {
                    let mut state = driver.state()?;
                    (state.alarm_claim, state.claim_waits) = (Some(id), false);
                    alarms.withhold(&driver.key)?;
                    Some(AlarmClaim { id, at })
                }
                Claimed::Others => {
                    alarms.withhold_for_now(&driver.key)?;
                    None
                }
                Claimed::Over => {
                    driver.end_claim(id)?;
                    None
                }
                Claimed::NotDue(_) => {
                    alarms.refuse(&driver.key, due_ms, driver.shared.now())?;
                    None
                }
            })
        })
    }

    /// As [`crate::backend::ObjectStorage::finish_alarm`].
    pub(crate) fn finish_stored_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        let driver = &self.driver;
        let mut state = match driver.state() {
            Ok(state) => state,
            Err(error) => return Answer::Now(Err(error)),
        };
        if state.alarm_claim != Some(claim) {
            return Answer::Now(Ok(false));
        }
        // What the handler has written comes before.
        let barrier = state.writes.newest();
        let name = driver.shared.name_of(claim);
        let finishing =
            driver.ask(state, barrier, |caller| FinishAlarm { claim: name, end, caller });
        let driver = Arc::downgrade(driver);
        Answer::later(async move {
            let kept = finishing.wait().await?;
            let driver = driver.upgrade().ok_or(Error::Closed)?;
            if !kept || end != AlarmEnd::Postponed {
                driver.end_claim(claim)?;
            }
            Ok(kept)
        })
    }
}
