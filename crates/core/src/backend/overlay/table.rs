//! One object of an overlay: its changes above the object below, or its SQLite database.

use std::mem;
use std::sync::Arc;

use super::below::Below;
use super::changes::ChangesTable;
use super::database::OverlayDatabase;
use super::savepoints::Savepoints;
use crate::backend::local::{SqlTable, Table};
use crate::backend::{ObjectKey, Ticket};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::write_batch::WriteBatch;

/// The data of one object of an overlay.
pub enum OverlayTable {
    /// Its changes above the object below.
    Changes(ChangesTable),
    /// Its SQLite database.
    Sqlite(Box<OverlayDatabase>),
    /// Becoming a database has failed.
    Broken(Error),
}

impl OverlayTable {
    /// A table without changes.
    pub fn new(below: Arc<Below>, key: ObjectKey, savepoints: Arc<Savepoints>) -> Self {
        Self::Changes(ChangesTable::new(below, key, savepoints))
    }

    /// Whether the alarm below does not show through.
    pub fn decides_alarm(&self) -> bool {
        match self {
            Self::Changes(table) => table.decides_alarm(),
            Self::Sqlite(_) | Self::Broken(_) => true,
        }
    }

    /// Undoes the changes of every savepoint above `depth`; 0 undoes those of all savepoints. Returns the alarm that is
    /// then set in the overlay.
    pub fn revert(&mut self, depth: usize) -> Option<i64> {
        match self {
            Self::Changes(table) => table.revert(depth),
            Self::Sqlite(database) => {
                let reverted = database.revert(depth);
                self.reverted(reverted)
            }
            Self::Broken(_) => None,
        }
    }

    /// Undoes everything.
    pub fn forget(&mut self) -> Option<i64> {
        match self {
            Self::Changes(table) => table.forget(),
            Self::Sqlite(database) => {
                let forgotten = database.forget();
                self.reverted(forgotten)
            }
            Self::Broken(_) => None,
        }
    }

    /// A database that could not be reverted is not used any more.
    fn reverted(&mut self, alarm: Result<Option<i64>>) -> Option<i64> {
        alarm.unwrap_or_else(|error| {
            *self = Self::Broken(error);
            None
        })
    }

    fn table(&self) -> Result<&dyn Table> {
        match self {
            Self::Changes(table) => Ok(table),
            Self::Sqlite(database) => Ok(&database.table),
            Self::Broken(error) => Err(error.clone()),
        }
    }
}

impl Table for OverlayTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.table()?.get(key)
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        self.table()?.scan(scan)
    }

    fn alarm(&self) -> Result<Option<i64>> {
        self.table()?.alarm()
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        match self {
            Self::Changes(table) => table.apply(writes),
            Self::Sqlite(database) => database.table.apply(writes),
            Self::Broken(error) => Err(error.clone()),
        }
    }

    fn is_empty(&self) -> Result<bool> {
        self.table()?.is_empty()
    }

    fn is_dirty(&self) -> bool {
        self.table().is_ok_and(Table::is_dirty)
    }

    fn seal(&mut self) -> Result<()> {
        self.sqlite().map_or(Ok(()), Table::seal)
    }

    fn sqlite(&mut self) -> Option<&mut dyn SqlTable> {
        match self {
            Self::Sqlite(database) => Some(&mut database.table),
            Self::Changes(_) | Self::Broken(_) => None,
        }
    }

    fn durability(&self) -> Option<&Arc<Durability>> {
        self.table().ok()?.durability()
    }

    fn become_sqlite(&mut self, durability: &Arc<Durability>) -> Result<()> {
        let Self::Changes(table) = self else {
            return Err(Error::NoSql);
        };
        let writes = table.as_writes();
        let became = Self::Broken(Error::Internal("becoming a database was interrupted".into()));
        let Self::Changes(table) = mem::replace(self, became) else {
            return Err(Error::NoSql);
        };
        let (below, key, savepoints) = table.into_parts();
        let made = OverlayDatabase::new(below, key, savepoints, durability.clone(), &writes);
        match made {
            Ok(database) => {
                *self = Self::Sqlite(Box::new(database));
                Ok(())
            }
            Err(error) => {
                *self = Self::Broken(error.clone());
                Err(error)
            }
        }
    }
}
