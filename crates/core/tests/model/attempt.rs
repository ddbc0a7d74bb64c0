//! One attempt, and what the model says about its reads and its end.

use std::fmt::Debug;

use ferroflare_core::backend::{CommitOutcome, ReadResult};
use ferroflare_core::concurrency::TransactionId;
use ferroflare_core::key::{Key, Value};
use ferroflare_core::transaction::Attempt;
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Error, Result};

use super::program::{Act, key, keys};
use super::timeline::{Moment, Seen, Timeline};

/// A running attempt.
pub(crate) struct Run {
    attempt: Attempt,
    /// The state that it started from.
    start: usize,
    /// Whether its first read starts it again.
    starts_late: bool,
    own: WriteBatch,
    seen: Vec<Seen>,
    lost: bool,
}

/// An attempt that has asked to commit.
pub(crate) struct Ended {
    start: usize,
    writes: WriteBatch,
    seen: Vec<Seen>,
    lost: bool,
}

impl Run {
    /// `starts_late` if it sees the state of its first read.
    pub(crate) fn new(attempt: Attempt, start: usize, starts_late: bool) -> Self {
        let own = WriteBatch::default();
        Self { attempt, start, starts_late, own, seen: Vec::new(), lost: false }
    }

    pub(crate) fn id(&self) -> TransactionId {
        self.attempt.start().id
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn commit(self, discard: bool) -> (Answer<CommitOutcome>, Ended) {
        let writes = if discard { WriteBatch::default() } else { self.own };
        let ended = Ended { start: self.start, writes, seen: self.seen, lost: self.lost };
        (self.attempt.commit(discard), ended)
    }

    /// Does something; `alone` says whether the attempt has the turn, `value` is what it stores.
    pub(crate) async fn act(&mut self, timeline: &Timeline, alone: bool, act: Act, value: &Value) {
        match act {
            Act::Read(names) => {
                let keys = keys(&names);
                let seen = self.committed_keys(keys.clone());
                let at = self.state_for(timeline, &seen);
                let read = self.attempt.read(keys.clone()).wait().await;
                let expected = keys.iter().map(|key| at.get(key, &self.own)).collect();
                self.check(timeline, alone, read, &expected, seen);
            }
            Act::List(walk) => {
                let scan = walk.scan();
                let seen = Seen::Walk { scan: scan.clone(), own: self.own.clone() };
                let at = self.state_for(timeline, &seen);
                let read = self.attempt.list(scan.clone()).wait().await;
                let expected = at.list(&scan, &self.own);
                self.check(timeline, alone, read, &expected, seen);
            }
            Act::Alarm => {
                let own = self.own.alarm();
                let seen = if own.is_some() { Seen::Keys(vec![]) } else { Seen::Alarm };
                let at = self.state_for(timeline, &seen);
                let read = self.attempt.alarm().wait().await;
                self.check(timeline, alone, read, &own.unwrap_or(at.alarm), seen);
            }
            Act::Put(names) => {
                let pairs = names.iter().map(|name| (key(*name), value.clone())).collect();
                self.attempt.put(pairs).unwrap();
                for name in names {
                    self.own.put(key(name), value.clone());
                }
            }
            Act::Delete(names) => {
                let mut keys = keys(&names);
                let seen = self.committed_keys(keys.clone());
                let at = self.state_for(timeline, &seen);
                let read = self.attempt.delete(keys.clone()).wait().await;
                keys.sort();
                keys.dedup();
                let existing = keys.iter().filter(|key| at.get(key, &self.own).is_some()).count();
                self.check(timeline, alone, read, &u32::try_from(existing).unwrap(), seen);
                for key in keys {
                    self.own.delete(key);
                }
            }
            Act::SetAlarm(alarm) => {
                self.attempt.set_alarm(alarm).unwrap();
                self.own.set_alarm(alarm);
            }
        }
    }

    /// The state that a read sees; it may be the one that starts the attempt.
    fn state_for<'t>(&mut self, timeline: &'t Timeline, seen: &Seen) -> &'t Moment {
        if self.starts_late && !seen.is_empty() {
            self.starts_late = false;
            self.start = timeline.newest();
        }
        timeline.at(self.start)
    }

    /// Those keys that committed state answers.
    fn committed_keys(&self, keys: Vec<Key>) -> Seen {
        Seen::Keys(keys.into_iter().filter(|key| !self.own.entries().contains_key(key)).collect())
    }

    /// Compares a read with the state at the start, and a loss with what was written since.
    fn check<R: PartialEq + Debug>(
        &mut self,
        timeline: &Timeline,
        alone: bool,
        read: Result<ReadResult<R>>,
        expected: &R,
        seen: Seen,
    ) {
        let written = timeline.is_written_since(self.start, &seen);
        match read {
            Ok(ReadResult::Value(found)) => {
                assert_eq!(found, *expected, "an attempt reads what it did not start from");
                self.seen.push(seen);
            }
            Ok(ReadResult::Conflict(_)) => {
                assert!(self.lost || written, "it loses although nothing was written of {seen:?}");
                self.lost = true;
            }
            Err(Error::SelfConflict { what }) => {
                assert!(alone, "only the holder of a turn conflicts with itself");
                assert!(written, "no caller has written {what}");
            }
            Err(error) => panic!("a read of an attempt fails: {error}"),
        }
    }
}

impl Ended {
    /// Whether the attempt only validates what it has read.
    pub(crate) fn writes_nothing(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether a read has told that the attempt has lost.
    pub(crate) fn lost(&self) -> bool {
        self.lost
    }

    /// Compares the end with what was written since the start, and commits to the model too.
    pub(crate) fn check(
        &self,
        timeline: &mut Timeline,
        alone: bool,
        outcome: Result<CommitOutcome>,
    ) {
        let conflicts = self.seen.iter().any(|seen| timeline.is_written_since(self.start, seen));
        match outcome {
            Ok(CommitOutcome::Committed(committed)) => {
                assert!(!self.lost, "an attempt that has lost commits");
                let newest = timeline.newest();
                for seen in &self.seen {
                    let holds = timeline.is_same(self.start, newest, seen);
                    assert!(holds, "it commits although it has read {seen:?}, which has changed");
                }
                assert_eq!(committed.removed, timeline.commit(&self.writes));
            }
            Ok(CommitOutcome::Lost(_)) => {
                let lost = self.lost || conflicts;
                assert!(lost, "it loses although nothing was written of {:?}", self.seen);
            }
            Err(Error::SelfConflict { what }) => {
                assert!(alone, "only the holder of a turn conflicts with itself");
                assert!(conflicts, "no caller has written {what}");
            }
            Err(error) => panic!("a commit fails: {error}"),
        }
    }
}
