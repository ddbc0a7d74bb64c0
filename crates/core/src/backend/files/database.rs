//! The open database of one object.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rocksdb::WriteBatch;

use super::creation::{self, Creation};
use super::directories::Directories;
use super::disk::Disk;
use super::errors::{corrupt, shown};
use super::format::{
    ALARM_KEY, FORMAT_VERSION, USER_END, VERSION_KEY, alarm_of, stored_key, version_of,
};
use super::hold::Hold;
use super::inventory::Inventory;
use super::rocks::Rocks;
use super::same_file::same_file;
use crate::backend::local::Access;
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::lock::lock;
use crate::range::Scan;
use crate::write_batch::WriteBatch as Writes;

/// The open database of one object.
///
/// It gives the object up to other processes when it is dropped, after RocksDB has closed its files.
pub struct Database {
    rocks: Rocks,
    path: PathBuf,
    /// Tells whether the directory is still the one that was opened.
    identity: Option<fs::Metadata>,
    /// Whether an operation has failed.
    failed: AtomicBool,
    /// Whether anything was written that is not durable.
    unsynced: AtomicBool,
    /// Until everything beside the log is durable.
    creation: Mutex<Option<Creation>>,
    hold: Hold,
}

impl Database {
    /// Opens the database in `path`, whose parent exists; `hold` proves that nobody else has it. One that
    /// is to be written to is created if need be, in directories that are synced with it.
    pub fn open(
        path: &Path,
        access: Access,
        hold: Hold,
        around: &Arc<Directories>,
        fsync: bool,
    ) -> Result<Self> {
        if access == Access::Write {
            hold.begin_to_write();
        }
        let (rocks, creation) = creation::open(path, access, around, fsync)?;
        if access == Access::Write
            && let Ok(inventory) = Inventory::of_open(path, fsync)
        {
            hold.note(inventory);
        }
        let database = Self {
            rocks,
            path: path.to_owned(),
            identity: fs::metadata(path).ok(),
            failed: AtomicBool::new(false),
            unsynced: AtomicBool::new(false),
            creation: Mutex::new(creation),
            hold,
        };
        database.check_version()?;
        Ok(database)
    }

    /// Closes the database, but keeps the object.
    pub fn into_hold(self) -> Hold {
        if self.has_failed() {
            self.doubt();
        }
        let Self { rocks, hold, .. } = self;
        drop(rocks);
        hold
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be written to.
    pub fn takes_writes(&self) -> bool {
        self.rocks.access() == Access::Write
    }

    /// Whether the next [`Self::sync`] makes durable what was around the database when it was opened.
    pub fn syncs_around(&self) -> Result<bool> {
        Ok(lock(&self.creation)?.as_ref().is_some_and(Creation::is_syncing))
    }

    /// Whether an operation has failed, so that opening the database anew may help.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// What is in the object may be lost although it seems to be there.
    pub fn doubt(&self) {
        self.hold.doubt();
    }

    /// Lets nothing of the object remain once the database is closed.
    pub fn forget(&self) {
        self.hold.forget();
    }

    /// The value of a user key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.noted(self.rocks.get(&stored_key(key)))
    }

    /// The alarm, in milliseconds.
    pub fn alarm(&self) -> Result<Option<i64>> {
        let Some(bytes) = self.noted(self.rocks.get(ALARM_KEY))? else {
            return Ok(None);
        };
        alarm_of(&bytes).map(Some).ok_or_else(|| corrupt(&self.path, "its alarm is cut short"))
    }

    /// The entries of a walk, in its order.
    pub fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        self.noted(self.rocks.scan(scan))
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
        self.noted(self.hold.check().or_else(|_| self.check_place()))?;
        self.noted(self.rocks.write(batch))?;
        // Not before: a sync that takes this back has to find what was written.
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes everything that was written durable, and checks that it can still be found.
    pub fn sync(&self, disk: &dyn Disk) -> Result<()> {
        if self.unsynced.swap(false, Ordering::AcqRel) {
            let synced = self.noted(self.sync_written(disk));
            if synced.is_err() {
                self.unsynced.store(true, Ordering::Release);
            }
            synced?;
        }
        self.check_place()
    }

    fn sync_written(&self, disk: &dyn Disk) -> Result<()> {
        disk.sync_log(&self.path, &|| self.rocks.sync())?;
        let mut creation = lock(&self.creation)?;
        if let Some(begun) = &mut *creation {
            // Of files that are gone with their directory, that is what there is to say.
            begun.conclude().or_else(|error| self.check_place().and(Err(error)))?;
        }
        *creation = None;
        Ok(())
    }

    /// Fails when the directory is no more where it was: what is written there, no process will find. Fails also when the
    /// lock file is gone, since another process may have read the object before the last write.
    pub fn check_place(&self) -> Result<()> {
        let now = fs::metadata(&self.path).ok();
        if !same_file(self.identity.as_ref(), now.as_ref()) {
            return Err(Error::Vanished { path: shown(&self.path) });
        }
        self.hold.check()
    }

    /// Refuses a database of another version; one without any was created and not written to.
    fn check_version(&self) -> Result<()> {
        let Some(bytes) = self.rocks.get(VERSION_KEY)? else {
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
        self.rocks.write(batch)
    }

    /// Remembers that an operation has failed.
    fn noted<R>(&self, result: Result<R>) -> Result<R> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}
