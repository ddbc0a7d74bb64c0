//! The request that commits, and what makes a commit happen once.

use std::collections::BTreeSet;

use redis::{Cmd, Value as Reply};

use super::awaited::Caller;
use super::question::{
    AttemptName, Finding, Order, Question, RequestContext, WAIT_LEASE_MS, lex_bounds,
};
use crate::backend::redis::server::reply::{flags, text, words};
use crate::backend::redis::server::script::COMMIT;
use crate::concurrency::ReadSet;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::write_batch::WriteBatch;

/// How long the server remembers the reply to a commit, for a client that has not received it.
const REMEMBERED_MS: u64 = 600_000;

/// Names a commit, so that sending it again does not apply it again.
///
/// unused -> used (`Slots::stamp`, when it is first sent) -> ended (`Slots::release`).
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    used: Option<(u64, usize)>,
    /// Whether the server may have applied it: it was sent, and no reply came.
    pub(crate) in_doubt: bool,
    /// Name of the alarm that it sets.
    pub(crate) alarm_name: Option<String>,
}

impl Stamp {
    /// Whether it may have been sent.
    pub(crate) fn is_used(&self) -> bool {
        self.used.is_some()
    }

    /// What follows from the end of its commit.
    pub(crate) fn ended(&self) -> Option<Finding> {
        self.used.map(|(_, slot)| Finding::SlotFree(slot))
    }
}

/// The slots in which the server remembers replies for this client. A slot is used again only when its commit has
/// ended.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    busy: BTreeSet<usize>,
    newest: u64,
}

impl Slots {
    /// Gives a commit its number and its slot, unless it has them. `alarm_name` names the alarm that it may set.
    pub(crate) fn stamp(
        &mut self,
        stamp: &mut Stamp,
        writes: &WriteBatch,
        alarm_name: impl FnOnce() -> String,
    ) {
        if stamp.used.is_none() {
            let taken = self.busy.iter().enumerate().take_while(|(at, slot)| at == *slot);
            let free = taken.count();
            self.busy.insert(free);
            self.newest += 1;
            stamp.used = Some((self.newest, free));
        }
        if matches!(writes.alarm(), Some(Some(_))) && stamp.alarm_name.is_none() {
            stamp.alarm_name = Some(alarm_name());
        }
    }

    /// Takes back the slot of a commit that has ended.
    pub(crate) fn release(&mut self, slot: usize) {
        self.busy.remove(&slot);
    }
}

/// Everything that one commit says.
pub(crate) struct CommitCall<'a> {
    /// The turn that the commit belongs to, or the empty text.
    pub(crate) turn_token: &'a str,
    /// The attempt that ends with it, or the empty text.
    pub(crate) attempt: &'a str,
    pub(crate) stamp: &'a Stamp,
    pub(crate) read_set: &'a ReadSet,
    pub(crate) writes: &'a WriteBatch,
    /// Keys of which the server says whether they existed.
    pub(crate) asked: &'a [Key],
}

impl CommitCall<'_> {
    /// The command. The arguments are those that `commit.lua` lists.
    pub(crate) fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let names = context.names;
        let (number, slot) = self.stamp.used.unwrap_or_default();
        let mut cmd = COMMIT.call(context.whole);
        cmd.arg(names.all().len() + 1).arg(names.all()).arg(names.done(context.client, slot));
        cmd.arg(number).arg(REMEMBERED_MS).arg(self.turn_token).arg(context.client);
        cmd.arg(self.attempt).arg(WAIT_LEASE_MS);
        self.add_counts(&mut cmd);
        self.add_reads(&mut cmd);
        self.add_writes(&mut cmd);
        for key in self.asked {
            cmd.arg(&**key);
        }
        cmd
    }

    fn add_counts(&self, cmd: &mut Cmd) {
        let Self { read_set, writes, .. } = self;
        cmd.arg(read_set.keys.len()).arg(read_set.ranges.len()).arg(u8::from(read_set.alarm));
        let (alarm, time) = match writes.alarm() {
            None => ("", 0),
            Some(None) => ("none", 0),
            Some(Some(time)) => ("set", time),
        };
        cmd.arg(u8::from(writes.clears())).arg(alarm).arg(time);
        cmd.arg(self.stamp.alarm_name.as_deref().unwrap_or_default());
        let puts = writes.entries().values().flatten().count();
        cmd.arg(puts).arg(writes.entries().len() - puts).arg(self.asked.len());
    }

    fn add_reads(&self, cmd: &mut Cmd) {
        for key in &self.read_set.keys {
            cmd.arg(&**key);
        }
        for range in &self.read_set.ranges {
            let (min, max) = lex_bounds(range);
            cmd.arg(min).arg(max);
        }
    }

    fn add_writes(&self, cmd: &mut Cmd) {
        for (key, value) in self.writes.entries() {
            if let Some(value) = value {
                cmd.arg(&**key).arg(&**value);
            }
        }
        for (key, value) in self.writes.entries() {
            if value.is_none() {
                cmd.arg(&**key);
            }
        }
    }
}

/// The server's reply to a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommitReply {
    /// The writes are applied.
    Committed {
        /// Name of the alarm that was set before.
        alarm_before: Option<String>,
        /// Which of the keys asked about existed.
        exists: Vec<bool>,
    },
    /// Something that was read has changed.
    Lost(String),
    /// Another attempt has its turn, or another request is earlier in the queue.
    Wait,
}

impl CommitReply {
    /// Reads the reply.
    pub(crate) fn of(reply: Reply) -> Result<Self> {
        let mut words = words(reply)?.into_iter();
        let mut word = || text(words.next());
        match &*word()? {
            "ok" => {
                let before = word()?;
                let exists = flags(&word()?);
                let alarm_before = (!before.is_empty()).then_some(before);
                Ok(Self::Committed { alarm_before, exists })
            }
            "lost" => Ok(Self::Lost(word()?)),
            "wait" => Ok(Self::Wait),
            other => Err(Error::RedisAnswer { shown: other.chars().take(200).collect() }),
        }
    }
}

/// Commits an attempt, or writes that belong to a turn.
pub(crate) struct Commit {
    attempt: Option<AttemptName>,
    turn_token: Option<AttemptName>,
    read_set: ReadSet,
    /// What it writes.
    pub(crate) writes: WriteBatch,
    /// What makes it happen once.
    pub(crate) stamp: Stamp,
    caller: Caller<CommitReply>,
}

impl Commit {
    /// Commits `writes` if nothing of `read_set` has changed. Ends `attempt`; belongs to the turn of `turn_token`.
    pub(crate) fn new(
        attempt: Option<AttemptName>,
        turn_token: Option<AttemptName>,
        read_set: ReadSet,
        writes: WriteBatch,
        caller: Caller<CommitReply>,
    ) -> Box<Self> {
        let stamp = Stamp::default();
        Box::new(Self { attempt, turn_token, read_set, writes, stamp, caller })
    }
}

impl Question for Box<Commit> {
    fn order(&self) -> Order {
        let waits = self.turn_token.is_none() && !self.writes.is_empty();
        if waits { Order::Queued } else { Order::Free }
    }

    fn ends(&self) -> Option<&AttemptName> {
        self.attempt.as_ref()
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let removed = self.writes.entries().iter().filter(|(_, value)| value.is_none());
        let asked: Vec<Key> = removed.map(|(key, _)| key.clone()).collect();
        let call = CommitCall {
            turn_token: self.turn_token.as_deref().unwrap_or_default(),
            attempt: self.attempt.as_deref().unwrap_or_default(),
            stamp: &self.stamp,
            read_set: &self.read_set,
            writes: &self.writes,
            asked: &asked,
        };
        call.command(context)
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let reply = CommitReply::of(reply);
        if matches!(reply, Ok(CommitReply::Wait)) {
            return Some(self);
        }
        findings.extend(self.stamp.ended());
        if let Ok(CommitReply::Committed { alarm_before, .. }) = &reply {
            findings.extend(self.writes.alarm().map(Finding::AlarmIs));
            findings.extend(alarm_before.clone().map(Finding::AlarmGone));
        }
        findings.push(Finding::Answer(self.caller.delivery(reply)));
        findings.extend(self.attempt.map(Finding::Left));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.extend(self.stamp.ended());
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}
