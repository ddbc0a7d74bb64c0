//! Files: one RocksDB database an object, in a directory that several processes may use at once.
//!
//! - [`called`]: names of objects, noted beside the databases
//! - [`layout`]: which file is where, and how names become file names
//! - [`format`]: what is inside a database
//! - [`database`]: the open database of one object
//! - [`creation`], [`env`]: creating one with few syncs
//! - [`rocks`], [`errors`]: RocksDB, tuned for many small databases; what it says, as errors for people
//! - [`table`]: one object's data, with the batch that gathers in front of it
//! - [`flusher`]: making batches durable, and closing databases
//! - [`hold`]: at most one process has an object
//! - [`claims`]: alarms that a process handles, while others may have the object
//! - [`note`], [`inventory`]: what a holder leaves in the lock file, so that damage from outside is noticed
//! - [`source`]: opening an object when it is needed
//! - [`open_set`]: how many are open at once, and which has to go for another
//! - [`workers`], [`early`]: the few threads for all of it; syncs that begin before they are needed
//! - [`foreign`], [`spelling`]: refusing directories that are not ours to write in
//! - [`pause`]: looking at what other processes do, not too often
//! - [`keeper`]: letting go of objects that another process wants; finding alarms that others have set
//! - [`whole`], [`random_name`]: small files beside the databases, and names that no other user gives
//! - [`directories`], [`disk`]: what has to be synced so that a power loss takes none of it

pub mod called;
pub mod claims;
pub mod creation;
pub mod database;
pub mod directories;
pub mod disk;
pub mod early;
pub mod env;
pub mod errors;
pub mod flusher;
pub mod foreign;
pub mod format;
pub mod hold;
pub mod inventory;
pub mod keeper;
pub mod layout;
pub mod note;
pub mod open_set;
pub mod pause;
pub mod random_name;
pub mod rocks;
pub mod same_file;
pub mod source;
pub mod spelling;
pub mod table;
pub mod whole;
pub mod workers;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use once_cell::sync::Lazy;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::directories::Directories;
use self::disk::{Disk, RealDisk};
use self::errors::shown;
use self::flusher::After;
use self::foreign::check_unmarked_root;
use self::format::FORMAT_VERSION;
use self::layout::Layout;
use self::open_set::OpenSet;
use self::random_name::RandomNames;
use self::source::FileSource;
use self::table::FileTable;
use self::whole::write_whole;
use self::workers::Workers;
use super::local::LocalObject;
use super::{Object, ObjectKey, Place};
use crate::alarm_index::AlarmIndex;
use crate::answer::Answer;
use crate::durability::Durability;
use crate::error::{Error, Result};
use crate::key::Value;
use crate::lock::lock;
use crate::randomness::Randomness;

/// Objects that are open at once unless configured: about 45 MiB and 2,000 file descriptors.
pub const OPEN_OBJECTS_DEFAULT: usize = 256;

/// How a directory is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether a write is durable only when the disk has it (power loss), or when the operating system
    /// has it (`kill -9`).
    pub fsync: bool,
    /// Most objects that are open at once; for others those that were not used for the longest time are closed.
    pub open_objects_max: usize,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { fsync: true, open_objects_max: OPEN_OBJECTS_DEFAULT }
    }
}

/// Every directory that this process uses, by its canonical path.
static PLACES: Lazy<Mutex<HashMap<PathBuf, Weak<FilePlace>>>> = Lazy::new(Mutex::default);

/// One directory, shared by everybody who uses it in this process.
pub struct FilePlace {
    layout: Layout,
    directories: Arc<Directories>,
    open_set: Arc<OpenSet>,
    objects: Mutex<HashMap<ObjectKey, Arc<LocalObject<FileTable>>>>,
    alarms: Arc<AlarmIndex>,
    runtime: Handle,
    fsync: Arc<AtomicBool>,
    users: AtomicUsize,
    /// Set when the last user has gone, for good.
    closed: AtomicBool,
    prepared: AtomicBool,
}

/// One user of a directory; the last one to go closes it.
pub struct FileUser {
    place: Arc<FilePlace>,
    closed: AtomicBool,
}

impl FileUser {
    /// Uses the directory `root`, which need not exist. Of several users' options the safest durability
    /// and the largest limit count.
    pub fn open(
        root: &Path,
        options: FileOptions,
        runtime: Handle,
        random: &mut impl Randomness,
    ) -> Result<Self> {
        let root = canonical(root)?;
        let mut places = lock(&PLACES)?;
        let existing = places.get(&root).and_then(Weak::upgrade);
        let used = existing.filter(|place| place.users.load(Ordering::Acquire) > 0);
        let place = if let Some(place) = used {
            place
        } else {
            let layout = Layout::new(root.clone(), RandomNames::new(random));
            let (disk, workers) = (Arc::new(RealDisk), Workers::shared());
            let place = FilePlace::open(layout, runtime, disk, workers)?;
            places.insert(root, Arc::downgrade(&place));
            place
        };
        Ok(Self::join(place, options))
    }

    /// Uses the directory as another process would, which shares nothing with this one but the files.
    pub fn open_apart(
        root: &Path,
        options: FileOptions,
        runtime: Handle,
        disk: Arc<dyn Disk>,
        random: &mut impl Randomness,
    ) -> Result<Self> {
        let layout = Layout::new(canonical(root)?, RandomNames::new(random));
        Ok(Self::join(FilePlace::open(layout, runtime, disk, Arc::default())?, options))
    }

    fn join(place: Arc<FilePlace>, options: FileOptions) -> Self {
        if place.users.fetch_add(1, Ordering::AcqRel) == 0 {
            // Not before: a keeper ends when nobody uses the place.
            keeper::start(&place);
        }
        place.fsync.fetch_or(options.fsync, Ordering::Relaxed);
        place.open_set.allow(options.open_objects_max);
        Self { place, closed: AtomicBool::new(false) }
    }

    /// What is open in the directory, and who works for it.
    pub fn open_set(&self) -> &Arc<OpenSet> {
        self.place.open_set()
    }

    fn place(&self) -> Result<&Arc<FilePlace>> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(&self.place) }
    }

    fn leave(&self) -> Option<Arc<FilePlace>> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return None;
        }
        // Nobody else may find the place while it is decided whether it is closed.
        let places = lock(&PLACES);
        let last = self.place.users.fetch_sub(1, Ordering::AcqRel) == 1;
        drop(places);
        if !last {
            return None;
        }
        // At once: on another thread it could come between two writes of one turn, and tear what belongs together.
        for (_, object) in self.place.entries() {
            object.retire();
        }
        Some(self.place.clone())
    }
}

impl Drop for FileUser {
    fn drop(&mut self) {
        if let Some(place) = self.leave() {
            let _closing = place.close_objects();
        }
    }
}

impl FilePlace {
    fn open(
        layout: Layout,
        runtime: Handle,
        disk: Arc<dyn Disk>,
        workers: Arc<Workers>,
    ) -> Result<Arc<Self>> {
        check_root(&layout)?;
        workers.start()?;
        let place = Arc::new(Self {
            layout,
            directories: Arc::new(Directories::new(disk, workers.clone())),
            open_set: OpenSet::new(workers, runtime.clone()),
            objects: Mutex::default(),
            alarms: Arc::default(),
            runtime,
            fsync: Arc::default(),
            users: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            prepared: AtomicBool::new(false),
        });
        keeper::read_alarms(&place)?;
        Ok(place)
    }

    /// The paths of the place.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What has to be synced around the databases.
    pub fn directories(&self) -> &Arc<Directories> {
        &self.directories
    }

    /// What is open.
    pub fn open_set(&self) -> &Arc<OpenSet> {
        &self.open_set
    }

    /// Where background work waits for time to pass.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Whether writes wait for the disk: a later user may ask for it.
    pub fn fsync(&self) -> &Arc<AtomicBool> {
        &self.fsync
    }

    /// The alarms as far as they are known.
    pub fn alarms(&self) -> &AlarmIndex {
        &self.alarms
    }

    /// Marks the directory as ours, before anything is written to it.
    pub fn prepare(&self) -> Result<()> {
        if self.prepared.load(Ordering::Acquire) && self.layout.own("format").exists() {
            return Ok(());
        }
        check_root(&self.layout)?;
        self.directories.create(self.layout.root())?;
        self.directories.create(&self.layout.corner())?;
        let marker = self.layout.own("format");
        if !marker.exists() {
            let draft = self.layout.draft_of(&marker);
            write_whole(&marker, &draft, &format!("{FORMAT_VERSION}\n"))?;
        }
        self.directories.note(&marker)?;
        if !self.prepared.swap(true, Ordering::AcqRel) {
            self.empty_trash();
        }
        Ok(())
    }

    /// Deletes what processes that were killed have left. The directory itself stays: others move objects into it now.
    fn empty_trash(&self) {
        for entry in fs::read_dir(self.layout.own("trash")).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// The names that the directories in `path` stand for, in order.
    fn decoded_names(&self, path: &Path) -> Result<Vec<Arc<str>>> {
        let files = list_names(path)?;
        let names = files.iter().filter_map(|file| self.layout.name_of(file));
        let mut names: Vec<Arc<str>> = names.map(Arc::from).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn entries(&self) -> Vec<(ObjectKey, Arc<LocalObject<FileTable>>)> {
        let Ok(objects) = lock(&self.objects) else {
            return Vec::new();
        };
        let entry = |(key, object): (&ObjectKey, &Arc<LocalObject<FileTable>>)| {
            (key.clone(), object.clone())
        };
        objects.iter().map(entry).collect()
    }

    /// Ends the use of every object, all of which are retired. What was asked of an object before is still done, also if it is only
    /// now being opened.
    fn close_objects(self: Arc<Self>) -> JoinHandle<()> {
        self.closed.store(true, Ordering::Release);
        let (place, under_way) = (self.clone(), self.open_set.under_way());
        self.open_set.workers().finish(move || {
            for (_, object) in place.entries() {
                place.close_object(&object);
            }
            drop(under_way);
        });
        let emptied = self.open_set.emptied();
        self.runtime.clone().spawn(async move {
            let _ = emptied.await;
            // Whatever is not synced now never waited for the disk.
            self.directories.forget();
        })
    }

    /// Whether the last user has gone.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes an object of a place that is closed. One that is being opened is closed afterwards, by its source.
    pub fn close_object(&self, object: &LocalObject<FileTable>) {
        if let Some(table) = object.close_retired() {
            table.end(After::Close);
        }
    }
}

impl Place for FileUser {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn Object>> {
        let place = self.place()?;
        let mut objects = lock(&place.objects)?;
        let object = objects.entry(key.clone()).or_insert_with(|| {
            let durability = Arc::new(Durability::default());
            let source =
                Arc::new(FileSource::new(Arc::downgrade(place), key.clone(), durability.clone()));
            LocalObject::over(source, durability, key.clone(), place.alarms.clone())
        });
        Ok(object.clone())
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        self.place()?.alarms.pending(names)
    }

    fn next_alarm(&self, names: &[Arc<str>]) -> Result<Option<i64>> {
        self.place()?.alarms.first(names)
    }

    fn due_alarms(&self, names: &[Arc<str>], now_ms: i64) -> Result<Vec<(i64, ObjectKey)>> {
        self.place()?.alarms.due(names, now_ms)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        let ids = self.place().and_then(|place| place.decoded_names(&place.layout.objects(name)));
        Answer::Now(ids)
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        Answer::Now(self.place().and_then(|place| place.decoded_names(place.layout.root())))
    }

    fn note_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        Answer::Now(self.place().and_then(|place| called::note(place, key, name)))
    }

    fn noted_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        Answer::Now(self.place().and_then(|place| called::noted(place, key)))
    }

    fn close(&self) -> Answer<()> {
        let Some(place) = self.leave() else {
            return Answer::Now(Ok(()));
        };
        let closing = place.close_objects();
        Answer::later(async move {
            closing.await.map_err(|error| Error::Internal(format!("closing failed: {error}")))
        })
    }
}

/// The names of the directories in `path`; none if it does not exist.
pub fn list_names(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", path, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", path, &error))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// Refuses a root that is a file, newer than this version, or Miniflare 2's.
fn check_root(layout: &Layout) -> Result<()> {
    let root = layout.root();
    match fs::metadata(root) {
        Ok(found) if !found.is_dir() => return Err(Error::NotADirectory { path: shown(root) }),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", root, &error)),
    }
    if is_marked(layout)? {
        return Ok(());
    }
    match check_unmarked_root(root) {
        // Another first user has marked it meanwhile, and begun to write objects.
        Err(_) if is_marked(layout)? => Ok(()),
        checked => checked,
    }
}

/// Whether the root is marked as ours; refuses a version that is not this one.
fn is_marked(layout: &Layout) -> Result<bool> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let marker = layout.own("format");
    let text = match fs::read_to_string(&marker) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(false),
        // Bytes that are no text are no version.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(Error::io("read", &marker, &error)),
    };
    let root = shown(layout.root());
    match text.trim().parse::<u32>() {
        Ok(FORMAT_VERSION) => Ok(true),
        Ok(version) => Err(Error::NewerFormat { path: root, version, place: "directory" }),
        Err(_) => Err(Error::CorruptMarker { path: shown(&marker), root, version: FORMAT_VERSION }),
    }
}

/// The canonical form of a path of which the last parts may not exist.
fn canonical(path: &Path) -> Result<PathBuf> {
    let mut missing = Vec::new();
    let mut present = path;
    loop {
        match fs::canonicalize(present) {
            Ok(mut canonical) => {
                canonical.extend(missing.iter().rev());
                return Ok(canonical);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (present.parent(), present.file_name()) else {
                    return Err(Error::io("open", path, &error));
                };
                missing.push(name);
                present = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            }
            Err(error) => return Err(Error::io("open", path, &error)),
        }
    }
}
