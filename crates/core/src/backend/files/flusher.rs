//! Makes the sealed batches of one object durable, and closes its database when the table is given up.
//!
//! At most one thread is busy with a flusher at a time. What comes meanwhile is done in the next round, for which it
//! queues again behind the work of others.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::FilePlace;
use super::database::Database;
use super::directories::Directories;
use super::hold::Hold;
use super::inventory::Inventory;
use super::layout::Layout;
use super::open_set::Slot;
use super::table::{FileTable, is_empty, make_sign, remove_directory};
use super::workers::Workers;
use crate::backend::local::LocalObject;
use crate::backend::{ObjectKey, Ticket};
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::write_batch::WriteBatch;

/// What is left of an object that is not open any more, but still ours.
pub struct Kept {
    /// Nobody else has the object.
    pub hold: Hold,
    /// It still counts as open.
    pub slot: Slot,
}

/// What comes after the end of a table.
pub enum After {
    /// Others may have the object.
    Close,
    /// The object is kept, to be opened once more.
    Keep(Box<dyn FnOnce(Result<Kept>) + Send>),
}

/// Makes sealed batches durable, one flush for all that have gathered meanwhile.
pub struct Flusher {
    pub(super) database: Database,
    pub(super) durability: Arc<Durability>,
    state: Mutex<Flushes>,
    object: Weak<LocalObject<FileTable>>,
    layout: Layout,
    directories: Arc<Directories>,
    /// Whether anything around the database may not be durable. What others create is not waited for: where that
    /// fails, it is theirs.
    unsynced_around: AtomicBool,
    key: ObjectKey,
    workers: Arc<Workers>,
    /// Whether to wait for the disk, or only for the operating system.
    fsync: Arc<AtomicBool>,
    /// Goes back when the database is closed.
    slot: Slot,
}

#[derive(Default)]
struct Flushes {
    /// Newest sealed batch.
    sealed: Ticket,
    /// Whether a thread is busy with this, or will be.
    running: bool,
    /// Whether a batch since the last flush has deleted everything.
    cleared: bool,
    /// The alarm as the files have it.
    alarm: Option<i64>,
    /// What comes when everything is flushed: there is no table any more.
    ending: Option<Ending>,
}

struct Ending {
    after: After,
    /// How the last flush has ended, when it has.
    flushed: Option<Result<()>>,
    /// Whether the table could not even write its last batch.
    failed: Result<()>,
    /// Whether the last flush came after everything was deleted.
    cleared: bool,
}

/// What a round has come to.
enum Round {
    /// More was sealed meanwhile.
    More,
    /// Nothing is left to do.
    Done,
}

impl Flusher {
    /// A flusher for an open database.
    pub fn new(
        database: Database,
        slot: Slot,
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
            workers: place.open_set().workers().clone(),
            fsync: place.fsync().clone(),
            slot,
        }))
    }

    /// Writes a batch to the database's log, and the sign of its alarm beside it: an alarm is announced
    /// before it is set, and withdrawn after it is gone.
    pub(super) fn write(&self, writes: &WriteBatch, alarm: Option<i64>) -> Result<()> {
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

    pub(super) fn flush_later(this: &Arc<Self>, ticket: Ticket, cleared: bool) -> Result<()> {
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
            Self::run_later(this.clone());
        }
        Ok(())
    }

    /// Ends the table, of which this was the flusher: makes everything durable, closes the database, and goes on with
    /// `after`. `sealed` says whether the last batch was written. Waits for nothing.
    pub(super) fn end(this: Arc<Self>, sealed: Result<()>, after: After) {
        let Ok(mut state) = lock(&this.state) else {
            return after.give_up();
        };
        state.ending = Some(Ending { after, flushed: None, failed: sealed, cleared: false });
        let running = std::mem::replace(&mut state.running, true);
        drop(state);
        if !running {
            Self::run_later(this);
        } else if let Some((flusher, ending)) = Self::let_go(this) {
            // Closing a database takes time, which the caller may not have.
            let workers = flusher.workers.clone();
            workers.finish(move || flusher.conclude(ending));
        }
    }

    fn run_later(this: Arc<Self>) {
        let workers = this.workers.clone();
        workers.finish(move || Self::run(this));
    }

    fn run(this: Arc<Self>) {
        let round = catch_unwind(AssertUnwindSafe(|| this.round())).unwrap_or_else(|_| {
            this.lose(Error::Internal("a panic has ended a flush".into()));
            Round::Done
        });
        match round {
            Round::More => Self::run_later(this),
            Round::Done => {
                if let Some((flusher, ending)) = Self::let_go(this) {
                    flusher.conclude(ending);
                }
            }
        }
    }

    /// Flushes what is sealed.
    fn round(&self) -> Round {
        let (sealed, cleared) = match lock(&self.state) {
            Ok(mut state) => (state.sealed, std::mem::take(&mut state.cleared)),
            Err(_) => return Round::Done,
        };
        if let Err(error) = self.sync() {
            self.lose(error);
            return Round::Done;
        }
        if cleared && self.vacate() {
            return Round::Done;
        }
        let Ok(mut state) = lock(&self.state) else {
            return Round::Done;
        };
        let is_last = state.sealed == sealed;
        if let Some(ending) = &mut state.ending {
            ending.cleared |= cleared;
            ending.flushed = is_last.then_some(Ok(()));
        } else {
            state.running = !is_last;
            drop(state);
            self.durability.settle(sealed);
        }
        if is_last { Round::Done } else { Round::More }
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

    /// What is sealed is lost: the object starts anew from what the files hold.
    fn lose(&self, error: Error) {
        // Before anybody else can close the database.
        self.database.doubt();
        let table = self.object.upgrade().and_then(|object| object.take_failed());
        let sealed = lock(&self.state).map_or(0, |state| state.sealed);
        let lost = table.as_ref().map_or(sealed, FileTable::ticket);
        drop(table);
        self.durability.fail(lost, &error);
        if let Ok(mut state) = lock(&self.state)
            && let Some(ending) = &mut state.ending
        {
            ending.flushed = Some(Err(error));
        }
    }

    /// Deletes the directory of an object that was emptied and not written since; says whether this was
    /// the end of the table.
    fn vacate(&self) -> bool {
        let Some(table) = self.object.upgrade().and_then(|object| object.take_empty()) else {
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

    /// Tells everybody who waits how the flush of all that is sealed has ended.
    fn settle(&self, flushed: Result<()>) -> Result<()> {
        let sealed = lock(&self.state)?.sealed;
        match &flushed {
            Ok(()) => self.durability.settle(sealed),
            Err(error) => self.durability.fail(sealed, error),
        }
        flushed
    }

    /// The last who lets go of a flusher whose table was ended gets it, to go on with what comes after.
    fn let_go(this: Arc<Self>) -> Option<(Self, Ending)> {
        let mut flusher = Arc::into_inner(this)?;
        let ending = flusher.state.get_mut().ok()?.ending.take()?;
        Some((flusher, ending))
    }

    /// Tells how the last flush has ended, and closes the database.
    fn conclude(self, ending: Ending) {
        let flushed = ending.flushed.unwrap_or_else(|| self.sync());
        if flushed.is_ok() && ending.cleared && matches!(ending.after, After::Close) {
            self.remove_if_empty();
        }
        let ended = ending.failed.and(self.settle(flushed));
        match ending.after {
            After::Close => self.close(ended.is_ok()),
            After::Keep(then) => {
                // What attempts have read there must still be what is written over.
                let ended = ended.and_then(|()| self.database.check_place());
                let Self { database, slot, .. } = self;
                let hold = database.into_hold();
                then(ended.map(|()| Kept { hold, slot }));
            }
        }
    }

    /// Deletes the directory of an object that was emptied before it was closed.
    fn remove_if_empty(&self) {
        if is_empty(&self.database).unwrap_or(false) {
            // A directory that cannot be deleted holds an empty database: nothing is lost or left over.
            let _ = remove_directory(&self.database, &self.layout);
        }
    }

    fn close(self, is_flushed: bool) {
        let fsync = self.fsync.load(Ordering::Relaxed);
        let Self { database, slot, .. } = self;
        let (path, written) = (database.path().to_owned(), database.takes_writes());
        let hold = database.into_hold();
        // A database that was only read is as it was found.
        if is_flushed && written {
            hold.end(fsync, Inventory::of_closed(&path, fsync).ok());
        }
        drop(hold);
        drop(slot);
    }
}

impl After {
    /// The state of the table is in doubt.
    fn give_up(self) {
        if let Self::Keep(then) = self {
            then(Err(Error::Internal("a panic has left the state of an object in doubt".into())));
        }
    }
}
