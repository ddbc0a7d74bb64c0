//! Databases that come into being.
//!
//! The files of a new database are synced together, before the first write is acknowledged. Until then an
//! empty file beside them says that they are not: a power loss may leave them in any state, and a database
//! that cannot be opened begins anew if that file is there. Without fsync the file stays until the database is
//! opened the next time to be written to, for which RocksDB writes all of it anew.
//!
//! RocksDB is half done when the files are written. They are synced meanwhile, by another thread.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::directories::Directories;
use super::disk::Disk;
use super::env::deferring;
use super::foreign::CURRENT;
use super::rocks::Rocks;
use super::whole::create_dir;
use crate::backend::Access;
use crate::error::{Error, Result};

/// Says that nothing in the database has been acknowledged as durable.
pub const UNFINISHED: &str = "UNFINISHED";

/// A new database, not durable yet.
#[derive(Debug)]
pub struct Creation {
    path: PathBuf,
    /// Whether its files are durable but the log.
    synced: bool,
}

/// Opens the database in `path`, whose parent exists; one that is to be written to is created if need be. If
/// writes wait for the disk, a new one is synced here, together with what is `around`: where that fails, nothing
/// has been written to it.
pub fn open(
    path: &Path,
    access: Access,
    around: &Arc<Directories>,
    fsync: bool,
) -> Result<(Rocks, Option<Creation>)> {
    let unfinished = is_unfinished(path);
    if access == Access::Read || path.join(CURRENT).exists() {
        match Rocks::open(path, access) {
            Ok(rocks) => {
                if access == Access::Write {
                    around.note(path)?;
                    if unfinished {
                        conclude(path)?;
                    }
                }
                return Ok((rocks, None));
            }
            Err(Error::Corrupt { .. }) if unfinished => {}
            Err(error) => return Err(error),
        }
    }
    begin(path)?;
    // Not before it is there: others sync what is noted at any time.
    around.note(path)?;
    let mut syncing = None;
    let start = || {
        if fsync {
            syncing = sync_soon(path, around);
        }
    };
    let rocks = deferring(|| Rocks::open(path, Access::Write), start)?;
    let synced = match syncing.map(JoinHandle::join) {
        Some(Ok(synced)) => synced.map(|()| true)?,
        // A thread that has panicked has not told that everything is durable.
        Some(Err(_)) | None => false,
    };
    Ok((rocks, Some(Creation { path: path.to_owned(), synced })))
}

/// Without a thread for it, everything is synced later.
fn sync_soon(path: &Path, around: &Arc<Directories>) -> Option<JoinHandle<Result<()>>> {
    let (path, around) = (path.to_owned(), around.clone());
    let sync = move || {
        sync_files(&path, around.disk())?;
        around.sync()
    };
    thread::Builder::new().name("ferroflare".into()).spawn(sync).ok()
}

/// Whether a database is being created in `path`, or was by a process that is gone.
pub fn is_unfinished(path: &Path) -> bool {
    // Miniflare 2 may have a value of this name, but not an empty one.
    fs::metadata(path.join(UNFINISHED)).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Prepares the directory of a new database: what is left of an unfinished one goes.
fn begin(path: &Path) -> Result<()> {
    create_dir(path)?;
    if is_unfinished(path) {
        let cleared = fs::read_dir(path).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let entry = entry?;
                if entry.file_name() == UNFINISHED { Ok(()) } else { fs::remove_file(entry.path()) }
            })
        });
        return cleared.map_err(|error| Error::io("clear", path, &error));
    }
    let mark = path.join(UNFINISHED);
    File::create(&mark).map_err(|error| Error::io("create", &mark, &error))?;
    Ok(())
}

fn conclude(path: &Path) -> Result<()> {
    let mark = path.join(UNFINISHED);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("delete", &mark, &error))
        }
        _ => Ok(()),
    }
}

/// Makes the manifest durable, and the file that names it. The directory is synced with the log, by RocksDB.
fn sync_files(path: &Path, disk: &dyn Disk) -> Result<()> {
    let current = path.join(CURRENT);
    let manifest =
        fs::read_to_string(&current).map_err(|error| Error::io("read", &current, &error))?;
    for file in [path.join(manifest.trim_end()), current] {
        disk.sync_file(&file).map_err(|error| Error::io("sync", &file, &error))?;
    }
    Ok(())
}

impl Creation {
    /// Whether the files are durable but the log, and what is around them.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// Makes the files durable but the log.
    pub fn sync_files(&mut self, disk: &dyn Disk) -> Result<()> {
        if !self.synced {
            sync_files(&self.path, disk)?;
            self.synced = true;
        }
        Ok(())
    }

    /// Ends the creation, when everything is durable.
    pub fn conclude(&self) -> Result<()> {
        conclude(&self.path)
    }
}
