//! The table of an object in memory: an ordered map, or a SQLite database.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::Ticket;
use super::local::{SqlTable, SqliteTable, Table};
use crate::durability::Durability;
use crate::error::Result;
use crate::key::{Entry, Key, Value};
use crate::range::Scan;
use crate::sqlite::Database;
use crate::write_batch::WriteBatch;

/// One object's data in memory.
pub enum MemoryTable {
    /// In an ordered map.
    Ordered(OrderedTable),
    /// In a SQLite database.
    Sqlite(Box<SqliteTable>),
}

impl Default for MemoryTable {
    fn default() -> Self {
        Self::Ordered(OrderedTable::default())
    }
}

impl MemoryTable {
    fn table(&self) -> &dyn Table {
        match self {
            Self::Ordered(table) => table,
            Self::Sqlite(table) => &**table,
        }
    }

    fn table_mut(&mut self) -> &mut dyn Table {
        match self {
            Self::Ordered(table) => table,
            Self::Sqlite(table) => &mut **table,
        }
    }
}

impl Table for MemoryTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        match self {
            Self::Ordered(table) => table.get(key),
            Self::Sqlite(table) => table.get(key),
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
            Self::Ordered(table) => table.apply(writes),
            Self::Sqlite(table) => table.apply(writes),
        }
    }

    fn is_empty(&self) -> Result<bool> {
        self.table().is_empty()
    }

    fn is_dirty(&self) -> bool {
        self.table().is_dirty()
    }

    fn seal(&mut self) -> Result<()> {
        self.table_mut().seal()
    }

    fn sqlite(&mut self) -> Option<&mut dyn SqlTable> {
        match self {
            Self::Ordered(_) => None,
            Self::Sqlite(table) => Some(&mut **table),
        }
    }

    fn durability(&self) -> Option<&Arc<Durability>> {
        self.table().durability()
    }

    fn become_sqlite(&mut self, durability: &Arc<Durability>) -> Result<()> {
        let mut database = Database::in_memory()?;
        database.fill(self.scan(&Scan::all())?, self.alarm()?)?;
        let table = SqliteTable::in_memory(database, durability.clone());
        drop(mem::replace(self, Self::Sqlite(Box::new(table))));
        Ok(())
    }
}

/// One object's data in an ordered map.
#[derive(Debug, Default)]
pub struct OrderedTable {
    entries: BTreeMap<Key, Value>,
    alarm: Option<i64>,
}

impl Table for OrderedTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let limit = scan.limit.unwrap_or(usize::MAX);
        let walk = self.entries.range::<[u8], _>(scan.range.bounds());
        let pair = |(key, value): (&Key, &Value)| (key.clone(), value.clone());
        Ok(if scan.reverse {
            walk.rev().take(limit).map(pair).collect()
        } else {
            walk.take(limit).map(pair).collect()
        })
    }

    fn alarm(&self) -> Result<Option<i64>> {
        Ok(self.alarm)
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        let (clear, entries, alarm) = writes.into_parts();
        if clear {
            self.entries.clear();
        }
        for (key, value) in entries {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
        if let Some(alarm) = alarm {
            self.alarm = alarm;
        }
        Ok(0)
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.entries.is_empty() && self.alarm.is_none())
    }
}
