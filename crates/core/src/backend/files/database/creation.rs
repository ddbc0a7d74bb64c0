//! Creates databases with few syncs.
//!
//! The files of a new database are synced together, before the first write is acknowledged. Until then the empty file
//! `UNFINISHED` exists beside them: a power loss may leave the other files in any state. If a database cannot be opened and
//! that file exists, it is created again. Without fsync the file stays until the database is next opened to write; then
//! RocksDB writes everything again.
//!
//! RocksDB has done half of its work when the files are written. Another thread syncs them during the other half, and
//! during the first write and the sync of its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::env::deferring;
use super::file_names::{CURRENT, LOCK, UNFINISHED, is_unfinished};
use super::rocks::Rocks;
use crate::backend::files::disk::atomic_file::{create_dir, create_marker, remove_if_exists};
use crate::backend::files::disk::directories::Directories;
use crate::backend::files::disk::syncing::Unsynced;
use crate::backend::files::workers::early_sync::EarlySync;
use crate::backend::local::Access;
use crate::error::{Error, Result};

/// A new database, not durable yet.
#[derive(Debug)]
pub struct Creation {
    path: PathBuf,
    around: Arc<Directories>,
    /// Syncs all files but the log, and the directories around them.
    syncing: Option<EarlySync>,
}

/// Opens the database in `path`, whose parent exists. With [`Access::Write`] a missing database is created. With `fsync` the
/// sync of a new database begins here, together with the directories `around` it.
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
                    around.mark_unsynced(path)?;
                    if unfinished {
                        remove_marker(path)?;
                    }
                }
                return Ok((rocks, None));
            }
            Err(Error::Corrupt { .. }) if unfinished => {}
            Err(error) => return Err(error),
        }
    }
    begin(path)?;
    // Only now, because the directory exists now: other threads sync at any time what is marked.
    around.mark_unsynced(path)?;
    let mut syncing = None;
    let start = fsync.then_some(|| syncing = Some(sync_soon(path, around)));
    let rocks = deferring(|| Rocks::open(path, Access::Write), start)?;
    let syncing = syncing.transpose()?;
    Ok((rocks, Some(Creation { path: path.to_owned(), around: around.clone(), syncing })))
}

/// Opens the files and begins to sync them. If they cannot be opened, no write has come to the database yet.
fn sync_soon(path: &Path, around: &Arc<Directories>) -> Result<EarlySync> {
    let files = files(path, around)?;
    let syncing = around.clone();
    Ok(EarlySync::start(around.workers(), move || sync_all(&files, &syncing)))
}

/// Prepares the directory of a new database: the files of an unfinished one are deleted.
pub fn begin(path: &Path) -> Result<()> {
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
    make_marker(path)
}

/// Makes `UNFINISHED` as another name of RocksDB's lock file, which is empty and stays. So no file is deleted later: after
/// deletions, ext4 takes long to create files for minutes. Windows cannot delete a name of a file that is open.
fn make_marker(path: &Path) -> Result<()> {
    let marker = path.join(UNFINISHED);
    let lock = path.join(LOCK);
    let linked =
        cfg!(unix) && create_marker(&lock).is_ok() && fs::hard_link(&lock, &marker).is_ok();
    if !linked {
        create_marker(&marker)?;
    }
    Ok(())
}

/// From now on a database that cannot be opened is damaged.
pub fn remove_marker(path: &Path) -> Result<()> {
    remove_if_exists(&path.join(UNFINISHED))
}

/// Opens the manifest and the file that names it, to sync them. RocksDB syncs the directory together with the log.
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
    /// Whether the files and the directories around them are being synced.
    pub fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// Ends the creation when the log is durable: makes all other files durable.
    pub fn conclude(&mut self) -> Result<()> {
        match self.syncing.take() {
            Some(syncing) => syncing.result()?,
            None => sync_all(&files(&self.path, &self.around)?, &self.around)?,
        }
        remove_marker(&self.path)
    }
}
