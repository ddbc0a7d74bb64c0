//! Reading an object changes nothing in it, unless a killed process may have left something unsynced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, io};

use ferroflare_core::Result;
use ferroflare_core::backend::Store;
use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::files::disk::{Disk, Unsynced};

use super::synced_by;
use crate::places::{Directory, FSYNC};
use crate::support::{Caller, put};

/// Where syncs are asked for; nothing is synced.
#[derive(Clone, Debug, Default)]
struct NotedDisk(Arc<Mutex<Vec<PathBuf>>>);

impl NotedDisk {
    fn noted(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, path: PathBuf) {
        self.0.lock().unwrap().push(path);
    }
}

impl Disk for NotedDisk {
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        let (disk, path) = (self.clone(), directory.to_owned());
        Ok(synced_by(move || {
            disk.note(path.clone());
            Ok(())
        }))
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        self.entries(file)
    }

    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        self.note(path.join("log"));
        sync()
    }
}

const PROCESS: FileOptions = FileOptions { fsync: false, open_objects_max: 1 };

/// Reads `a` as a process of its own, which ends in good order.
async fn read(directory: &Arc<Directory>, options: FileOptions) -> (Option<String>, Vec<PathBuf>) {
    let disk = Arc::new(NotedDisk::default());
    let place: Arc<dyn Store> = directory.open_apart_in("", options, disk.clone());
    let value = Caller::new(&place).get("a").await;
    place.close().wait().await.unwrap();
    (value, disk.noted())
}

async fn write(directory: &Arc<Directory>, options: FileOptions, text: &str) {
    let place: Arc<dyn Store> = directory.open_apart(options);
    Caller::new(&place).write(put(&["a"], text)).await;
    place.close().wait().await.unwrap();
}

/// The files of the object, with all that is in them and when they were written.
fn files(directory: &Directory) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let entries = fs::read_dir(directory.path().join("OBJECT/one")).unwrap();
    let file = |entry: io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let written = path.metadata().unwrap().modified().unwrap();
        (path.clone(), (fs::read(path).unwrap(), written))
    };
    entries.map(file).collect()
}

#[tokio::test]
async fn reading_an_object_leaves_its_directory_as_it_was_and_syncs_nothing() {
    let directory = Directory::new();
    for text in ["first", "second", "third"] {
        write(&directory, FSYNC, text).await;
        let before = files(&directory);
        for options in [FSYNC, FSYNC, PROCESS] {
            let (value, synced) = read(&directory, options).await;
            assert_eq!(value.as_deref(), Some(text));
            let own = |path: &&PathBuf| path.starts_with(directory.path().join("OBJECT"));
            assert_eq!(synced.iter().find(own), None, "{options:?}");
        }
        assert_eq!(files(&directory), before);
    }
}

#[tokio::test]
async fn what_a_process_that_was_killed_has_left_is_written_anew_before_it_is_read() {
    let directory = Directory::new();
    write(&directory, FSYNC, "text").await;
    let lock = directory.path().join(".ferroflare/locks/OBJECT.one");
    assert!(fs::read_to_string(&lock).unwrap().starts_with("settled\n"));

    // This is what a killed process leaves.
    fs::write(&lock, "process 1").unwrap();
    let before = files(&directory);
    assert_eq!(read(&directory, FSYNC).await.0.as_deref(), Some("text"));
    let after = files(&directory);
    assert_ne!(after, before);
    assert_eq!(read(&directory, FSYNC).await.0.as_deref(), Some("text"));
    assert_eq!(files(&directory), after, "once is enough");

    // Without fsync no process has synced what was written, and none has to.
    write(&directory, PROCESS, "newer").await;
    let before = files(&directory);
    assert_eq!(read(&directory, PROCESS).await.0.as_deref(), Some("newer"));
    assert_eq!(files(&directory), before);
    assert_eq!(read(&directory, FSYNC).await.0.as_deref(), Some("newer"));
    assert_ne!(files(&directory), before);
}
