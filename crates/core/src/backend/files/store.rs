//! One user of a directory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use super::disk::paths::canonical;
use super::disk::random_name::RandomNames;
use super::disk::syncing::Disk;
use super::layout::Layout;
use super::maintenance;
use super::name_records;
use super::place::SharedDirectory;
use super::shared::Shared;
use super::workers::open_set::OpenSet;
use crate::answer::Answer;
use crate::backend::{ObjectKey, ObjectStorage, Store};
use crate::error::{Error, Result};
use crate::key::Value;
use crate::randomness::Randomness;

/// Objects that are open at once unless configured: about 45 MiB and 2,000 file descriptors.
pub const OPEN_OBJECTS_DEFAULT: usize = 256;

/// How a directory is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether a write is durable only when the disk has it (power loss), or when the operating system has it (`kill -9`).
    pub fsync: bool,
    /// Most objects that are open at once. To open another one, the object that was not used for the longest time is closed.
    pub open_objects_max: usize,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { fsync: true, open_objects_max: OPEN_OBJECTS_DEFAULT }
    }
}

/// One user of a directory. The last store of a directory closes its objects.
pub struct FileStore {
    directory: Arc<SharedDirectory>,
    closed: AtomicBool,
}

impl FileStore {
    /// Uses the directory `root`, which need not exist. If stores of one directory have different options, the safest
    /// durability and the largest limit count.
    pub fn open(
        root: &Path,
        options: FileOptions,
        runtime: Handle,
        random: &mut impl Randomness,
    ) -> Result<Self> {
        let (directory, is_first) = SharedDirectory::join(canonical(root)?, runtime, random)?;
        Ok(Self::over(directory, is_first, options))
    }

    /// Uses the directory as another process would. The store shares only the files with other stores of this process.
    pub fn open_apart(
        root: &Path,
        options: FileOptions,
        runtime: Handle,
        disk: Arc<dyn Disk>,
        random: &mut impl Randomness,
    ) -> Result<Self> {
        let layout = Layout::new(canonical(root)?, RandomNames::new(random));
        let directory = SharedDirectory::open(layout, runtime, disk, Arc::default())?;
        Ok(Self::over(directory, true, options))
    }

    fn over(directory: Arc<SharedDirectory>, is_first: bool, options: FileOptions) -> Self {
        let shared = &directory.shared;
        if is_first {
            shared.runtime.spawn(maintenance::run(Arc::downgrade(&directory)));
        }
        shared.fsync.fetch_or(options.fsync, Ordering::Relaxed);
        shared.open_set.allow(options.open_objects_max);
        Self { directory, closed: AtomicBool::new(false) }
    }

    /// The objects that are open in the directory, and the threads that work for them.
    pub fn open_set(&self) -> &Arc<OpenSet> {
        &self.directory.shared.open_set
    }

    fn directory(&self) -> Result<&Arc<SharedDirectory>> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(&self.directory) }
    }

    fn shared(&self) -> Result<&Shared> {
        Ok(&self.directory()?.shared)
    }

    /// Ends the use of the directory; gives the directory if its objects have to be closed.
    fn leave(&self) -> Option<Arc<SharedDirectory>> {
        let leaves = !self.closed.swap(true, Ordering::AcqRel);
        (leaves && self.directory.leave()).then(|| self.directory.clone())
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        if let Some(directory) = self.leave() {
            let _closing = directory.close_objects();
        }
    }
}

impl Store for FileStore {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        Ok(self.directory()?.object(key)?)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.shared()?.alarms.pending(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.shared()?.alarms.first(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.shared()?.alarms.due(names, now_ms)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        Answer::Now(self.directory().and_then(|directory| directory.ids_of(name)))
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        Answer::Now(self.shared().and_then(|shared| shared.layout.names()))
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        Answer::Now(self.shared().and_then(|shared| name_records::write(shared, key, name)))
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        Answer::Now(self.shared().and_then(|shared| name_records::read(shared, key)))
    }

    fn close(&self) -> Answer<()> {
        let Some(directory) = self.leave() else {
            return Answer::Now(Ok(()));
        };
        let closing = directory.close_objects();
        Answer::later(async move {
            closing.await.map_err(|error| Error::Internal(format!("closing failed: {error}")))
        })
    }
}
