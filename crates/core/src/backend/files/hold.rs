//! At most one process holds an object: a lock on a file beside the databases.
//!
//! The system drops the lock when a process ends, however it ends, so that nothing is left to clean up.
//! The file says who holds it. Another process that needs the object puts a file into `wanted/`; the
//! holder looks there often ([`super::keeper`]) and lets go between commits.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::layout::Layout;
use crate::backend::ObjectKey;
use crate::error::{Error, Result};

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
    /// Waits until this process holds `key`, asking the present holder to let go.
    pub fn acquire(layout: &Layout, key: &ObjectKey) -> Result<Self> {
        let path = layout.file_of("locks", key);
        create_dir(&layout.own("locks"))?;
        let wish = Wish {
            path: layout.file_of("wanted", key),
        };
        let tries = HANDOVER_LIMIT.as_millis() / RETRY.as_millis();
        for _ in 0..tries {
            if let Some(file) = try_lock(&path)? {
                return Ok(Self { _file: file, path, forget: AtomicBool::new(false) });
            }
            wish.express()?;
            thread::sleep(RETRY);
        }
        Err(Error::Held {
            path: layout.object(key).display().to_string(),
            holder: holder_of(&path),
            seconds: HANDOVER_LIMIT.as_secs(),
        })
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
    }
}

/// A sign for the holder that somebody waits; it goes when the waiting ends.
struct Wish {
    path: PathBuf,
}

impl Wish {
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
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
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
    if read.is_ok() && !text.is_empty() {
        text
    } else {
        "of unknown number".into()
    }
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

/// Creates a directory and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io("create", path, &error))
}
