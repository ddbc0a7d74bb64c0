//! Opening the database of one object when it is needed.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::FilePlace;
use super::database::Database;
use super::foreign::check_object;
use super::hold::Hold;
use super::spelling::check_spelling;
use super::table::{FileTable, Flusher, make_sign};
use crate::backend::local::LocalObject;
use crate::backend::{Access, ObjectKey, Source, Table};
use crate::durability::Durability;
use crate::error::{Error, Result};

/// How often to look whether the process that asked for an object has got it, and how many times.
const YIELD_STEP: Duration = Duration::from_millis(2);
const YIELD_STEPS: u32 = 25;

/// Where the tables of one object come from.
pub struct FileSource {
    place: Weak<FilePlace>,
    key: ObjectKey,
    durability: Arc<Durability>,
    /// Set when the object was let go because another process asked: that one goes first.
    yielded: AtomicBool,
}

impl FileSource {
    /// The source of one object of a place.
    pub fn new(place: Weak<FilePlace>, key: ObjectKey, durability: Arc<Durability>) -> Self {
        Self { place, key, durability, yielded: AtomicBool::new(false) }
    }

    /// Gets hold of the object if nobody else has it or goes first.
    fn take(&self, place: &FilePlace) -> Result<Option<Hold>> {
        place.prepare()?;
        check_spelling(place.layout().root(), &self.key)?;
        if self.yielded.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Hold::acquire(place.layout(), &self.key)
    }

    /// Waits for the object; the process that asked for it goes first.
    async fn wait(&self, place: &FilePlace) -> Result<Hold> {
        if self.yielded.swap(false, Ordering::Relaxed) {
            let wanted = place.layout().file_of("wanted", &self.key);
            for _ in 0..YIELD_STEPS {
                if !wanted.exists() {
                    break;
                }
                tokio::time::sleep(YIELD_STEP).await;
            }
        }
        Hold::wait(place.layout(), &self.key).await
    }

    /// Hands the table to the object, or why there is none.
    fn finish(
        &self,
        place: &Arc<FilePlace>,
        access: Access,
        object: &Arc<LocalObject<FileTable>>,
        hold: Result<Hold>,
    ) {
        object.opened(hold.and_then(|hold| self.open_now(place, access, object, hold)));
        place.evict(object);
    }

    fn open_now(
        &self,
        place: &Arc<FilePlace>,
        access: Access,
        object: &Arc<LocalObject<FileTable>>,
        hold: Hold,
    ) -> Result<FileTable> {
        let layout = place.layout();
        let path = layout.object(&self.key);
        let exists = check_object(layout.root(), &path)?;
        hold.account_for(&path, exists)?;
        // What a killed process has left is written anew by RocksDB when it opens a database to write, and only
        // then certainly durable: nobody is told of it before.
        let fsync = place.fsync().load(Ordering::Relaxed);
        let settled = hold.began_settled() || !fsync;
        let access = if exists && settled { access } else { Access::Write };
        if access == Access::Write {
            self.prepare_to_write(place)?;
        }
        let database = Database::open(&path, access, hold, place.directories(), fsync)?;
        // Once more, since only now RocksDB's own lock keeps other writers away.
        database.check_place()?;
        let flusher = Flusher::new(database, object, self.durability.clone(), place)?;
        let table = FileTable::new(flusher)?;
        self.mend_alarm_sign(place, &table)?;
        Ok(table)
    }

    /// Makes what a database lies in, and what tells its name.
    fn prepare_to_write(&self, place: &FilePlace) -> Result<()> {
        let layout = place.layout();
        layout.remember(&self.key, place.directories())?;
        place.directories().create(&layout.objects(&self.key.name))?;
        check_spelling(layout.root(), &self.key)
    }

    /// Removes the sign of an alarm that is not set, because its process ended between the two, and makes
    /// one that a power loss has taken. Nobody else makes signs of an object that is held here.
    fn mend_alarm_sign(&self, place: &FilePlace, table: &FileTable) -> Result<()> {
        let set = table.alarm()?;
        if let Ok(Some(sign)) = place.alarms().get(&self.key)
            && set != Some(sign)
        {
            let _ = fs::remove_file(place.layout().alarm(&self.key, sign));
        }
        match set.map(|at| place.layout().alarm(&self.key, at)) {
            Some(sign) if !sign.exists() => make_sign(&sign, place.directories()),
            _ => Ok(()),
        }
    }
}

impl Source<FileTable> for FileSource {
    fn is_absent(&self) -> bool {
        let Some(place) = self.place.upgrade() else {
            return false;
        };
        let found = fs::symlink_metadata(place.layout().object(&self.key));
        found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    fn open(self: Arc<Self>, access: Access, object: Arc<LocalObject<FileTable>>) {
        let Some(place) = self.place.upgrade() else {
            thread::spawn(move || object.opened(Err(Error::Closed)));
            return;
        };
        let runtime = place.runtime().clone();
        // Only those that need not wait for other processes take up a thread.
        runtime.clone().spawn_blocking(move || {
            let hold = match self.take(&place) {
                Ok(Some(hold)) => Ok(hold),
                Err(error) => Err(error),
                Ok(None) => {
                    runtime.clone().spawn(async move {
                        let hold = self.wait(&place).await;
                        runtime.spawn_blocking(move || self.finish(&place, access, &object, hold));
                    });
                    return;
                }
            };
            self.finish(&place, access, &object, hold);
        });
    }

    fn widen(self: Arc<Self>, table: FileTable, object: Arc<LocalObject<FileTable>>) {
        let Some(place) = self.place.upgrade() else {
            thread::spawn(move || object.opened(Err(Error::Closed)));
            return;
        };
        place.runtime().clone().spawn_blocking(move || {
            // What attempts have read there must still be what is written over.
            let hold = table.check_place().and_then(|()| table.into_hold());
            self.finish(&place, Access::Write, &object, hold);
        });
    }

    fn released(self: Arc<Self>, table: FileTable) {
        self.yielded.store(true, Ordering::Relaxed);
        let close = move || {
            // A failure has been told to everybody who waits for the writes.
            let _ = table.close();
        };
        match self.place.upgrade() {
            Some(place) => drop(place.runtime().spawn_blocking(close)),
            None => drop(thread::spawn(close)),
        }
    }
}
