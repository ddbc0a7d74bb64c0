//! Directories with entries that a power loss may still take, synced for many flushes at once.
//!
//! RocksDB syncs the files of a database and its directory. What lies around it is ours: the directory
//! itself, those above it, and the files beside the databases.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::Disk;
use super::whole::create_dir;
use crate::error::{Error, Result};
use crate::lock::lock;

/// What this process has created below one root, and not synced yet.
#[derive(Debug)]
pub struct Directories {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// Held while directories are synced. Who waits for it mostly finds its own synced then.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    unsynced: BTreeSet<PathBuf>,
    /// Directories whose own entries have been noted once.
    noted: HashSet<PathBuf>,
}

impl Directories {
    /// Directories of which nothing is known.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, state: Mutex::default(), syncing: Mutex::default() }
    }

    /// What makes things durable here.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Creates a directory and those above it. One that is there already is noted as well, once: a process
    /// may have been killed after it had created it.
    pub fn create(&self, path: &Path) -> Result<()> {
        let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
        create_dir(path)?;
        let mut state = lock(&self.state)?;
        let first = state.noted.insert(path.to_owned()).then_some(path);
        let parents = missing.into_iter().chain(first).filter_map(Path::parent);
        state.unsynced.extend(parents.map(Path::to_owned));
        Ok(())
    }

    /// Notes that the entry of `path` in its directory is not durable.
    pub fn note(&self, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            lock(&self.state)?.unsynced.insert(parent.to_owned());
        }
        Ok(())
    }

    /// Makes every entry durable that was noted before the call.
    pub fn sync(&self) -> Result<()> {
        let _syncing = lock(&self.syncing)?;
        let mut unsynced = std::mem::take(&mut lock(&self.state)?.unsynced);
        while let Some(directory) = unsynced.pop_first() {
            if let Err(error) = self.disk.sync_entries(&directory) {
                let failed = Error::io("sync", &directory, &error);
                unsynced.insert(directory);
                lock(&self.state)?.unsynced.append(&mut unsynced);
                return Err(failed);
            }
        }
        Ok(())
    }
}
