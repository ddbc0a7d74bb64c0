//! The SQLite database of an object in an overlay: a copy of the one below, in memory. Its bytes as they were before each
//! savepoint undo what the savepoint has brought.

use std::sync::{Arc, Mutex};

use super::below::Below;
use super::savepoints::Savepoints;
use crate::backend::ObjectKey;
use crate::backend::local::{SqliteTable, Table};
use crate::durability::Durability;
use crate::error::Result;
use crate::lock::lock;
use crate::range::Scan;
use crate::sqlite::Database;
use crate::write_batch::WriteBatch;

/// The bytes of a database before the first write in a savepoint, and the number of that savepoint.
type Images = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

/// A copy of a database, and how to undo what was written to it.
pub struct OverlayDatabase {
    /// The copy.
    pub table: SqliteTable,
    below: Arc<Below>,
    images: Images,
}

impl OverlayDatabase {
    /// A copy of what an object shows, which is the database below and nothing else if `writes` is empty.
    pub fn new(
        below: Arc<Below>,
        key: ObjectKey,
        savepoints: Arc<Savepoints>,
        durability: Arc<Durability>,
        writes: &WriteBatch,
    ) -> Result<Self> {
        let mut database = copy(&below)?;
        if !writes.is_empty() {
            database.apply(writes)?;
            database.commit()?;
        }
        let images = Images::default();
        let kept = images.clone();
        database.watch_writes(move |image| {
            let savepoint = savepoints.depth()?;
            let mut kept = lock(&kept)?;
            if kept.last().map_or(0, |(last, _)| *last) < savepoint {
                savepoints.enter(&key)?;
                kept.push((savepoint, image()?));
            }
            Ok(())
        });
        let table = SqliteTable::in_memory(database, durability);
        Ok(Self { table, below, images })
    }

    /// Undoes what was written in every savepoint above `depth`. Returns the alarm that is then set.
    pub fn revert(&mut self, depth: usize) -> Result<Option<i64>> {
        let mut oldest = None;
        let mut images = lock(&self.images)?;
        while let Some((_, image)) = images.pop_if(|(savepoint, _)| *savepoint > depth) {
            oldest = Some(image);
        }
        drop(images);
        self.restore(oldest.as_deref())
    }

    /// Undoes everything that was ever written to the copy. Returns the alarm that is then set.
    pub fn forget(&mut self) -> Result<Option<i64>> {
        lock(&self.images)?.clear();
        let image = copy(&self.below)?.image()?;
        self.restore(Some(&image))
    }

    fn restore(&mut self, image: Option<&[u8]>) -> Result<Option<i64>> {
        if let Some(image) = image {
            self.table.restore(image)?;
        }
        self.table.alarm()
    }
}

/// A copy of the database below, or of the keys and the alarm there.
fn copy(below: &Below) -> Result<Database> {
    if let Some(image) = below.sql_image()? {
        return Database::from_image(&image);
    }
    let mut database = Database::in_memory()?;
    database.fill(below.list(Scan::all())?, below.alarm()?)?;
    Ok(database)
}
