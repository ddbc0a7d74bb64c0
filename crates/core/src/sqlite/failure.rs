//! What SQLite says, in the words of production: `<message> at offset <n>: SQLITE_<CODE> (extended: SQLITE_<CODE>)`.

use std::ffi::{CStr, c_int};
use std::fmt::Write as _;

use rusqlite::ffi;

use crate::error::Error;

/// The error that a call on `db` has met, whose result code is `code`.
///
/// # Safety
///
/// `db` is an open connection that no other thread uses now.
pub(super) unsafe fn failure(db: *mut ffi::sqlite3, code: c_int) -> Error {
    // SAFETY: the caller's promise. SQLite keeps the text until the next call on the connection.
    let (text, extended, offset) = unsafe {
        let text = CStr::from_ptr(ffi::sqlite3_errmsg(db)).to_string_lossy().into_owned();
        (text, ffi::sqlite3_extended_errcode(db), ffi::sqlite3_error_offset(db))
    };
    let extended = if extended & 0xff == code & 0xff { extended } else { code };
    let mut message = text;
    // Writing to a string cannot fail.
    if offset >= 0 {
        let _ = write!(message, " at offset {offset}");
    }
    let primary = extended & 0xff;
    let _ = write!(message, ": {}", name(primary));
    if extended != primary {
        let _ = write!(message, " (extended: {})", name(extended));
    }
    Error::Sql { message, code: primary }
}

impl Error {
    /// An error of syntax at a clause that production has, with what to write instead.
    pub(super) fn about_limit(self, sql: &str) -> Self {
        let Self::Sql { message, code } = self else {
            return self;
        };
        let is_clause = ["near \"LIMIT\": syntax error", "near \"ORDER\": syntax error"]
            .iter()
            .any(|start| starts_with(&message, start));
        let verb = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let rewrite = match verb.as_str() {
            "DELETE" if is_clause => "DELETE FROM t",
            "UPDATE" if is_clause => "UPDATE t SET …",
            _ => return Self::Sql { message, code },
        };
        let message = format!(
            "{message}. Here DELETE and UPDATE take neither ORDER BY nor LIMIT. Write this instead: {rewrite} WHERE rowid IN (SELECT rowid FROM t WHERE … ORDER BY … LIMIT …)"
        );
        Self::Sql { message, code }
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Whether SQLite cannot go on with the database after this error.
pub(super) fn is_critical(error: &Error) -> bool {
    let codes = [
        ffi::SQLITE_FULL,
        ffi::SQLITE_IOERR,
        ffi::SQLITE_CORRUPT,
        ffi::SQLITE_NOTADB,
        ffi::SQLITE_CANTOPEN,
        ffi::SQLITE_READONLY,
    ];
    match error {
        // A table of a module may be damaged in a sound file.
        Error::Sql { code, message } => {
            codes.contains(code) && !message.contains("SQLITE_CORRUPT_VTAB")
        }
        Error::Io { .. } | Error::Corrupt { .. } => true,
        _ => false,
    }
}

/// Whether the error says that the file holds no database, or a damaged one.
pub fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Sql { code: ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, .. })
}

/// Whether the error says that another program has locked the database.
pub fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Sql { code: ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED, .. })
}

/// The name of a result code, primary or extended.
fn name(code: c_int) -> String {
    let known = NAMES.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| code.to_string(), |(_, name)| format!("SQLITE_{name}"))
}

macro_rules! names {
    ($($name:ident)*) => {
        &[$((ffi::$name, strip(stringify!($name)))),*]
    };
}

/// The name without `SQLITE_`.
const fn strip(name: &str) -> &str {
    name.split_at("SQLITE_".len()).1
}

const NAMES: &[(c_int, &str)] = names! {
    SQLITE_ERROR SQLITE_INTERNAL SQLITE_PERM SQLITE_ABORT SQLITE_BUSY SQLITE_LOCKED SQLITE_NOMEM SQLITE_READONLY
    SQLITE_INTERRUPT SQLITE_IOERR SQLITE_CORRUPT SQLITE_NOTFOUND SQLITE_FULL SQLITE_CANTOPEN SQLITE_PROTOCOL
    SQLITE_EMPTY SQLITE_SCHEMA SQLITE_TOOBIG SQLITE_CONSTRAINT SQLITE_MISMATCH SQLITE_MISUSE SQLITE_NOLFS SQLITE_AUTH
    SQLITE_FORMAT SQLITE_RANGE SQLITE_NOTADB SQLITE_NOTICE SQLITE_WARNING
    SQLITE_ERROR_MISSING_COLLSEQ SQLITE_ERROR_RETRY SQLITE_ERROR_SNAPSHOT
    SQLITE_ABORT_ROLLBACK SQLITE_BUSY_RECOVERY SQLITE_BUSY_SNAPSHOT SQLITE_BUSY_TIMEOUT
    SQLITE_LOCKED_SHAREDCACHE SQLITE_LOCKED_VTAB
    SQLITE_IOERR_READ SQLITE_IOERR_SHORT_READ SQLITE_IOERR_WRITE SQLITE_IOERR_FSYNC SQLITE_IOERR_DIR_FSYNC
    SQLITE_IOERR_TRUNCATE SQLITE_IOERR_FSTAT SQLITE_IOERR_UNLOCK SQLITE_IOERR_RDLOCK SQLITE_IOERR_DELETE
    SQLITE_IOERR_NOMEM SQLITE_IOERR_ACCESS SQLITE_IOERR_LOCK SQLITE_IOERR_CLOSE SQLITE_IOERR_SEEK
    SQLITE_IOERR_DELETE_NOENT SQLITE_IOERR_MMAP SQLITE_IOERR_GETTEMPPATH SQLITE_IOERR_CORRUPTFS
    SQLITE_CORRUPT_VTAB SQLITE_CORRUPT_SEQUENCE SQLITE_CORRUPT_INDEX
    SQLITE_CANTOPEN_ISDIR SQLITE_CANTOPEN_FULLPATH SQLITE_CANTOPEN_SYMLINK
    SQLITE_READONLY_RECOVERY SQLITE_READONLY_CANTLOCK SQLITE_READONLY_ROLLBACK SQLITE_READONLY_DBMOVED
    SQLITE_READONLY_DIRECTORY
    SQLITE_CONSTRAINT_CHECK SQLITE_CONSTRAINT_COMMITHOOK SQLITE_CONSTRAINT_FOREIGNKEY SQLITE_CONSTRAINT_FUNCTION
    SQLITE_CONSTRAINT_NOTNULL SQLITE_CONSTRAINT_PRIMARYKEY SQLITE_CONSTRAINT_TRIGGER SQLITE_CONSTRAINT_UNIQUE
    SQLITE_CONSTRAINT_VTAB SQLITE_CONSTRAINT_ROWID SQLITE_CONSTRAINT_PINNED SQLITE_CONSTRAINT_DATATYPE
};
