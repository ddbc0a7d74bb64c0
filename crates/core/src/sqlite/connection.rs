//! Opens a connection, with the settings and the limits of production.

use std::ffi::c_int;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::error::{Error, Result};

const LIMITS: &[(Limit, c_int)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 2_200_000),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 127),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// A new database in memory.
pub(super) fn open_memory() -> Result<Connection> {
    let connection = Connection::open_in_memory_with_flags(flags()).map_err(text)?;
    set_up(&connection)?;
    Ok(connection)
}

/// The database in the file `path`, which is created if it does not exist. No other process may use it meanwhile.
///
/// The connection syncs nothing by itself: a commit is in the log when it returns, and its caller makes it durable.
pub(super) fn open_file(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags()).map_err(text)?;
    set_up(&connection)?;
    connection
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;
             PRAGMA wal_autocheckpoint = 0; PRAGMA cache_spill = OFF; SELECT 1 FROM sqlite_master;",
        )
        .map_err(|error| said_by_system(&connection, error))?;
    // Its log goes on as it is when something has failed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(text)?;
    Ok(connection)
}

/// A failure to open a file: SQLite itself does not say why.
fn said_by_system(connection: &Connection, error: rusqlite::Error) -> Error {
    // SAFETY: the connection is open.
    let number = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    match text(error) {
        Error::Sql { code: code @ (ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR), .. }
            if number != 0 =>
        {
            Error::Sql { message: io::Error::from_raw_os_error(number).to_string(), code }
        }
        error => error,
    }
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE
}

fn set_up(connection: &Connection) -> Result<()> {
    // No caller waits for another program that has the file open.
    connection.busy_timeout(Duration::ZERO).map_err(text)?;
    for (limit, value) in LIMITS {
        connection.set_limit(*limit, *value).map_err(text)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(text)?;
    Ok(())
}

/// A failure of rusqlite, in our words.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
pub(super) fn text(error: rusqlite::Error) -> Error {
    match &error {
        rusqlite::Error::SqliteFailure(inner, message) => {
            let message = message.clone().unwrap_or_else(|| inner.to_string());
            Error::Sql { message, code: inner.extended_code & 0xff }
        }
        _ => Error::Internal(error.to_string()),
    }
}
