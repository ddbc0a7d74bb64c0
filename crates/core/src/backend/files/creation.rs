//! Databases that come into being.
//!
//! The files of a new database are synced together, before the first write is acknowledged. Until then an
//! empty file beside them says that they are not: a power loss may leave them in any state, and a database
//! that cannot be opened begins anew if that file is there. Without fsync the file stays until the database is
//! opened the next time to be written to, for which RocksDB writes all of it anew.
//!
//! RocksDB is half done when the files are written. Another thread syncs them while RocksDB goes on, and while the
//! first write comes and its log is synced.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directories::Directories;
use super::disk::Unsynced;
use super::early::EarlySync;
use super::env::deferring;
use super::foreign::CURRENT;
use super::rocks::Rocks;
use super::whole::create_dir;
use crate::backend::local::Access;
use crate::error::{Error, Result};

/// Says that nothing in the database has been acknowledged as durable.
pub const UNFINISHED: &str = "UNFINISHED";

/// RocksDB's own lock, in the directory of each database.
pub const LOCK: &str = "LOCK";

/// A new database, not durable yet.
#[derive(Debug)]
pub struct Creation {
    path: PathBuf,
    around: Arc<Directories>,
    /// What syncs the files but the log, and what is around them.
    syncing: Option<EarlySync>,
}

/// Opens the database in `path`, whose parent exists; one that is to be written to is created if need be. If
/// writes wait for the disk, a new one begins to be synced here, together with what is `around`.
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
                        remove_mark(path)?;
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
    let start = fsync.then_some(|| syncing = Some(sync_soon(path, around)));
    let rocks = deferring(|| Rocks::open(path, Access::Write), start)?;
    let syncing = syncing.transpose()?;
    Ok((rocks, Some(Creation { path: path.to_owned(), around: around.clone(), syncing })))
}

/// Syncs what can be opened now: where it cannot, nothing has been written to the database.
fn sync_soon(path: &Path, around: &Arc<Directories>) -> Result<EarlySync> {
    let files = files(path, around)?;
    let syncing = around.clone();
    Ok(EarlySync::start(around.workers(), move || sync_all(&files, &syncing)))
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
    make_mark(path)
}

/// The mark is another name of RocksDB's lock, which is empty and stays: ext4 is slow to make files for minutes after
/// others were deleted, and this way none is. Windows deletes no name of a file that is open.
fn make_mark(path: &Path) -> Result<()> {
    let mark = path.join(UNFINISHED);
    let lock = path.join(LOCK);
    let linked = cfg!(unix) && File::create(&lock).is_ok() && fs::hard_link(&lock, &mark).is_ok();
    if !linked {
        File::create(&mark).map_err(|error| Error::io("create", &mark, &error))?;
    }
    Ok(())
}

fn remove_mark(path: &Path) -> Result<()> {
    let mark = path.join(UNFINISHED);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("delete", &mark, &error))
        }
        _ => Ok(()),
    }
}

/// The manifest and the file that names it, to be synced. The directory is synced with the log, by RocksDB.
fn files(path: &Path, around: &Directories) -> Result<Vec<(PathBuf, Box<dyn Unsynced>)>> {
    let current = path.join(CURRENT);
    let manifest =
        fs::read_to_string(&current).map_err(|error| Error::io("read", &current, &error))?;
    let open = |file: PathBuf| match around.disk().contents(&file) {
        Ok(contents) => Ok((file, contents)),
        Err(error) => Err(Error::io("open", &file, &error)),
    };
    [path.join(manifest.trim_end()), current].map(open).into_iter().collect()
}

fn sync_all(files: &[(PathBuf, Box<dyn Unsynced>)], around: &Directories) -> Result<()> {
    for (file, contents) in files {
        contents.sync().map_err(|error| Error::io("sync", file, &error))?;
    }
    around.sync()
}

impl Creation {
    /// Whether the files are being synced, and what is around them.
    pub fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// Ends the creation, when the log is durable: makes everything else durable.
    pub fn conclude(&mut self) -> Result<()> {
        match self.syncing.take() {
            Some(syncing) => syncing.result()?,
            None => sync_all(&files(&self.path, &self.around)?, &self.around)?,
        }
        remove_mark(&self.path)
    }
}
