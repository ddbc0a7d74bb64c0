//! Makes the sealed batches of one object durable, and closes its database when the table ends.
//!
//! At most one thread is busy with a flusher at a time. Batches that are sealed meanwhile wait for the next round, for
//! which the flusher queues again behind the work of other objects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::alarm_marker::AlarmMarker;
use super::database::Database;
use super::ending::{After, Ending, Kept, close};
use super::removal::remove_directory;
use crate::backend::Ticket;
use crate::backend::files::shared::Shared;
use crate::backend::files::workers::open_set::Slot;
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::write_batch::WriteBatch;

/// The object that has the table of a flusher.
pub trait TableOwner: Send + Sync {
    /// Drops the table, because its state is in doubt. Gives the ticket of the batch that gathers, if there was a table.
    fn drop_table(&self) -> Option<Ticket>;

    /// Drops the table if the object is empty and no write has come since it was sealed; says whether it did.
    fn drop_empty_table(&self) -> bool;
}

/// Makes sealed batches durable, one flush for all that have gathered meanwhile.
pub struct Flusher {
    pub(super) database: Database,
    pub(super) durability: Arc<Durability>,
    shared: Arc<Shared>,
    owner: Weak<dyn TableOwner>,
    alarm_marker: AlarmMarker,
    /// Whether anything around the database may not be durable. Only what this object has created counts: if a sync fails
    /// for what another object has created, that object tells its callers.
    unsynced_around: AtomicBool,
    state: Mutex<State>,
    /// It is given back when the database is closed.
    slot: Slot,
}

#[derive(Default)]
struct State {
    /// Newest sealed batch.
    sealed: Ticket,
    /// Whether a thread is busy with the flusher, or will be.
    running: bool,
    /// Whether a batch since the last flush has deleted everything.
    cleared: bool,
    /// What comes when everything is flushed: the table has ended.
    ending: Option<Ending>,
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
        owner: Weak<dyn TableOwner>,
        alarm_marker: AlarmMarker,
        durability: Arc<Durability>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            unsynced_around: AtomicBool::new(!database.syncs_around()?),
            database,
            durability,
            shared,
            owner,
            alarm_marker,
            state: Mutex::default(),
            slot,
        }))
    }

    /// Writes a batch to the database's log, and the marker of its alarm beside it.
    pub(super) fn write(&self, writes: &WriteBatch, alarm: Option<i64>) -> Result<()> {
        if writes.alarm().is_none() {
            return self.database.write(writes);
        }
        let replaced = self.alarm_marker.announce(alarm)?;
        if alarm.is_some() {
            self.unsynced_around.store(true, Ordering::Release);
        }
        self.database.write(writes)?;
        if let Some(at) = replaced {
            self.alarm_marker.remove(at);
        }
        Ok(())
    }

    /// Makes the marker of an alarm that is about to be stored. Returns the alarm that it replaces.
    pub(super) fn announce_alarm(&self, alarm: Option<i64>) -> Result<Option<i64>> {
        let replaced = self.alarm_marker.announce(alarm)?;
        if alarm.is_some() {
            self.unsynced_around.store(true, Ordering::Release);
        }
        Ok(replaced)
    }

    /// Removes the marker of an alarm that is not stored any more.
    pub(super) fn forget_alarm(&self, at: i64) {
        self.alarm_marker.remove(at);
    }

    /// Whether the log may be moved into the database: everything up to `newest` is durable, or need not be.
    pub(super) fn may_checkpoint(&self, newest: Ticket) -> bool {
        !self.fsync() || self.durability.pending(newest) == 0
    }

    pub(super) fn flush_later(this: &Arc<Self>, ticket: Ticket, cleared: bool) -> Result<()> {
        let mut state = lock(&this.state)?;
        state.sealed = ticket;
        state.cleared |= cleared;
        if !this.fsync() && !state.running && !state.cleared {
            this.database.check_place()?;
            this.durability.confirm(ticket);
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

    /// Ends the table: makes everything durable, closes the database, and goes on with `after`. `sealed` says whether the
    /// last batch was written. Waits for nothing.
    pub(super) fn end(this: Arc<Self>, sealed: Result<()>, after: After) {
        let Ok(mut state) = lock(&this.state) else {
            return after.give_up();
        };
        state.ending = Some(Ending::new(after, sealed, this.database.may_be_empty()));
        let running = std::mem::replace(&mut state.running, true);
        drop(state);
        if !running {
            Self::run_later(this);
        } else if let Some((flusher, ending)) = Self::take_ended(this) {
            // Closing a database takes time, which the caller may not have.
            let shared = flusher.shared.clone();
            shared.open_set.workers().finish(move || flusher.conclude(ending));
        }
    }

    fn run_later(this: Arc<Self>) {
        let shared = this.shared.clone();
        shared.open_set.workers().finish(move || Self::run(this));
    }

    fn run(this: Arc<Self>) {
        let round = catch_unwind(AssertUnwindSafe(|| this.round())).unwrap_or_else(|_| {
            this.lose(Error::Internal("a panic has ended a flush".into()));
            Round::Done
        });
        match round {
            Round::More => Self::run_later(this),
            Round::Done => {
                if let Some((flusher, ending)) = Self::take_ended(this) {
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
        if cleared && self.remove_emptied() {
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
            self.durability.confirm(sealed);
        }
        if is_last { Round::Done } else { Round::More }
    }

    /// Makes durable what is around the database, then what is in it. So a stored alarm always has its marker. For a
    /// new database both are synced at the same time. Without fsync the operating system has everything already.
    fn sync(&self) -> Result<()> {
        if !self.fsync() {
            return self.database.check_place();
        }
        if !self.database.takes_writes() {
            return Ok(());
        }
        let directories = &self.shared.directories;
        if self.unsynced_around.swap(false, Ordering::AcqRel) {
            let synced = directories.sync();
            if synced.is_err() {
                self.unsynced_around.store(true, Ordering::Release);
            }
            synced?;
        }
        self.database.sync(directories.disk())
    }

    /// What is sealed is lost: the object is opened again, with what the files hold.
    fn lose(&self, error: Error) {
        // First, because after this another thread may close the database.
        self.database.mark_dirty();
        let gathering = self.owner.upgrade().and_then(|owner| owner.drop_table());
        let sealed = lock(&self.state).map_or(0, |state| state.sealed);
        self.durability.fail(gathering.unwrap_or(sealed), &error);
        if let Ok(mut state) = lock(&self.state)
            && let Some(ending) = &mut state.ending
        {
            ending.flushed = Some(Err(error));
        }
    }

    /// Deletes the directory of an object that was emptied and not written since; says whether this was the end of the
    /// table.
    fn remove_emptied(&self) -> bool {
        if !self.owner.upgrade().is_some_and(|owner| owner.drop_empty_table()) {
            return false;
        }
        // Writes that were sealed since the flush have been deleted again, which has to be durable too.
        let flushed = self.sync();
        if flushed.is_ok() {
            let _ = remove_directory(&self.database, &self.shared.layout);
        }
        // Callers that wait are told; nothing is left to do here.
        let _ = self.announce(flushed);
        true
    }

    /// Tells every caller that waits how the flush of all sealed writes has ended.
    fn announce(&self, flushed: Result<()>) -> Result<()> {
        let sealed = lock(&self.state)?.sealed;
        match &flushed {
            Ok(()) => self.durability.confirm(sealed),
            Err(error) => self.durability.fail(sealed, error),
        }
        flushed
    }

    /// The flusher of a table that has ended, if no other thread uses it.
    fn take_ended(this: Arc<Self>) -> Option<(Self, Ending)> {
        let mut flusher = Arc::into_inner(this)?;
        let ending = flusher.state.get_mut().ok()?.ending.take()?;
        Some((flusher, ending))
    }

    /// Tells how the last flush has ended, and closes the database.
    fn conclude(self, mut ending: Ending) {
        let flushed = ending.flushed.take().unwrap_or_else(|| self.sync());
        if flushed.is_ok() && ending.may_remove() && self.database.is_empty().unwrap_or(false) {
            let _ = remove_directory(&self.database, &self.shared.layout);
        }
        let ended = ending.sealed.and(self.announce(flushed));
        match ending.after {
            After::Close => {
                let fsync = self.fsync();
                close(self.database, self.slot, ended.is_ok(), fsync);
            }
            After::Keep(then) => {
                // What attempts have read there must still be what is written over.
                let ended = ended.and_then(|()| self.database.check_place());
                let Self { database, slot, .. } = self;
                let lock = database.into_lock();
                then(ended.map(|()| Kept { lock, slot }));
            }
        }
    }

    /// Whether to wait for the disk, or only for the operating system.
    fn fsync(&self) -> bool {
        self.shared.fsync.load(Ordering::Relaxed)
    }
}
