//! Refuses symbolic links: what lies behind one is not ours to write to, or to delete.

use std::fs;
use std::path::Path;

use super::paths::shown;
use crate::error::{Error, Result};

/// Refuses a path that is a link.
pub fn check(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(Error::Link { path: shown(path) }),
        _ => Ok(()),
    }
}
