//! The names of the files in a database's directory.

use std::fs;
use std::path::Path;

/// Names the manifest of the database.
pub const CURRENT: &str = "CURRENT";
/// RocksDB's own lock.
pub const LOCK: &str = "LOCK";
/// A marker of ours, an empty file: no write to the database has been acknowledged as durable.
pub const UNFINISHED: &str = "UNFINISHED";

/// A SQLite database.
pub const SQLITE: &str = "object.sqlite";
/// Its log.
pub const SQLITE_LOG: &str = "object.sqlite-wal";

/// How the name of a manifest begins.
pub const MANIFEST: &str = "MANIFEST-";

/// Whether a database is being created in `path`, or a process has died while it created one.
pub fn is_unfinished(path: &Path) -> bool {
    // Miniflare 2 may have a value of this name, but not an empty one.
    fs::metadata(path.join(UNFINISHED)).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Whether a name has the ending that RocksDB gives to one kind of file: `log` or `sst`.
pub fn is_a(name: &str, kind: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == kind)
}

/// Whether RocksDB or SQLite gives files such a name, or we do beside them.
pub fn is_database_file(name: &str) -> bool {
    matches!(name, CURRENT | "IDENTITY" | LOCK | "LOG" | UNFINISHED)
        || name.starts_with(SQLITE)
        || [MANIFEST, "OPTIONS-", "LOG.old."].iter().any(|prefix| name.starts_with(prefix))
        || [".log", ".sst", ".dbtmp"].iter().any(|suffix| {
            name.strip_suffix(suffix)
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
}
