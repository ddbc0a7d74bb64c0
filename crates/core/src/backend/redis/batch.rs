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
            if value.is_some() || writes.clears() {
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

    /// Up to where the writes have settled.
    pub(super) fn settled(&self) -> Ticket {
        self.settled
    }

    /// The next commit, unless it has to wait.
    pub(super) fn next(&mut self, now: Instant) -> Option<Batch> {
        let mut batch = self.sealed.pop_front()?;
        if batch.not_before.is_some_and(|at| at > now) {
            self.sealed.push_front(batch);
            return None;
        }
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

    /// When the next commit may be tried, if there is one.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.sealed.front().map(|batch| batch.not_before.unwrap_or(now))
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
