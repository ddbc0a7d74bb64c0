//! The database as a whole: its size, its bytes, emptying it, and moving its log into it.

use std::io::Cursor;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB};

use super::connection::text;
use super::database::Database;
use super::fixed::Fixed;
use super::session::Session;
use crate::error::Result;

/// The size of a page, in bytes.
const PAGE_BYTES: u64 = 4096;
/// Where an image says whether the database has a log (2) or not (1): what may read it, and what may write it.
const VERSIONS: std::ops::Range<usize> = 18..20;

/// How a checkpoint treats the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// Moves what it can from the log into the database. The caller syncs the database before the next write.
    Unsynced,
    /// Moves the whole log, and begins an empty one.
    Whole,
    /// Moves the whole log, makes the database durable, and begins an empty log.
    Durable,
}

impl Database {
    /// What the pages in use take, in bytes. An empty database takes one.
    pub fn size(&mut self) -> Result<u64> {
        let pages = self.number(Fixed::Pages)?.unwrap_or(0);
        let free = self.number(Fixed::FreePages)?.unwrap_or(0);
        Ok(u64::try_from(pages - free).unwrap_or(0).max(1) * PAGE_BYTES)
    }

    /// The bytes of the database, with what is not committed; none of a database that was never written.
    pub fn image(&mut self) -> Result<Vec<u8>> {
        if self.number(Fixed::Pages)? == Some(0) {
            // SQLite has no bytes for a database that was never written.
            return Ok(Vec::new());
        }
        let Self { connection, author, .. } = self;
        let serialized = author.ours(|| connection.serialize(MAIN_DB).map(|bytes| bytes.to_vec()));
        let mut image = serialized.map_err(text)?;
        if let Some(versions) = image.get_mut(VERSIONS) {
            // In memory a database has no log.
            versions.fill(1);
        }
        Ok(image)
    }

    /// Replaces the content of a database in memory. Its cursors end.
    pub fn restore(&mut self, image: &[u8]) -> Result<()> {
        self.roll_back()?;
        self.cancel_cursors();
        if image.is_empty() {
            return self.empty();
        }
        let size = image.len();
        let bytes = Cursor::new(image);
        let Self { connection, author, .. } = self;
        author.ours(|| connection.deserialize_read_exact(MAIN_DB, bytes, size, false)).map_err(text)
    }

    /// Deletes everything, in and outside the transaction that is open. Cursors end.
    pub fn reset(&mut self) -> Result<()> {
        self.roll_back()?;
        self.announce_writes()?;
        self.cancel_cursors();
        self.empty()?;
        self.enter(&Session::default())
    }

    fn empty(&mut self) -> Result<()> {
        let connection: &Connection = &self.connection;
        let empty = || {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
            let emptied = connection.execute_batch("VACUUM");
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)?;
            emptied
        };
        let emptied = self.author().ours(empty).map_err(text);
        self.notice(emptied)
    }

    /// Moves the log into the database. No transaction is open.
    pub fn checkpoint(&mut self, how: Checkpoint) -> Result<()> {
        let batch = match how {
            Checkpoint::Unsynced => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Whole => "PRAGMA wal_checkpoint(TRUNCATE)",
            Checkpoint::Durable => {
                "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA synchronous = OFF"
            }
        };
        let moved = self.author().ours(|| self.connection.execute_batch(batch)).map_err(text);
        self.forget_log();
        self.notice(moved)
    }

    fn cancel_cursors(&mut self) {
        for cursor in self.cursors.values_mut() {
            cursor.cancel();
        }
        self.cache.clear();
    }
}
