//! At most one process holds an object: a lock on a file beside the databases.
//!
//! The system drops the lock when a process ends, however it ends, so that nothing is left to clean up.
//! The file says who holds it, and afterwards whether everything in the object was made durable: after a
//! process that was killed, there may be something that is not. Another process that needs the object puts a file into `wanted/`; the
//! holder looks there often ([`super::keeper`]) and lets go between commits.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::Lazy;

use super::layout::Layout;
use super::pause::Waiting;
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
/// In the file of an object that nobody holds: the last holder has made everything durable.
const SETTLED: &str = "settled";

/// An object that this process holds, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    file: File,
    path: PathBuf,
    /// Whether all that was there at the beginning is durable.
    began_settled: bool,
    ends_settled: AtomicBool,
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
            Ok(Some((file, settled))) => Ok(Some(Self {
                file,
                path: path.to_owned(),
                began_settled: settled,
                ends_settled: AtomicBool::new(false),
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
        self.began_settled
    }

    /// Notes for the next holder that everything in the object is durable, unless that was ever in doubt.
    pub fn end_settled(&self) {
        self.ends_settled.store(!self.doubted.load(Ordering::Relaxed), Ordering::Relaxed);
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

impl Drop for Hold {
    fn drop(&mut self) {
        if self.forget.load(Ordering::Relaxed) {
            // Somebody who waits for the removed file finds out and locks a new one.
            let _ = fs::remove_file(&self.path);
        } else if self.ends_settled.load(Ordering::Relaxed) {
            // Without the note the next holder syncs once more than it has to.
            let _ = overwrite(&mut self.file, SETTLED);
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

/// Locks the file, unless another process or another hold of this one has locked it; says whether the
/// last holder has made everything durable.
fn try_lock(path: &Path) -> Result<Option<(File, bool)>> {
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
    let mut last = String::new();
    let settled = file.read_to_string(&mut last).is_ok() && last == SETTLED;
    // The name of the holder is a help for people; the lock counts. But the note has to go: if it cannot
    // be taken away, what this process leaves would be taken for durable.
    overwrite(&mut file, &format!("process {}", std::process::id()))
        .map_err(|error| Error::io("write", path, &error))?;
    Ok(Some((file, settled)))
}

fn overwrite(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
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
