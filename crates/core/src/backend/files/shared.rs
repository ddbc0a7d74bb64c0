//! What the objects of one directory share.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use super::disk::directories::Directories;
use super::disk::syncing::Disk;
use super::format_marker;
use super::layout::Layout;
use super::workers::open_set::OpenSet;
use super::workers::pool::Workers;
use crate::alarm_index::AlarmIndex;
use crate::error::Result;

/// What the objects of one directory share.
pub struct Shared {
    /// Where things are in the directory.
    pub layout: Layout,
    /// What must be synced around the databases.
    pub directories: Arc<Directories>,
    /// The objects that are open, and the threads that work for them.
    pub open_set: Arc<OpenSet>,
    /// The alarms that this process knows.
    pub alarms: Arc<AlarmIndex>,
    /// Where background work waits for time to pass.
    pub runtime: Handle,
    /// Whether writes wait for the disk. A later store of the directory may ask for it.
    pub fsync: Arc<AtomicBool>,
    /// Whether the directory was marked as ours.
    prepared: AtomicBool,
    /// Whether the last store of the directory was closed, which is final.
    closed: AtomicBool,
}

impl Shared {
    /// Refuses a directory that is not ours.
    pub fn open(
        layout: Layout,
        runtime: Handle,
        disk: Arc<dyn Disk>,
        workers: Arc<Workers>,
    ) -> Result<Self> {
        format_marker::check_root(&layout)?;
        workers.start()?;
        Ok(Self {
            layout,
            directories: Arc::new(Directories::new(disk, workers.clone())),
            open_set: OpenSet::new(workers, runtime.clone()),
            alarms: Arc::default(),
            runtime,
            fsync: Arc::default(),
            prepared: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    /// Marks the directory as ours, before anything else is written to it.
    pub fn prepare(&self) -> Result<()> {
        if self.prepared.load(Ordering::Acquire) && format_marker::exists(&self.layout) {
            return Ok(());
        }
        format_marker::create(&self.layout, &self.directories)?;
        if !self.prepared.swap(true, Ordering::AcqRel) {
            self.empty_trash();
        }
        Ok(())
    }

    /// Deletes what killed processes have left in the trash. The trash itself stays, because other processes move
    /// objects into it.
    fn empty_trash(&self) {
        for entry in fs::read_dir(self.layout.own("trash")).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// Notes that the last store of the directory was closed.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether the last store of the directory was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
