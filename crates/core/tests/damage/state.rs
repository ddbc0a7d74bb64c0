//! A directory with one object in a known state, copies of it, and what is found in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferroflare_core::Error;
use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::{ReadView, Store};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::write_batch::WriteBatch;

use crate::places::{Directory, FSYNC};
use crate::support::{Caller, fresh, key, names, object_key};

pub(crate) const PROCESS: FileOptions = FileOptions { fsync: false, ..FSYNC };

/// Keys that a session writes.
const KEYS_EACH: usize = 30;

/// How the last session of a state has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Killed,
}

/// Keys that are there after so many sessions.
pub(crate) fn expected(sessions: usize) -> Vec<String> {
    let mut keys: Vec<_> =
        (0..sessions * KEYS_EACH).map(|number| format!("key {number:04}")).collect();
    keys.sort();
    keys
}

async fn write_session(place: &Arc<dyn Store>, session: usize) {
    let caller = Caller::new(place);
    for name in &expected(session + 1)[session * KEYS_EACH..] {
        let mut batch = WriteBatch::default();
        batch.put(key(name), "x".repeat(100).as_bytes().into());
        caller.write(batch).await;
    }
}

/// A directory in which `sessions` sessions have written: each but the last leaves a table, the last one a log.
pub(crate) async fn written(options: FileOptions, sessions: usize, end: End) -> Arc<Directory> {
    let directory = Directory::new();
    for session in 0..sessions {
        let place: Arc<dyn Store> = directory.open_apart(options);
        write_session(&place, session).await;
        if end == End::Killed && session + 1 == sessions {
            // What a killed process leaves is what is there now.
            let left = copy_of(&directory);
            place.close().wait().await.unwrap();
            return left;
        }
        place.close().wait().await.unwrap();
    }
    directory
}

pub(crate) fn object(directory: &Directory) -> PathBuf {
    directory.path().join("OBJECT/one")
}

fn files_of(directory: &Directory) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(object(directory)).unwrap().map(|entry| entry.unwrap().path())
}

pub(crate) fn manifest_of(directory: &Directory) -> PathBuf {
    let is_one = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().contains("MANIFEST-");
    files_of(directory).find(is_one).unwrap()
}

/// The newest file of the object of that kind: `log` or `sst`.
pub(crate) fn last_of(directory: &Directory, kind: &str) -> PathBuf {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|found| found == kind);
    files_of(directory).filter(is_one).max().unwrap()
}

pub(crate) fn lock_file(directory: &Directory) -> PathBuf {
    directory.path().join(".ferroflare/locks/OBJECT.one")
}

pub(crate) fn copy_of(directory: &Directory) -> Arc<Directory> {
    let copy = Directory::new();
    copy_all(directory.path(), copy.path());
    copy
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let source = entry.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        if source.is_dir() {
            copy_all(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

/// The files of the object, with all that is in them.
pub(crate) fn content(directory: &Directory) -> BTreeMap<PathBuf, Vec<u8>> {
    files_of(directory).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The keys of the object, and those after one more write, as a process of its own finds them.
pub(crate) async fn use_object(
    directory: &Arc<Directory>,
    options: FileOptions,
) -> [Result<Vec<String>, Error>; 2] {
    let place: Arc<dyn Store> = directory.open_apart(options);
    let object = place.object(&object_key("one")).unwrap();
    let list = async || {
        let listed = object.list(Scan::new(&ListOptions::default()), ReadView::Latest(None));
        listed.wait().await.map(|found| names(fresh(found)))
    };
    let before = list().await;
    let mut batch = WriteBatch::default();
    batch.put(key("later"), key("value"));
    let written = object.write(batch, None);
    object.seal();
    let after = match written.wait().await {
        Ok(committed) => {
            object.seal();
            match object.durable(committed.ticket).wait().await {
                Ok(()) => list().await,
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    // Closing tells again what is wrong.
    let _ = place.close().wait().await;
    [before, after]
}

/// Asserts that all keys are there, or that every use fails with one error that says what to do, and changes nothing.
/// Says whether it fails.
pub(crate) async fn assert_told(
    directory: &Arc<Directory>,
    options: FileOptions,
    sessions: usize,
    what: &str,
) -> bool {
    let damaged = content(directory);
    let [before, after] = use_object(directory, options).await;
    let mut keys = expected(sessions);
    match (before, after) {
        (Ok(found), Ok(later)) => {
            assert_eq!(found, keys, "{what}");
            keys.push("later".into());
            assert_eq!(later, keys, "{what}");
            false
        }
        (Err(error), after) => {
            assert_eq!(error.code(), "ERR_STORAGE_CORRUPT", "{what}: {error}");
            let text = error.to_string();
            assert!(text.contains("OBJECT/one"), "{what}: {text}");
            assert!(text.contains("Restore it from a copy, or delete"), "{what}: {text}");
            match after {
                // A block of a table that is damaged is found when it is read.
                Ok(later) => panic!("{what}: {} keys after {text}", later.len()),
                Err(_) => {
                    if matches!(error, Error::Incomplete { .. }) {
                        assert_eq!(content(directory), damaged, "{what}: {text}");
                    }
                }
            }
            true
        }
        (Ok(found), Err(error)) => {
            assert_eq!(found, keys, "{what}");
            assert_eq!(error.code(), "ERR_STORAGE_CORRUPT", "{what}: {error}");
            true
        }
    }
}

/// Values of the next function, in bytes: together more than RocksDB keeps in memory for one database.
const LARGE_BYTES: usize = 100_000;

/// What a killed process leaves that has written so much that RocksDB has made tables of it meanwhile.
pub(crate) async fn written_much(options: FileOptions) -> Arc<Directory> {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(options);
    let caller = Caller::new(&place);
    for number in 0..24 {
        let mut batch = WriteBatch::default();
        batch.put(key(&format!("key {number:04}")), "x".repeat(LARGE_BYTES).as_bytes().into());
        caller.write(batch).await;
    }
    let left = copy_of(&directory);
    place.close().wait().await.unwrap();
    left
}
