//! Where each file is in a directory of objects.
//!
//! ```text
//! <root>/<NAME>/<id>/                 the RocksDB database of one object
//! <root>/.ferroflare/format           version of this layout
//! <root>/.ferroflare/locks/<o>        locked by the process that has the object; says which one, or what it left
//! <root>/.ferroflare/wanted/<o>       a request: another process waits for the object
//! <root>/.ferroflare/alarms/<ms>.<o>  a marker: the object may have an alarm at that time
//! <root>/.ferroflare/claims/<o>       locked by the process that handles the alarm of the object
//! <root>/.ferroflare/called/<o>       a record of the name that the id of the object was made of
//! <root>/.ferroflare/names/<file>     a name that was too long to be a file name, written out
//! <root>/.ferroflare/trash/           databases that are being deleted, under random names
//! ```
//! `<o>` is `<NAME>.<id>`, and both are written as [`super::disk::file_name`] says. Names that are too long for a file
//! name are read back from `names/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::atomic_file::write_whole;
use super::disk::directories::Directories;
use super::disk::file_name::{file_name, is_hashed, written_name};
use super::disk::paths::list_names;
use super::disk::random_name::RandomNames;
use crate::backend::ObjectKey;
use crate::error::Result;

/// The paths below one root.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    random_names: Arc<RandomNames>,
}

impl Layout {
    /// The layout of `root`. Drafts and databases that are being deleted get names from `random_names`.
    pub fn new(root: PathBuf, random_names: RandomNames) -> Self {
        Self { root, random_names: Arc::new(random_names) }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Our own directory in it, beside the directories of names.
    pub fn own_root(&self) -> PathBuf {
        self.root.join(".ferroflare")
    }

    /// A file or directory in [`Self::own_root`].
    pub fn own(&self, name: &str) -> PathBuf {
        self.own_root().join(name)
    }

    /// The directory of the objects of a name.
    pub fn objects(&self, name: &str) -> PathBuf {
        self.root.join(file_name(name))
    }

    /// The database of an object.
    pub fn object(&self, key: &ObjectKey) -> PathBuf {
        self.objects(&key.name).join(file_name(&key.id))
    }

    /// An object's file in one of our own directories.
    pub fn file_of(&self, directory: &str, key: &ObjectKey) -> PathBuf {
        self.own(directory).join(flat_name(key))
    }

    /// The marker of an object's alarm.
    pub fn alarm(&self, key: &ObjectKey, at: i64) -> PathBuf {
        self.own("alarms").join(format!("{at}.{}", flat_name(key)))
    }

    /// A path for a new draft of a file, beside it.
    pub fn draft_of(&self, path: &Path) -> PathBuf {
        path.with_extension(self.random_names.next())
    }

    /// A path in the trash for a database that will be deleted.
    pub fn new_trash(&self) -> PathBuf {
        self.own("trash").join(self.random_names.next())
    }

    /// The time and the object of a marker's file name.
    pub fn alarm_of(&self, file: &str) -> Option<(i64, ObjectKey)> {
        let (at, flat) = file.split_once('.')?;
        let (name, id) = flat.split_once('.')?;
        let key = ObjectKey { name: self.name_of(name)?.into(), id: self.name_of(id)?.into() };
        Some((at.parse().ok()?, key))
    }

    /// The name that a file name stands for; `None` if it is not one of ours.
    pub fn name_of(&self, file: &str) -> Option<String> {
        if !is_hashed(file) {
            return written_name(file);
        }
        let name = fs::read_to_string(self.own("names").join(file)).ok()?;
        (file_name(&name) == file).then_some(name)
    }

    /// The names under which there may be objects, in order.
    pub fn names(&self) -> Result<Vec<Arc<str>>> {
        self.names_in(&self.root)
    }

    /// The ids of the objects of a name, in order.
    pub fn ids_of(&self, name: &str) -> Result<Vec<Arc<str>>> {
        self.names_in(&self.objects(name))
    }

    /// The names that the directories in `path` stand for, in order.
    fn names_in(&self, path: &Path) -> Result<Vec<Arc<str>>> {
        let files = list_names(path)?;
        let names = files.iter().filter_map(|file| self.name_of(file));
        let mut names: Vec<Arc<str>> = names.map(Arc::from).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Stores a name and an id that are too long for a file name, so that they can be read back.
    pub fn remember(&self, key: &ObjectKey, directories: &Directories) -> Result<()> {
        for name in [&key.name, &key.id] {
            let file = file_name(name);
            if !is_hashed(&file) {
                continue;
            }
            let path = self.own("names").join(&file);
            if self.name_of(&file).is_none() {
                directories.create(&self.own("names"))?;
                write_whole(&path, &self.draft_of(&path), name)?;
            }
            directories.mark_unsynced(&path)?;
        }
        Ok(())
    }
}

/// `<NAME>.<id>`.
pub fn flat_name(key: &ObjectKey) -> String {
    format!("{}.{}", file_name(&key.name), file_name(&key.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_alarm_fits_a_file_name() {
        let long: std::sync::Arc<str> = "x".repeat(500).into();
        let key = ObjectKey { name: long.clone(), id: long };
        assert!(format!("{}.{}", i64::MAX, flat_name(&key)).len() <= 255);
    }

    proptest! {
        #[test]
        fn every_name_that_fits_can_be_read_back(name in ".{0,30}", id in ".{0,10}", at in 1..i64::MAX) {
            let names = RandomNames::new(&mut |_: &mut [u8]| {});
            let layout = Layout::new("nowhere".into(), names);
            let key = ObjectKey { name: name.into(), id: id.into() };
            let flat = flat_name(&key);
            prop_assert!(!flat.contains(['/', '\\', ':']));
            if !is_hashed(&flat) {
                prop_assert_eq!(layout.alarm_of(&format!("{at}.{flat}")), Some((at, key)));
            }
        }
    }
}
