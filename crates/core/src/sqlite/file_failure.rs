//! Failures of the file of a database, with its path and what the system says.

use std::io;
use std::path::Path;

use rusqlite::ffi;

use super::database::Database;
use super::failure::{is_critical, is_damage};
use crate::error::Error;

impl Database {
    /// The failure of a file with its path and what the system says. The file is not opened for that: closing it would end
    /// the lock of SQLite, which belongs to the process.
    pub(super) fn of_file(&self, error: Error) -> Error {
        let (Some(file), Error::Sql { message, code }) = (&self.file, &error) else {
            return error;
        };
        if !is_critical(&error) {
            return error;
        }
        let directory = file.parent().unwrap_or(file);
        if is_damage(&error) {
            return Error::Corrupt { path: shown(directory), reason: message.clone() };
        }
        // SAFETY: the connection is open.
        let number = unsafe { ffi::sqlite3_system_errno(self.raw()) };
        let said = match *code {
            ffi::SQLITE_FULL => Some("No space left on device".to_owned()),
            ffi::SQLITE_READONLY if message.contains("DBMOVED") => {
                return Error::Vanished { path: shown(directory) };
            }
            ffi::SQLITE_READONLY => Some("Permission denied".to_owned()),
            _ => (number != 0).then(|| io::Error::from_raw_os_error(number).to_string()),
        };
        let reads = message.contains("_READ)") || message.contains("_SHORT_READ)");
        let action = if reads { "read" } else { "write" };
        let reason = said.map_or_else(|| message.clone(), |said| format!("{said} ({message})"));
        Error::Io { action, path: shown(file), reason }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
