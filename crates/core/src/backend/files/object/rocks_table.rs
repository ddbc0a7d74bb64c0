//! One object's data in a RocksDB database, with the batch that gathers in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ending::After;
use super::flusher::Flusher;
use crate::backend::Ticket;
use crate::backend::local::Table;
use crate::error::Result;
use crate::key::{Entry, Value};
use crate::merge::merge;
use crate::range::Scan;
use crate::write_batch::WriteBatch;

/// A database under the writes of the present turn of the event loop.
pub struct RocksTable {
    flusher: Arc<Flusher>,
    /// Applied, and visible to reads, but in no file yet.
    gathering: WriteBatch,
    /// Ticket of the gathering batch.
    ticket: Ticket,
    alarm: Option<i64>,
    /// Whether the object is to be moved into a SQLite database.
    moves: Arc<AtomicBool>,
}

impl RocksTable {
    /// A table over an open database that has this alarm.
    pub fn new(flusher: Arc<Flusher>, alarm: Option<i64>, moves: Arc<AtomicBool>) -> Self {
        let ticket = flusher.durability.next_ticket();
        Self { flusher, gathering: WriteBatch::default(), ticket, alarm, moves }
    }

    /// The ticket of the batch that gathers.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Makes everything durable and closes the database, and goes on with `after`, all in the background.
    pub fn end(mut self, after: After) {
        let sealed = self.seal();
        Flusher::end(self.flusher, sealed, after);
    }
}

impl Table for RocksTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        if let Some(value) = self.gathering.entries().get(key) {
            return Ok(value.clone());
        }
        if self.gathering.clears() { Ok(None) } else { self.flusher.database.get(key) }
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.gathering.entries_in(&scan.range);
        let wide = scan.widened(own.len());
        let stored =
            if self.gathering.clears() { Vec::new() } else { self.flusher.database.scan(&wide)? };
        Ok(if own.is_empty() { stored } else { merge(stored, own, scan) })
    }

    fn alarm(&self) -> Result<Option<i64>> {
        Ok(self.alarm)
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        if let Some(alarm) = writes.alarm() {
            self.alarm = alarm;
        }
        self.gathering.append(writes);
        Ok(self.ticket)
    }

    fn is_empty(&self) -> Result<bool> {
        let any = Scan { limit: Some(1), ..Scan::all() };
        Ok(self.alarm.is_none() && self.scan(&any)?.is_empty())
    }

    /// A batch gathers only where the database takes writes.
    fn takes_writes(&self) -> bool {
        let moves = self.moves.load(Ordering::Relaxed);
        self.is_dirty() || (self.flusher.database.takes_writes() && !moves)
    }

    fn is_dirty(&self) -> bool {
        !self.gathering.is_empty()
    }

    fn is_broken(&self) -> bool {
        self.flusher.database.has_failed()
    }

    fn seal(&mut self) -> Result<()> {
        if self.gathering.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut self.gathering);
        let ticket = self.ticket;
        self.ticket += 1;
        let written = self.flusher.write(&writes, self.alarm);
        let flushed =
            written.and_then(|()| Flusher::flush_later(&self.flusher, ticket, writes.clears()));
        if let Err(error) = &flushed {
            self.flusher.durability.fail(ticket, error);
        }
        flushed
    }
}
