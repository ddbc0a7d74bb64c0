//! Plain writes that become one commit.

use tokio::time::Instant;

use crate::backend::redis::requests::awaited::{Awaited, Caller};
use crate::backend::redis::requests::commit::Stamp;
use crate::backend::{Committed, Ticket};
use crate::durability::Durability;
use crate::error::Error;
use crate::key::{Key, Value};
use crate::write_batch::{TurnId, WriteBatch};

/// A caller that wants to know how many of its removed keys existed.
struct RemovalCount {
    /// How many of the keys the batch itself has stored before.
    known: u32,
    /// The keys of which only the server knows.
    asked: Vec<Key>,
    caller: Caller<Committed>,
}

/// What a batch does to a key.
pub(crate) enum KeyChange {
    Unchanged,
    Removed,
    Stored(Value),
}

/// Writes that become one commit.
pub(crate) struct Batch {
    pub(super) first: Ticket,
    pub(super) last: Ticket,
    pub(crate) writes: WriteBatch,
    counts: Vec<RemovalCount>,
    /// Whether a read has to see exactly these writes, so that no later write may be added.
    pub(super) closed: bool,
    /// Until when to try.
    pub(crate) deadline: Instant,
    /// It is not sent before this moment.
    pub(crate) not_before: Option<Instant>,
    /// What makes the commit happen once.
    pub(crate) stamp: Stamp,
    /// Whether to send the text of the script instead of its hash.
    pub(crate) whole: bool,
    undo: Option<Undo>,
}

/// How to take back what belongs to a turn of the event loop.
struct Undo {
    turn: TurnId,
    /// The writes before it.
    before: WriteBatch,
    /// Writes since then that do not belong to it.
    others: Vec<WriteBatch>,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new(ticket: Ticket, deadline: Instant) -> Self {
        Self {
            first: ticket,
            last: ticket,
            writes: WriteBatch::default(),
            counts: Vec::new(),
            closed: false,
            deadline,
            not_before: None,
            stamp: Stamp::default(),
            whole: false,
            undo: None,
        }
    }

    /// Adds writes. Gives how many existing keys they remove, or a later answer if only the server knows that.
    pub(super) fn add(
        &mut self,
        writes: WriteBatch,
    ) -> std::result::Result<u32, Awaited<Committed>> {
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
        self.note_before(&writes);
        self.writes.append(writes);
        if asked.is_empty() {
            return Ok(known);
        }
        let (caller, awaited) = Awaited::new();
        self.counts.push(RemovalCount { known, asked, caller });
        Err(awaited)
    }

    fn note_before(&mut self, writes: &WriteBatch) {
        let undo = self.undo.take().filter(|undo| writes.turn().is_none_or(|it| it == undo.turn));
        self.undo = match (undo, writes.turn()) {
            (None, Some(turn)) => {
                Some(Undo { turn, before: self.writes.clone(), others: Vec::new() })
            }
            (Some(mut undo), None) => {
                undo.others.push(writes.clone());
                Some(undo)
            }
            (undo, _) => undo,
        };
    }

    /// Takes back the writes of a turn.
    pub(super) fn undo(&mut self, turn: TurnId) {
        let Some(undo) = self.undo.take_if(|undo| undo.turn == turn) else {
            return;
        };
        self.writes = undo.before;
        for writes in undo.others {
            self.writes.append(writes);
        }
    }

    /// Whether a key exists after the batch, as far as the batch decides it.
    fn holds(&self, key: &[u8]) -> Option<bool> {
        let written = self.writes.entries().get(key).map(Option::is_some);
        written.or(self.writes.clears().then_some(false))
    }

    /// What the batch does to a key.
    pub(crate) fn change_of(&self, key: &[u8]) -> KeyChange {
        match self.writes.entries().get(key) {
            Some(Some(value)) => KeyChange::Stored(value.clone()),
            Some(None) => KeyChange::Removed,
            None if self.writes.clears() => KeyChange::Removed,
            None => KeyChange::Unchanged,
        }
    }

    /// Adds the batch that comes after this one.
    pub(super) fn absorb(&mut self, later: Self) {
        for mut count in later.counts {
            count.asked.retain(|key| match self.holds(key) {
                Some(exists) => {
                    count.known += u32::from(exists);
                    false
                }
                None => true,
            });
            self.counts.push(count);
        }
        self.writes.append(later.writes);
        self.last = later.last;
        self.closed = later.closed;
        self.deadline = self.deadline.min(later.deadline);
    }

    /// The keys of which the server has to say whether they existed.
    pub(crate) fn asked(&self) -> Vec<Key> {
        self.counts.iter().flat_map(|count| count.asked.iter().cloned()).collect()
    }

    /// Whether a request comes before the batch. The request was called behind the writes up to the ticket `behind`.
    pub(super) fn is_held(&self, behind: Option<Ticket>) -> bool {
        behind.is_some_and(|ticket| self.first > ticket)
    }

    /// Its newest ticket.
    pub(crate) fn ticket(&self) -> Ticket {
        self.last
    }

    /// The batch is committed. `exists` says which of the keys of [`Self::asked`] existed.
    pub(super) fn committed(self, exists: &[bool], durability: &Durability) {
        let mut exists = exists.iter();
        for RemovalCount { known, asked, caller } in self.counts {
            let found = exists.by_ref().take(asked.len()).filter(|exists| **exists);
            let removed = known + found.fold(0, |count, _| count + 1);
            caller.answer(Ok(Committed { removed, ticket: 0 }));
        }
        durability.confirm(self.last);
    }

    /// The batch is lost.
    pub(super) fn fail(self, error: &Error, durability: &Durability) {
        for count in self.counts {
            count.caller.answer(Err(error.clone()));
        }
        durability.fail(self.last, error);
    }
}
