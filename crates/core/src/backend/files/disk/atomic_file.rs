//! Small files that exist as a whole or not at all, and the directories in which they lie.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::links;
use crate::error::{Error, Result};

/// Creates a directory and those above it, for this user alone.
pub fn create_dir(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(|error| Error::io("create", path, &error))
}

/// What opens a file to write, and creates it for this user alone.
pub fn for_this_user() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true);
    options
}

/// Creates an empty file, unless something has its name. No link is followed, and nothing is emptied.
pub fn create_marker(path: &Path) -> Result<()> {
    match for_this_user().create_new(true).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::io("create", path, &error))
        }
        _ => Ok(()),
    }
}

/// Opens the file that is locked to lock what it stands for. It is created if it does not exist.
pub fn open_lock_file(path: &Path) -> Result<File> {
    links::check(path)?;
    let open = for_this_user().read(true).create(true).truncate(false).open(path);
    open.map_err(|error| Error::io("open", path, &error))
}

/// Writes a file so that no reader ever sees a part of it, not even after a crash. `draft` is a path beside it that no
/// other writer uses.
pub fn write_whole(path: &Path, draft: &Path, text: &str) -> Result<()> {
    let written = for_this_user()
        .create_new(true)
        .open(draft)
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
