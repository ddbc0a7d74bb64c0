//! Small files that are there as a whole or not at all, and the directories they lie in.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Keeps apart those who write the same file at once in this process.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Creates a directory and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io("create", path, &error))
}

/// Writes a file so that nobody, not even after a crash, ever sees a part of it.
pub fn write_whole(path: &Path, text: &str) -> Result<()> {
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{write}", std::process::id()));
    let written = File::create(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        Error::io("create", path, &error)
    })
}
