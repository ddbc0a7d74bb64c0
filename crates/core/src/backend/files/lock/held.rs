//! The lock files that this process has locked, and the callers of this process that wait for their release.
//!
//! The lock alone says nothing when its file was deleted together with its directory while a database in there is still
//! being closed. So a file that is listed here is not locked a second time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use once_cell::sync::Lazy;
use tokio::sync::Notify;

use crate::error::Result;
use crate::lock::lock;

static HELD: Lazy<Mutex<HashMap<PathBuf, Arc<Notify>>>> = Lazy::new(Mutex::default);

/// Lists a lock file; says whether it was not listed before.
pub fn insert(path: &Path) -> Result<bool> {
    let mut held = lock(&HELD)?;
    let Entry::Vacant(free) = held.entry(path.to_owned()) else {
        return Ok(false);
    };
    free.insert(Arc::default());
    Ok(true)
}

/// Removes a lock file from the list. Callers that wait are not woken: this process has not had the lock.
pub fn cancel(path: &Path) -> Result<()> {
    lock(&HELD)?.remove(path);
    Ok(())
}

/// Removes a lock file that this process has unlocked, and wakes the callers that wait for it.
pub fn release(path: &Path) {
    if let Ok(mut held) = lock(&HELD)
        && let Some(released) = held.remove(path)
    {
        released.notify_waiters();
    }
}

/// Waits until this process releases a lock file; for ever if the file is not listed.
pub async fn released(path: &Path) {
    let held = lock(&HELD).ok().and_then(|held| held.get(path).cloned());
    match held {
        Some(released) => released.notified().await,
        None => std::future::pending().await,
    }
}
