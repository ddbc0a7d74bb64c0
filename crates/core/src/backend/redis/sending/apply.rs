//! Applies what follows from a round: to what waits, to what this process knows, and to the callers.

use super::deliver::{Effect, deliver, postpone};
use super::driver::{Driver, Sent};
use super::state::State;
use crate::backend::redis::requests::question::Finding;
use crate::backend::redis::requests::request::Request;
use crate::backend::redis::requests::turn::Leave;

impl Driver {
    /// Applies what follows from a round. Nothing else does. Returns whether the connection can no longer be used.
    pub(super) fn finish(&self, sent: Sent) -> bool {
        let now = self.shared.now();
        let Ok(mut state) = self.state() else {
            return false;
        };
        state.indexed_at = sent.indexed_at.or(state.indexed_at);
        let effects = match sent.replies {
            Ok(replies) => {
                state.failures = 0;
                let judge = |error: &_| self.shared.connection.judge(error);
                deliver(*sent.round, replies, judge, now)
            }
            Err(failure) => {
                state.failures += 1;
                postpone(*sent.round, &failure, state.failures - 1, now)
            }
        };
        let mut reconnect = false;
        let mut again = Vec::new();
        for effect in effects {
            match effect {
                Effect::Found(finding) => again.extend(self.apply(&mut state, finding)),
                Effect::Retry(request) => again.push(request),
                Effect::RetryWrites(batch) => state.writes.retry(batch),
                Effect::WritesCommitted { batch, exists } => {
                    state.writes.committed(batch, &exists, &self.durability);
                }
                Effect::WritesFailed { batch, error } => {
                    state.writes.fail(batch, &error, &self.durability);
                }
                Effect::Reconnect => reconnect = true,
            }
        }
        for request in again.into_iter().rev() {
            state.requests.push_front(request);
        }
        reconnect
    }

    /// Applies what a reply tells. Returns a request that has to be sent next.
    fn apply(&self, state: &mut State, finding: Finding) -> Option<Request> {
        match finding {
            Finding::Registered(attempt) => {
                state.registered.insert(attempt);
            }
            Finding::Left(attempt) => {
                state.registered.remove(&attempt);
                state.turn_has_ended();
            }
            Finding::TurnGranted(attempt, caller) => {
                if !caller.answer(Ok(())) {
                    return Some(Request::new(Leave { attempt }, 0, self.deadline()));
                }
                state.registered.insert(attempt);
            }
            // The list of alarms is a hint: what cannot be set here is read again from the server.
            Finding::AlarmIs(alarm) => {
                drop(self.shared.alarms.set(&self.key, alarm));
                if std::mem::replace(&mut state.claim_waits, false) {
                    state.alarm_claim = None;
                    drop(self.shared.alarms.release(&self.key));
                }
            }
            Finding::ClaimWaits => state.claim_waits = true,
            Finding::AlarmGone(alarm) => self.remove_from_index(alarm),
            Finding::SlotFree(slot) => state.slots.release(slot),
            Finding::Answer(delivery) => delivery.hand_over(),
        }
        None
    }

    /// Removes the index entry of an alarm that is no longer set, in the background. An entry that stays behind is
    /// found to be old when it is due.
    fn remove_from_index(&self, alarm: String) {
        let (shared, key) = (self.shared.clone(), self.key.clone());
        drop(shared.alarms.end(&key, &alarm));
        self.shared.runtime.spawn(async move {
            let removed = shared.registry.remove_alarm(&key, &alarm).await.is_ok();
            drop(shared.alarms.entry_removed(&key, &alarm, removed));
        });
    }
}
