//! Claims of alarms that other processes can see: a file beside the databases, which the claiming process has locked.
//!
//! The system drops the lock when the process ends, however it ends: then another process may claim the alarm. The file
//! says for when the alarm is set, and whether it waits to be handled again: `<ms>` or `<ms> waits`.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::backend::ObjectKey;
use crate::backend::files::disk::atomic_file::{create_dir, open_lock_file};
use crate::backend::files::disk::same_file::same_file;
use crate::backend::files::layout::Layout;
use crate::backend::local::{ClaimMarker, ForeignClaim};
use crate::error::{Error, Result};

/// How often to try the lock: a process that looks whether there is a claim has it for a moment.
const TRIES: u32 = 16;

/// A claim of this process, until it is dropped.
pub struct AlarmClaim {
    file: File,
    path: PathBuf,
}

impl AlarmClaim {
    /// Claims the alarm of `key` that is set for `at`; none if another process has.
    pub fn acquire(layout: &Layout, key: &ObjectKey, at: i64) -> Result<Option<Self>> {
        create_dir(&layout.own("claims"))?;
        let path = layout.file_of("claims", key);
        if Self::of_others(layout, key)?.is_some_and(|claim| !claim.runs && claim.at != Some(at)) {
            // The claim of an alarm that was set or removed since. Its process finds out when it goes on with it.
            let _ = fs::remove_file(&path);
        }
        for _ in 0..TRIES {
            if let Some(file) = lock_file(&path)? {
                let mut claim = Self { file, path };
                claim.mark(at, true)?;
                return Ok(Some(claim));
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    /// The claim that a process has.
    pub fn of_others(layout: &Layout, key: &ObjectKey) -> Result<Option<ForeignClaim>> {
        let path = layout.file_of("claims", key);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, &error)),
        }
        let mut text = String::new();
        // A file that is being written says nothing.
        let _ = file.read_to_string(&mut text);
        let (at, waits) = text.split_once(' ').map_or((&*text, false), |(at, _)| (at, true));
        Ok(Some(ForeignClaim { at: at.parse().ok(), runs: !waits }))
    }
}

impl AlarmClaim {
    /// Whether the file is still the one that is locked.
    fn is_in_place(&self) -> bool {
        same_file(self.file.metadata().ok().as_ref(), fs::metadata(&self.path).ok().as_ref())
    }
}

impl ClaimMarker for AlarmClaim {
    fn mark(&mut self, at: i64, runs: bool) -> Result<()> {
        let text = if runs { at.to_string() } else { format!("{at} waits") };
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| Error::io("write", &self.path, &error))
    }
}

impl Drop for AlarmClaim {
    fn drop(&mut self) {
        // Before the lock goes: another process may lock the file in the next moment.
        if self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks the file, unless another process has, or has removed it meanwhile.
fn lock_file(path: &Path) -> Result<Option<File>> {
    let file = open_lock_file(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
    }
    let is_in_place = same_file(file.metadata().ok().as_ref(), fs::metadata(path).ok().as_ref());
    Ok(is_in_place.then_some(file))
}
