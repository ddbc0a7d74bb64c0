//! Directories with entries that a power loss may still take, synced for many flushes at once.
//!
//! RocksDB syncs the files of a database and its directory. What lies around it is ours: the directory
//! itself, those above it, and the files beside the databases.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::atomic_file::create_dir;
use super::syncing::{Disk, Unsynced};
use crate::backend::files::workers::pool::Workers;
use crate::error::{Error, Result};
use crate::lock::lock;

/// What this process has created below one root, and not synced yet.
#[derive(Debug)]
pub struct Directories {
    disk: Arc<dyn Disk>,
    workers: Arc<Workers>,
    state: Mutex<State>,
    /// Held while directories are synced. Who waits for it mostly finds its own synced then.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    unsynced: BTreeMap<PathBuf, Box<dyn Unsynced>>,
    /// Directories whose own entries have been noted once.
    noted: HashSet<PathBuf>,
}

impl Directories {
    /// Directories of which nothing is known.
    pub fn new(disk: Arc<dyn Disk>, workers: Arc<Workers>) -> Self {
        Self { disk, workers, state: Mutex::default(), syncing: Mutex::default() }
    }

    /// What makes things durable here.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Who makes things durable here.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Creates a directory and those above it. One that is there already is noted as well, once: a process
    /// may have been killed after it had created it.
    pub fn create(&self, path: &Path) -> Result<()> {
        let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
        create_dir(path)?;
        let is_first = !lock(&self.state)?.noted.contains(path);
        for entry in missing.into_iter().chain(is_first.then_some(path)) {
            self.note(entry)?;
        }
        lock(&self.state)?.noted.insert(path.to_owned());
        Ok(())
    }

    /// Notes that the entry of `path` in its directory is not durable.
    pub fn note(&self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        // One that is noted already may have been deleted and created anew.
        let entries =
            self.disk.entries(parent).map_err(|error| Error::io("open", parent, &error))?;
        lock(&self.state)?.unsynced.insert(parent.to_owned(), entries);
        Ok(())
    }

    /// Closes what is open here.
    pub fn forget(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.unsynced.clear();
        }
    }

    /// Makes every entry durable that was noted before the call.
    pub fn sync(&self) -> Result<()> {
        let _syncing = lock(&self.syncing)?;
        let mut unsynced = std::mem::take(&mut lock(&self.state)?.unsynced);
        while let Some((directory, entries)) = unsynced.pop_first() {
            if let Err(error) = entries.sync() {
                let failed = Error::io("sync", &directory, &error);
                unsynced.insert(directory, entries);
                // What was noted meanwhile is the newer.
                for (directory, entries) in unsynced {
                    lock(&self.state)?.unsynced.entry(directory).or_insert(entries);
                }
                return Err(failed);
            }
        }
        Ok(())
    }
}
