//! Refuses symbolic links in a directory of objects. The root itself may be one.
//!
//! Two links to one database would be two objects, and what is deleted from the trash must be ours.

use std::fs;

use super::database::file_names::SQLITE;
use super::disk::links::check;
use super::layout::Layout;
use crate::backend::ObjectKey;
use crate::error::Result;

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
