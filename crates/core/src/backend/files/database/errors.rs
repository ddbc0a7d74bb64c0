//! Makes errors that people understand out of what RocksDB says.

use std::path::Path;

use super::file_names::{CURRENT, LOCK};
use crate::backend::files::disk::paths::shown;
use crate::error::Error;
use crate::remedy::is_of_system;

/// What RocksDB says when it could not open `CURRENT`, but could a moment later. We never ask for direct I/O.
const NO_DIRECT_IO: &str = "Invalid argument: Direct I/O is not supported by the specified DB.";

/// What RocksDB says when another program, or another copy of it in this process, has locked a database.
const LOCKED: [&str; 3] =
    ["While lock file", "lock hold by current process", "Failed to create lock file"];

/// Why a database could not be opened.
pub fn open_error(path: &Path, error: &rocksdb::Error) -> Error {
    let text = error.as_ref();
    if LOCKED.iter().any(|locked| text.contains(locked)) && !is_of_system(text) {
        return Error::Locked { path: shown(path), lock: shown(&path.join(LOCK)) };
    }
    let missing = error.kind() == rocksdb::ErrorKind::IOError
        && error.as_ref().contains("No such file or directory")
        && path.join(CURRENT).exists();
    let reason = reason(path, error);
    // RocksDB also says "invalid argument" when the system refuses to open a file.
    let invalid = error.kind() == rocksdb::ErrorKind::InvalidArgument && !is_of_system(&reason);
    if missing || invalid {
        return corrupt(path, &reason);
    }
    core_error("open", path, error)
}

/// Why something could not be done with an open database.
pub fn core_error(action: &'static str, path: &Path, error: &rocksdb::Error) -> Error {
    let reason = reason(path, error);
    if error.kind() == rocksdb::ErrorKind::Corruption && !is_of_system(&reason) {
        return corrupt(path, &reason);
    }
    Error::Io { action, path: shown(path), reason }
}

/// What RocksDB says, without what our error says already.
fn reason(path: &Path, error: &rocksdb::Error) -> String {
    let text = error
        .as_ref()
        .replace(&format!("{}/", shown(path)), "")
        .replace(NO_DIRECT_IO, "Too many open files")
        .replace("Corruption: ", "")
        .replace("IO error: ", "");
    // RocksDB blames the manifest for everything that it finds wrong while it reads the manifest.
    let (text, blame) = text.split_once("  The file ").unwrap_or((&text, ""));
    let text = text.trim_end_matches(['.', ' ']);
    if blame.is_empty() || text.contains(".sst") {
        return text.to_owned();
    }
    format!("{text}; the file {}", blame.trim_end_matches(['.', ' ']))
}

/// A database that cannot be read.
pub fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: shown(path), reason: reason.into() }
}
