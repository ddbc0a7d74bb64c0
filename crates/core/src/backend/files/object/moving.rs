//! Moves the data of an object from a RocksDB database into a SQLite database.

use std::fs;
use std::path::Path;

use crate::backend::files::database::errors::corrupt;
use crate::backend::files::database::file_names::{CURRENT, SQLITE, is_database_file};
use crate::backend::files::database::format::{ALARM_KEY, alarm_of};
use crate::backend::files::database::rocks::Rocks;
use crate::backend::files::disk::atomic_file::remove_if_exists;
use crate::backend::files::disk::directories::Directories;
use crate::backend::local::Access;
use crate::error::{Error, Result};
use crate::key::Entry;
use crate::range::Scan;
use crate::sqlite::{Checkpoint, Database};

/// The name of the new database until it is complete.
const DRAFT: &str = "object.sqlite-draft";

/// Whether an object's directory holds a RocksDB database.
pub fn has_rocks(path: &Path) -> bool {
    path.join(CURRENT).exists()
}

/// Copies every key and the alarm into a new SQLite database, which appears as a whole, and deletes the RocksDB database.
/// A process that is killed in between has left one or the other.
pub fn move_into_sqlite(path: &Path, around: &Directories) -> Result<()> {
    if !path.join(SQLITE).exists() {
        copy(path, around)?;
    }
    delete_rocks(path)
}

fn copy(path: &Path, around: &Directories) -> Result<()> {
    let (entries, alarm) = read_all(path)?;
    let (draft, place) = (path.join(DRAFT), path.join(SQLITE));
    let _ = fs::remove_file(&draft);
    let _ = fs::remove_file(path.join(format!("{DRAFT}-wal")));
    let mut database = Database::in_file(&draft)?;
    database.fill(entries, alarm)?;
    database.checkpoint(Checkpoint::Durable)?;
    drop(database);
    let _ = fs::remove_file(path.join(format!("{DRAFT}-wal")));
    let failed = |error: &std::io::Error| Error::io("create", &place, error);
    let disk = around.disk();
    disk.contents(&draft).and_then(|file| file.sync()).map_err(|error| failed(&error))?;
    fs::rename(&draft, &place).map_err(|error| failed(&error))?;
    disk.entries(path).and_then(|entries| entries.sync()).map_err(|error| failed(&error))
}

fn read_all(path: &Path) -> Result<(Vec<Entry>, Option<i64>)> {
    let rocks = Rocks::open(path, Access::Write)?;
    let cut_short = || corrupt(path, "its alarm is cut short");
    let alarm = rocks.get(ALARM_KEY)?.map(|bytes| alarm_of(&bytes).ok_or_else(cut_short));
    Ok((rocks.scan(&Scan::all())?, alarm.transpose()?))
}

/// Deletes what tells that there is a RocksDB database last: a process that is killed before leaves the rest to the next.
fn delete_rocks(path: &Path) -> Result<()> {
    let entries = fs::read_dir(path).map_err(|error| Error::io("list", path, &error))?;
    let names = entries.flatten().flat_map(|entry| entry.file_name().into_string());
    let of_rocks = names.filter(|name| is_database_file(name) && !name.starts_with(SQLITE));
    let others = of_rocks.filter(|name| name != CURRENT);
    for name in others.chain([CURRENT.to_owned()]) {
        remove_if_exists(&path.join(name))?;
    }
    Ok(())
}
