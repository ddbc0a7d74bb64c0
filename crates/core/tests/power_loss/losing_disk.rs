//! A disk that knows which entries of directories a power loss would take.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, io};

use ferroflare_core::Result;
use ferroflare_core::backend::files::disk::{Disk, RealDisk};

use crate::seed::Random;

/// The disk of this machine, and for each directory the entries that it had when it was last synced.
#[derive(Debug, Default)]
pub(crate) struct LosingDisk {
    synced: Mutex<HashMap<PathBuf, BTreeSet<OsString>>>,
}

impl LosingDisk {
    /// Copies what is in `from` to `to` as a power loss leaves it: without entries that were not synced, and
    /// perhaps with those that were removed since. The files of a database are RocksDB's business.
    pub(crate) fn lose_power(&self, from: &Path, to: &Path, random: &mut Random) {
        fs::create_dir_all(to).unwrap();
        if from.join("CURRENT").exists() {
            for name in names_in(from) {
                fs::copy(from.join(&name), to.join(&name)).unwrap();
            }
            return;
        }
        let entries = self.synced.lock().unwrap().get(from).cloned().unwrap_or_default();
        for name in entries {
            let (source, target) = (from.join(&name), to.join(&name));
            if source.is_dir() {
                self.lose_power(&source, &target, random);
            } else if source.exists() {
                fs::copy(source, target).unwrap();
            } else if from.ends_with("alarms") && random.below(2) == 0 {
                fs::File::create(target).unwrap();
            }
        }
    }
}

impl Disk for LosingDisk {
    fn sync_entries(&self, directory: &Path) -> io::Result<()> {
        let entries = names_in(directory);
        RealDisk.sync_entries(directory)?;
        self.synced.lock().unwrap().insert(directory.to_owned(), entries);
        Ok(())
    }

    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        RealDisk.sync_log(path, sync)
    }
}

fn names_in(directory: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}
