//! Plain writes on their way: those of one turn of the event loop are one batch, and batches that wait for
//! the one before become one commit.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::commit::Stamp;
use crate::backend::{Committed, Ticket};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Key, Value};
use crate::write::WriteBatch;

/// Where the answer of an operation is waited for.
pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

/// The answer of an operation, which comes later.
pub(super) struct Awaited<T>(oneshot::Receiver<Result<T>>);

impl<T> Awaited<T> {
    /// An answer, and where it is waited for.
    pub(super) fn new() -> (Reply<T>, Self) {
        let (reply, receive) = oneshot::channel();
        (reply, Self(receive))
    }

    /// Waits for the answer.
    pub(super) async fn wait(self) -> Result<T> {
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

/// About the most keys of which several batches are made into one.
const ABSORBED_KEYS_MAX: usize = 4096;

/// A removal that asks how many of its keys existed.
struct Question {
    /// How many of them the batch itself has stored before.
    known: u32,
    /// Those of which only the server knows.
    asked: Vec<Key>,
    reply: Reply<Committed>,
}

/// What a batch makes of a key.
pub(super) enum Effect {
    /// It leaves it alone.
    None,
    /// It removes it.
    Removed,
    /// It stores a value.
    Stored(Value),
}

/// Writes that become one commit.
pub(super) struct Batch {
    first: Ticket,
    last: Ticket,
    /// The writes.
    pub(super) writes: WriteBatch,
    questions: Vec<Question>,
    /// Whether a read has to see just this much, so that no later write may be added.
    closed: bool,
    /// Until when to try.
    pub(super) deadline: Instant,
    /// Not before this: somebody else has a turn.
    pub(super) not_before: Option<Instant>,
    /// What makes the commit happen once.
    pub(super) stamp: Stamp,
}

impl Batch {
    fn new(ticket: Ticket, deadline: Instant) -> Self {
        Self {
            first: ticket,
            last: ticket,
            writes: WriteBatch::default(),
            questions: Vec::new(),
            closed: false,
            deadline,
            not_before: None,
            stamp: Stamp::default(),
        }
    }

    /// Adds writes; gives how many of the keys they remove the batch knows, and those it does not.
    fn add(&mut self, writes: WriteBatch) -> (u32, Vec<Key>) {
        let mut known = 0;
        let mut asked = Vec::new();
        for (key, value) in writes.entries() {
            if value.is_some() {
                continue;
            }
            match self.holds(key) {
                Some(exists) => known += u32::from(exists),
                None => asked.push(key.clone()),
            }
        }
        self.writes.append(writes);
        (known, asked)
    }

    /// Whether a key exists after the batch, as far as the batch decides it.
    fn holds(&self, key: &[u8]) -> Option<bool> {
        let written = self.writes.entries().get(key).map(Option::is_some);
        written.or(self.writes.clears().then_some(false))
    }

    /// What the batch makes of a key.
    pub(super) fn value(&self, key: &[u8]) -> Effect {
        match self.writes.entries().get(key) {
            Some(Some(value)) => Effect::Stored(value.clone()),
            Some(None) => Effect::Removed,
            None if self.writes.clears() => Effect::Removed,
            None => Effect::None,
        }
    }

    fn absorb(&mut self, later: Self) {
        for mut question in later.questions {
            question.asked.retain(|key| match self.holds(key) {
                Some(exists) => {
                    question.known += u32::from(exists);
                    false
                }
                None => true,
            });
            self.questions.push(question);
        }
        self.writes.append(later.writes);
        self.last = later.last;
        self.closed = later.closed;
        self.deadline = self.deadline.min(later.deadline);
    }

    /// The keys of which the server shall say whether they exist.
    pub(super) fn asked(&self) -> Vec<Key> {
        self.questions.iter().flat_map(|question| question.asked.iter().cloned()).collect()
    }

    /// Whether something that was called `behind` so many writes comes before it.
    fn is_held(&self, behind: Option<Ticket>) -> bool {
        behind.is_some_and(|ticket| self.first > ticket)
    }

    /// Its newest ticket.
    pub(super) fn ticket(&self) -> Ticket {
        self.last
    }

    /// The batch is committed; `exists` answers what was asked, in order.
    pub(super) fn committed(self, exists: &[bool], durability: &Durability) {
        let mut exists = exists.iter();
        for question in self.questions {
            let found = exists.by_ref().take(question.asked.len()).filter(|exists| **exists);
            let removed = question.known + found.fold(0, |count, _| count + 1);
            // Nobody is left to be told if the receiver is gone.
            let _ = question.reply.send(Ok(Committed { removed, ticket: 0 }));
        }
        durability.settle(self.last);
    }

    fn fail(self, error: &Error, durability: &Durability) {
        for question in self.questions {
            let _ = question.reply.send(Err(error.clone()));
        }
        durability.fail(self.last, error);
    }
}

/// The plain writes of one object, in order.
#[derive(Default)]
pub(super) struct Lane {
    /// What this turn of the event loop has written so far.
    gathering: Option<Batch>,
    sealed: VecDeque<Batch>,
    /// The newest ticket given out, and the newest that has settled.
    newest: Ticket,
    settled: Ticket,
}

impl Lane {
    /// Adds writes to what gathers. Gives their ticket, or a later answer where only the server knows what they remove.
    pub(super) fn write(
        &mut self,
        writes: WriteBatch,
        deadline: Instant,
    ) -> std::result::Result<Committed, Awaited<Committed>> {
        let batch = self.gathering.get_or_insert_with(|| {
            self.newest += 1;
            Batch::new(self.newest, deadline)
        });
        let (removed, asked) = batch.add(writes);
        if asked.is_empty() {
            return Ok(Committed { removed, ticket: batch.last });
        }
        let (reply, awaited) = Awaited::new();
        batch.questions.push(Question { known: removed, asked, reply });
        Err(awaited)
    }

    /// What gathers.
    pub(super) fn gathering(&self) -> Option<&Batch> {
        self.gathering.as_ref()
    }

    /// Ends the batch that gathers; says whether there was one.
    pub(super) fn seal(&mut self) -> bool {
        let gathered = self.gathering.take();
        let any = gathered.is_some();
        self.sealed.extend(gathered);
        any
    }

    /// The ticket up to which a read that comes now sees the writes; later ones do not join them.
    pub(super) fn barrier(&mut self) -> Ticket {
        if let Some(batch) = self.sealed.back_mut() {
            batch.closed = true;
        }
        self.gathering.as_ref().map_or(self.newest, |batch| batch.first - 1)
    }

    /// The ticket of everything written so far, what gathers included.
    pub(super) fn newest(&mut self) -> Ticket {
        for batch in self.sealed.back_mut().into_iter().chain(&mut self.gathering) {
            batch.closed = true;
        }
        self.newest
    }

    /// The ticket of the newest write.
    pub(super) fn last(&self) -> Ticket {
        self.newest
    }

    /// Up to where the writes have settled.
    pub(super) fn settled(&self) -> Ticket {
        self.settled
    }

    /// The next commit, unless it has to wait: for its time, or for something that was called `behind` so many
    /// of the writes. `turn_ends` if the turn that it waits for has just ended.
    pub(super) fn next(
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
        // What may have been sent has to be sent again as it was.
        while !batch.closed
            && !batch.stamp.is_used()
            && batch.writes.entries().len() < ABSORBED_KEYS_MAX
            && let Some(later) = self.sealed.pop_front()
        {
            batch.absorb(later);
        }
        Some(batch)
    }

    /// When the next commit may be tried, if there is one that is not held.
    pub(super) fn next_at(&self, now: Instant, behind: Option<Ticket>) -> Option<Instant> {
        let first = self.sealed.front().filter(|batch| !batch.is_held(behind))?;
        Some(first.not_before.unwrap_or(now))
    }

    /// A turn has ended: whoever waits for that may try again.
    pub(super) fn hurry(&mut self) {
        if let Some(batch) = self.sealed.front_mut()
            && !batch.stamp.in_doubt
        {
            batch.not_before = None;
        }
    }

    /// Fails everything, whether it was sent or not.
    pub(super) fn fail_all(&mut self, error: &Error, durability: &Durability) {
        self.seal();
        for lost in std::mem::take(&mut self.sealed) {
            lost.fail(error, durability);
        }
        self.settled = self.newest;
        durability.fail(self.newest, error);
    }

    /// Takes back a commit that has to be tried again.
    pub(super) fn retry(&mut self, batch: Batch) {
        self.sealed.push_front(batch);
    }

    /// A commit has come to its end.
    pub(super) fn settle(&mut self, ticket: Ticket) {
        self.settled = self.settled.max(ticket);
    }

    /// Fails a commit, and everything that was written after it.
    pub(super) fn fail(&mut self, batch: Batch, error: &Error, durability: &Durability) {
        let later = std::mem::take(&mut self.sealed).into_iter().chain(self.gathering.take());
        for lost in std::iter::once(batch).chain(later) {
            self.settled = lost.last;
            lost.fail(error, durability);
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.gathering.is_none() && self.sealed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::commit::Slots;
    use super::*;

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

    /// Writes, and gives the number of removed keys if the lane knows it.
    fn write(lane: &mut Lane, writes: WriteBatch) -> std::result::Result<u32, Awaited<Committed>> {
        lane.write(writes, Instant::now()).map(|committed| committed.removed)
    }

    fn next(lane: &mut Lane) -> Option<Batch> {
        lane.next(Instant::now(), None, false)
    }

    #[test]
    fn a_batch_knows_what_it_has_written_itself_and_asks_for_the_rest() {
        let mut lane = Lane::default();
        assert_eq!(write(&mut lane, writes(&["a", "b"], &[])).ok(), Some(0));
        assert_eq!(write(&mut lane, writes(&[], &["a"])).ok(), Some(1));
        assert_eq!(write(&mut lane, writes(&[], &["a"])).ok(), Some(0), "it is gone already");
        assert!(write(&mut lane, writes(&[], &["b", "c"])).is_err(), "who knows `c`?");
        assert_eq!(write(&mut lane, clear()).ok(), Some(0));
        assert_eq!(write(&mut lane, writes(&[], &["d"])).ok(), Some(0), "everything is gone");
        lane.seal();
        assert_eq!(next(&mut lane).map(|batch| batch.asked()), Some(vec![key("c")]));
    }

    #[tokio::test]
    async fn questions_of_absorbed_batches_are_answered_by_what_came_before() {
        let mut lane = Lane::default();
        let first = write(&mut lane, writes(&["a"], &["b"]));
        lane.seal();
        let second = write(&mut lane, writes(&["b"], &["a", "c"]));
        lane.seal();
        let Some(batch) = next(&mut lane) else { panic!("there are two batches") };
        assert_eq!(batch.asked(), [key("b"), key("c")], "the first batch has stored `a`");
        assert_eq!(batch.ticket(), 2);
        assert!(next(&mut lane).is_none());
        batch.committed(&[false, true], &Durability::default());
        let (Err(first), Err(second)) = (first, second) else { panic!("both had to ask") };
        assert_eq!(first.wait().await.map(|committed| committed.removed), Ok(0));
        assert_eq!(second.wait().await.map(|committed| committed.removed), Ok(2));
    }

    #[test]
    fn what_a_read_sees_and_what_was_sent_stays_as_it_is() {
        let mut lane = Lane::default();
        let one = |lane: &mut Lane| {
            assert!(write(lane, writes(&["a"], &[])).is_ok());
            lane.seal();
        };
        one(&mut lane);
        assert_eq!(lane.barrier(), 1);
        one(&mut lane);
        one(&mut lane);
        assert_eq!(next(&mut lane).map(|batch| batch.ticket()), Some(1), "a read is in between");
        let Some(mut sent) = next(&mut lane) else { panic!("two are left") };
        assert_eq!(sent.ticket(), 3);
        Slots::default().stamp(&mut sent.stamp);
        lane.retry(sent);
        one(&mut lane);
        assert_eq!(next(&mut lane).map(|batch| batch.ticket()), Some(3), "it may have been sent");
    }

    #[test]
    fn a_batch_waits_for_its_time_and_for_what_was_called_before_it() {
        let (mut lane, now) = (Lane::default(), Instant::now());
        for _ in 0..2 {
            assert!(write(&mut lane, writes(&["a"], &[])).is_ok());
            lane.seal();
            lane.newest();
        }
        assert!(lane.next(now, Some(0), false).is_none(), "something comes before all writes");
        assert_eq!(lane.next_at(now, Some(0)), None);
        let Some(mut first) = lane.next(now, Some(1), false) else { panic!("the first may go") };
        let later = now + Duration::from_secs(1);
        first.not_before = Some(later);
        lane.retry(first);
        assert!(lane.next(now, None, false).is_none());
        assert_eq!(lane.next_at(now, None), Some(later));
        let Some(mut first) = lane.next(now, None, true) else { panic!("its turn has ended") };
        first.stamp.in_doubt = true;
        first.not_before = Some(later);
        lane.retry(first);
        lane.hurry();
        assert!(lane.next(now, None, true).is_none(), "the server may not be back yet");
    }

    #[tokio::test]
    async fn a_failure_fails_what_was_written_after_it() {
        let (mut lane, durability) = (Lane::default(), Durability::default());
        assert!(write(&mut lane, writes(&["a"], &[])).is_ok());
        lane.seal();
        let Some(first) = next(&mut lane) else { panic!("there is one") };
        let Err(asked) = write(&mut lane, writes(&[], &["b"])) else { panic!("who knows `b`?") };
        lane.fail(first, &Error::Closed, &durability);
        assert_eq!(asked.wait().await.map(|committed| committed.removed), Err(Error::Closed));
        assert_eq!(durability.wait(2).wait().await, Err(Error::Closed));
        assert!(lane.is_empty());
        assert_eq!(lane.settled(), 2);
        assert!(write(&mut lane, writes(&["c"], &[])).is_ok(), "the next write goes on");
    }
}
