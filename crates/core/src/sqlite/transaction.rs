//! The transaction that begins with the first write of a turn of the event loop, and its savepoints.

use rusqlite::ffi;

use super::database::{Database, Transaction};
use super::failure::is_critical;
use super::fixed::Fixed;
use super::statement::Statement;
use crate::error::{Error, Result};

/// What to do with a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Savepoint {
    /// Begins one.
    Begin,
    /// Keeps what was written since the newest one began, and ends it.
    Release,
    /// Undoes what was written since the newest one began, and ends it.
    RollBack,
}

/// How an attempt to commit has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitEnd {
    /// Nothing was written.
    Nothing,
    /// The writes are in the database, and in its log.
    Committed,
    /// A caller keeps the transaction open.
    Held,
    /// The writes are undone.
    RolledBack(Error),
}

impl Database {
    /// Whether the connection is in a transaction, which may have written nothing yet.
    fn is_in_transaction(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) == 0 }
    }

    /// Whether writes are not committed.
    pub fn is_dirty(&self) -> bool {
        // SAFETY: the connection is open.
        let state = unsafe { ffi::sqlite3_txn_state(self.raw(), c"main".as_ptr()) };
        self.transaction.lost || state == ffi::SQLITE_TXN_WRITE
    }

    /// Begins the transaction that the end of the turn commits, if `statement` writes and none has begun.
    pub(super) fn begin_for(&mut self, statement: &Statement) -> Result<()> {
        if statement.is_read_only() { Ok(()) } else { self.begin() }
    }

    /// Begins the transaction that the end of the turn commits, if none has begun.
    pub(super) fn begin(&mut self) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if !self.is_in_transaction() {
            self.announce_writes()?;
            self.run(Fixed::Begin, &[], |_| ())?;
            self.transaction.begun = true;
        }
        Ok(())
    }

    /// Notes what an error means for the transaction and for the database.
    pub(super) fn notice<R>(&mut self, result: Result<R>) -> Result<R> {
        let result = result.map_err(|error| self.of_file(error));
        if let Err(error) = &result {
            if is_critical(error) {
                self.broken = Some(error.clone());
            }
            // `ON CONFLICT ROLLBACK` and a full disk end the transaction.
            if self.transaction.begun && !self.is_in_transaction() {
                self.transaction.begun = false;
                self.transaction.lost = true;
                self.forget_schema();
            }
        }
        result
    }

    /// Keeps the transaction open at the ends of turns, until it is let go as often.
    pub fn hold(&mut self, holds: bool) {
        let count = &mut self.transaction.holds;
        *count = if holds { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Commits what was written. After an error that is not the worker's fault the database must be closed.
    pub fn commit(&mut self) -> Result<CommitEnd> {
        if self.transaction.holds > 0 {
            return Ok(CommitEnd::Held);
        }
        if std::mem::take(&mut self.transaction.lost) {
            self.roll_back()?;
            return Ok(CommitEnd::RolledBack(Error::Sql {
                message: LOST.to_owned(),
                code: ffi::SQLITE_ABORT,
            }));
        }
        if !self.is_in_transaction() {
            return Ok(CommitEnd::Nothing);
        }
        let has_written = self.is_dirty();
        self.end_writing_cursors()?;
        match self.run(Fixed::Commit, &[], |_| ()) {
            Ok(_) => {
                self.transaction = Transaction::default();
                Ok(if has_written { CommitEnd::Committed } else { CommitEnd::Nothing })
            }
            Err(Error::Sql { message, code: ffi::SQLITE_CONSTRAINT }) => {
                self.roll_back()?;
                let message = format!("{VIOLATED}{message}");
                Ok(CommitEnd::RolledBack(Error::Sql { message, code: ffi::SQLITE_CONSTRAINT }))
            }
            Err(error) => {
                let _ = self.roll_back();
                Err(error)
            }
        }
    }

    /// Undoes what was written since the transaction began.
    pub fn roll_back(&mut self) -> Result<()> {
        if self.file.is_none() {
            // In memory nothing is lost but what was not committed.
            self.broken = None;
        }
        let holds = self.transaction.holds;
        self.transaction = Transaction { holds, ..Transaction::default() };
        self.forget_schema();
        if self.is_in_transaction() {
            self.end_writing_cursors()?;
            self.run(Fixed::Rollback, &[], |_| ())?;
        }
        Ok(())
    }

    /// Begins or ends a savepoint.
    pub fn savepoint(&mut self, action: Savepoint) -> Result<()> {
        if action == Savepoint::Begin {
            self.begin()?;
            self.run(Fixed::Savepoint, &[], |_| ())?;
            self.transaction.savepoints += 1;
            return Ok(());
        }
        // What has rolled back the transaction has ended its savepoints too.
        if self.transaction.savepoints == 0 || !self.is_in_transaction() {
            return Ok(());
        }
        self.transaction.savepoints -= 1;
        self.end_writing_cursors()?;
        if action == Savepoint::RollBack {
            self.run(Fixed::RollbackTo, &[], |_| ())?;
            self.forget_schema();
        }
        self.run(Fixed::Release, &[], |_| ())?;
        Ok(())
    }

    /// Whether a savepoint is open, or a caller keeps the transaction open.
    pub fn is_nested(&self) -> bool {
        self.transaction.savepoints > 0 || self.transaction.holds > 0
    }

    /// Which of our tables exist, and what the alarm is, has to be looked up again.
    pub(super) fn forget_schema(&mut self) {
        self.has_keys = None;
        self.has_metadata = None;
        self.known_alarm = None;
    }

    /// Ends the statements of open cursors that write: SQLite cannot end a transaction before.
    fn end_writing_cursors(&mut self) -> Result<()> {
        for cursor in self.cursors.values_mut().filter(|cursor| cursor.is_writing()) {
            cursor.read_ahead()?;
        }
        Ok(())
    }
}

const VIOLATED: &str = "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: ";
const LOST: &str = "Durable Object was reset and rolled back to its last known good state because its SQL code has rolled back the transaction of this turn (ON CONFLICT ROLLBACK, RAISE(ROLLBACK) or a full disk).";
