//! Requests about attempts themselves: taking a turn, ending attempts, extending leases.

use redis::{Cmd, Value as Reply};

use super::awaited::Caller;
use super::question::{
    AttemptName, Finding, Order, Question, RequestContext, WAIT_LEASE_MS, lease_ms,
};
use crate::backend::redis::server::reply::{first, words};
use crate::backend::redis::server::script::{LEAVE, RENEW, TURN};
use crate::concurrency::turn::TURN_LEASE;
use crate::error::Error;

/// Asks for a turn, and starts the attempt that gets it.
pub(crate) struct TakeTurn {
    pub(crate) attempt: AttemptName,
    pub(crate) caller: Caller<()>,
}

impl Question for TakeTurn {
    fn order(&self) -> Order {
        Order::Queued
    }

    fn is_sent_at_close(&self) -> bool {
        false
    }

    fn asks_for(&self) -> Option<&AttemptName> {
        Some(&self.attempt)
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let turn_ms = u64::try_from(TURN_LEASE.as_millis()).unwrap_or(u64::MAX);
        let mut cmd = context.call(&TURN);
        cmd.arg(&*self.attempt).arg(turn_ms).arg(lease_ms()).arg(WAIT_LEASE_MS);
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        match words(reply).and_then(|words| first(&words)) {
            Ok(word) if word == "wait" && !self.caller.has_left() => return Some(self),
            Ok(word) if word == "wait" => findings.push(Finding::Left(self.attempt)),
            Ok(_) => findings.push(Finding::TurnGranted(self.attempt, self.caller)),
            Err(error) => findings.push(Finding::Answer(self.caller.delivery(Err(error)))),
        }
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}

/// Ends an attempt that does not commit.
pub(crate) struct Leave {
    pub(crate) attempt: AttemptName,
}

impl Question for Leave {
    fn order(&self) -> Order {
        Order::Free
    }

    fn ends(&self) -> Option<&AttemptName> {
        Some(&self.attempt)
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&LEAVE);
        cmd.arg(&*self.attempt);
        cmd
    }

    fn read_reply(self, _reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        findings.push(Finding::Left(self.attempt));
        None
    }

    fn fail(self, _error: &Error, _findings: &mut Vec<Finding>) {}
}

/// Extends the leases of what still runs in this process.
pub(crate) struct Renew {
    pub(crate) attempts: Vec<AttemptName>,
    /// Name of the handling of an alarm.
    pub(crate) claim: Option<String>,
}

impl Question for Renew {
    fn order(&self) -> Order {
        Order::Free
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&RENEW);
        cmd.arg(lease_ms()).arg(self.claim.as_deref().unwrap_or_default());
        for attempt in &self.attempts {
            cmd.arg(&**attempt);
        }
        cmd
    }

    fn read_reply(self, _reply: Reply, _findings: &mut Vec<Finding>) -> Option<Self> {
        None
    }

    fn fail(self, _error: &Error, _findings: &mut Vec<Finding>) {}
}
