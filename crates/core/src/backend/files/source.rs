//! Opening the database of one object when it is needed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::FilePlace;
use super::claims::Claim;
use super::database::Database;
use super::flusher::{After, Flusher, Kept};
use super::foreign::check_object;
use super::hold::Hold;
use super::open_set::{Occupant, Slot, UnderWay};
use super::spelling::check_spelling;
use super::table::{FileTable, make_sign};
use super::workers::Workers;
use crate::backend::local::LocalObject;
use crate::backend::{Access, ClaimSign, ForeignClaim, ObjectKey, Source, Table};
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

    /// Opens the object in a slot if nobody else has it; if another process does, waits without the slot.
    fn open_in(self: Arc<Self>, slot: Slot, opening: Opening) {
        match self.take(&opening.place) {
            Ok(Some(hold)) => self.finish(&opening, Ok(Kept { hold, slot })),
            Ok(None) => {
                drop(slot);
                let runtime = opening.place.runtime().clone();
                runtime.spawn(async move {
                    let hold = self.wait(&opening.place).await;
                    self.open_held(hold, opening);
                });
            }
            Err(error) => {
                drop(slot);
                self.finish(&opening, Err(error));
            }
        }
    }

    /// Opens an object that this process has got from another one, before all others: that one may want it back.
    fn open_held(self: Arc<Self>, hold: Result<Hold>, opening: Opening) {
        let open_set = opening.place.open_set().clone();
        match hold {
            Ok(hold) => open_set.enter_first(move |slot| {
                self.finish(&opening, Ok(Kept { hold, slot }));
            }),
            Err(error) => open_set.workers().finish(move || self.finish(&opening, Err(error))),
        }
    }

    /// Hands the table to the object, or why there is none.
    fn finish(&self, opening: &Opening, kept: Result<Kept>) {
        let Opening { place, access, object, .. } = opening;
        // What panics leaves an object that waits for its table for ever.
        let open = AssertUnwindSafe(|| kept.and_then(|kept| self.open_now(opening, *access, kept)));
        let opened = catch_unwind(open).unwrap_or_else(|_| {
            Err(Error::Internal("a panic has ended the opening of an object".into()))
        });
        object.opened(opened);
        if place.is_closed() {
            place.close_object(object);
        } else {
            let occupant: Arc<dyn Occupant> = object.clone();
            place.open_set().opened(&occupant);
        }
    }

    fn open_now(&self, opening: &Opening, access: Access, kept: Kept) -> Result<FileTable> {
        let Opening { place, object, .. } = opening;
        let Kept { hold, slot } = kept;
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
        let flusher = Flusher::new(database, slot, object, self.durability.clone(), place)?;
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
            return refuse(object);
        };
        let opening = Opening::new(place.clone(), access, object);
        place.open_set().enter(move |slot| self.open_in(slot, opening));
    }

    fn widen(self: Arc<Self>, table: FileTable, object: Arc<LocalObject<FileTable>>) {
        let Some(place) = self.place.upgrade() else {
            return refuse(object);
        };
        let busy = place.open_set().opening();
        let opening = Opening::new(place, Access::Write, object);
        table.end(After::Keep(Box::new(move |kept| {
            self.finish(&opening, kept);
            drop(busy);
        })));
    }

    fn released(self: Arc<Self>, table: FileTable) {
        self.yielded.store(true, Ordering::Relaxed);
        // A failure has been told to everybody who waits for the writes.
        table.end(After::Close);
    }

    fn claim(&self, at: i64) -> Result<Option<Box<dyn ClaimSign>>> {
        let place = self.place.upgrade().ok_or(Error::Closed)?;
        let claim = Claim::acquire(place.layout(), &self.key, at)?;
        Ok(claim.map(|claim| Box::new(claim) as Box<dyn ClaimSign>))
    }

    fn claimed(&self) -> Result<Option<ForeignClaim>> {
        let place = self.place.upgrade().ok_or(Error::Closed)?;
        Claim::of_others(place.layout(), &self.key)
    }

    fn idle(&self, object: &Arc<LocalObject<FileTable>>) {
        if let Some(place) = self.place.upgrade() {
            let occupant: Arc<dyn Occupant> = object.clone();
            place.open_set().idle(&occupant);
        }
    }
}

/// An object on its way to its table.
struct Opening {
    place: Arc<FilePlace>,
    access: Access,
    object: Arc<LocalObject<FileTable>>,
    /// The place is not closed before this has ended.
    _under_way: UnderWay,
}

impl Opening {
    fn new(place: Arc<FilePlace>, access: Access, object: Arc<LocalObject<FileTable>>) -> Self {
        let under_way = place.open_set().under_way();
        Self { place, access, object, _under_way: under_way }
    }
}

/// There is no place any more to open the object in. Not told at once: the object is locked.
fn refuse(object: Arc<LocalObject<FileTable>>) {
    Workers::shared().finish(move || object.opened(Err(Error::Closed)));
}
