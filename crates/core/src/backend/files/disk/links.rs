//! Refuses symbolic links in a directory of objects. The root itself may be one.
//!
//! What lies behind a link is not ours to write to, or to delete. Two links to one database would be two objects, too.

use std::fs;
use std::path::Path;

use super::paths::shown;
use crate::backend::ObjectKey;
use crate::backend::files::database::file_names::SQLITE;
use crate::backend::files::layout::Layout;
use crate::error::{Error, Result};

/// Refuses a path that is a link.
pub fn check(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(Error::Link { path: shown(path) }),
        _ => Ok(()),
    }
}

/// Refuses links in the place of our own directory, and in it.
pub fn check_own(layout: &Layout) -> Result<()> {
    let own = layout.own_root();
    check(&own)?;
    fs::read_dir(own).into_iter().flatten().flatten().try_for_each(|entry| check(&entry.path()))
}

/// Refuses links in the place of an object.
pub fn check_object(layout: &Layout, key: &ObjectKey) -> Result<()> {
    check(&layout.objects(&key.name))?;
    let object = layout.object(key);
    check(&object)?;
    check(&object.join(SQLITE))
}
