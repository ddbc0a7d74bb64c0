//! One object's data on the disk, with the batch that gathers in front of it.

use std::sync::Arc;

use super::ending::After;
use super::flusher::{Flusher, TableOwner};
use crate::backend::Ticket;
use crate::backend::files::workers::by_use::{Leaving, Occupant};
use crate::backend::local::{IdleTable, LocalObject, Table};
use crate::error::Result;
use crate::key::{Entry, Value};
use crate::merge::merge;
use crate::range::Scan;
use crate::write_batch::WriteBatch;

/// A database under the writes of the present turn of the event loop.
pub struct FileTable {
    flusher: Arc<Flusher>,
    /// Applied, and visible to reads, but in no file yet.
    gathering: WriteBatch,
    /// Ticket of the gathering batch.
    ticket: Ticket,
    alarm: Option<i64>,
}

impl FileTable {
    /// A table over an open database that has this alarm.
    pub fn new(flusher: Arc<Flusher>, alarm: Option<i64>) -> Self {
        let ticket = flusher.durability.next_ticket();
        Self { flusher, gathering: WriteBatch::default(), ticket, alarm }
    }

    /// Makes everything durable and closes the database, and goes on with `after`, all in the background.
    pub fn end(mut self, after: After) {
        let sealed = self.seal();
        Flusher::end(self.flusher, sealed, after);
    }
}

/// Closes an object of a directory that no store uses any more. An object that is being opened is closed afterwards, by
/// its source.
pub fn close_retired(object: &LocalObject<FileTable>) {
    if let Some(table) = object.close_unless_opening() {
        table.end(After::Close);
    }
}

/// Makes room for other objects.
impl Occupant for LocalObject<FileTable> {
    fn last_used(&self) -> u64 {
        self.last_used()
    }

    fn leave(&self) -> Leaving {
        match self.take_idle() {
            IdleTable::Taken(table) => {
                // Every caller that waits for the writes is told of a failure.
                table.end(After::Close);
                Leaving::Leaves
            }
            IdleTable::InUse => Leaving::Stays,
            IdleTable::Absent => Leaving::Absent,
        }
    }
}

impl TableOwner for LocalObject<FileTable> {
    fn drop_table(&self) -> Option<Ticket> {
        self.take_failed().map(|table| table.ticket)
    }

    fn drop_empty_table(&self) -> bool {
        self.take_empty().is_some()
    }
}

impl Table for FileTable {
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
        self.is_dirty() || self.flusher.database.takes_writes()
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
