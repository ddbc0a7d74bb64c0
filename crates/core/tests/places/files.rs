//! The files backend under test, in directories that are deleted in the end.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use ferroflare_core::backend::files::disk::{Disk, RealDisk};
use ferroflare_core::backend::files::workers::open_set::OpenSet;
use ferroflare_core::backend::files::{FileOptions, FileStore};
use ferroflare_core::backend::{ObjectKey, ObjectStorage, Store};
use ferroflare_core::key::Value;
use ferroflare_core::{Answer, Result};
use once_cell::sync::Lazy;
use tokio::runtime::Runtime;

use super::{Opening, TestPlace};

/// Background work runs here, also while a test blocks its own thread.
static RUNTIME: Lazy<Runtime> = Lazy::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

static DIRECTORIES: AtomicU32 = AtomicU32::new(0);

/// Every write waits for the disk, and only one object is open at a time.
pub(crate) const FSYNC: FileOptions = FileOptions { fsync: true, open_objects_max: 1 };

/// Files, used as [`FSYNC`] says.
pub(crate) struct Files;

impl TestPlace for Files {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(Directory::new().open(FSYNC)) as Arc<dyn Store> })
    }

    fn open_twice(&self) -> Opening<'_, [Arc<dyn Store>; 2]> {
        let options = FileOptions { fsync: true, open_objects_max: 1 };
        let directory = Directory::new();
        Box::pin(
            async move { [directory.open_apart(options) as _, directory.open_apart(options) as _] },
        )
    }

    fn answers_at_once(&self) -> bool {
        false
    }

    fn log_shares_keys(&self) -> bool {
        false
    }

    fn forgets_emptied_objects(&self) -> bool {
        false
    }

    fn cost(&self) -> u32 {
        40
    }
}

/// Stands for random bytes: never the same ones twice.
pub(crate) fn unlike_others(bytes: &mut [u8]) {
    static FILLED: AtomicU64 = AtomicU64::new(0);
    let number = FILLED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    for (byte, digit) in bytes.iter_mut().rev().zip(number.iter().rev()) {
        *byte = *digit;
    }
}

/// A directory of its own for one test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Arc<Self> {
        loop {
            let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
            let name = format!("ferroflare-core-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                // An earlier process of the same number has left it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.unwrap();
                    return Arc::new(Self(path.canonicalize().unwrap()));
                }
            }
        }
    }

    fn open(self: Arc<Self>, options: FileOptions) -> Opened {
        let runtime = RUNTIME.handle().clone();
        let user = FileStore::open(&self.0, options, runtime, &mut unlike_others).unwrap();
        Opened { user, directory: self }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What lies in the directory of a name.
    pub(crate) fn objects(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(name)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// As another process would open it.
    pub(crate) fn open_apart(self: &Arc<Self>, options: FileOptions) -> Arc<Opened> {
        self.open_apart_in("", options, Arc::new(RealDisk))
    }

    /// The same for a directory below it that need not exist, on a disk of the test's.
    pub(crate) fn open_apart_in(
        self: &Arc<Self>,
        path: &str,
        options: FileOptions,
        disk: Arc<dyn Disk>,
    ) -> Arc<Opened> {
        let (root, runtime) = (self.0.join(path), RUNTIME.handle().clone());
        let user =
            FileStore::open_apart(&root, options, runtime, disk, &mut unlike_others).unwrap();
        Arc::new(Opened { user, directory: self.clone() })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left over is the system's to clean up, as all temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A place that is closed before its directory is deleted.
pub(crate) struct Opened {
    user: FileStore,
    directory: Arc<Directory>,
}

impl Opened {
    /// What is open, and who works for it.
    pub(crate) fn open_set(&self) -> Arc<OpenSet> {
        self.user.open_set().clone()
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let closed = self.user.close();
        let closing = thread::spawn(move || RUNTIME.block_on(closed.wait()));
        // A test that has failed already says why.
        let _ = closing.join();
    }
}

impl Store for Opened {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        self.user.object(key)
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.user.alarms(names)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        self.user.object_ids(name)
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        self.user.object_names()
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.user.next_alarm(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.user.due_alarms(names, now_ms)
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        self.user.record_name(key, name)
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        self.user.recorded_name(key)
    }

    fn close(&self) -> Answer<()> {
        self.user.close()
    }
}
