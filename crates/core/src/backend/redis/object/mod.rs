//! One object of Redis: the contract of [`ObjectStorage`] over requests to the server.
//!
//! - [`handle`]: the object itself
//! - [`reads`], [`lists`]: what plain reads and attempts see
//! - [`writes`], [`attempts`]: plain writes, and attempts from their start to their commit
//! - [`alarm`]: claiming a due alarm, and ending its handling
//! - [`claim`]: the same for an alarm that stays stored meanwhile

mod alarm;
mod attempts;
mod claim;
mod handle;
mod lists;
mod reads;
mod writes;

pub(crate) use handle::RedisObject;

use crate::answer::Answer;
use crate::backend::{
    AlarmClaim, AlarmEnd, ClaimId, CommitOutcome, Committed, ObjectStorage, ReadResult, ReadView,
    Start, Ticket,
};
use crate::concurrency::{ReadSet, TransactionId};
use crate::key::{Entry, Key, Value};
use crate::range::Scan;
use crate::write_batch::{TurnId, WriteBatch};

impl ObjectStorage for RedisObject {
    fn read(&self, keys: Vec<Key>, view: ReadView) -> Answer<ReadResult<Vec<Option<Value>>>> {
        match view {
            ReadView::Latest(issued_by) => self.read_latest(keys, issued_by),
            ReadView::Since(start) => self.read_since(start, keys),
        }
    }

    fn list(&self, scan: Scan, view: ReadView) -> Answer<ReadResult<Vec<Entry>>> {
        match view {
            _ if scan.is_empty() => Answer::Now(Ok(ReadResult::Value(Vec::new()))),
            ReadView::Latest(issued_by) => self.list_latest(scan, issued_by),
            ReadView::Since(start) => self.list_since(scan, start),
        }
    }

    fn alarm(&self, view: ReadView) -> Answer<ReadResult<Option<i64>>> {
        match view {
            ReadView::Latest(issued_by) => self.alarm_latest(issued_by),
            ReadView::Since(start) => self.alarm_since(start),
        }
    }

    fn write(&self, writes: WriteBatch, issued_by: Option<TransactionId>) -> Answer<Committed> {
        self.write_plain(writes, issued_by)
    }

    /// What was sent stays: that is only sent when the turn has ended.
    fn undo(&self, turn: TurnId) -> Answer<()> {
        Answer::Now(self.driver.state().map(|mut state| state.writes.undo(turn)))
    }

    fn end_turn(&self, _turn: TurnId) {}

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        self.claim_alarm(due_ms)
    }

    fn alarm_done(&self) -> Answer<()> {
        self.end_claim()
    }

    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>> {
        self.claim_stored_alarm(due_ms, again)
    }

    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        self.finish_stored_alarm(claim, end)
    }

    fn begin(&self, turn: bool, issued_by: Option<TransactionId>) -> Answer<Start> {
        self.begin_attempt(turn, issued_by)
    }

    fn commit(&self, start: Start, read_set: ReadSet, writes: WriteBatch) -> Answer<CommitOutcome> {
        self.commit_attempt(start, read_set, writes)
    }

    fn end(&self, start: Start) {
        self.end_attempt(start);
    }

    fn pending_ticket(&self) -> Ticket {
        let driver = &self.driver;
        driver.state().map_or(0, |state| driver.durability.pending(state.writes.last()))
    }

    fn durable(&self, ticket: Ticket) -> Answer<()> {
        self.driver.durability.wait(ticket)
    }

    fn seal(&self) {
        let sealed = self.driver.state().is_ok_and(|mut state| state.writes.seal());
        if sealed {
            self.driver.send();
        }
    }
}
