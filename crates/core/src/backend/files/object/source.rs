//! Opens the database of one object when an operation needs it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::alarm_marker::AlarmMarker;
use super::database::Database;
use super::ending::{After, Kept};
use super::flusher::{Flusher, TableOwner};
use super::rocks_table::RocksTable;
use super::table::{FileTable, close_retired};
use crate::backend::ObjectKey;
use crate::backend::files::case_conflict::check_spelling;
use crate::backend::files::database::sqlite_files;
use crate::backend::files::disk::paths::shown;
use crate::backend::files::lock::absence::Absence;
use crate::backend::files::lock::alarm_claim::AlarmClaim;
use crate::backend::files::lock::handover::let_request_go_first;
use crate::backend::files::lock::object_lock::ObjectLock;
use crate::backend::files::old_data::check_object;
use crate::backend::files::own_links;
use crate::backend::files::shared::Shared;
use crate::backend::files::workers::by_use::Occupant;
use crate::backend::files::workers::open_set::{Slot, UnderWay};
use crate::backend::files::workers::pool::Workers;
use crate::backend::local::{Access, ClaimMarker, ForeignClaim, LocalObject, TableOpener};
use crate::durability::Durability;
use crate::error::{Error, Result};

/// Where the tables of one object come from.
pub struct FileSource {
    shared: Weak<Shared>,
    key: ObjectKey,
    durability: Arc<Durability>,
    /// Whether this process has released the object for another process, which goes first.
    yielded: AtomicBool,
    /// When this process has left the object last, and whether another one has had it since.
    absence: Arc<Absence>,
    /// Whether the object is to be in a SQLite database.
    wants_sql: Arc<AtomicBool>,
    /// Whether a SQLite database is an error.
    wants_keys: AtomicBool,
}

impl FileSource {
    /// The source of one object of a directory.
    pub fn new(shared: Weak<Shared>, key: ObjectKey, durability: Arc<Durability>) -> Self {
        Self {
            shared,
            key,
            durability,
            yielded: AtomicBool::new(false),
            absence: Arc::default(),
            wants_sql: Arc::default(),
            wants_keys: AtomicBool::new(false),
        }
    }

    /// Opens the object in a slot if this process can lock it; if another process has it, waits without the slot.
    fn open_in(self: Arc<Self>, slot: Slot, opening: Opening) {
        match self.acquire(&opening.shared) {
            Ok(Some(lock)) => self.finish(&opening, Ok(Kept { lock, slot })),
            Ok(None) => {
                drop(slot);
                let runtime = opening.shared.runtime.clone();
                runtime.spawn(async move {
                    let lock = self.wait(&opening.shared).await;
                    self.open_locked(lock, opening);
                });
            }
            Err(error) => {
                drop(slot);
                self.finish(&opening, Err(error));
            }
        }
    }

    /// Locks the object if no other process has it or goes first.
    fn acquire(&self, shared: &Shared) -> Result<Option<ObjectLock>> {
        shared.prepare()?;
        check_spelling(shared.layout.root(), &self.key)?;
        own_links::check_object(&shared.layout, &self.key)?;
        if self.yielded.load(Ordering::Relaxed) {
            return Ok(None);
        }
        ObjectLock::acquire(&shared.layout, &self.key)
    }

    /// Waits for the object. A process that has requested it goes first.
    async fn wait(&self, shared: &Shared) -> Result<ObjectLock> {
        if self.yielded.swap(false, Ordering::Relaxed) {
            let_request_go_first(&shared.layout, &self.key).await;
        }
        ObjectLock::wait(&shared.layout, &self.key).await
    }

    /// Opens an object that another process has released, before all objects that wait for a slot: that process may
    /// want it back.
    fn open_locked(self: Arc<Self>, lock: Result<ObjectLock>, opening: Opening) {
        let open_set = opening.shared.open_set.clone();
        match lock {
            Ok(lock) => open_set.enter_first(move |slot| {
                self.finish(&opening, Ok(Kept { lock, slot }));
            }),
            Err(error) => open_set.workers().finish(move || self.finish(&opening, Err(error))),
        }
    }

    /// Hands the table to the object, or the error.
    fn finish(&self, opening: &Opening, kept: Result<Kept>) {
        let Opening { shared, object, .. } = opening;
        // Without an answer, the object would wait for its table for ever.
        let open = AssertUnwindSafe(|| kept.and_then(|kept| self.open_now(opening, kept)));
        let opened = catch_unwind(open).unwrap_or_else(|_| {
            Err(Error::Internal("a panic has ended the opening of an object".into()))
        });
        object.opened(opened);
        if shared.is_closed() {
            close_retired(object);
        } else {
            let occupant: Arc<dyn Occupant> = object.clone();
            shared.open_set.opened(&occupant);
        }
    }

    fn open_now(&self, opening: &Opening, kept: Kept) -> Result<FileTable> {
        let Opening { shared, access, .. } = opening;
        let Kept { lock, slot } = kept;
        lock.report_to(&self.absence);
        let layout = &shared.layout;
        let path = layout.object(&self.key);
        let fsync = shared.fsync.load(Ordering::Relaxed);
        if sqlite_files::exists(&path) {
            if self.wants_keys.load(Ordering::Relaxed) {
                return Err(Error::StorageBackend { object: shown(&path) });
            }
            return self.open_sqlite(opening, &path, lock, slot, fsync);
        }
        let exists = check_object(layout.root(), &path)?;
        lock.check_inventory(&path, exists)?;
        // RocksDB writes again what a killed process has left, when it opens a database to write. Only then it is certainly
        // durable, so no reader is told of it before.
        if self.wants_sql.load(Ordering::Relaxed) {
            return self.open_sqlite(opening, &path, lock, slot, fsync);
        }
        let is_durable = lock.was_clean() || !fsync;
        let access = if exists && is_durable { *access } else { Access::Write };
        if access == Access::Write {
            self.prepare_to_write(shared)?;
        }
        let database = Database::open(&path, access, lock, &shared.directories, fsync)?;
        // Again, because RocksDB's own lock keeps other programs away only from now on.
        database.check_place()?;
        self.table(opening, database, slot)
    }

    fn open_sqlite(
        &self,
        opening: &Opening,
        path: &Path,
        lock: ObjectLock,
        slot: Slot,
        fsync: bool,
    ) -> Result<FileTable> {
        let Opening { shared, .. } = opening;
        self.prepare_to_write(shared)?;
        let around = &shared.directories;
        let (mut connection, database) = Database::open_sqlite(path, lock, around, fsync)?;
        database.check_place()?;
        let alarm = connection.alarm()?;
        let flusher = self.flusher(opening, database, slot, alarm)?;
        Ok(FileTable::sqlite(connection, flusher))
    }

    /// Creates the directories that a database lies in, and the record of its name.
    fn prepare_to_write(&self, shared: &Shared) -> Result<()> {
        let Shared { layout, directories, .. } = shared;
        layout.remember(&self.key, directories)?;
        directories.create(&layout.objects(&self.key.name))?;
        check_spelling(layout.root(), &self.key)
    }

    fn table(&self, opening: &Opening, database: Database, slot: Slot) -> Result<FileTable> {
        let alarm = database.alarm()?;
        let flusher = self.flusher(opening, database, slot, alarm)?;
        Ok(FileTable::Rocks(RocksTable::new(flusher, alarm, self.wants_sql.clone())))
    }

    /// Makes durable what is written to an open database that has this alarm.
    fn flusher(
        &self,
        opening: &Opening,
        database: Database,
        slot: Slot,
        alarm: Option<i64>,
    ) -> Result<Arc<Flusher>> {
        let Opening { shared, object, .. } = opening;
        let marker = AlarmMarker::repair(shared, &self.key, alarm)?;
        let (durability, shared) = (self.durability.clone(), shared.clone());
        let owner: Arc<dyn TableOwner> = object.clone();
        let owner = Arc::downgrade(&owner);
        Flusher::new(database, slot, owner, marker, durability, shared)
    }
}

impl TableOpener<FileTable> for FileSource {
    fn is_absent(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        let found = fs::symlink_metadata(shared.layout.object(&self.key));
        found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    fn open(self: Arc<Self>, access: Access, object: Arc<LocalObject<FileTable>>) {
        let Some(shared) = self.shared.upgrade() else {
            return refuse(object);
        };
        let opening = Opening::new(shared.clone(), access, object);
        shared.open_set.enter(move |slot| self.open_in(slot, opening));
    }

    fn upgrade(self: Arc<Self>, table: FileTable, object: Arc<LocalObject<FileTable>>) {
        let Some(shared) = self.shared.upgrade() else {
            return refuse(object);
        };
        let busy = shared.open_set.opening();
        let opening = Opening::new(shared, Access::Write, object);
        table.end(After::Keep(Box::new(move |kept| {
            self.finish(&opening, kept);
            drop(busy);
        })));
    }

    fn closed(self: Arc<Self>, table: FileTable) {
        self.yielded.store(true, Ordering::Relaxed);
        // Every caller that waits for the writes is told of a failure.
        table.end(After::Close);
    }

    fn claim(&self, at: i64) -> Result<Option<Box<dyn ClaimMarker>>> {
        let shared = self.shared.upgrade().ok_or(Error::Closed)?;
        let claim = AlarmClaim::acquire(&shared.layout, &self.key, at)?;
        Ok(claim.map(|claim| Box::new(claim) as Box<dyn ClaimMarker>))
    }

    fn claimed(&self) -> Result<Option<ForeignClaim>> {
        let shared = self.shared.upgrade().ok_or(Error::Closed)?;
        AlarmClaim::of_others(&shared.layout, &self.key)
    }

    fn was_elsewhere(&self) -> bool {
        self.absence.was_elsewhere()
    }

    fn wants_sql(&self) {
        self.wants_sql.store(true, Ordering::Relaxed);
        self.wants_keys.store(false, Ordering::Relaxed);
    }

    fn wants_keys(&self) {
        self.wants_sql.store(false, Ordering::Relaxed);
        self.wants_keys.store(true, Ordering::Relaxed);
    }

    fn idle(&self, object: &Arc<LocalObject<FileTable>>) {
        if let Some(shared) = self.shared.upgrade() {
            let occupant: Arc<dyn Occupant> = object.clone();
            shared.open_set.idle(&occupant);
        }
    }
}

/// An object on its way to its table.
struct Opening {
    shared: Arc<Shared>,
    access: Access,
    object: Arc<LocalObject<FileTable>>,
    /// The directory counts as closed only when the opening has ended.
    _under_way: UnderWay,
}

impl Opening {
    fn new(shared: Arc<Shared>, access: Access, object: Arc<LocalObject<FileTable>>) -> Self {
        let under_way = shared.open_set.under_way();
        Self { shared, access, object, _under_way: under_way }
    }
}

/// Fails an opening, because the directory is not in use any more. In the background: the object is locked now.
fn refuse(object: Arc<LocalObject<FileTable>>) {
    Workers::shared().finish(move || object.opened(Err(Error::Closed)));
}
