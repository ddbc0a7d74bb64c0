//! A disk that knows what a power loss would take.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::SystemTime;
use std::{fs, io};

use ferroflare_core::Result;
use ferroflare_core::backend::files::database::env::observe_syncs;
use ferroflare_core::backend::files::disk::{Disk, RealDisk, Unsynced};

use super::synced_by;
use crate::seed::Random;

/// The same file under every name that it ever has: numbers are given again, but not at the same time.
type FileId = (u64, SystemTime);

/// What was synced, by us or by RocksDB itself.
#[derive(Default)]
struct Synced {
    /// What was in each file.
    files: HashMap<FileId, Vec<u8>>,
    /// What was in each directory.
    directories: HashMap<PathBuf, BTreeMap<OsString, FileId>>,
}

/// Of the whole process, since RocksDB does not know in which test it is.
static SYNCED: LazyLock<Mutex<Synced>> = LazyLock::new(Mutex::default);

impl Synced {
    fn note(&mut self, path: &Path) {
        // The database may have been deleted meanwhile.
        let Ok(found) = path.metadata() else { return };
        if found.is_dir() {
            self.directories.insert(path.to_owned(), entries_of(path));
        } else if let (Some(id), Ok(content)) = (id_of(path), fs::read(path)) {
            self.files.insert(id, content);
        }
    }
}

fn note(path: &Path) {
    SYNCED.lock().unwrap().note(path);
}

fn id_of(path: &Path) -> Option<FileId> {
    let found = path.metadata().ok()?;
    Some((found.ino(), found.created().unwrap()))
}

fn entries_of(directory: &Path) -> BTreeMap<OsString, FileId> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        Some((entry.file_name(), id_of(&entry.path())?))
    };
    entries.filter_map(entry).collect()
}

/// The disk of this machine, which remembers what was synced.
#[derive(Debug)]
pub(crate) struct LosingDisk;

impl LosingDisk {
    pub(crate) fn new() -> Self {
        observe_syncs(note);
        Self
    }
}

/// Copies what is in `from` to `to` as a power loss leaves it. Entries are as they were when their directory was last
/// synced, or as they are if the system was quicker. Each file has what was synced, and perhaps something of what was
/// written since. Of the marker files of alarms any may be left.
pub(crate) fn lose_power(from: &Path, to: &Path, random: &mut Random) {
    fs::create_dir_all(to).unwrap();
    let synced = SYNCED.lock().unwrap().directories.get(from).cloned().unwrap_or_default();
    let database = ["CURRENT", "object.sqlite"].iter().any(|file| from.join(file).exists());
    // Around the databases, what was not synced is lost: it is all ours.
    let quick = database && random.below(2) == 0;
    let entries = if quick { entries_of(from) } else { synced };
    for (name, id) in entries {
        let (source, target) = (from.join(&name), to.join(&name));
        if source.is_dir() {
            lose_power(&source, &target, random);
            continue;
        }
        let present = id_of(&source) == Some(id);
        if present && !database {
            fs::copy(source, target).unwrap();
        } else if present || database {
            fs::write(target, content_after(&source, id, random)).unwrap();
        } else if from.ends_with("alarms") && random.below(2) == 0 {
            fs::write(target, []).unwrap();
        }
    }
}

/// What is in a file of a database after a power loss.
fn content_after(path: &Path, id: FileId, random: &mut Random) -> Vec<u8> {
    let synced = SYNCED.lock().unwrap().files.get(&id).cloned().unwrap_or_default();
    let now = fs::read(path).unwrap_or_default();
    if path.to_string_lossy().contains(".sqlite") && id_of(path) == Some(id) {
        return mixed(&synced, &now, random);
    }
    let more = now.len().saturating_sub(synced.len());
    if id_of(path) != Some(id) || more == 0 || random.below(2) == 0 {
        return synced;
    }
    let kept = synced.len() + usize::try_from(random.below(more as u64 + 1)).unwrap();
    now[..kept].to_vec()
}

/// Of a file that is also written from its start again, each sector may be the old one or the new one.
fn mixed(synced: &[u8], now: &[u8], random: &mut Random) -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut content = Vec::with_capacity(now.len());
    for start in (0..now.len().max(synced.len())).step_by(SECTOR) {
        let part = |of: &[u8]| of[start.min(of.len())..(start + SECTOR).min(of.len())].to_vec();
        let (old, new) = (part(synced), part(now));
        let lost = old != new && random.below(2) == 0;
        // A sector that was never synced may be all zeros.
        let old = if old.len() < new.len() { vec![0; new.len()] } else { old };
        content.extend(if lost { old } else { new });
    }
    content
}

impl Disk for LosingDisk {
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        RealDisk.entries(directory).map(|open| noted(open, directory))
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        RealDisk.contents(file).map(|open| noted(open, file))
    }

    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        RealDisk.sync_log(path, sync)
    }
}

fn noted(open: Box<dyn Unsynced>, path: &Path) -> Box<dyn Unsynced> {
    let path = path.to_owned();
    synced_by(move || {
        open.sync()?;
        note(&path);
        Ok(())
    })
}
