//! Our own statements, each prepared when it is needed first.

use rusqlite::ffi;

use super::statement::Statement;
use crate::error::{Error, Result};

macro_rules! fixed {
    ($($name:ident = $sql:literal;)*) => {
        /// Names one of our statements.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Fixed { $($name),* }

        const SQL: &[&str] = &[$($sql),*];
    };
}

fixed! {
    Begin = "BEGIN IMMEDIATE";
    Commit = "COMMIT";
    Rollback = "ROLLBACK";
    Savepoint = "SAVEPOINT _cf_savepoint";
    Release = "RELEASE _cf_savepoint";
    RollbackTo = "ROLLBACK TO _cf_savepoint";
    KeysExist = "SELECT 1 FROM sqlite_master WHERE name = '_cf_KV'";
    MetadataExists = "SELECT 1 FROM sqlite_master WHERE name = '_cf_METADATA'";
    CreateKeys = "CREATE TABLE _cf_KV (
        key TEXT PRIMARY KEY,
        value BLOB
      ) WITHOUT ROWID";
    CreateMetadata = "CREATE TABLE _cf_METADATA (
        key INTEGER PRIMARY KEY,
        value BLOB
      )";
    Get = "SELECT value FROM _cf_KV WHERE key = ?";
    // Without index, trigger and foreign key this is one search, where an upsert needs two.
    Put = "REPLACE INTO _cf_KV VALUES (?, ?)";
    Delete = "DELETE FROM _cf_KV WHERE key = ?";
    Clear = "DELETE FROM _cf_KV";
    ListUp = "SELECT key, value FROM _cf_KV WHERE key >= ? AND key < ? ORDER BY key LIMIT ?";
    ListUpToEnd = "SELECT key, value FROM _cf_KV WHERE key >= ? ORDER BY key LIMIT ?";
    ListDown = "SELECT key, value FROM _cf_KV WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?";
    ListDownFromEnd = "SELECT key, value FROM _cf_KV WHERE key >= ? ORDER BY key DESC LIMIT ?";
    Alarm = "SELECT value FROM _cf_METADATA WHERE key = 1";
    SetAlarm = "INSERT INTO _cf_METADATA VALUES (1, ?) ON CONFLICT DO UPDATE SET value = excluded.value";
    DeleteAlarm = "UPDATE _cf_METADATA SET value = NULL WHERE key = 1";
    Bookmark = "SELECT value FROM _cf_METADATA WHERE key = 2";
    SetBookmark = "INSERT INTO _cf_METADATA VALUES (2, ?) ON CONFLICT DO UPDATE SET value = excluded.value";
    AnyTable = "SELECT 1 FROM sqlite_master WHERE name NOT IN ('_cf_KV', '_cf_METADATA') LIMIT 1";
    AnyKey = "SELECT 1 FROM _cf_KV LIMIT 1";
    Pages = "PRAGMA page_count";
    FreePages = "PRAGMA freelist_count";
}

/// Our statements of one connection.
#[derive(Default)]
pub(super) struct FixedStatements {
    prepared: [Option<Statement>; SQL.len()],
}

impl FixedStatements {
    /// The statement, ready to run.
    ///
    /// # Safety
    ///
    /// `db` is the open connection of these statements, which no other thread uses.
    pub(super) unsafe fn get(
        &mut self,
        db: *mut ffi::sqlite3,
        name: Fixed,
    ) -> Result<&mut Statement> {
        let slot = &mut self.prepared[name as usize];
        if slot.is_none() {
            // SAFETY: the caller's promise.
            *slot = unsafe { Statement::prepare(db, SQL[name as usize], true) }?.statement;
        }
        slot.as_mut().ok_or_else(|| Error::Internal(format!("{name:?} is not a statement")))
    }

    /// Another statement of the same text, for a cursor.
    ///
    /// # Safety
    ///
    /// As [`Self::get`].
    pub(super) unsafe fn prepare(db: *mut ffi::sqlite3, name: Fixed) -> Result<Statement> {
        // SAFETY: the caller's promise.
        let prepared = unsafe { Statement::prepare(db, SQL[name as usize], false) }?;
        prepared.statement.ok_or_else(|| Error::Internal(format!("{name:?} is not a statement")))
    }
}
