//! A request on its way to the server: its kind, and how it is ordered and repeated.

use redis::{Cmd, Value as Reply};
use tokio::time::{Duration, Instant};

use super::alarm::{AlarmDone, TakeAlarm};
use super::claim::{ClaimAlarm, FinishAlarm};
use super::commit::Commit;
use super::list::List;
use super::question::{AttemptName, Finding, Order, Question, RequestContext};
use super::read::{Get, GetAlarm, Look};
use super::turn::{Leave, Renew, TakeTurn};
use crate::backend::Ticket;
use crate::error::Error;

/// How long to wait at most before a request that was told to wait is sent again.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// Defines the enum of all kinds, and hands each [`Question`] on to the kind that is asked.
macro_rules! request_kinds {
    ($($kind:ident($question:ty)),+ $(,)?) => {
        /// Everything that is asked about one object, apart from its plain writes.
        pub(crate) enum RequestKind {
            $($kind($question)),+
        }

        $(impl From<$question> for RequestKind {
            fn from(question: $question) -> Self {
                Self::$kind(question)
            }
        })+

        impl Question for RequestKind {
            fn order(&self) -> Order {
                match self { $(Self::$kind(question) => question.order()),+ }
            }

            fn is_sent_at_close(&self) -> bool {
                match self { $(Self::$kind(question) => question.is_sent_at_close()),+ }
            }

            fn asks_for(&self) -> Option<&AttemptName> {
                match self { $(Self::$kind(question) => question.asks_for()),+ }
            }

            fn ends(&self) -> Option<&AttemptName> {
                match self { $(Self::$kind(question) => question.ends()),+ }
            }

            fn command(&self, context: &RequestContext<'_>) -> Cmd {
                match self { $(Self::$kind(question) => question.command(context)),+ }
            }

            fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
                match self {
                    $(Self::$kind(question) => question.read_reply(reply, findings).map(Self::$kind)),+
                }
            }

            fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
                match self { $(Self::$kind(question) => question.fail(error, findings)),+ }
            }
        }
    };
}

request_kinds! {
    Get(Get),
    GetAlarm(GetAlarm),
    Look(Look),
    List(List),
    Commit(Box<Commit>),
    TakeTurn(TakeTurn),
    Leave(Leave),
    Renew(Renew),
    TakeAlarm(TakeAlarm),
    AlarmDone(AlarmDone),
    ClaimAlarm(ClaimAlarm),
    FinishAlarm(FinishAlarm),
}

/// A request on its way.
pub(crate) struct Request {
    /// The plain writes that come before it.
    pub(crate) barrier: Ticket,
    /// Until when to try.
    pub(crate) deadline: Instant,
    /// It is not sent before this moment.
    pub(crate) not_before: Option<Instant>,
    /// How often it was told to wait for the end of a turn.
    waits: u32,
    /// Whether to send the text of the script instead of its hash.
    pub(crate) whole: bool,
    pub(crate) kind: RequestKind,
}

impl Request {
    /// A request behind the plain writes up to `barrier`.
    pub(crate) fn new(kind: impl Into<RequestKind>, barrier: Ticket, deadline: Instant) -> Self {
        let kind = kind.into();
        Self { barrier, deadline, not_before: None, waits: 0, whole: false, kind }
    }

    /// Whether it changes nothing, so that it can be asked twice.
    pub(crate) fn is_read(&self) -> bool {
        self.kind.order() == Order::Read
    }

    /// Whether it changes something in the order of the calls.
    pub(crate) fn is_queued(&self) -> bool {
        self.kind.order() == Order::Queued
    }

    /// Whether it reads for that attempt, or asks a turn for it.
    pub(crate) fn asks_for(&self, attempt: &str) -> bool {
        self.kind.asks_for().is_some_and(|name| **name == *attempt)
    }

    /// Whether it ends that attempt.
    pub(crate) fn ends(&self, attempt: &str) -> bool {
        self.kind.ends().is_some_and(|name| **name == *attempt)
    }

    /// The commit that it asks for, if it does.
    pub(crate) fn commit(&mut self) -> Option<&mut Commit> {
        match &mut self.kind {
            RequestKind::Commit(commit) => Some(commit),
            _ => None,
        }
    }

    /// Whether the server may have applied it.
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(&self.kind, RequestKind::Commit(commit) if commit.stamp.in_doubt)
    }

    /// Whether it was told to wait for the end of a turn.
    pub(crate) fn waits_for_turn(&self) -> bool {
        self.waits > 0 && !self.is_in_doubt()
    }

    /// Makes it wait behind an earlier queued request, and ask at once when that is done.
    pub(crate) fn hold(&mut self) {
        if self.waits_for_turn() {
            self.waits = 0;
            self.not_before = None;
        }
    }

    /// Lets it ask again at once, since a turn has ended.
    pub(crate) fn turn_has_ended(&mut self) {
        if self.waits_for_turn() {
            self.not_before = None;
        }
    }

    /// Makes it ask again a little later, each time later than before. Waiting for a turn is no failure, so the
    /// deadline moves too.
    fn wait(&mut self, now: Instant) {
        let delay = Duration::from_millis(1 << self.waits.min(5)).min(WAIT_MAX);
        self.waits += 1;
        self.not_before = Some(now + delay);
        self.deadline += delay;
    }

    /// Makes one request of this and a later one behind the same writes, if both read in the same way. Otherwise
    /// gives the later one back.
    pub(crate) fn join(&mut self, later: Self) -> Option<Self> {
        match (&mut self.kind, later.kind) {
            (RequestKind::Get(get), RequestKind::Get(other)) => get.join(other),
            (RequestKind::Look(look), RequestKind::Look(other))
                if look.asks_for() == other.asks_for() =>
            {
                look.join(other);
            }
            (_, kind) => return Some(Self { kind, ..later }),
        }
        self.deadline = self.deadline.min(later.deadline);
        None
    }

    /// The command that asks the server.
    pub(crate) fn command(&self, context: &RequestContext<'_>) -> Cmd {
        self.kind.command(&RequestContext { whole: self.whole, ..*context })
    }

    /// Adds what the reply tells to `findings`. Returns the request if it has to be sent again.
    pub(crate) fn read_reply(
        mut self,
        reply: Reply,
        now: Instant,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        self.kind = self.kind.read_reply(reply, findings)?;
        self.wait(now);
        Some(self)
    }

    /// Adds what follows from giving up to `findings`.
    pub(crate) fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        self.kind.fail(error, findings);
    }

    /// Answers the callers with an error at once.
    pub(crate) fn refuse(self, error: &Error) {
        let mut findings = Vec::new();
        self.fail(error, &mut findings);
        for finding in findings {
            if let Finding::Answer(delivery) = finding {
                delivery.hand_over();
            }
        }
    }
}
