//! Queues plain writes: those of one turn of the event loop are one batch, and batches that wait for an earlier one
//! become one commit.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::batch::Batch;
use crate::backend::redis::requests::awaited::Awaited;
use crate::backend::{Committed, Ticket};
use crate::durability::Durability;
use crate::error::Error;
use crate::write_batch::{TurnId, WriteBatch};

/// About the most keys of a commit that is made of several batches.
const ABSORBED_KEYS_MAX: usize = 4096;

/// The plain writes of one object, in order.
#[derive(Default)]
pub(crate) struct WriteQueue {
    /// The writes of this turn of the event loop so far.
    gathering: Option<Batch>,
    sealed: VecDeque<Batch>,
    newest: Ticket,
    /// The newest ticket whose commit has ended.
    ended: Ticket,
}

impl WriteQueue {
    /// Adds writes to the batch of this turn of the event loop. Gives their ticket, or a later answer if only the server
    /// knows how many keys they remove.
    pub(crate) fn write(
        &mut self,
        writes: WriteBatch,
        deadline: Instant,
    ) -> std::result::Result<Committed, Awaited<Committed>> {
        let batch = self.gathering.get_or_insert_with(|| {
            self.newest += 1;
            Batch::new(self.newest, deadline)
        });
        let removed = batch.add(writes)?;
        Ok(Committed { removed, ticket: batch.last })
    }

    /// Takes back the writes of a turn that has not ended.
    pub(crate) fn undo(&mut self, turn: TurnId) {
        for batch in self.sealed.iter_mut().rev().chain(&mut self.gathering) {
            if !batch.stamp.is_used() {
                batch.undo(turn);
            }
        }
    }

    /// The batch of this turn of the event loop.
    pub(crate) fn gathering(&self) -> Option<&Batch> {
        self.gathering.as_ref()
    }

    /// Ends the batch of this turn of the event loop; false if nothing was written.
    pub(crate) fn seal(&mut self) -> bool {
        let gathered = self.gathering.take();
        let any = gathered.is_some();
        self.sealed.extend(gathered);
        any
    }

    /// The ticket of the newest write that a read sees which is called now, apart from those of this turn of the event
    /// loop. Later writes do not join the writes up to it.
    pub(crate) fn barrier(&mut self) -> Ticket {
        if let Some(batch) = self.sealed.back_mut() {
            batch.closed = true;
        }
        self.gathering.as_ref().map_or(self.newest, |batch| batch.first - 1)
    }

    /// The ticket of everything that was written so far. Later writes do not join it.
    pub(crate) fn newest(&mut self) -> Ticket {
        for batch in self.sealed.back_mut().into_iter().chain(&mut self.gathering) {
            batch.closed = true;
        }
        self.newest
    }

    /// The ticket of the newest write.
    pub(crate) fn last(&self) -> Ticket {
        self.newest
    }

    /// The ticket up to which all commits have ended.
    pub(crate) fn ended(&self) -> Ticket {
        self.ended
    }

    /// Takes the next commit, unless it has to wait for its time, or for a request that was called behind the writes up
    /// to `behind`. `turn_ends` if the turn that it waits for ends in the same round.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        behind: Option<Ticket>,
        turn_ends: bool,
    ) -> Option<Batch> {
        let first = self.sealed.front()?;
        let is_early = first.not_before.is_some_and(|at| at > now);
        let waits = is_early && (!turn_ends || first.stamp.in_doubt);
        if waits || first.is_held(behind) {
            return None;
        }
        let mut batch = self.sealed.pop_front()?;
        // A batch that may have been sent has to be sent again as it was.
        while !batch.closed
            && !batch.stamp.is_used()
            && batch.writes.entries().len() < ABSORBED_KEYS_MAX
            && let Some(later) = self.sealed.pop_front()
        {
            batch.absorb(later);
        }
        Some(batch)
    }

    /// When the next commit may be sent, unless it waits for a request.
    pub(crate) fn next_at(&self, now: Instant, behind: Option<Ticket>) -> Option<Instant> {
        let first = self.sealed.front().filter(|batch| !batch.is_held(behind))?;
        Some(first.not_before.unwrap_or(now))
    }

    /// Lets the next commit be sent at once, since a turn has ended.
    pub(crate) fn turn_has_ended(&mut self) {
        if let Some(batch) = self.sealed.front_mut()
            && !batch.stamp.in_doubt
        {
            batch.not_before = None;
        }
    }

    /// Fails all writes, sent or not.
    pub(crate) fn fail_all(&mut self, error: &Error, durability: &Durability) {
        self.seal();
        for lost in std::mem::take(&mut self.sealed) {
            lost.fail(error, durability);
        }
        self.ended = self.newest;
        durability.fail(self.newest, error);
    }

    /// Takes back a commit that has to be sent again.
    pub(crate) fn retry(&mut self, batch: Batch) {
        self.sealed.push_front(batch);
    }

    /// A batch is committed. `exists` says which of the keys of [`Batch::asked`] existed.
    pub(crate) fn committed(&mut self, batch: Batch, exists: &[bool], durability: &Durability) {
        self.ended = self.ended.max(batch.last);
        batch.committed(exists, durability);
    }

    /// Fails a commit, and all writes after it.
    pub(crate) fn fail(&mut self, batch: Batch, error: &Error, durability: &Durability) {
        let later = std::mem::take(&mut self.sealed).into_iter().chain(self.gathering.take());
        for lost in std::iter::once(batch).chain(later) {
            self.ended = lost.last;
            lost.fail(error, durability);
        }
    }

    /// Whether no write waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.gathering.is_none() && self.sealed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::redis::requests::commit::Slots;
    use crate::key::Key;

    #[expect(clippy::disallowed_methods, reason = "a test is the caller that passes the time")]
    fn now() -> Instant {
        Instant::now()
    }

    fn key(name: &str) -> Key {
        Key::from(name.as_bytes())
    }

    fn writes(puts: &[&str], deletes: &[&str]) -> WriteBatch {
        let mut writes = WriteBatch::default();
        for name in puts {
            writes.put(key(name), key("value"));
        }
        for name in deletes {
            writes.delete(key(name));
        }
        writes
    }

    fn clear() -> WriteBatch {
        let mut writes = WriteBatch::default();
        writes.clear();
        writes
    }

    /// Writes, and gives the number of removed keys if the queue knows it.
    fn write(
        queue: &mut WriteQueue,
        writes: WriteBatch,
    ) -> std::result::Result<u32, Awaited<Committed>> {
        queue.write(writes, now()).map(|committed| committed.removed)
    }

    fn next(queue: &mut WriteQueue) -> Option<Batch> {
        queue.next(now(), None, false)
    }

    #[test]
    fn a_batch_knows_what_it_has_written_itself_and_asks_for_the_rest() {
        let mut queue = WriteQueue::default();
        assert_eq!(write(&mut queue, writes(&["a", "b"], &[])).ok(), Some(0));
        assert_eq!(write(&mut queue, writes(&[], &["a"])).ok(), Some(1));
        assert_eq!(write(&mut queue, writes(&[], &["a"])).ok(), Some(0), "it is gone already");
        assert!(write(&mut queue, writes(&[], &["b", "c"])).is_err(), "who knows `c`?");
        assert_eq!(write(&mut queue, clear()).ok(), Some(0));
        assert_eq!(write(&mut queue, writes(&[], &["d"])).ok(), Some(0), "everything is gone");
        queue.seal();
        assert_eq!(next(&mut queue).map(|batch| batch.asked()), Some(vec![key("c")]));
    }

    #[tokio::test]
    async fn questions_of_absorbed_batches_are_answered_by_what_came_before() {
        let mut queue = WriteQueue::default();
        let first = write(&mut queue, writes(&["a"], &["b"]));
        queue.seal();
        let second = write(&mut queue, writes(&["b"], &["a", "c"]));
        queue.seal();
        let Some(batch) = next(&mut queue) else { panic!("two batches wait") };
        assert_eq!(batch.asked(), [key("b"), key("c")], "the first batch has stored `a`");
        assert_eq!(batch.ticket(), 2);
        assert!(next(&mut queue).is_none());
        queue.committed(batch, &[false, true], &Durability::default());
        let (Err(first), Err(second)) = (first, second) else { panic!("both had to ask") };
        assert_eq!(first.wait().await.map(|committed| committed.removed), Ok(0));
        assert_eq!(second.wait().await.map(|committed| committed.removed), Ok(2));
    }

    #[test]
    fn what_a_read_sees_and_what_was_sent_stays_as_it_is() {
        let mut queue = WriteQueue::default();
        let one = |queue: &mut WriteQueue| {
            assert!(write(queue, writes(&["a"], &[])).is_ok());
            queue.seal();
        };
        one(&mut queue);
        assert_eq!(queue.barrier(), 1);
        one(&mut queue);
        one(&mut queue);
        assert_eq!(next(&mut queue).map(|batch| batch.ticket()), Some(1), "a read is in between");
        let Some(mut sent) = next(&mut queue) else { panic!("two are left") };
        assert_eq!(sent.ticket(), 3);
        Slots::default().stamp(&mut sent.stamp, &sent.writes, String::new);
        queue.retry(sent);
        one(&mut queue);
        assert_eq!(next(&mut queue).map(|batch| batch.ticket()), Some(3), "it may have been sent");
    }

    #[test]
    fn a_batch_waits_for_its_time_and_for_what_was_called_before_it() {
        let (mut queue, now) = (WriteQueue::default(), now());
        for _ in 0..2 {
            assert!(write(&mut queue, writes(&["a"], &[])).is_ok());
            queue.seal();
            queue.newest();
        }
        assert!(queue.next(now, Some(0), false).is_none(), "something comes before all writes");
        assert_eq!(queue.next_at(now, Some(0)), None);
        let Some(mut first) = queue.next(now, Some(1), false) else { panic!("the first may go") };
        let later = now + Duration::from_secs(1);
        first.not_before = Some(later);
        queue.retry(first);
        assert!(queue.next(now, None, false).is_none());
        assert_eq!(queue.next_at(now, None), Some(later));
        let Some(mut first) = queue.next(now, None, true) else { panic!("its turn has ended") };
        first.stamp.in_doubt = true;
        first.not_before = Some(later);
        queue.retry(first);
        queue.turn_has_ended();
        assert!(queue.next(now, None, true).is_none(), "the server may not be back yet");
    }

    #[test]
    fn the_writes_of_a_turn_are_taken_back_and_others_stay() {
        let mut queue = WriteQueue::default();
        let of = |turn, mut writes: WriteBatch| {
            writes.belongs_to(turn);
            writes
        };
        write(&mut queue, writes(&["a", "b"], &[])).ok();
        write(&mut queue, of(1, writes(&["b", "c"], &["a"]))).ok();
        write(&mut queue, writes(&["d"], &[])).ok();
        write(&mut queue, of(1, clear())).ok();
        write(&mut queue, writes(&["e"], &[])).ok();
        queue.undo(2);
        queue.undo(1);
        queue.undo(1);
        queue.seal();
        let Some(batch) = next(&mut queue) else { panic!("one waits") };
        let written: Vec<_> = batch.writes.entries().keys().cloned().collect();
        assert_eq!(written, ["a", "b", "d", "e"].map(key));
        assert!(!batch.writes.clears() && batch.writes.entries().values().all(Option::is_some));
    }

    #[tokio::test]
    async fn a_failure_fails_what_was_written_after_it() {
        let (mut queue, durability) = (WriteQueue::default(), Durability::default());
        assert!(write(&mut queue, writes(&["a"], &[])).is_ok());
        queue.seal();
        let Some(first) = next(&mut queue) else { panic!("there is one") };
        let Err(asked) = write(&mut queue, writes(&[], &["b"])) else { panic!("who knows `b`?") };
        queue.fail(first, &Error::Closed, &durability);
        assert_eq!(asked.wait().await.map(|committed| committed.removed), Err(Error::Closed));
        assert_eq!(durability.wait(2).wait().await, Err(Error::Closed));
        assert!(queue.is_empty());
        assert_eq!(queue.ended(), 2);
        assert!(write(&mut queue, writes(&["c"], &[])).is_ok(), "the next write goes on");
    }
}
