//! The alarm of one object: reading it, setting it, and handling it when it is due.

use std::sync::atomic::Ordering;

use ferroflare_core::backend::{AlarmEnd, ReadResult, ReadView};
use ferroflare_core::checks;
use ferroflare_core::write_batch::WriteBatch;
use napi::Env;
use napi_derive::napi;

use crate::arguments::alarm_number;
use crate::codes::LOST;
use crate::completions::Reply;
use crate::error::thrown;
use crate::object::{ObjectHandle, Target, latest};
use crate::scope::Scope;

impl ObjectHandle {
    fn write_alarm(&self, env: Env, alarm: Option<i64>, scope: Scope) -> napi::Result<f64> {
        match self.target(env, scope)? {
            Target::Attempt(attempt) => {
                attempt.set_alarm(alarm).map(|()| 0.0).map_err(|error| thrown(env, &error))
            }
            Target::Newest(issued_by) => {
                let mut writes = WriteBatch::default();
                writes.set_alarm(alarm);
                self.write(env, writes, issued_by)
            }
        }
    }
}

#[napi]
impl ObjectHandle {
    /// The alarm in milliseconds, NaN for none.
    #[napi(catch_unwind)]
    pub fn get_alarm(
        &self,
        env: Env,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let answer = match self.target(env, scope)? {
            Target::Attempt(attempt) => attempt.alarm(),
            Target::Newest(issued_by) => latest(self.object.alarm(ReadView::Latest(issued_by))),
        };
        self.completions.reply(env, &mut [], answer, |read| {
            Reply::Number(match read {
                ReadResult::Value(alarm) => alarm_number(alarm),
                ReadResult::Conflict(_) => LOST,
            })
        })
    }

    /// Sets the alarm to a time in milliseconds.
    #[napi(catch_unwind)]
    pub fn set_alarm(
        &self,
        env: Env,
        ms: f64,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        let alarm = checks::check_alarm_time(ms).map_err(|error| thrown(env, &error))?;
        self.write_alarm(env, Some(alarm), scope)
    }

    /// Removes the alarm.
    #[napi(catch_unwind)]
    pub fn delete_alarm(
        &self,
        env: Env,
        #[napi(ts_arg_type = "number")] scope: Scope,
    ) -> napi::Result<f64> {
        self.write_alarm(env, None, scope)
    }

    /// Makes `takeAlarm()` answer at once, if opening the object takes time; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn prepare_alarm(&self, env: Env) -> napi::Result<f64> {
        let answer = self.object.prepare_alarm();
        self.completions.reply(env, &mut [], answer, |()| Reply::Number(0.0))
    }

    /// Removes the alarm if it is set for `dueMs` or earlier; returns whether it did, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn take_alarm(&self, env: Env, due_ms: f64) -> napi::Result<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let answer = self.object.take_alarm(due_ms as i64);
        self.completions.reply(env, &mut [], answer, |took| Reply::Number(f64::from(took)))
    }

    /// The alarm that was taken has been handled; returns 0, or a ticket.
    #[napi(catch_unwind)]
    pub fn alarm_done(&self, env: Env) -> napi::Result<f64> {
        self.completions.reply(env, &mut [], self.object.alarm_done(), |()| Reply::Number(0.0))
    }

    /// Claims the alarm if it is set for `dueMs` or earlier: it stays stored until `finishAlarm()`. With `again`, the
    /// postponed claim of this handle goes on. Returns for when it is set, in milliseconds, NaN for none.
    #[napi(catch_unwind)]
    pub fn claim_alarm(&self, env: Env, due_ms: f64, again: bool) -> napi::Result<f64> {
        let known = again.then(|| self.claim.load(Ordering::Relaxed));
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let answer = self.object.claim_alarm(due_ms as i64, known);
        let claim = self.claim.clone();
        self.completions.reply(env, &mut [], answer, move |claimed| {
            if let Some(claimed) = &claimed {
                claim.store(claimed.id, Ordering::Relaxed);
            }
            Reply::Number(alarm_number(claimed.map(|claimed| claimed.at)))
        })
    }

    /// Ends the claim of this handle: 0 when the alarm was handled, 1 to postpone it, 2 to leave it to others. Returns
    /// whether the claimed alarm was still set, as 1 or 0.
    #[napi(catch_unwind)]
    pub fn finish_alarm(&self, env: Env, end: u32) -> napi::Result<f64> {
        let end = match end {
            0 => AlarmEnd::Handled,
            1 => AlarmEnd::Postponed,
            _ => AlarmEnd::Released,
        };
        let answer = self.object.finish_alarm(self.claim.load(Ordering::Relaxed), end);
        self.completions.reply(env, &mut [], answer, |kept| Reply::Number(f64::from(kept)))
    }
}
