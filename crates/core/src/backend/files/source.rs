//! Opening the database of one object when it is needed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::FilePlace;
use super::database::{Database, shown};
use super::hold::{Hold, create_dir};
use super::table::{FileTable, Flusher};
use crate::backend::local::LocalObject;
use crate::backend::{ObjectKey, Source};
use crate::durability::Durability;
use crate::error::{Error, Result};

/// How often to look whether the process that asked for an object has got it, and how many times.
const YIELD_STEP: Duration = Duration::from_millis(2);
const YIELD_STEPS: u32 = 25;

/// Where the tables of one object come from.
pub struct FileSource {
    place: Weak<FilePlace>,
    key: ObjectKey,
    durability: Arc<Durability>,
    /// Set when the object was let go because another process asked: that one goes first.
    yielded: AtomicBool,
}

impl FileSource {
    /// The source of one object of a place.
    pub fn new(place: Weak<FilePlace>, key: ObjectKey, durability: Arc<Durability>) -> Self {
        Self {
            place,
            key,
            durability,
            yielded: AtomicBool::new(false),
        }
    }

    /// Lets another process go first next time.
    pub fn yield_next(&self) {
        self.yielded.store(true, Ordering::Relaxed);
    }

    fn open_now(
        &self,
        place: &Arc<FilePlace>,
        object: &Arc<LocalObject<FileTable>>,
    ) -> Result<FileTable> {
        let layout = place.layout();
        place.prepare()?;
        if self.yielded.swap(false, Ordering::Relaxed) {
            let wanted = layout.file_of("wanted", &self.key);
            for _ in 0..YIELD_STEPS {
                if !wanted.exists() {
                    break;
                }
                thread::sleep(YIELD_STEP);
            }
        }
        let path = layout.object(&self.key);
        let hold = Hold::acquire(layout, &self.key)?;
        check_directory(layout.root(), &path)?;
        create_dir(&layout.objects(&self.key.name))?;
        let database = Database::open(&path, hold)?;
        let flusher = Flusher::new(
            database,
            object,
            self.durability.clone(),
            layout.clone(),
            place.runtime().clone(),
            place.fsync(),
        )?;
        FileTable::new(flusher)
    }
}

impl Source<FileTable> for FileSource {
    fn is_absent(&self) -> bool {
        let Some(place) = self.place.upgrade() else {
            return false;
        };
        let found = fs::symlink_metadata(place.layout().object(&self.key));
        found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    fn open(self: Arc<Self>, object: Arc<LocalObject<FileTable>>) {
        let Some(place) = self.place.upgrade() else {
            thread::spawn(move || object.opened(Err(Error::Closed)));
            return;
        };
        place.runtime().clone().spawn_blocking(move || {
            let table = self.open_now(&place, &object);
            object.opened(table);
            place.evict(&object);
        });
    }
}

/// Refuses what is no database of ours, before RocksDB writes into it.
fn check_directory(root: &Path, path: &Path) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", path, &error)),
    };
    let mut foreign = false;
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", path, &error))?;
        let name = entry.file_name();
        if name == "CURRENT" {
            return Ok(());
        }
        foreign |= !is_rocksdb_file(&name.to_string_lossy());
    }
    if foreign {
        return Err(Error::OldData {
            path: shown(path),
            root: shown(root),
        });
    }
    Ok(())
}

/// Whether a database that was being created when its process died may have left such a file.
fn is_rocksdb_file(name: &str) -> bool {
    matches!(name, "CURRENT" | "IDENTITY" | "LOCK" | "LOG")
        || ["MANIFEST-", "OPTIONS-", "LOG.old."]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || [".log", ".sst", ".dbtmp"].iter().any(|suffix| {
            name.strip_suffix(suffix)
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// Whether a directory is an object's of Miniflare 2: files, but no database.
pub fn is_old_object(path: &Path) -> bool {
    matches!(check_directory(path, path), Err(Error::OldData { .. }))
}
