//! RocksDB as we use it: many small databases with shared memory.

use std::path::{Path, PathBuf};

use once_cell::sync::Lazy;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, Options, ReadOptions,
    WriteBatch, WriteBufferManager, WriteOptions,
};

use super::env::environment;
use super::errors::{core_error, open_error};
use super::format::{USER_END, stored_key, user_key};
use crate::backend::local::Access;
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::range::Scan;

/// Memory for blocks read from table files, shared by all databases of the process, in bytes.
const CACHE_BYTES: usize = 64 << 20;
/// Memory for writes that are not in table files yet, shared by all databases of the process, in bytes.
const WRITE_BUFFERS_BYTES: usize = 64 << 20;
/// Memory for such writes of one database, in bytes.
const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Options that have no setter. No identity file, because the manifest holds the identity. No space reserved for log files,
/// because that costs more time and space than it saves in small databases. Each log names the one before it, so that a
/// missing log is noticed.
const MORE_OPTIONS: &str =
    "write_identity_file=false;allow_fallocate=false;track_and_verify_wals=true";

/// Built once: building options costs more than opening a database with them.
static OPTIONS: Lazy<Options> = Lazy::new(|| {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&cache);
    blocks.set_bloom_filter(10.0, false);
    // A RocksDB that does not know these options is slower and notices less damage, but works the same.
    let mut options = Options::default().get_options_from_string(MORE_OPTIONS).unwrap_or_default();
    options.set_env(environment());
    options.create_if_missing(true);
    // Otherwise RocksDB starts fifteen more threads for each database that it opens.
    options.set_max_file_opening_threads(1);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager_with_cache(
        WRITE_BUFFERS_BYTES,
        false,
        cache,
    ));
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_max_open_files(32);
    options.set_skip_stats_update_on_db_open(true);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options
});

/// An open database.
pub struct Rocks {
    db: DB,
    path: PathBuf,
    access: Access,
}

impl Rocks {
    /// Opens the database in `path`, whose parent exists. With [`Access::Read`] the database must exist: RocksDB then
    /// replays its log in memory and writes nothing.
    pub fn open(path: &Path, access: Access) -> Result<Self> {
        let opened = match access {
            Access::Read => DB::open_for_read_only(&OPTIONS, path, false),
            Access::Write => DB::open(&OPTIONS, path),
        };
        let db = opened.map_err(|error| open_error(path, &error))?;
        Ok(Self { db, path: path.to_owned(), access })
    }

    /// What the database was opened for.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The value of a stored key.
    pub fn get(&self, stored: &[u8]) -> Result<Option<Value>> {
        let found = self.db.get_pinned(stored).map_err(|error| self.error("read", &error))?;
        Ok(found.map(|bytes| Value::from(&bytes[..])))
    }

    /// The entries of a walk over user keys, in its order.
    pub fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        let limit = scan.limit.unwrap_or(usize::MAX);
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

    /// Writes a batch to the log: it survives the end of the process, but not yet a power loss.
    pub fn write(&self, batch: WriteBatch) -> Result<()> {
        self.db
            .write_opt(batch, &WriteOptions::default())
            .map_err(|error| self.error("write", &error))
    }

    /// Makes every write durable.
    pub fn sync(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(|error| self.error("write", &error))
    }

    fn error(&self, action: &'static str, error: &rocksdb::Error) -> Error {
        core_error(action, &self.path, error)
    }
}
