//! A SQLite database on the disk: `object.sqlite` and its log.
//!
//! SQLite itself syncs nothing while the database is in use: a commit is in the log when it returns, and the flusher makes
//! it durable through other descriptors. From time to time a log that is durable is moved into the database. With the next
//! commit SQLite writes the log from its start again, and before that the database is synced. So a power loss finds a
//! database and a log that belong together.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::creation::remove_marker;
use super::errors::corrupt;
use super::file_names::{LOCK, SQLITE, SQLITE_LOG, is_unfinished};
use crate::backend::files::disk::atomic_file::remove_if_exists;
use crate::backend::files::disk::directories::Directories;
use crate::backend::files::disk::paths::shown;
use crate::backend::files::disk::syncing::Unsynced;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::sqlite::{Checkpoint, Database, is_busy, is_damage};

/// How each SQLite database begins, and where the size of its pages is.
const BEGINNING: &[u8] = b"SQLite format 3\0";
const PAGE_SIZE: std::ops::Range<usize> = 16..18;

/// The files of an open database, as those see them who make them durable.
#[derive(Debug)]
pub struct SqliteFiles {
    path: PathBuf,
    log: Mutex<Box<dyn Unsynced>>,
    rest: Mutex<Rest>,
}

/// What else than the log may not be durable.
#[derive(Debug)]
struct Rest {
    /// It stays open: closing any descriptor of the file would end the lock of SQLite, which belongs to the process.
    database: Box<dyn Unsynced>,
    directory: Box<dyn Unsynced>,
    unsynced: Pending,
    /// The log is a new file.
    is_directory_unsynced: bool,
    /// The files are those of a new database.
    is_new: bool,
}

/// What of the database a power loss may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// Its first page.
    Creation,
    /// What was moved into it from the log.
    Moved,
}

/// Whether an object's directory holds a SQLite database.
pub fn exists(path: &Path) -> bool {
    path.join(SQLITE).exists()
}

/// Opens the database in the directory `path`, which exists. What a killed process has left becomes durable before it is
/// read, unless it `is_durable`.
pub fn open(
    path: &Path,
    is_durable: bool,
    around: &Arc<Directories>,
) -> Result<(Database, SqliteFiles)> {
    let existed = exists(path);
    let is_new = !existed || is_unfinished(path);
    if !is_durable && !is_new {
        rewrite_log(path)?;
    }
    let mut database = match open_file(path) {
        // No write to it has been acknowledged.
        Err(Error::Corrupt { .. }) if is_unfinished(path) => {
            remove_if_exists(&path.join(SQLITE))?;
            remove_if_exists(&path.join(SQLITE_LOG))?;
            open_file(path)?
        }
        opened => opened?,
    };
    if existed && is_new {
        // It can be opened, and without fsync writes to it may have been acknowledged.
        remove_marker(path)?;
    }
    if !is_durable {
        database.checkpoint(Checkpoint::Durable).map_err(|error| open_error(path, error))?;
    }
    let disk = around.disk();
    let open =
        |file: PathBuf| disk.contents(&file).map_err(|error| Error::io("open", &file, &error));
    let rest = Rest {
        database: open(path.join(SQLITE))?,
        directory: disk.entries(path).map_err(|error| Error::io("open", path, &error))?,
        unsynced: if is_new { Pending::Creation } else { Pending::Nothing },
        is_directory_unsynced: true,
        is_new,
    };
    let files = SqliteFiles {
        path: path.to_owned(),
        log: Mutex::new(open(path.join(SQLITE_LOG))?),
        rest: Mutex::new(rest),
    };
    Ok((database, files))
}

/// Tells damage that SQLite does not see: an empty file is a new database for it, and it fills a page that is cut off.
pub fn check(path: &Path) -> Result<()> {
    let file = path.join(SQLITE);
    let failed = |error: &io::Error| Error::io("read", &file, error);
    let length = fs::metadata(&file).map_err(|error| failed(&error))?.len();
    let log = fs::metadata(path.join(SQLITE_LOG)).map_or(0, |found| found.len());
    if is_unfinished(path) || log > 0 {
        // What the file lacks may be in its log.
        return Ok(());
    }
    if length == 0 {
        return Err(corrupt(path, &format!("its file {SQLITE} is empty")));
    }
    let mut head = [0; PAGE_SIZE.end];
    let read = fs::File::open(&file).and_then(|mut file| file.read(&mut head));
    read.map_err(|error| failed(&error))?;
    // SQLite tells what has another beginning.
    let is_database = head.starts_with(BEGINNING);
    let page =
        match u64::from(u16::from_be_bytes([head[PAGE_SIZE.start], head[PAGE_SIZE.start + 1]])) {
            1 => 65_536,
            bytes => bytes,
        };
    if is_database && page > 0 && length % page > 0 {
        return Err(corrupt(path, &format!("its file {SQLITE} is cut off")));
    }
    Ok(())
}

/// Fails if the last holder of the object has left a database in the directory, and it is not there any more.
pub fn check_missing(path: &Path, was_left: bool) -> Result<()> {
    // `LOCK` is another name of the marker of a new database, and stays.
    let is_bare = ![LOCK, SQLITE_LOG].iter().any(|name| path.join(name).exists());
    if was_left && !is_bare && !is_unfinished(path) {
        return Err(corrupt(path, &format!("its file {SQLITE} is missing")));
    }
    Ok(())
}

fn open_file(path: &Path) -> Result<Database> {
    Database::in_file(&path.join(SQLITE)).map_err(|error| open_error(path, error))
}

/// Why a database could not be opened.
fn open_error(path: &Path, error: Error) -> Error {
    match error {
        Error::Sql { ref message, .. } if is_damage(&error) => corrupt(path, message),
        Error::Sql { .. } if is_busy(&error) => {
            Error::Locked { path: shown(path), lock: shown(&path.join(SQLITE)) }
        }
        Error::Sql { message, .. } => {
            let file = path.join(SQLITE);
            // SQLite does not say why.
            let reason = fs::OpenOptions::new().write(true).open(&file).err();
            let reason = reason.map_or(message, |error| error.to_string());
            Error::Io { action: "open", path: shown(&file), reason }
        }
        error => error,
    }
}

/// Writes the log again. After a failed sync the system may take for durable what is not.
fn rewrite_log(path: &Path) -> Result<()> {
    let (log, draft) = (path.join(SQLITE_LOG), path.join(format!("{SQLITE_LOG}.draft")));
    let written = match fs::read(&log) {
        Ok(bytes) if bytes.is_empty() => Ok(()),
        Ok(bytes) => fs::write(&draft, bytes)
            .and_then(|()| fs::OpenOptions::new().write(true).open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &log)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    written.map_err(|error| Error::io("write", &log, &error))
}

impl SqliteFiles {
    /// Makes everything durable that was committed before the call.
    pub fn sync(&self) -> Result<()> {
        let log = self.path.join(SQLITE_LOG);
        lock(&self.log)?.sync().map_err(|error| Error::io("sync", &log, &error))?;
        self.sync_rest()
    }

    /// Makes durable what was moved into the database, if that has not happened yet.
    pub fn sync_moved(&self) -> Result<()> {
        let mut rest = lock(&self.rest)?;
        if rest.unsynced == Pending::Moved { self.sync_database(&mut rest) } else { Ok(()) }
    }

    fn sync_database(&self, rest: &mut Rest) -> Result<()> {
        let file = self.path.join(SQLITE);
        rest.database.sync().map_err(|error| Error::io("sync", &file, &error))?;
        rest.unsynced = Pending::Nothing;
        Ok(())
    }

    fn sync_rest(&self) -> Result<()> {
        let mut rest = lock(&self.rest)?;
        if rest.unsynced != Pending::Nothing {
            self.sync_database(&mut rest)?;
        }
        if rest.is_directory_unsynced {
            rest.directory.sync().map_err(|error| Error::io("sync", &self.path, &error))?;
            rest.is_directory_unsynced = false;
        }
        if rest.is_new {
            remove_marker(&self.path)?;
            rest.is_new = false;
        }
        Ok(())
    }

    /// The log is about to be moved into the database, which has to be synced before the next commit.
    pub fn begin_checkpoint(&self) -> Result<()> {
        lock(&self.rest)?.unsynced = Pending::Moved;
        Ok(())
    }

    /// Closes the database, and leaves no log.
    pub fn close(&self, mut database: Database, fsync: bool) -> Result<()> {
        let how = if fsync { Checkpoint::Durable } else { Checkpoint::Whole };
        database.close_cursors();
        database.roll_back()?;
        database.checkpoint(how)?;
        drop(database);
        let log = self.path.join(SQLITE_LOG);
        if fs::metadata(&log).is_ok_and(|found| found.len() == 0) {
            let _ = fs::remove_file(&log);
        }
        Ok(())
    }
}
