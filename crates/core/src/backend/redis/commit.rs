//! The call that commits, and what makes it happen once.

use std::collections::BTreeSet;

use redis::{Cmd, Value as Answer};

use super::names::ObjectNames;
use super::reply::{flags, text, words};
use super::script::COMMIT;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::range::KeyRange;
use crate::transaction::Footprint;
use crate::write::WriteBatch;

/// How long the server remembers the answer to a commit, for a client that has not got it.
const REMEMBERED_MS: u64 = 600_000;
/// How long somebody who waits for a turn of another keeps the place in the queue without asking.
pub(super) const WAIT_LEASE_MS: u64 = 3_000;

/// Names a commit, so that sending it again does not apply it again.
///
/// unused -> used (`Slots::stamp`, at the first sending) -> unused (`Slots::release`, when it has ended).
#[derive(Debug, Default)]
pub(super) struct Stamp {
    used: Option<(u64, usize)>,
    /// Whether it may have been applied: it was sent, and no answer came.
    pub(super) in_doubt: bool,
    /// Name of the alarm that it sets.
    pub(super) alarm_name: Option<String>,
    /// Whether to send the script itself.
    pub(super) whole: bool,
}

impl Stamp {
    /// Whether it may have been sent.
    pub(super) fn is_used(&self) -> bool {
        self.used.is_some()
    }
}

/// Where the server remembers the answers of a client: a slot is used again only when its commit has ended.
#[derive(Debug, Default)]
pub(super) struct Slots {
    busy: BTreeSet<usize>,
    newest: u64,
}

impl Slots {
    /// Gives a commit its number and its slot.
    pub(super) fn stamp(&mut self, stamp: &mut Stamp) {
        if stamp.used.is_none() {
            let taken = self.busy.iter().enumerate().take_while(|(at, slot)| at == *slot);
            let free = taken.count();
            self.busy.insert(free);
            self.newest += 1;
            stamp.used = Some((self.newest, free));
        }
    }

    /// Takes back the slot of a commit that has ended.
    pub(super) fn release(&mut self, stamp: &Stamp) {
        if let Some((_, slot)) = stamp.used {
            self.busy.remove(&slot);
        }
    }
}

/// Who commits.
pub(super) struct Committer<'a> {
    /// The keys of the object.
    pub(super) names: &'a ObjectNames,
    /// Name of this client.
    pub(super) client: &'a str,
    /// The turn that the commit belongs to, or nothing.
    pub(super) pass: &'a str,
    /// The attempt that ends with it, or nothing.
    pub(super) attempt: &'a str,
}

/// The call for one commit.
pub(super) fn command(
    by: &Committer<'_>,
    stamp: &Stamp,
    footprint: &Footprint,
    writes: &WriteBatch,
    asked: &[Key],
) -> Cmd {
    let (number, slot) = stamp.used.unwrap_or_default();
    let mut cmd = COMMIT.call(stamp.whole);
    cmd.arg(by.names.all().len() + 1).arg(by.names.all()).arg(by.names.done(by.client, slot));
    cmd.arg(number).arg(REMEMBERED_MS).arg(by.pass).arg(by.client).arg(by.attempt);
    cmd.arg(WAIT_LEASE_MS);
    cmd.arg(footprint.keys.len()).arg(footprint.ranges.len()).arg(u8::from(footprint.alarm));
    let (alarm, time) = match writes.alarm() {
        None => ("", 0),
        Some(None) => ("none", 0),
        Some(Some(time)) => ("set", time),
    };
    cmd.arg(u8::from(writes.clears())).arg(alarm).arg(time);
    cmd.arg(stamp.alarm_name.as_deref().unwrap_or_default());
    let puts = writes.entries().values().flatten().count();
    cmd.arg(puts).arg(writes.entries().len() - puts).arg(asked.len());
    for key in &footprint.keys {
        cmd.arg(&**key);
    }
    for range in &footprint.ranges {
        let (min, max) = bounds(range);
        cmd.arg(min).arg(max);
    }
    for (key, value) in writes.entries() {
        if let Some(value) = value {
            cmd.arg(&**key).arg(&**value);
        }
    }
    for (key, value) in writes.entries() {
        if value.is_none() {
            cmd.arg(&**key);
        }
    }
    for key in asked {
        cmd.arg(&**key);
    }
    cmd
}

/// What a commit has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there.
    Committed {
        /// Name of the alarm that was set before.
        alarm_before: Option<String>,
        /// Which of the keys asked about existed.
        exists: Vec<bool>,
    },
    /// Something that was read has changed.
    Lost(String),
    /// Somebody else has a turn, or goes first.
    Wait,
}

/// Reads the answer to a commit.
pub(super) fn outcome(answer: Answer) -> Result<Outcome> {
    let mut words = words(answer)?.into_iter();
    let mut word = || text(words.next());
    match &*word()? {
        "ok" => {
            let before = word()?;
            let exists = flags(&word()?);
            let alarm_before = (!before.is_empty()).then_some(before);
            Ok(Outcome::Committed { alarm_before, exists })
        }
        "lost" => Ok(Outcome::Lost(word()?)),
        "wait" => Ok(Outcome::Wait),
        other => Err(Error::Internal(format!("a commit was answered with \"{other}\""))),
    }
}

/// Whether the first word of an answer is that one: `ok`, or `wait` if somebody else has a turn.
pub(super) fn is(answer: &Answer, first: &str) -> bool {
    let Answer::Array(words) = answer else {
        return false;
    };
    matches!(words.first(), Some(Answer::BulkString(word)) if word == first.as_bytes())
}

/// A range as `ZRANGEBYLEX` takes it.
pub(super) fn bounds(range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    let bound = |sign: u8, key: &[u8]| [&[sign], key].concat();
    let max = range.end.as_deref().map_or_else(|| b"+".to_vec(), |end| bound(b'(', end));
    (bound(b'[', &range.start), max)
}
