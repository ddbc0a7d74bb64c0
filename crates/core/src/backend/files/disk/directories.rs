//! Directories whose entries a power loss may still take, synced for many flushes at once.
//!
//! RocksDB syncs the files of a database and its directory. We sync what lies around it: the directories above it, and the
//! files beside the databases.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::atomic_file::create_dir;
use super::syncing::{Disk, Unsynced};
use crate::backend::files::workers::pool::Workers;
use crate::error::{Error, Result};
use crate::lock::lock;

/// What this process has created below one root and has not synced yet.
#[derive(Debug)]
pub struct Directories {
    disk: Arc<dyn Disk>,
    workers: Arc<Workers>,
    state: Mutex<State>,
    /// Locked while directories are synced. A thread that has waited for it mostly finds its own directories synced.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    unsynced: BTreeMap<PathBuf, Box<dyn Unsynced>>,
    /// Directories whose own entries were marked as unsynced once.
    marked: HashSet<PathBuf>,
}

impl Directories {
    /// Directories without any unsynced entry.
    pub fn new(disk: Arc<dyn Disk>, workers: Arc<Workers>) -> Self {
        Self { disk, workers, state: Mutex::default(), syncing: Mutex::default() }
    }

    /// The disk on which they lie.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The threads that sync them.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Creates a directory and those above it. A directory that exists is marked as unsynced too, once, because a killed
    /// process may have created it.
    pub fn create(&self, path: &Path) -> Result<()> {
        let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
        create_dir(path)?;
        let is_first = !lock(&self.state)?.marked.contains(path);
        for entry in missing.into_iter().chain(is_first.then_some(path)) {
            self.mark_unsynced(entry)?;
        }
        lock(&self.state)?.marked.insert(path.to_owned());
        Ok(())
    }

    /// Marks the entry of `path` in its directory as not durable.
    pub fn mark_unsynced(&self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        // A directory that is marked already may have been deleted and created again.
        let entries =
            self.disk.entries(parent).map_err(|error| Error::io("open", parent, &error))?;
        lock(&self.state)?.unsynced.insert(parent.to_owned(), entries);
        Ok(())
    }

    /// Closes all directories, without syncing them.
    pub fn close(&self) {
        if let Ok(mut state) = lock(&self.state) {
            state.unsynced.clear();
        }
    }

    /// Makes every entry durable that was marked before the call.
    pub fn sync(&self) -> Result<()> {
        let _syncing = lock(&self.syncing)?;
        let mut unsynced = std::mem::take(&mut lock(&self.state)?.unsynced);
        while let Some((directory, entries)) = unsynced.pop_first() {
            if let Err(error) = entries.sync() {
                let failed = Error::io("sync", &directory, &error);
                unsynced.insert(directory, entries);
                // A directory that was marked meanwhile was opened later, so it stays.
                for (directory, entries) in unsynced {
                    lock(&self.state)?.unsynced.entry(directory).or_insert(entries);
                }
                return Err(failed);
            }
        }
        Ok(())
    }
}
