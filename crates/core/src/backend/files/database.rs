//! RocksDB as it is used here: many small databases with shared memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::sync::Lazy;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, InfoLogger, LogLevel, Options,
    ReadOptions, WriteBatch, WriteBufferManager, WriteOptions,
};

use super::format::{
    ALARM_KEY, FORMAT_VERSION, USER_END, VERSION_KEY, alarm_of, stored_key, user_key, version_of,
};
use super::hold::Hold;
use crate::error::{Error, Result, has_remedy};
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::write::WriteBatch as Writes;

/// Memory for blocks read from table files, shared by all databases of the process, in bytes.
const CACHE_BYTES: usize = 64 << 20;
/// Memory for writes that are not in table files yet, shared likewise, in bytes.
const WRITE_BUFFERS_BYTES: usize = 64 << 20;
/// The same for one database, in bytes.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Options that have no setter: no identity file (the manifest holds the identity), and no room reserved
/// for log files, which costs more time and space than it saves when databases are small.
const MORE_OPTIONS: &str = "write_identity_file=false;allow_fallocate=false";

/// What RocksDB says when it could not open `CURRENT`, and could a moment later. Nobody asked for direct I/O.
const NO_DIRECT_IO: &str = "Invalid argument: Direct I/O is not supported by the specified DB.";

/// Built once: building options costs more than opening a database with them.
static OPTIONS: Lazy<Options> = Lazy::new(|| {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&cache);
    blocks.set_bloom_filter(10.0, false);
    // RocksDB that does not know them is slower, but does the same.
    let mut options = Options::default().get_options_from_string(MORE_OPTIONS).unwrap_or_default();
    options.create_if_missing(true);
    // Else RocksDB starts fifteen more threads for each database that it opens.
    options.set_max_file_opening_threads(1);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager_with_cache(
        WRITE_BUFFERS_BYTES,
        false,
        cache,
    ));
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| {}));
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_max_open_files(32);
    options.set_skip_stats_update_on_db_open(true);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options
});

/// The open database of one object.
///
/// It gives the object up to other processes when it is dropped, after RocksDB has closed its files.
pub struct Database {
    db: DB,
    path: PathBuf,
    /// Tells whether the directory is still the one that was opened.
    identity: Option<fs::Metadata>,
    /// Whether an operation has failed.
    failed: AtomicBool,
    hold: Hold,
}

impl Database {
    /// Opens or creates the database in `path`, whose parent exists; `hold` proves that nobody else has it.
    pub fn open(path: &Path, hold: Hold) -> Result<Self> {
        let db = DB::open(&OPTIONS, path).map_err(|error| open_error(path, &error))?;
        let database = Self {
            db,
            path: path.to_owned(),
            identity: fs::metadata(path).ok(),
            failed: AtomicBool::new(false),
            hold,
        };
        match database.meta(VERSION_KEY)? {
            None => database.write_version()?,
            Some(bytes) => match version_of(&bytes) {
                Some(FORMAT_VERSION) => {}
                Some(version) => {
                    return Err(Error::NewerFormat {
                        path: shown(path),
                        version,
                        place: "directory",
                    });
                }
                None => return Err(corrupt(path, "its version is cut short")),
            },
        }
        Ok(database)
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an operation has failed, so that opening the database anew may help.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Lets nothing of the object remain once the database is closed.
    pub fn forget(&self) {
        self.hold.forget();
    }

    /// The value of a user key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        let found =
            self.db.get_pinned(stored_key(key)).map_err(|error| self.error("read", &error))?;
        Ok(found.map(|bytes| Value::from(&bytes[..])))
    }

    /// The alarm, in milliseconds.
    pub fn alarm(&self) -> Result<Option<i64>> {
        let Some(bytes) = self.meta(ALARM_KEY)? else {
            return Ok(None);
        };
        alarm_of(&bytes).map(Some).ok_or_else(|| corrupt(&self.path, "its alarm is cut short"))
    }

    /// The entries of a walk, in its order.
    pub fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        let limit = scan.limit.unwrap_or(usize::MAX);
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(stored_key(&scan.range.start));
        options.set_iterate_upper_bound(
            scan.range.end.as_deref().map_or_else(|| USER_END.to_vec(), stored_key),
        );
        let mut walk = self.db.raw_iterator_opt(options);
        if scan.reverse {
            walk.seek_to_last();
        } else {
            walk.seek_to_first();
        }
        let mut entries = Vec::new();
        while entries.len() < limit
            && let Some((key, value)) = walk.item()
        {
            entries.push((user_key(key)?.into(), value.into()));
            if scan.reverse {
                walk.prev();
            } else {
                walk.next();
            }
        }
        walk.status().map_err(|error| self.error("list", &error))?;
        Ok(entries)
    }

    /// Writes a batch to the log: it survives the process, but not yet the machine.
    pub fn write(&self, writes: &Writes) -> Result<()> {
        let mut batch = WriteBatch::default();
        if writes.clears() {
            batch.delete_range(stored_key(&[]), USER_END.to_vec());
        }
        for (key, value) in writes.entries() {
            match value {
                Some(value) => batch.put(stored_key(key), value),
                None => batch.delete(stored_key(key)),
            }
        }
        match writes.alarm() {
            Some(Some(at)) => batch.put(ALARM_KEY, at.to_le_bytes()),
            Some(None) => batch.delete(ALARM_KEY),
            None => {}
        }
        self.db
            .write_opt(batch, &WriteOptions::default())
            .map_err(|error| self.error("write", &error))
    }

    /// Makes everything that was written durable, and checks that it can still be found.
    pub fn sync(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(|error| self.error("write", &error))?;
        self.check_place()
    }

    /// Fails when the directory is no more where it was: what is written there, nobody will find.
    pub fn check_place(&self) -> Result<()> {
        let now = fs::metadata(&self.path).ok();
        if same_file(self.identity.as_ref(), now.as_ref()) {
            return Ok(());
        }
        Err(Error::Vanished { path: shown(&self.path) })
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(|error| self.error("read", &error))
    }

    fn write_version(&self) -> Result<()> {
        self.db
            .put(VERSION_KEY, FORMAT_VERSION.to_le_bytes())
            .map_err(|error| self.error("write", &error))
    }

    fn error(&self, action: &'static str, error: &rocksdb::Error) -> Error {
        self.failed.store(true, Ordering::Relaxed);
        core_error(action, &self.path, error)
    }
}

fn open_error(path: &Path, error: &rocksdb::Error) -> Error {
    let missing = error.kind() == rocksdb::ErrorKind::IOError
        && error.as_ref().contains("No such file or directory")
        && path.join("CURRENT").exists();
    let reason = reason(path, error);
    // RocksDB calls it an invalid argument, too, when the system refuses to open a file.
    let invalid = error.kind() == rocksdb::ErrorKind::InvalidArgument && !has_remedy(&reason);
    if missing || invalid {
        return corrupt(path, &reason);
    }
    core_error("open", path, error)
}

fn core_error(action: &'static str, path: &Path, error: &rocksdb::Error) -> Error {
    let reason = reason(path, error);
    if error.kind() == rocksdb::ErrorKind::Corruption && !has_remedy(&reason) {
        return corrupt(path, &reason);
    }
    Error::Io { action, path: shown(path), reason }
}

/// What RocksDB says, without what the error says already.
fn reason(path: &Path, error: &rocksdb::Error) -> String {
    let text = error
        .as_ref()
        .replace(&format!("{}/", shown(path)), "")
        .replace(NO_DIRECT_IO, "Too many open files")
        .replace("Corruption: ", "")
        .replace("IO error: ", "");
    // RocksDB blames the manifest for all that is found wrong while it reads it.
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

/// A path as errors show it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(unix)]
fn same_file(before: Option<&fs::Metadata>, now: Option<&fs::Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (before, now) {
        (Some(before), Some(now)) => (before.dev(), before.ino()) == (now.dev(), now.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(before: Option<&fs::Metadata>, now: Option<&fs::Metadata>) -> bool {
    before.is_some() && now.is_some()
}
