//! One object's data on disk, with the batch that gathers in front of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;

use super::FilePlace;
use super::database::Database;
use super::directories::Directories;
use super::hold::Hold;
use super::inventory::Inventory;
use super::layout::Layout;
use crate::backend::local::LocalObject;
use crate::backend::{ObjectKey, Table, Ticket};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::{Entry, Value};
use crate::lock::lock;
use crate::merge::merge;
use crate::range::Scan;
use crate::write::WriteBatch;

/// How often to look whether a flush has ended.
const FLUSHED_STEP: Duration = Duration::from_micros(200);

/// A database under the writes of the present turn of the event loop.
pub struct FileTable {
    flusher: Arc<Flusher>,
    /// Applied, and visible to reads, but in no file yet.
    gathering: WriteBatch,
    /// Ticket of the gathering batch.
    ticket: Ticket,
    alarm: Option<i64>,
}

impl FileTable {
    /// A table over an open database.
    pub fn new(flusher: Arc<Flusher>) -> Result<Self> {
        let alarm = flusher.database.alarm()?;
        let ticket = flusher.durability.next_ticket();
        Ok(Self { flusher, gathering: WriteBatch::default(), ticket, alarm })
    }

    /// Makes everything durable and closes the database. Not to be called by its flusher.
    pub fn close(self) -> Result<()> {
        let fsync = self.flusher.fsync.load(Ordering::Relaxed);
        let written = self.flusher.database.takes_writes();
        let path = self.flusher.database.path().to_owned();
        let hold = self.into_hold()?;
        // A database that was only read is as it was found.
        if written {
            hold.end(fsync, Inventory::of_closed(&path, fsync).ok());
        }
        Ok(())
    }

    /// Fails when the database or the lock on it is no more where it was.
    pub fn check_place(&self) -> Result<()> {
        self.flusher.database.check_place()
    }

    /// The same, but the object is kept.
    pub fn into_hold(mut self) -> Result<Hold> {
        let result = self.seal().and_then(|()| self.flusher.flush_now());
        let mut last = self.flusher;
        let flusher = loop {
            match Arc::try_unwrap(last) {
                Ok(flusher) => break flusher,
                Err(shared) => last = shared,
            }
            thread::sleep(FLUSHED_STEP);
        };
        let hold = flusher.database.into_hold();
        result.map(|()| hold)
    }

    /// Closes the database and deletes its directory, which holds nothing any more.
    pub fn remove(self, layout: &Layout) -> Result<()> {
        let path = self.flusher.database.path().to_owned();
        let trash = layout.own("trash");
        super::whole::create_dir(&trash)?;
        let target = layout.new_trash();
        fs::rename(&path, &target).map_err(|error| Error::io("delete", &path, &error))?;
        self.flusher.database.forget();
        drop(self);
        fs::remove_dir_all(&target).map_err(|error| Error::io("delete", &target, &error))
    }
}

impl Table for FileTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        if let Some(value) = self.gathering.entries().get(key) {
            return Ok(value.clone());
        }
        if self.gathering.clears() { Ok(None) } else { self.flusher.database.get(key) }
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.gathering.entries_in(&scan.range);
        let wide = scan.widened(own.len());
        let stored =
            if self.gathering.clears() { Vec::new() } else { self.flusher.database.scan(&wide)? };
        Ok(if own.is_empty() { stored } else { merge(stored, own, scan) })
    }

    fn alarm(&self) -> Result<Option<i64>> {
        Ok(self.alarm)
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        if let Some(alarm) = writes.alarm() {
            self.alarm = alarm;
        }
        self.gathering.append(writes);
        Ok(self.ticket)
    }

    fn is_empty(&self) -> Result<bool> {
        let any = Scan { limit: Some(1), ..Scan::all() };
        Ok(self.alarm.is_none() && self.scan(&any)?.is_empty())
    }

    /// What gathers has found that the database takes writes.
    fn takes_writes(&self) -> bool {
        self.is_dirty() || self.flusher.database.takes_writes()
    }

    fn is_dirty(&self) -> bool {
        !self.gathering.is_empty()
    }

    fn is_broken(&self) -> bool {
        self.flusher.database.has_failed()
    }

    fn seal(&mut self) -> Result<()> {
        if self.gathering.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut self.gathering);
        let ticket = self.ticket;
        self.ticket += 1;
        let written = self.flusher.write(&writes, self.alarm);
        let flushed =
            written.and_then(|()| Flusher::flush_later(&self.flusher, ticket, writes.clears()));
        if let Err(error) = &flushed {
            self.flusher.durability.fail(ticket, error);
        }
        flushed
    }
}

/// Creates the sign by which an alarm is found without opening its object.
pub fn make_sign(sign: &Path, directories: &Directories) -> Result<()> {
    if let Some(alarms) = sign.parent() {
        directories.create(alarms)?;
    }
    fs::File::create(sign).map_err(|error| Error::io("create", sign, &error))?;
    directories.note(sign)
}

/// Makes sealed batches durable, one flush for all that have gathered meanwhile.
pub struct Flusher {
    database: Database,
    durability: Arc<Durability>,
    state: Mutex<Flushes>,
    object: Weak<LocalObject<FileTable>>,
    layout: Layout,
    directories: Arc<Directories>,
    /// Whether anything around the database may not be durable. What others create is not waited for: where that
    /// fails, it is theirs.
    unsynced_around: AtomicBool,
    key: ObjectKey,
    runtime: Handle,
    /// Whether to wait for the disk, or only for the operating system.
    fsync: Arc<AtomicBool>,
}

#[derive(Default)]
struct Flushes {
    /// Newest sealed batch.
    sealed: Ticket,
    running: bool,
    /// Whether a batch since the last flush has deleted everything.
    cleared: bool,
    /// The alarm as the files have it.
    alarm: Option<i64>,
}

impl Flusher {
    /// A flusher for an open database.
    pub fn new(
        database: Database,
        object: &Arc<LocalObject<FileTable>>,
        durability: Arc<Durability>,
        place: &FilePlace,
    ) -> Result<Arc<Self>> {
        let state = Flushes { alarm: database.alarm()?, ..Flushes::default() };
        Ok(Arc::new(Self {
            unsynced_around: AtomicBool::new(!database.syncs_around()?),
            database,
            durability,
            state: Mutex::new(state),
            object: Arc::downgrade(object),
            layout: place.layout().clone(),
            directories: place.directories().clone(),
            key: object.key().clone(),
            runtime: place.runtime().clone(),
            fsync: place.fsync().clone(),
        }))
    }

    /// Writes a batch to the database's log, and the sign of its alarm beside it: an alarm is announced
    /// before it is set, and withdrawn after it is gone.
    fn write(&self, writes: &WriteBatch, alarm: Option<i64>) -> Result<()> {
        if writes.alarm().is_none() {
            return self.database.write(writes);
        }
        let old = std::mem::replace(&mut lock(&self.state)?.alarm, alarm);
        if let Some(at) = alarm {
            make_sign(&self.alarm_sign(at), &self.directories)?;
            self.unsynced_around.store(true, Ordering::Release);
        }
        self.database.write(writes)?;
        if let Some(at) = old.filter(|_| old != alarm) {
            let _ = fs::remove_file(self.alarm_sign(at));
        }
        Ok(())
    }

    fn alarm_sign(&self, at: i64) -> PathBuf {
        self.layout.alarm(&self.key, at)
    }

    fn flush_later(this: &Arc<Self>, ticket: Ticket, cleared: bool) -> Result<()> {
        let mut state = lock(&this.state)?;
        state.sealed = ticket;
        state.cleared |= cleared;
        if !this.fsync.load(Ordering::Relaxed) && !state.running && !state.cleared {
            this.database.check_place()?;
            this.durability.settle(ticket);
            return Ok(());
        }
        let running = std::mem::replace(&mut state.running, true);
        // The thread that is woken wants the lock at once.
        drop(state);
        if !running {
            let this = this.clone();
            this.runtime.clone().spawn_blocking(move || this.run());
        }
        Ok(())
    }

    /// Flushes until nothing more is sealed.
    fn run(&self) {
        loop {
            let (sealed, cleared) = match lock(&self.state) {
                Ok(mut state) => (state.sealed, std::mem::take(&mut state.cleared)),
                Err(_) => return,
            };
            if let Err(error) = self.sync() {
                // Before anybody else can close the database.
                self.database.doubt();
                self.fail(&error);
                return;
            }
            if cleared && self.vacate() {
                return;
            }
            self.durability.settle(sealed);
            let Ok(mut state) = lock(&self.state) else {
                return;
            };
            if state.sealed == sealed {
                state.running = false;
                return;
            }
        }
    }

    /// Makes what is around the database durable, then what is in it: an alarm that is set has a sign. Of a new
    /// database, both at once.
    /// Without fsync the operating system has it all already.
    fn sync(&self) -> Result<()> {
        if !self.fsync.load(Ordering::Relaxed) {
            return self.database.check_place();
        }
        if !self.database.takes_writes() {
            return Ok(());
        }
        if self.unsynced_around.swap(false, Ordering::AcqRel) {
            let synced = self.directories.sync();
            if synced.is_err() {
                self.unsynced_around.store(true, Ordering::Release);
            }
            synced?;
        }
        self.database.sync(self.directories.disk())
    }

    fn flush_now(&self) -> Result<()> {
        self.settle(self.sync())
    }

    /// Tells everybody who waits how the flush of all that is sealed has ended.
    fn settle(&self, flushed: Result<()>) -> Result<()> {
        let sealed = lock(&self.state)?.sealed;
        match &flushed {
            Ok(()) => self.durability.settle(sealed),
            Err(error) => self.durability.fail(sealed, error),
        }
        flushed
    }

    /// What is sealed is lost: the object starts anew from what the files hold.
    fn fail(&self, error: &Error) {
        let table = self.object.upgrade().and_then(|object| object.abandon());
        let sealed = lock(&self.state).map_or(0, |state| state.sealed);
        let lost = table.as_ref().map_or(sealed, |table| table.ticket);
        drop(table);
        self.durability.fail(lost, error);
    }

    /// Deletes the directory of an object that was emptied and not written since; says whether this was
    /// the end of the table.
    fn vacate(&self) -> bool {
        let Some(table) = self.object.upgrade().and_then(|object| object.vacate()) else {
            return false;
        };
        // What has been sealed since the flush was undone again, which has to be durable too.
        let flushed = self.sync();
        if flushed.is_ok() {
            // A directory that cannot be deleted holds an empty database: nothing is lost or left over.
            let _ = table.remove(&self.layout);
        }
        // Those who are told have nothing to do with this any more.
        let _ = self.settle(flushed);
        true
    }
}
