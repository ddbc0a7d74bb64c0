//! Small files that exist as a whole or not at all, and the directories in which they lie.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Creates a directory and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io("create", path, &error))
}

/// Writes a file so that no reader ever sees a part of it, not even after a crash. `draft` is a path beside it that no
/// other writer uses.
pub fn write_whole(path: &Path, draft: &Path, text: &str) -> Result<()> {
    let written = File::create_new(draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(draft, path));
    written.map_err(|error| {
        let _ = fs::remove_file(draft);
        Error::io("create", path, &error)
    })
}

/// Deletes a file, unless it does not exist.
pub fn remove_if_exists(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("delete", path, &error)),
        _ => Ok(()),
    }
}
