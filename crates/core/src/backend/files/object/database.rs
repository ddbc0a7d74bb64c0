//! The open database of one object, which this process has locked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rocksdb::WriteBatch;

use super::moving::{has_rocks, move_into_sqlite};
use crate::backend::files::database::creation::{self, Creation, begin};
use crate::backend::files::database::errors::corrupt;
use crate::backend::files::database::format::{
    ALARM_KEY, FORMAT_VERSION, USER_END, VERSION_KEY, alarm_of, stored_key, version_of,
};
use crate::backend::files::database::inventory::Inventory;
use crate::backend::files::database::rocks::Rocks;
use crate::backend::files::database::sqlite_files::{self, SqliteFiles};
use crate::backend::files::disk::directories::Directories;
use crate::backend::files::disk::paths::shown;
use crate::backend::files::disk::same_file::same_file;
use crate::backend::files::disk::syncing::Disk;
use crate::backend::files::lock::object_lock::ObjectLock;
use crate::backend::local::Access;
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::sqlite::Database as Connection;
use crate::write_batch::WriteBatch as Writes;

/// The open database of one object.
///
/// When it is dropped, RocksDB closes its files, and then other processes may have the object.
pub struct Database {
    content: Content,
    path: PathBuf,
    /// The directory that was opened: `path` may name another one later.
    identity: Option<fs::Metadata>,
    /// Whether an operation has failed.
    failed: AtomicBool,
    /// Whether a write is not durable yet.
    unsynced: AtomicBool,
    lock: ObjectLock,
}

/// What is open.
enum Content {
    Rocks {
        rocks: Rocks,
        /// A new database, until everything beside the log is durable.
        creation: Mutex<Option<Creation>>,
    },
    Sqlite {
        files: SqliteFiles,
        /// The connection, from the end of its table on.
        connection: Mutex<Option<Box<Connection>>>,
        /// Whether closing it makes everything durable.
        fsync: bool,
    },
}

impl Database {
    /// Opens the database in `path`, whose parent exists. `object_lock` proves that no other process has the object. With
    /// [`Access::Write`] a missing database is created, and the directories `around` it are synced with it.
    pub fn open(
        path: &Path,
        access: Access,
        object_lock: ObjectLock,
        around: &Arc<Directories>,
        fsync: bool,
    ) -> Result<Self> {
        if access == Access::Write {
            object_lock.begin_to_write();
        }
        let (rocks, creation) = creation::open(path, access, around, fsync)?;
        if access == Access::Write
            && let Ok(inventory) = Inventory::of_open(path, fsync)
        {
            object_lock.record_inventory(inventory);
        }
        let content = Content::Rocks { rocks, creation: Mutex::new(creation) };
        let database = Self::over(content, path, object_lock);
        database.check_version()?;
        Ok(database)
    }

    /// Opens the SQLite database in `path`, or creates it. An object in a RocksDB database is moved.
    pub fn open_sqlite(
        path: &Path,
        object_lock: ObjectLock,
        around: &Arc<Directories>,
        fsync: bool,
    ) -> Result<(Connection, Self)> {
        let is_durable = object_lock.was_clean() || !fsync;
        if has_rocks(path) {
            object_lock.begin_to_write();
            move_into_sqlite(path, around)?;
            object_lock.drop_inventory()?;
        } else if sqlite_files::exists(path) {
            sqlite_files::check(path)?;
        } else {
            sqlite_files::check_missing(path, object_lock.has_left_sqlite())?;
            begin(path)?;
        }
        object_lock.begin_to_write();
        // Only now, because the directory exists now: other threads sync at any time what is marked.
        around.mark_unsynced(path)?;
        let (connection, files) = sqlite_files::open(path, is_durable, around)?;
        let content = Content::Sqlite { files, connection: Mutex::default(), fsync };
        Ok((connection, Self::over(content, path, object_lock)))
    }

    fn over(content: Content, path: &Path, lock: ObjectLock) -> Self {
        Self {
            content,
            path: path.to_owned(),
            identity: fs::metadata(path).ok(),
            failed: AtomicBool::new(false),
            unsynced: AtomicBool::new(false),
            lock,
        }
    }

    /// Closes the database, but keeps the object locked.
    pub fn into_lock(self) -> ObjectLock {
        if self.has_failed() {
            self.mark_dirty();
        }
        let Self { content, lock, .. } = self;
        if let Content::Sqlite { files, connection, fsync } = content
            && let Ok(Some(connection)) = connection.into_inner()
            && files.close(*connection, fsync).is_err()
        {
            lock.mark_dirty();
        }
        lock
    }

    /// Takes in the connection of a table that has ended.
    pub fn keep(&self, connection: Connection) {
        if let Content::Sqlite { connection: place, .. } = &self.content
            && let Ok(mut place) = lock(place)
        {
            *place = Some(Box::new(connection));
        }
    }

    fn rocks(&self) -> Result<&Rocks> {
        match &self.content {
            Content::Rocks { rocks, .. } => Ok(rocks),
            Content::Sqlite { .. } => {
                Err(Error::Internal("an object in SQLite was used as one in RocksDB".into()))
            }
        }
    }

    /// Whether the database may be empty although no batch has deleted everything.
    pub fn may_be_empty(&self) -> bool {
        matches!(self.content, Content::Sqlite { .. })
    }

    /// Whether the database holds neither a key nor an alarm nor a table.
    pub fn is_empty(&self) -> Result<bool> {
        match &self.content {
            Content::Rocks { .. } => {
                let any = Scan { limit: Some(1), ..Scan::all() };
                Ok(self.alarm()?.is_none() && self.scan(&any)?.is_empty())
            }
            Content::Sqlite { connection, .. } => match &mut *lock(connection)? {
                Some(connection) => connection.is_empty(),
                None => Ok(false),
            },
        }
    }

    /// A transaction of SQLite is about to be committed. SQLite may begin its log from the start.
    pub fn begin_commit(&self) -> Result<()> {
        self.watched(self.lock.check().or_else(|_| self.check_place()))?;
        match &self.content {
            Content::Sqlite { files, .. } => self.watched(files.sync_moved()),
            Content::Rocks { .. } => Ok(()),
        }
    }

    /// The log of SQLite is about to be moved into the database.
    pub fn begin_checkpoint(&self) -> Result<()> {
        match &self.content {
            Content::Sqlite { files, .. } => self.watched(files.begin_checkpoint()),
            Content::Rocks { .. } => Ok(()),
        }
    }

    /// A commit of SQLite is in its log.
    pub fn mark_unsynced(&self) {
        self.unsynced.store(true, Ordering::Release);
    }

    /// The directory of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database was opened to write.
    pub fn takes_writes(&self) -> bool {
        self.rocks().map_or(true, |rocks| rocks.access() == Access::Write)
    }

    /// Whether the next [`Self::sync`] also makes durable what was around the database when it was opened.
    pub fn syncs_around(&self) -> Result<bool> {
        match &self.content {
            Content::Rocks { creation, .. } => {
                Ok(lock(creation)?.as_ref().is_some_and(Creation::is_syncing))
            }
            Content::Sqlite { .. } => Ok(false),
        }
    }

    /// Whether an operation has failed, so that it may help to open the database again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// What readers see in the object may not be durable: the next holder has to write and sync it again.
    pub fn mark_dirty(&self) {
        self.lock.mark_dirty();
    }

    /// The directory was deleted: when the database is closed, the lock file goes too.
    pub fn mark_removed(&self) {
        self.lock.mark_removed();
    }

    /// The value of a user key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.watched(self.rocks()?.get(&stored_key(key)))
    }

    /// The alarm, in milliseconds.
    pub fn alarm(&self) -> Result<Option<i64>> {
        let Some(bytes) = self.watched(self.rocks()?.get(ALARM_KEY))? else {
            return Ok(None);
        };
        alarm_of(&bytes).map(Some).ok_or_else(|| corrupt(&self.path, "its alarm is cut short"))
    }

    /// The entries of a walk, in its order.
    pub fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        self.watched(self.rocks()?.scan(scan))
    }

    /// Writes a batch to the log: it survives the end of the process, but not yet a power loss.
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
        self.watched(self.lock.check().or_else(|_| self.check_place()))?;
        self.watched(self.rocks()?.write(batch))?;
        // Only now: a sync that resets this has to find what was written.
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes every write durable, and checks that other processes can still find them.
    pub fn sync(&self, disk: &dyn Disk) -> Result<()> {
        if self.unsynced.swap(false, Ordering::AcqRel) {
            let synced = self.watched(self.sync_written(disk));
            if synced.is_err() {
                self.unsynced.store(true, Ordering::Release);
            }
            synced?;
        }
        self.check_place()
    }

    fn sync_written(&self, disk: &dyn Disk) -> Result<()> {
        let (rocks, creation) = match &self.content {
            Content::Rocks { rocks, creation } => (rocks, creation),
            Content::Sqlite { files, .. } => {
                return disk.sync_log(&self.path, &|| files.sync());
            }
        };
        disk.sync_log(&self.path, &|| rocks.sync())?;
        let mut creation = lock(creation)?;
        if let Some(begun) = &mut *creation {
            // If the files are missing because their directory is, the error says that.
            begun.conclude().or_else(|error| self.check_place().and(Err(error)))?;
        }
        *creation = None;
        Ok(())
    }

    /// Fails when the directory was deleted or moved: no process would find what is written there. Fails also when the lock
    /// file is gone, because another process may have read the object before the last write.
    pub fn check_place(&self) -> Result<()> {
        let now = fs::metadata(&self.path).ok();
        if !same_file(self.identity.as_ref(), now.as_ref()) {
            return Err(Error::Vanished { path: shown(&self.path) });
        }
        self.lock.check()
    }

    /// Refuses a database of another version. A database without a version was created and never written to.
    fn check_version(&self) -> Result<()> {
        let Some(bytes) = self.rocks()?.get(VERSION_KEY)? else {
            return if self.takes_writes() { self.write_version() } else { Ok(()) };
        };
        match version_of(&bytes) {
            Some(FORMAT_VERSION) => Ok(()),
            Some(version) => {
                let path = shown(&self.path);
                Err(Error::NewerFormat { path, version, place: "directory" })
            }
            None => Err(corrupt(&self.path, "its version is cut short")),
        }
    }

    fn write_version(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        batch.put(VERSION_KEY, FORMAT_VERSION.to_le_bytes());
        self.rocks()?.write(batch)
    }

    /// Notes whether an operation has failed.
    fn watched<R>(&self, result: Result<R>) -> Result<R> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}
