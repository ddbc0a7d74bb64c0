//! Requests about an alarm that stays stored while it is handled: claiming it, and ending the claim.

use redis::{Cmd, Value as Reply};

use super::awaited::Caller;
use super::question::{Finding, Order, Question, RequestContext, WAIT_LEASE_MS, lease_ms};
use crate::backend::AlarmEnd;
use crate::backend::redis::server::reply::{begins_with, first, text, time, words};
use crate::backend::redis::server::script::{CLAIM_ALARM, FINISH_ALARM};
use crate::error::{Error, Result};

/// Claims the alarm if it is due, or goes on with a claim.
pub(crate) struct ClaimAlarm {
    pub(crate) due_ms: i64,
    /// Name of the claim.
    pub(crate) claim: String,
    /// Whether the claim exists and waits.
    pub(crate) again: bool,
    pub(crate) caller: Caller<Claimed>,
}

/// What became of a due alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The caller handles the alarm, which was set for this time.
    Ours(i64),
    /// Another caller handles it.
    Others,
    /// The claim that was to go on has ended.
    Over,
    /// It is not due: the alarm that is set, if any.
    NotDue(Option<i64>),
}

impl Question for ClaimAlarm {
    fn order(&self) -> Order {
        Order::Queued
    }

    fn is_sent_at_close(&self) -> bool {
        false
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&CLAIM_ALARM);
        cmd.arg(self.due_ms).arg(&self.claim).arg(lease_ms()).arg(WAIT_LEASE_MS);
        cmd.arg(u8::from(self.again));
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        if begins_with(&reply, "wait") {
            return Some(self);
        }
        let claimed = claimed(reply).map(|(claimed, gone)| {
            if let Claimed::NotDue(alarm) = claimed {
                findings.push(Finding::AlarmIs(alarm));
            }
            findings.extend(gone.map(Finding::AlarmGone));
            claimed
        });
        findings.push(Finding::Answer(self.caller.delivery(claimed)));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}

/// What became of the alarm, and the name of an alarm that is gone.
fn claimed(reply: Reply) -> Result<(Claimed, Option<String>)> {
    let words = words(reply)?;
    let kind = first(&words)?;
    let mut rest = words.into_iter().skip(1);
    let at = rest.next().map(time).transpose()?.flatten();
    Ok(match &*kind {
        "taken" => {
            let gone = text(rest.next())?;
            let at = at.ok_or_else(|| Error::RedisAnswer {
                shown: "a claimed alarm without a time".into(),
            })?;
            (Claimed::Ours(at), (!gone.is_empty()).then_some(gone))
        }
        "claimed" => (Claimed::Others, None),
        "over" => (Claimed::Over, None),
        _ => (Claimed::NotDue(at), None),
    })
}

/// Ends a claim, or lets it wait.
pub(crate) struct FinishAlarm {
    /// Name of the claim.
    pub(crate) claim: String,
    pub(crate) end: AlarmEnd,
    /// Gets whether the alarm was still set.
    pub(crate) caller: Caller<bool>,
}

impl Question for FinishAlarm {
    fn order(&self) -> Order {
        Order::Free
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&FINISH_ALARM);
        let end = match self.end {
            AlarmEnd::Handled => "handled",
            AlarmEnd::Postponed => "postponed",
            AlarmEnd::Released => "released",
        };
        cmd.arg(&self.claim).arg(end).arg(lease_ms());
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let finished = words(reply).and_then(|words| {
            let kept = first(&words)? == "kept";
            let mut rest = words.into_iter().skip(1);
            let gone = text(rest.next())?;
            findings.extend((!gone.is_empty()).then_some(Finding::AlarmGone(gone)));
            findings.push(Finding::AlarmIs(rest.next().map(time).transpose()?.flatten()));
            if kept && self.end == AlarmEnd::Postponed {
                findings.push(Finding::ClaimWaits);
            }
            Ok(kept)
        });
        findings.push(Finding::Answer(self.caller.delivery(finished)));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}
