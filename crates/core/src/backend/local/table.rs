//! The ordered bytes of one object in this process, and how the contract over them uses them.

use std::sync::Arc;

use crate::durability::{Durability, Ticket};
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::sqlite::Database;
use crate::write_batch::WriteBatch;

/// The ordered bytes of one object in this process, without any concurrency: [`super::LocalObject`] calls it under its
/// lock.
pub trait Table: Send + 'static {
    /// The value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Value>>;

    /// The entries of a walk, in its order.
    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>>;

    /// The alarm, in milliseconds.
    fn alarm(&self) -> Result<Option<i64>>;

    /// Applies a batch, visible at once. After an error nothing of the batch is visible.
    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket>;

    /// Whether the table holds neither a key nor an alarm.
    fn is_empty(&self) -> Result<bool>;

    /// Whether a batch has been applied that is not sealed.
    fn is_dirty(&self) -> bool {
        false
    }

    /// Whether [`Self::apply`] may be called. If not, [`super::TableOpener::upgrade`] makes a table that takes writes.
    fn takes_writes(&self) -> bool {
        true
    }

    /// Whether a read has failed in a way that opening the table again may fix.
    fn is_broken(&self) -> bool {
        false
    }

    /// Ends the current batch, and begins to make it durable. What was applied since the last call is kept as a whole
    /// or not at all. After an error the table cannot be used any more.
    fn seal(&mut self) -> Result<()> {
        Ok(())
    }

    /// The table as one over a SQLite database, if it is one.
    fn sqlite(&mut self) -> Option<&mut dyn SqlTable> {
        None
    }

    /// Knows which writes of the table are durable, if it has its own way to make them so.
    fn durability(&self) -> Option<&Arc<Durability>> {
        None
    }

    /// Becomes a table over a SQLite database with the same keys and the same alarm.
    fn become_sqlite(&mut self, _durability: &Arc<Durability>) -> Result<()> {
        Err(Error::NoSql)
    }
}

/// A table over a SQLite database.
pub trait SqlTable: Table {
    /// The database.
    fn database(&mut self) -> &mut Database;

    /// The database, which may be written to.
    fn active_database(&mut self) -> Result<&mut Database>;

    /// Whether a savepoint is open, so that what is written now may be rolled back alone.
    fn is_nested(&self) -> bool;

    /// The ticket of what has been written and is not committed; 0 if nothing is.
    fn pending(&mut self) -> Ticket;

    /// Undoes what was written in this turn.
    fn roll_back(&mut self) -> Result<()>;

    /// Deletes everything but this alarm, at once. Returns the ticket of that.
    fn reset(&mut self, alarm: Option<i64>) -> Result<Ticket>;
}

/// What a table is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read; it need not take writes.
    Read,
    /// To be written to as well.
    Write,
}

/// A table that holds nothing: what a reader finds if the object does not exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct EmptyTable;

impl Table for EmptyTable {
    fn get(&self, _key: &[u8]) -> Result<Option<Value>> {
        Ok(None)
    }

    fn scan(&self, _scan: &Scan) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn alarm(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn apply(&mut self, _writes: WriteBatch) -> Result<Ticket> {
        Err(Error::Internal("a write found no table".into()))
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(true)
    }
}
