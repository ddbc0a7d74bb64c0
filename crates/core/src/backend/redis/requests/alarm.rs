//! Requests of the alarm's timer: claiming a due alarm, and ending its handling.

use redis::{Cmd, Value as Reply};

use super::awaited::Caller;
use super::question::{Finding, Order, Question, RequestContext, WAIT_LEASE_MS, lease_ms};
use crate::backend::redis::server::reply::{begins_with, first, text, time, words};
use crate::backend::redis::server::script::{ALARM_DONE, TAKE_ALARM};
use crate::error::{Error, Result};

/// Claims the alarm if it is due.
pub(crate) struct TakeAlarm {
    pub(crate) due_ms: i64,
    /// Name of the handling.
    pub(crate) claim: String,
    pub(crate) caller: Caller<Taken>,
}

/// What became of a due alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The caller handles it.
    Ours,
    /// Another process handles it.
    Others,
    /// It is not due: the alarm that is set, if any.
    NotDue(Option<i64>),
}

impl Question for TakeAlarm {
    fn order(&self) -> Order {
        Order::Queued
    }

    fn is_sent_at_close(&self) -> bool {
        false
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&TAKE_ALARM);
        cmd.arg(self.due_ms).arg(&self.claim).arg(context.client);
        cmd.arg(lease_ms()).arg(WAIT_LEASE_MS);
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        if begins_with(&reply, "wait") {
            return Some(self);
        }
        let taken = taken(reply).map(|(taken, ended)| {
            findings.push(Finding::AlarmIs(match taken {
                Taken::Ours | Taken::Others => None,
                Taken::NotDue(alarm) => alarm,
            }));
            findings.extend(ended.map(Finding::AlarmGone));
            taken
        });
        findings.push(Finding::Answer(self.caller.delivery(taken)));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}

/// What became of the alarm, and the name of an earlier alarm whose handling ends with that.
fn taken(reply: Reply) -> Result<(Taken, Option<String>)> {
    let words = words(reply)?;
    Ok(match &*first(&words)? {
        "taken" => {
            let ended = text(words.into_iter().nth(1))?;
            (Taken::Ours, (!ended.is_empty()).then_some(ended))
        }
        "claimed" => (Taken::Others, None),
        _ => (Taken::NotDue(words.into_iter().nth(1).map(time).transpose()?.flatten()), None),
    })
}

/// Ends the handling of an alarm.
pub(crate) struct AlarmDone {
    /// Name of the handling.
    pub(crate) claim: String,
    pub(crate) caller: Caller<()>,
}

impl Question for AlarmDone {
    fn order(&self) -> Order {
        Order::Free
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&ALARM_DONE);
        cmd.arg(&self.claim);
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let handled = words(reply).and_then(|words| text(words.into_iter().nth(1)));
        let handled = handled.map(|alarm| {
            findings.extend((!alarm.is_empty()).then_some(Finding::AlarmGone(alarm)));
        });
        findings.push(Finding::Answer(self.caller.delivery(handled)));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}
