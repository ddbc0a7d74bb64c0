//! One directory as this process uses it: the objects in use, and the stores that use them.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use once_cell::sync::Lazy;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::disk::random_name::RandomNames;
use super::disk::syncing::{Disk, RealDisk};
use super::layout::Layout;
use super::object::source::FileSource;
use super::object::table::{FileTable, close_retired};
use super::shared::Shared;
use super::workers::pool::Workers;
use crate::backend::ObjectKey;
use crate::backend::local::LocalObject;
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::randomness::Randomness;

/// Every directory that this process uses, by its canonical path.
static DIRECTORIES: Lazy<Mutex<HashMap<PathBuf, Weak<SharedDirectory>>>> =
    Lazy::new(Mutex::default);

/// One directory, shared by all stores of it in this process.
pub struct SharedDirectory {
    /// What its objects share.
    pub shared: Arc<Shared>,
    objects: Mutex<HashMap<ObjectKey, Arc<LocalObject<FileTable>>>>,
    stores: AtomicUsize,
}

impl SharedDirectory {
    /// Adds a store to the directory with the canonical path `root`. The second value says whether the store is the
    /// first one.
    pub fn join(
        root: PathBuf,
        runtime: Handle,
        random: &mut impl Randomness,
    ) -> Result<(Arc<Self>, bool)> {
        let mut directories = lock(&DIRECTORIES)?;
        let existing = directories.get(&root).and_then(Weak::upgrade);
        let used = existing.filter(|directory| directory.stores.load(Ordering::Acquire) > 0);
        if let Some(directory) = used {
            directory.stores.fetch_add(1, Ordering::AcqRel);
            return Ok((directory, false));
        }
        let layout = Layout::new(root.clone(), RandomNames::new(random));
        let directory = Self::open(layout, runtime, Arc::new(RealDisk), Workers::shared())?;
        directories.insert(root, Arc::downgrade(&directory));
        Ok((directory, true))
    }

    /// A directory with one store, which shares nothing with the other directories of this process.
    pub fn open(
        layout: Layout,
        runtime: Handle,
        disk: Arc<dyn Disk>,
        workers: Arc<Workers>,
    ) -> Result<Arc<Self>> {
        let directory = Self {
            shared: Arc::new(Shared::open(layout, runtime, disk, workers)?),
            objects: Mutex::default(),
            stores: AtomicUsize::new(1),
        };
        directory.read_alarms()?;
        Ok(Arc::new(directory))
    }

    /// The object of that name and id.
    pub fn object(&self, key: &ObjectKey) -> Result<Arc<LocalObject<FileTable>>> {
        let mut objects = lock(&self.objects)?;
        let object = objects.entry(key.clone()).or_insert_with(|| {
            let (shared, durability) = (Arc::downgrade(&self.shared), Arc::<Durability>::default());
            let source = Arc::new(FileSource::new(shared, key.clone(), durability.clone()));
            LocalObject::over(source, durability, key.clone(), self.shared.alarms.clone())
        });
        Ok(object.clone())
    }

    /// The objects that are open.
    pub fn open_objects(&self) -> Vec<Arc<LocalObject<FileTable>>> {
        let mut objects = self.objects();
        objects.retain(|object| object.is_open());
        objects
    }

    /// The objects of a name. A SQLite database exists as soon as its object runs, so those that are open and empty do
    /// not count.
    pub fn ids_of(&self, name: &str) -> Result<Vec<Arc<str>>> {
        let mut ids = self.shared.layout.ids_of(name)?;
        for object in self.open_objects().iter().filter(|object| &*object.key().name == name) {
            if object.inspect(FileTable::is_empty_database)? == Some(true) {
                ids.retain(|id| *id != object.key().id);
            }
        }
        Ok(ids)
    }

    fn open_keys(&self) -> Vec<ObjectKey> {
        self.open_objects().iter().map(|object| object.key().clone()).collect()
    }

    fn objects(&self) -> Vec<Arc<LocalObject<FileTable>>> {
        lock(&self.objects).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Reads which alarms are pending. What this process has open, it knows better than the files.
    pub fn read_alarms(&self) -> Result<()> {
        let Shared { layout, alarms, .. } = &*self.shared;
        let path = layout.own("alarms");
        let reading = alarms.begin_reading()?;
        // Before and after the markers are read: an object may make its marker and be closed in between.
        let mut open = self.open_keys();
        let markers = match fs::read_dir(&path) {
            Ok(markers) => markers,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", &path, &error)),
        };
        let mut found = HashMap::new();
        for marker in markers.flatten() {
            let file = marker.file_name();
            if let Some((at, key)) = file.to_str().and_then(|file| layout.alarm_of(file)) {
                let earliest = found.entry(key).or_insert(at);
                *earliest = at.min(*earliest);
            }
        }
        open.extend(self.open_keys());
        reading.end(&found, &open)
    }

    /// Whether a store uses the directory.
    pub fn is_used(&self) -> bool {
        self.stores.load(Ordering::Acquire) > 0
    }

    /// Removes a store. Without stores all objects are retired; says whether this is the case.
    pub fn leave(&self) -> bool {
        // A store that joins must not find the directory until it is decided whether the directory is closed.
        let directories = lock(&DIRECTORIES);
        let is_last = self.stores.fetch_sub(1, Ordering::AcqRel) == 1;
        drop(directories);
        if is_last {
            // In this very call: on another thread it could come between two writes of one turn of the event loop.
            for object in self.objects() {
                object.retire();
            }
        }
        is_last
    }

    /// Closes every object; all are retired. What was asked of an object before is still done, also by an object that is
    /// only now being opened.
    pub fn close_objects(self: Arc<Self>) -> JoinHandle<()> {
        let shared = &self.shared;
        shared.close();
        let (directory, under_way) = (self.clone(), shared.open_set.under_way());
        shared.open_set.workers().finish(move || {
            for object in directory.objects() {
                close_retired(&object);
            }
            drop(under_way);
        });
        let emptied = shared.open_set.emptied();
        shared.runtime.clone().spawn(async move {
            let _ = emptied.await;
            // No acknowledged write needs what is not synced by now.
            self.shared.directories.close();
        })
    }
}
