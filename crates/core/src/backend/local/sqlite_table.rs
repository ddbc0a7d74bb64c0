//! A table over a SQLite database. The writes of one turn of the event loop are one transaction.

use std::cell::RefCell;
use std::sync::Arc;

use super::table::{SqlTable, Table};
use crate::backend::Ticket;
use crate::durability::Durability;
use crate::error::Result;
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::sqlite::{CommitEnd, Database};
use crate::write_batch::WriteBatch;

/// Where the database of a table lies, and who makes it durable.
pub trait Home: Send + 'static {
    /// Knows which writes are durable.
    fn durability(&self) -> &Arc<Durability>;

    /// The transaction is about to be committed, after which the alarm is this one.
    fn before_commit(&mut self, _alarm: Option<i64>) -> Result<()> {
        Ok(())
    }

    /// Nothing is written now; everything up to `newest` is committed.
    fn between_turns(&mut self, _database: &mut Database, _newest: Ticket) -> Result<()> {
        Ok(())
    }

    /// Whether the database goes on as before after a commit that has failed.
    fn keeps_failed(&self) -> bool {
        false
    }

    /// The writes up to `ticket` are committed: makes them durable in the background.
    fn committed(&mut self, database: &mut Database, ticket: Ticket) -> Result<()>;
}

/// A home in memory: what is committed is as durable as it can be.
struct Memory(Arc<Durability>);

impl Home for Memory {
    fn durability(&self) -> &Arc<Durability> {
        &self.0
    }

    /// It is all there is of the object.
    fn keeps_failed(&self) -> bool {
        true
    }

    fn committed(&mut self, _database: &mut Database, ticket: Ticket) -> Result<()> {
        self.0.confirm(ticket);
        Ok(())
    }
}

/// One object's data in a SQLite database.
pub struct SqliteTable {
    database: RefCell<Database>,
    home: Box<dyn Home>,
    /// Ticket of the writes of this turn.
    ticket: Ticket,
    /// Whether a caller has that ticket.
    is_awaited: bool,
}

impl SqliteTable {
    /// A table in memory.
    pub fn in_memory(database: Database, durability: Arc<Durability>) -> Self {
        Self::over(database, Box::new(Memory(durability)))
    }

    /// A table over an open database.
    pub fn over(database: Database, home: Box<dyn Home>) -> Self {
        let ticket = home.durability().next_ticket();
        Self { database: RefCell::new(database), home, ticket, is_awaited: false }
    }

    /// The database, which its home has no part in any more.
    pub fn into_database(self) -> Database {
        self.database.into_inner()
    }

    /// The ticket of the writes of this turn.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Does what is best done while nothing is written.
    fn rest(&mut self) -> Result<()> {
        let database = self.database.get_mut();
        if database.is_dirty() {
            return Ok(());
        }
        self.home.between_turns(database, self.ticket - 1)
    }

    /// Replaces the content of a database in memory. Nothing is to be committed any more.
    pub fn restore(&mut self, image: &[u8]) -> Result<()> {
        self.database.get_mut().restore(image)?;
        self.conclude(CommitEnd::Nothing)
    }

    fn conclude(&mut self, end: CommitEnd) -> Result<()> {
        let ticket = self.ticket;
        match end {
            CommitEnd::Held => return Ok(()),
            CommitEnd::Nothing if !self.is_awaited => return Ok(()),
            CommitEnd::Nothing | CommitEnd::Committed => {
                self.home.committed(self.database.get_mut(), ticket)?;
            }
            CommitEnd::RolledBack(error) => self.home.durability().fail(ticket, &error),
        }
        self.ticket += 1;
        self.is_awaited = false;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.database.get_mut().is_dirty() {
            let alarm = self.database.get_mut().alarm()?;
            self.home.before_commit(alarm)?;
        }
        if let Some(error) = self.database.get_mut().failed() {
            return Err(error.clone());
        }
        let end = self.database.get_mut().commit()?;
        self.conclude(end)
    }
}

impl Table for SqliteTable {
    fn sqlite(&mut self) -> Option<&mut dyn SqlTable> {
        Some(self)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.database.borrow_mut().value(key)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        self.database.borrow_mut().entries(scan)
    }

    fn alarm(&self) -> Result<Option<i64>> {
        self.database.borrow_mut().alarm()
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        self.rest()?;
        self.database.get_mut().apply(&writes)?;
        self.is_awaited = true;
        Ok(self.ticket)
    }

    fn durability(&self) -> Option<&Arc<Durability>> {
        Some(self.home.durability())
    }

    fn is_empty(&self) -> Result<bool> {
        self.database.borrow_mut().is_empty()
    }

    fn is_broken(&self) -> bool {
        self.database.borrow().failed().is_some()
    }

    fn is_dirty(&self) -> bool {
        self.is_awaited || self.database.borrow().is_dirty()
    }

    fn seal(&mut self) -> Result<()> {
        let committed = self.commit();
        let Err(error) = &committed else {
            return committed;
        };
        self.home.durability().fail(self.ticket, error);
        if !self.home.keeps_failed() {
            return committed;
        }
        // Callers that wait for the writes are told.
        self.ticket += 1;
        self.is_awaited = false;
        self.database.get_mut().roll_back()
    }
}

impl SqlTable for SqliteTable {
    fn database(&mut self) -> &mut Database {
        self.database.get_mut()
    }

    fn active_database(&mut self) -> Result<&mut Database> {
        self.rest()?;
        Ok(self.database.get_mut())
    }

    fn is_nested(&self) -> bool {
        self.database.borrow().is_nested()
    }

    fn pending(&mut self) -> Ticket {
        if self.database.get_mut().is_dirty() {
            self.is_awaited = true;
            self.ticket
        } else {
            0
        }
    }

    fn roll_back(&mut self) -> Result<()> {
        self.database.get_mut().roll_back()
    }

    fn reset(&mut self, alarm: Option<i64>) -> Result<Ticket> {
        self.home.before_commit(alarm)?;
        let database = self.database.get_mut();
        database.reset()?;
        if alarm.is_some() {
            let mut writes = WriteBatch::default();
            writes.set_alarm(alarm);
            database.apply(&writes)?;
            database.commit()?;
        }
        self.is_awaited = true;
        self.conclude(CommitEnd::Committed)?;
        Ok(self.ticket - 1)
    }
}
