//! Paths: as errors show them, in canonical form, and the directories below them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A path as errors show it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The canonical form of a path, of which the last parts need not exist.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    let mut missing = Vec::new();
    let mut present = path;
    loop {
        match fs::canonicalize(present) {
            Ok(mut canonical) => {
                canonical.extend(missing.iter().rev());
                return Ok(canonical);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (present.parent(), present.file_name()) else {
                    return Err(Error::io("open", path, &error));
                };
                missing.push(name);
                present = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            }
            Err(error) => return Err(Error::io("open", path, &error)),
        }
    }
}

/// The names of the directories in `path`; none if it does not exist.
pub fn list_names(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", path, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", path, &error))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}
