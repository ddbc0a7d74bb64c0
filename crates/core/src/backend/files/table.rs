//! One object's data on disk, with the batch that gathers in front of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::database::Database;
use super::directories::Directories;
use super::flusher::{After, Flusher};
use super::layout::Layout;
use super::open_set::{Leaving, Occupant};
use crate::backend::Ticket;
use crate::backend::local::{IdleTable, LocalObject, Table};
use crate::error::{Error, Result};
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
    /// A table over an open database.
    pub fn new(flusher: Arc<Flusher>) -> Result<Self> {
        let alarm = flusher.database.alarm()?;
        let ticket = flusher.durability.next_ticket();
        Ok(Self { flusher, gathering: WriteBatch::default(), ticket, alarm })
    }

    /// Ticket of the batch that gathers.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Makes everything durable and closes the database, and goes on with `after`, all in the background.
    pub fn end(mut self, after: After) {
        let sealed = self.seal();
        Flusher::end(self.flusher, sealed, after);
    }

    /// Closes the database and deletes its directory, which holds nothing any more.
    pub fn remove(self, layout: &Layout) -> Result<()> {
        remove_directory(&self.flusher.database, layout)
    }
}

/// Closes objects that were not used for the longest time, to make room for others.
impl Occupant for LocalObject<FileTable> {
    fn last_used(&self) -> u64 {
        self.last_used()
    }

    fn leave(&self) -> Leaving {
        match self.take_idle() {
            IdleTable::Taken(table) => {
                // A failure has been told to everybody who waits for the writes.
                table.end(After::Close);
                Leaving::Leaves
            }
            IdleTable::InUse => Leaving::Stays,
            IdleTable::Absent => Leaving::Absent,
        }
    }
}

/// Whether a database holds neither a key nor an alarm.
pub fn is_empty(database: &Database) -> Result<bool> {
    let any = Scan { limit: Some(1), ..Scan::all() };
    Ok(database.alarm()?.is_none() && database.scan(&any)?.is_empty())
}

/// Deletes the directory of a database, which holds nothing any more, before it is closed.
pub fn remove_directory(database: &Database, layout: &Layout) -> Result<()> {
    let path = database.path();
    let trash = layout.own("trash");
    super::whole::create_dir(&trash)?;
    let target = layout.new_trash();
    fs::rename(path, &target).map_err(|error| Error::io("delete", path, &error))?;
    database.forget();
    fs::remove_dir_all(&target).map_err(|error| Error::io("delete", &target, &error))
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

    /// What gathers has found that the database takes writes.
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

/// Creates the sign by which an alarm is found without opening its object.
pub fn make_sign(sign: &Path, directories: &Directories) -> Result<()> {
    if let Some(alarms) = sign.parent() {
        directories.create(alarms)?;
    }
    fs::File::create(sign).map_err(|error| Error::io("create", sign, &error))?;
    directories.note(sign)
}
