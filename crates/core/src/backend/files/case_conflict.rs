//! Refuses names that differ only in case from a name in use: to a file system that ignores case, both are one name.

use std::fs;
use std::path::Path;

use super::disk::file_name::file_name;
use super::disk::paths::{list_names, shown};
use crate::backend::ObjectKey;
use crate::error::{Error, Result};

/// Refuses an object if its directory, or the directory of its name, exists under another spelling.
pub fn check_spelling(root: &Path, key: &ObjectKey) -> Result<()> {
    check(root, &key.name)?;
    // Hexadecimal ids are always in lower case. Only other ids, which tests use, may differ in case.
    if key.id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    check(&root.join(file_name(&key.name)), &key.id)
}

fn check(parent: &Path, name: &str) -> Result<()> {
    let file = file_name(name);
    if fs::symlink_metadata(parent.join(&file)).is_err() {
        return Ok(());
    }
    match other_spelling(&list_names(parent)?, &file) {
        None => Ok(()),
        Some(other) => Err(Error::OtherSpelling { path: shown(parent), other: other.into(), file }),
    }
}

/// The spelling in `present` that keeps `file` from being created.
fn other_spelling<'a>(present: &'a [String], file: &str) -> Option<&'a str> {
    if present.iter().any(|name| name == file) {
        return None;
    }
    let other = present.iter().find(|name| name.eq_ignore_ascii_case(file));
    other.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_exists_only_under_another_spelling_is_noticed() {
        let present = ["Room".to_owned(), "hall".to_owned()];
        assert_eq!(other_spelling(&present, "room"), Some("Room"));
        assert_eq!(other_spelling(&present, "hall"), None);
        assert_eq!(other_spelling(&present, "cellar"), None);
        let both = ["Room".to_owned(), "room".to_owned()];
        assert_eq!(other_spelling(&both, "room"), None);
    }
}
