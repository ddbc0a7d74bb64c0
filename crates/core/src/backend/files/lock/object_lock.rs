//! At most one process has an object: it holds a lock on a file beside the databases, `.ferroflare/locks/<NAME>.<id>`.
//!
//! The system drops the lock when the process ends, however it ends. So nothing is left to clean up. The lock belongs to one
//! opening of the file, not to the process: two copies of this library in one process exclude each other too.
//!
//! The file names the holder ([`super::record`]). After a release it says whether everything in the object is durable; after
//! the holder was killed, something may not be. Another process that needs the object sends a request ([`super::handover`]).

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::absence::Absence;
use super::handover::{HandoverRequest, remove_request};
use super::held;
use super::record::{Record, State};
use super::release::Release;
use super::waiting::Waiting;
use crate::backend::ObjectKey;
use crate::backend::files::database::file_names::is_unfinished;
use crate::backend::files::database::inventory::{Inventory, is_bare};
use crate::backend::files::disk::atomic_file::{create_dir, open_lock_file};
use crate::backend::files::disk::paths::shown;
use crate::backend::files::disk::same_file::same_file;
use crate::backend::files::layout::Layout;
use crate::error::{Error, Result};
use crate::lock::lock;

/// The directory of the lock files.
const LOCKS: &str = "locks";

/// How long to wait for another process: longer than a turn lasts.
pub const HANDOVER_LIMIT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(3);

/// The lock of an object that this process has, until it is dropped.
#[derive(Debug)]
pub struct ObjectLock {
    file: File,
    path: PathBuf,
    /// The file that was locked: `path` may name another one later.
    identity: fs::Metadata,
    /// What the last holder has left.
    found: Record,
    /// When the last holder has written to the file.
    written_at: Option<SystemTime>,
    /// Who is told of the release.
    absence: Mutex<Option<Arc<Absence>>>,
    /// What becomes of the file when this process releases the object. It has no effect if the process is killed.
    release: Mutex<Release>,
}

impl ObjectLock {
    /// Locks `key`; gives none if another process, or another opening of the file in this one, has locked it.
    pub fn acquire(layout: &Layout, key: &ObjectKey) -> Result<Option<Self>> {
        create_dir(&layout.own(LOCKS))?;
        let object_lock = Self::try_acquire(&layout.file_of(LOCKS, key))?;
        if object_lock.is_some() {
            remove_request(layout, key);
        }
        Ok(object_lock)
    }

    /// Waits until this process has locked `key`, and requests it from its holder. Any number of callers may wait.
    pub async fn wait(layout: &Layout, key: &ObjectKey) -> Result<Self> {
        let path = layout.file_of(LOCKS, key);
        let (request, waiting) = (HandoverRequest::new(layout, key), Waiting::begin());
        let acquired = tokio::time::timeout(HANDOVER_LIMIT, async {
            loop {
                if let Some(object_lock) = Self::acquire(layout, key)? {
                    return Ok(object_lock);
                }
                request.send()?;
                // A release by another process shows only when the lock is tried again.
                tokio::select! {
                    () = held::released(&path) => {}
                    () = waiting.pause(RETRY) => {}
                }
            }
        });
        acquired.await.unwrap_or_else(|_| {
            Err(Error::Held {
                path: shown(&layout.object(key)),
                holder: holder_of(&path),
                seconds: HANDOVER_LIMIT.as_secs(),
            })
        })
    }

    fn try_acquire(path: &Path) -> Result<Option<Self>> {
        if !held::insert(path)? {
            return Ok(None);
        }
        match try_lock(path) {
            Ok(Some((file, identity, found))) => {
                let (path, release) = (path.to_owned(), Mutex::default());
                let written_at = (!found.is_empty()).then(|| identity.modified().ok()).flatten();
                let absence = Mutex::default();
                Ok(Some(Self { file, path, identity, found, written_at, absence, release }))
            }
            failed => {
                held::cancel(path)?;
                failed.map(|_| None)
            }
        }
    }

    /// Has `absence` know whether another process has had the object since this one had it last.
    pub fn report_to(&self, absence: &Arc<Absence>) {
        absence.end(self.written_at);
        if let Ok(mut place) = lock(&self.absence) {
            *place = Some(absence.clone());
        }
    }

    /// Whether the last holder has left everything durable.
    pub fn was_clean(&self) -> bool {
        self.found.state == State::Clean
    }

    /// Whether the last holder has closed a database, and has no inventory of its files: those of SQLite have none.
    pub fn has_left_sqlite(&self) -> bool {
        self.was_clean() && self.found.inventory.is_none()
    }

    /// Fails when a file of the database in `path` is missing, or is not as the last holder has left it. Nothing is changed
    /// then. `exists` says whether there is a database.
    pub fn check_inventory(&self, path: &Path, exists: bool) -> Result<()> {
        let Some(inventory) = &self.found.inventory else {
            return Ok(());
        };
        let read = |error| Error::io("read", path, &error);
        if is_unfinished(path) && !inventory.is_of_unsynced() {
            // A power loss may have left the files in any state.
            return Ok(());
        }
        if !exists && is_bare(path).map_err(read)? {
            return self.drop_inventory();
        }
        match inventory.damage(path).map_err(read)? {
            None => Ok(()),
            Some(reason) => {
                Err(Error::Incomplete { path: shown(path), reason, record: shown(&self.path) })
            }
        }
    }

    /// Removes the inventory of files that do not exist any more, for good.
    pub fn drop_inventory(&self) -> Result<()> {
        let record = Record::held(None);
        let written = write_record(&self.file, &record).and_then(|()| self.file.sync_all());
        written.map_err(|error| Error::io("write", &self.path, &error))
    }

    /// Records what the database's files are, in case this process is killed.
    pub fn record_inventory(&self, inventory: Inventory) {
        // Without the record the next holder notices less damage.
        let _ = write_record(&self.file, &Record::held(Some(inventory)));
    }

    /// Fails when the lock file is not the one that was locked: another process may have the object now.
    pub fn check(&self) -> Result<()> {
        let now = fs::metadata(&self.path).ok();
        if same_file(Some(&self.identity), now.as_ref()) {
            return Ok(());
        }
        Err(Error::LockVanished { path: shown(&self.path) })
    }

    /// The database is opened to write.
    pub fn begin_to_write(&self) {
        self.change(Release::begin_to_write);
    }

    /// The database was closed. The next holder is told what its files are and whether everything is durable, unless
    /// something has failed before.
    pub fn mark_closed(&self, is_durable: bool, inventory: Option<Inventory>) {
        let state = if is_durable { State::Clean } else { State::Closed };
        self.change(|release| release.mark_closed(Record { state, inventory }));
    }

    /// Something has failed: the next holder has to write and sync the database again.
    pub fn mark_dirty(&self) {
        self.change(Release::mark_dirty);
    }

    /// The object does not exist any more: its lock file is removed with the lock.
    pub fn mark_removed(&self) {
        self.change(Release::mark_removed);
    }

    fn change(&self, change: impl FnOnce(&mut Release)) {
        // A panic under this lock would leave the file as it is, which is `Release::Dirty`.
        if let Ok(mut release) = lock(&self.release) {
            change(&mut release);
        }
    }

    fn end(&self) {
        let Ok(release) = lock(&self.release) else {
            return;
        };
        let record = match &*release {
            Release::Unchanged => &self.found,
            Release::Closed(record) => record,
            Release::Writing | Release::Dirty => return,
            Release::Removed => {
                // A process that has opened the removed file notices that, and locks a new one. The file of another
                // process stays.
                if self.check().is_ok() {
                    let _ = fs::remove_file(&self.path);
                }
                return;
            }
        };
        // Without the record the next holder syncs once more than it has to.
        let _ = write_record(&self.file, record);
    }
}

impl Drop for ObjectLock {
    fn drop(&mut self) {
        self.end();
        if let Ok(Some(absence)) = lock(&self.absence).map(|mut absence| absence.take()) {
            absence.begin(fs::metadata(&self.path).and_then(|found| found.modified()).ok());
        }
        // First, because a caller of this process that waits tries the lock as soon as it is woken.
        let _ = self.file.unlock();
        held::release(&self.path);
    }
}

/// Locks the file, and reads what the last holder has left; gives none if the file is locked already.
fn try_lock(path: &Path) -> Result<Option<(File, fs::Metadata, Record)>> {
    let mut file = open_lock_file(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
    }
    let identity = file.metadata().map_err(|error| Error::io("open", path, &error))?;
    // The last holder may have removed the file after it was opened here.
    if !same_file(Some(&identity), fs::metadata(path).ok().as_ref()) {
        return Ok(None);
    }
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let found = read.map_or_else(|_| Record::default(), |_| Record::parse(&text));
    // The name of the holder only helps people: the lock counts. But what the file says of durability must not stay. The
    // next holder would believe it of what this process leaves.
    write_record(&file, &Record::held(found.inventory.clone()))
        .map_err(|error| Error::io("write", path, &error))?;
    Ok(Some((file, identity, found)))
}

fn write_record(mut file: &File, record: &Record) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(record.text().as_bytes())
}

fn holder_of(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    match (read, Record::parse(&text).state) {
        (Ok(_), State::Held(holder)) => holder.to_string(),
        _ => "of unknown number".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::files::disk::random_name::RandomNames;

    /// So many waiting callers that each of them looks again later than [`HANDOVER_LIMIT`].
    fn many_waiting() -> Vec<Waiting> {
        (0..200_000).map(|_| Waiting::begin()).collect()
    }

    #[tokio::test]
    async fn a_release_by_this_process_is_noticed_without_a_look() {
        let root = std::env::temp_dir().join(format!("ferroflare-lock-{}", std::process::id()));
        let layout = Layout::new(root.clone(), RandomNames::new(&mut |_: &mut [u8]| {}));
        let key = ObjectKey { name: "NAME".into(), id: "id".into() };
        let first = ObjectLock::acquire(&layout, &key).unwrap().unwrap();
        let _others = many_waiting();
        let second = ObjectLock::wait(&layout, &key);
        let release = async move { drop(first) };
        let (second, ()) = tokio::join!(second, release);
        assert!(second.is_ok(), "{second:?}");
        drop(second);
        fs::remove_dir_all(root).unwrap();
    }
}
