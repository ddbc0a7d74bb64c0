//! At most one process holds an object: a lock on a file beside the databases.
//!
//! The system drops the lock when a process ends, however it ends, so that nothing is left to clean up. It belongs to one
//! opening of the file, not to the process: two copies of this library in one process exclude each other too.
//!
//! The file says who holds it ([`super::record`]), and afterwards whether everything in the object was made durable: after a
//! process that was killed, there may be something that is not. Another process that needs the object puts a file into `wanted/`; the
//! holder looks there often ([`crate::backend::files::maintenance`]) and lets go between commits.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::Lazy;

use super::record::{Note, State};
use super::waiting::Waiting;
use crate::backend::ObjectKey;
use crate::backend::files::database::creation::is_unfinished;
use crate::backend::files::database::errors::shown;
use crate::backend::files::database::inventory::{self, Inventory};
use crate::backend::files::disk::atomic_file::create_dir;
use crate::backend::files::disk::same_file::same_file;
use crate::backend::files::layout::Layout;
use crate::error::{Error, Result};
use crate::lock::lock;

/// What this process holds. A lock says nothing when its file has been deleted together with the
/// directory, while a database in there is still being closed.
static HELD: Lazy<Mutex<HashSet<PathBuf>>> = Lazy::new(Mutex::default);

/// How long to wait for another process: longer than a turn lasts.
pub const HANDOVER_LIMIT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(3);

/// An object that this process holds, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    file: File,
    path: PathBuf,
    /// Tells whether the file is still the one that was locked.
    identity: fs::Metadata,
    /// What the last holder has left.
    found: Note,
    /// What this one leaves, once it has begun to write; none if it was killed in the middle.
    left: Mutex<Option<Note>>,
    writes: AtomicBool,
    doubted: AtomicBool,
    forget: AtomicBool,
}

impl Hold {
    /// Holds `key`, unless another process or another opening of this one does.
    pub fn acquire(layout: &Layout, key: &ObjectKey) -> Result<Option<Self>> {
        create_dir(&layout.own("locks"))?;
        let hold = Self::try_acquire(&layout.file_of("locks", key))?;
        if hold.is_some() {
            // A process that was killed while it waited may have left its wish.
            drop(Wish::new(layout, key));
        }
        Ok(hold)
    }

    /// Waits until this process holds `key`, asking the present holder to let go. Any number may wait.
    pub async fn wait(layout: &Layout, key: &ObjectKey) -> Result<Self> {
        let (wish, waiting) = (Wish::new(layout, key), Waiting::begin());
        let held = tokio::time::timeout(HANDOVER_LIMIT, async {
            loop {
                if let Some(hold) = Self::acquire(layout, key)? {
                    return Ok(hold);
                }
                wish.express()?;
                waiting.pause(RETRY).await;
            }
        });
        held.await.unwrap_or_else(|_| {
            Err(Error::Held {
                path: layout.object(key).display().to_string(),
                holder: holder_of(&layout.file_of("locks", key)),
                seconds: HANDOVER_LIMIT.as_secs(),
            })
        })
    }

    fn try_acquire(path: &Path) -> Result<Option<Self>> {
        if !lock(&HELD)?.insert(path.to_owned()) {
            return Ok(None);
        }
        match try_lock(path) {
            Ok(Some((file, identity, found))) => Ok(Some(Self {
                file,
                path: path.to_owned(),
                identity,
                found,
                left: Mutex::default(),
                writes: AtomicBool::new(false),
                doubted: AtomicBool::new(false),
                forget: AtomicBool::new(false),
            })),
            failed => {
                lock(&HELD)?.remove(path);
                failed.map(|_| None)
            }
        }
    }

    /// Whether what the last holder has left is known to be durable.
    pub fn began_settled(&self) -> bool {
        self.found.state == State::Settled
    }

    /// Fails when a file of the database in `path` is missing or not as the last holder has left it. Nothing is changed
    /// then. `exists` says whether there is a database.
    pub fn account_for(&self, path: &Path, exists: bool) -> Result<()> {
        let Some(inventory) = &self.found.inventory else {
            return Ok(());
        };
        let read = |error| Error::io("read", path, &error);
        if is_unfinished(path) && !inventory.is_of_unsynced() {
            // A power loss may have left anything of it.
            return Ok(());
        }
        if !exists && inventory::is_bare(path).map_err(read)? {
            return self.drop_inventory();
        }
        match inventory.damage(path).map_err(read)? {
            None => Ok(()),
            Some(reason) => {
                Err(Error::Incomplete { path: shown(path), reason, note: shown(&self.path) })
            }
        }
    }

    /// Forgets for good what was said of files that are gone.
    fn drop_inventory(&self) -> Result<()> {
        let note = Note::held(None);
        let written = write_note(&self.file, &note).and_then(|()| self.file.sync_all());
        written.map_err(|error| Error::io("write", &self.path, &error))
    }

    /// The object is being opened to be written to: what was found does not hold any more.
    pub fn begin_to_write(&self) {
        self.writes.store(true, Ordering::Relaxed);
    }

    /// Says what the database's files are, in case that this process is killed.
    pub fn note(&self, inventory: Inventory) {
        // Without the note the next holder notices less.
        let _ = write_note(&self.file, &Note::held(Some(inventory)));
    }

    /// Notes for the next holder what is in the object, and whether everything is durable, unless that was ever in doubt.
    pub fn end(&self, settled: bool, inventory: Option<Inventory>) {
        let state = if settled { State::Settled } else { State::Closed };
        if let Ok(mut left) = lock(&self.left)
            && !self.doubted.load(Ordering::Relaxed)
        {
            *left = Some(Note { state, inventory });
        }
    }

    /// Fails when the lock file is no more the one that is locked: another process may have the object now.
    pub fn check(&self) -> Result<()> {
        let now = fs::metadata(&self.path).ok();
        if same_file(Some(&self.identity), now.as_ref()) {
            return Ok(());
        }
        Err(Error::LockVanished { path: shown(&self.path) })
    }

    /// Something has failed: a sync that succeeds later does not make durable what the failed one has lost.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// Makes the lock file go with the hold: the object does not exist any more.
    pub fn forget(&self) {
        self.forget.store(true, Ordering::Relaxed);
    }
}

impl Hold {
    /// What the next holder is told; none leaves the file as it is.
    fn parting_note(&self) -> Option<Note> {
        if let Some(left) = lock(&self.left).ok()?.take() {
            return Some(left);
        }
        // Reading has changed nothing.
        let as_found =
            !self.writes.load(Ordering::Relaxed) && !self.doubted.load(Ordering::Relaxed);
        as_found.then(|| self.found.clone())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.forget.load(Ordering::Relaxed) {
            // A process that waits for the removed file finds out and locks a new one. Another process's file stays.
            if self.check().is_ok() {
                let _ = fs::remove_file(&self.path);
            }
        } else if let Some(note) = self.parting_note() {
            // Without the note the next holder syncs once more than it has to.
            let _ = write_note(&self.file, &note);
        }
        if let Ok(mut held) = lock(&HELD) {
            held.remove(&self.path);
        }
    }
}

/// A sign for the holder that somebody waits; it goes when the waiting ends.
struct Wish {
    path: PathBuf,
}

impl Wish {
    fn new(layout: &Layout, key: &ObjectKey) -> Self {
        Self { path: layout.file_of("wanted", key) }
    }

    fn express(&self) -> Result<()> {
        if self.path.exists() {
            return Ok(());
        }
        if let Some(parent) = self.path.parent() {
            create_dir(parent)?;
        }
        File::create(&self.path).map_err(|error| Error::io("create", &self.path, &error))?;
        Ok(())
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Locks the file, unless another process or another hold of this one has locked it; says what the last holder has left.
fn try_lock(path: &Path) -> Result<Option<(File, fs::Metadata, Note)>> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(|error| Error::io("open", path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
    }
    let identity = file.metadata().map_err(|error| Error::io("open", path, &error))?;
    // It may have been removed while we waited for its lock.
    if !same_file(Some(&identity), fs::metadata(path).ok().as_ref()) {
        return Ok(None);
    }
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let found = read.map_or_else(|_| Note::default(), |_| Note::parse(&text));
    // The name of the holder is a help for people; the lock counts. But what was said of durability has to go: if it cannot
    // be taken away, what this process leaves would be taken for durable.
    write_note(&file, &Note::held(found.inventory.clone()))
        .map_err(|error| Error::io("write", path, &error))?;
    Ok(Some((file, identity, found)))
}

fn write_note(mut file: &File, note: &Note) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(note.text().as_bytes())
}

fn holder_of(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    match (read, Note::parse(&text).state) {
        (Ok(_), State::Held(holder)) => holder.to_string(),
        _ => "of unknown number".into(),
    }
}
