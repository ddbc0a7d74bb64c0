//! At most one process holds an object: a lock on a file beside the databases.
//!
//! The system drops the lock when a process ends, however it ends, so that nothing is left to clean up.
//! The file says who holds it. Another process that needs the object puts a file into `wanted/`; the
//! holder looks there often ([`super::keeper`]) and lets go between commits.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::Lazy;

use super::layout::Layout;
use super::whole::create_dir;
use crate::backend::ObjectKey;
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
    _file: File,
    path: PathBuf,
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
        let wish = Wish::new(layout, key);
        let held = tokio::time::timeout(HANDOVER_LIMIT, async {
            loop {
                if let Some(hold) = Self::acquire(layout, key)? {
                    return Ok(hold);
                }
                wish.express()?;
                tokio::time::sleep(RETRY).await;
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
            Ok(Some(file)) => Ok(Some(Self {
                _file: file,
                path: path.to_owned(),
                forget: AtomicBool::new(false),
            })),
            failed => {
                lock(&HELD)?.remove(path);
                failed.map(|_| None)
            }
        }
    }

    /// Makes the lock file go with the hold: the object does not exist any more.
    pub fn forget(&self) {
        self.forget.store(true, Ordering::Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.forget.load(Ordering::Relaxed) {
            // Somebody who waits for the removed file finds out and locks a new one.
            let _ = fs::remove_file(&self.path);
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

/// Locks the file, unless another process or another hold of this one has locked it.
fn try_lock(path: &Path) -> Result<Option<File>> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(|error| Error::io("open", path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
    }
    if !is_at(&file, path) {
        return Ok(None);
    }
    // The name of the holder is a help for people; the lock counts.
    let _ = file
        .set_len(0)
        .and_then(|()| file.write_all(format!("process {}", std::process::id()).as_bytes()));
    Ok(Some(file))
}

fn holder_of(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    if read.is_ok() && !text.is_empty() { text } else { "of unknown number".into() }
}

/// Whether `path` still names the file: it may have been removed while we waited for its lock.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(path)) => (file.dev(), file.ino()) == (path.dev(), path.ino()),
        _ => false,
    }
}

/// An open file cannot be removed on Windows.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}
