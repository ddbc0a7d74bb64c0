//! Deletes the directories of objects that hold neither a key nor an alarm.

use std::fs;

use super::database::Database;
use crate::backend::files::disk::atomic_file::create_dir;
use crate::backend::files::layout::Layout;
use crate::error::{Error, Result};

/// Deletes the directory of a database, which holds nothing, before the database is closed.
///
/// A directory that cannot be deleted holds an empty database: nothing is lost, and nothing of the data remains.
pub fn remove_directory(database: &Database, layout: &Layout) -> Result<()> {
    let path = database.path();
    create_dir(&layout.own("trash"))?;
    let target = layout.new_trash();
    fs::rename(path, &target).map_err(|error| Error::io("delete", path, &error))?;
    database.mark_removed();
    fs::remove_dir_all(&target).map_err(|error| Error::io("delete", &target, &error))
}
