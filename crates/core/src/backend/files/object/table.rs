//! One object's data on the disk: in a RocksDB database, or in a SQLite database.

use std::sync::Arc;

use super::ending::After;
use super::flusher::{Flusher, TableOwner};
use super::rocks_table::RocksTable;
use super::sqlite_home::SqliteHome;
use crate::backend::Ticket;
use crate::backend::files::workers::by_use::{Leaving, Occupant};
use crate::backend::local::{IdleTable, LocalObject, SqlTable, SqliteTable, Table};
use crate::error::Result;
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::sqlite::Database;
use crate::write_batch::WriteBatch;

/// The data of one object.
pub enum FileTable {
    /// In a RocksDB database.
    Rocks(RocksTable),
    /// In a SQLite database.
    Sqlite(Box<SqliteTable>, Arc<Flusher>),
}

impl FileTable {
    /// A table over an open SQLite database.
    pub fn sqlite(database: Database, flusher: Arc<Flusher>) -> Self {
        let home = Box::new(SqliteHome::new(flusher.clone()));
        Self::Sqlite(Box::new(SqliteTable::over(database, home)), flusher)
    }

    /// Makes everything durable and closes the database, and goes on with `after`, all in the background.
    pub fn end(self, after: After) {
        match self {
            Self::Rocks(table) => table.end(after),
            Self::Sqlite(mut table, flusher) => {
                let sealed = table.seal();
                flusher.database.keep(table.into_database());
                Flusher::end(flusher, sealed, after);
            }
        }
    }

    /// Whether it is a SQLite database without anything.
    pub fn is_empty_database(&self) -> bool {
        matches!(self, Self::Sqlite(table, _) if table.is_empty().unwrap_or(false))
    }

    fn ticket(&self) -> Ticket {
        match self {
            Self::Rocks(table) => table.ticket(),
            Self::Sqlite(table, _) => table.ticket(),
        }
    }

    fn table(&self) -> &dyn Table {
        match self {
            Self::Rocks(table) => table,
            Self::Sqlite(table, _) => &**table,
        }
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
        self.take_failed().map(|table| table.ticket())
    }

    fn drop_empty_table(&self) -> bool {
        self.take_empty().is_some()
    }
}

impl Table for FileTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match self {
            Self::Rocks(table) => table.get(key),
            Self::Sqlite(table, _) => table.get(key),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        self.table().scan(scan)
    }

    fn alarm(&self) -> Result<Option<i64>> {
        self.table().alarm()
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        match self {
            Self::Rocks(table) => table.apply(writes),
            Self::Sqlite(table, _) => table.apply(writes),
        }
    }

    fn is_empty(&self) -> Result<bool> {
        self.table().is_empty()
    }

    fn takes_writes(&self) -> bool {
        self.table().takes_writes()
    }

    fn is_dirty(&self) -> bool {
        self.table().is_dirty()
    }

    fn is_broken(&self) -> bool {
        self.table().is_broken()
    }

    fn seal(&mut self) -> Result<()> {
        match self {
            Self::Rocks(table) => table.seal(),
            Self::Sqlite(table, _) => table.seal(),
        }
    }

    fn sqlite(&mut self) -> Option<&mut dyn SqlTable> {
        match self {
            Self::Rocks(_) => None,
            Self::Sqlite(table, _) => Some(&mut **table),
        }
    }
}
