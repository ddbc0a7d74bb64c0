//! Reads of keys and of the alarm: of the newest state, or as an attempt sees them.

use redis::{Cmd, Value as Reply};

use super::awaited::{Caller, Delivery};
use super::question::{AttemptName, Finding, Order, Question, ReadReply, RequestContext, lease_ms};
use crate::backend::redis::server::reply::{first, text, time, values, words};
use crate::backend::redis::server::script::READ;
use crate::error::{Error, Result};
use crate::key::{Key, Value};

/// Reads keys of the newest state.
pub(crate) struct Get {
    keys: Vec<Key>,
    shares: Vec<Share<Vec<Option<Value>>>>,
}

/// The part of a joined read that one caller asked for.
struct Share<T> {
    /// How many of the keys, after those of the shares before.
    count: usize,
    caller: Caller<T>,
}

impl Get {
    /// Asks for the values of `keys`.
    pub(crate) fn new(keys: Vec<Key>, caller: Caller<Vec<Option<Value>>>) -> Self {
        let shares = vec![Share { count: keys.len(), caller }];
        Self { keys, shares }
    }

    /// Makes one question of this and a later one.
    pub(crate) fn join(&mut self, later: Self) {
        self.keys.extend(later.keys);
        self.shares.extend(later.shares);
    }
}

impl Question for Get {
    fn order(&self) -> Order {
        Order::Read
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(context.names.values());
        for key in &self.keys {
            cmd.arg(&**key);
        }
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let values = words(reply).and_then(|words| values(words.into_iter(), self.keys.len()));
        findings.push(Finding::Answer(Delivery::new(move || {
            let mut values = values.map(Vec::into_iter);
            for Share { count, caller } in self.shares {
                let share = values.as_mut().map(|values| values.take(count).collect());
                caller.answer(share.map_err(|error| error.clone()));
            }
        })));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        for share in self.shares {
            findings.push(Finding::Answer(share.caller.delivery(Err(error.clone()))));
        }
    }
}

/// Reads the alarm of the newest state.
pub(crate) struct GetAlarm {
    pub(crate) caller: Caller<Option<i64>>,
}

impl Question for GetAlarm {
    fn order(&self) -> Order {
        Order::Read
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(context.names.meta()).arg("alarm");
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        findings.push(Finding::Answer(self.caller.delivery(time(reply))));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}

/// Reads keys and the alarm as an attempt sees them.
pub(crate) struct Look {
    attempt: AttemptName,
    keys: Vec<Key>,
    alarm: bool,
    shares: Vec<Share<ReadReply<Looked>>>,
}

/// What an attempt sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// In the order of the keys.
    pub(crate) values: Vec<Option<Value>>,
    /// `None` if it was not asked for.
    pub(crate) alarm: Option<i64>,
}

impl Look {
    /// Asks for the values of `keys`, and with `alarm` for the alarm.
    pub(crate) fn new(
        attempt: AttemptName,
        keys: Vec<Key>,
        alarm: bool,
        caller: Caller<ReadReply<Looked>>,
    ) -> Self {
        let shares = vec![Share { count: keys.len(), caller }];
        Self { attempt, keys, alarm, shares }
    }

    /// Makes one question of this and a later one of the same attempt.
    pub(crate) fn join(&mut self, later: Self) {
        self.keys.extend(later.keys);
        self.alarm |= later.alarm;
        self.shares.extend(later.shares);
    }
}

impl Question for Look {
    fn order(&self) -> Order {
        Order::Read
    }

    fn asks_for(&self) -> Option<&AttemptName> {
        Some(&self.attempt)
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let mut cmd = context.call(&READ);
        cmd.arg(&*self.attempt).arg(context.is_registered(&self.attempt));
        cmd.arg(lease_ms()).arg(u8::from(self.alarm));
        for key in &self.keys {
            cmd.arg(&**key);
        }
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let looked = looked(reply, self.keys.len());
        if matches!(looked, Ok(ReadReply::Value(_))) {
            findings.push(Finding::Registered(self.attempt));
        }
        findings.push(Finding::Answer(Delivery::new(move || hand_out(looked, self.shares))));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        for share in self.shares {
            findings.push(Finding::Answer(share.caller.delivery(Err(error.clone()))));
        }
    }
}

fn looked(reply: Reply, count: usize) -> Result<ReadReply<Looked>> {
    let words = words(reply)?;
    if first(&words)? == "stale" {
        return Ok(ReadReply::Conflict(text(words.into_iter().nth(1))?));
    }
    let mut words = words.into_iter().skip(2);
    let alarm = words.next().map(time).transpose()?.flatten();
    let values = values(words, count)?;
    Ok(ReadReply::Value(Looked { values, alarm }))
}

/// Gives each caller its part of what was read together.
fn hand_out(looked: Result<ReadReply<Looked>>, shares: Vec<Share<ReadReply<Looked>>>) {
    let (mut values, others) = match looked {
        Ok(ReadReply::Value(Looked { values, alarm })) => (values.into_iter(), Ok(Ok(alarm))),
        Ok(ReadReply::Conflict(what)) => (Vec::new().into_iter(), Ok(Err(what))),
        Err(error) => (Vec::new().into_iter(), Err(error)),
    };
    for Share { count, caller } in shares {
        let values = values.by_ref().take(count).collect();
        caller.answer(others.clone().map(|others| match others {
            Ok(alarm) => ReadReply::Value(Looked { values, alarm }),
            Err(what) => ReadReply::Conflict(what),
        }));
    }
}
