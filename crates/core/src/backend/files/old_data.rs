//! Refuses directories that hold something other than our databases, such as data of Miniflare 2, before RocksDB writes
//! into them.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::database::errors::corrupt;
use super::database::file_names::{CURRENT, MANIFEST, is_database_file, is_unfinished};
use super::disk::paths::{list_names, shown};
use crate::error::{Error, Result};

/// The directory in which Miniflare 2 keeps alarms, as empty files.
const OLD_ALARMS: &str = "__MINIFLARE_ALARMS__";
/// The ending of files that Miniflare 2 writes beside values. They say nothing about a directory.
const OLD_META_SUFFIX: &str = ".meta.json";
/// How deep the directories of Miniflare 2 may lie: each `/` or `:` in a binding's name or a key is a level.
const OLD_DEPTH_MAX: u32 = 16;
const ID_DIGITS: usize = 64;

/// Refuses an object's directory that holds anything but a database; says whether it holds one.
pub fn check_object(root: &Path, path: &Path) -> Result<bool> {
    match fs::read(path.join(CURRENT)) {
        Ok(current) if current.starts_with(MANIFEST.as_bytes()) => return Ok(true),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", path, &error)),
    }
    if is_unfinished(path) {
        return Ok(false);
    }
    match content(path)? {
        Content::Nothing => Ok(false),
        Content::Foreign => Err(Error::OldData { path: shown(path), root: shown(root) }),
        // Without this file RocksDB would create a new database and delete the other files.
        Content::Database => Err(corrupt(path, "its file CURRENT is missing or garbled")),
    }
}

/// Refuses a directory that holds objects of Miniflare 2. It is not marked as ours.
pub fn check_unmarked_root(root: &Path) -> Result<()> {
    for name in list_names(root)? {
        let objects = root.join(&name);
        for id in list_names(&objects)? {
            let path = objects.join(&id);
            let like_id = id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            let old = name == OLD_ALARMS
                || (like_id && matches!(content(&path), Ok(Content::Foreign)))
                || first_file_is_old(&path, OLD_DEPTH_MAX).unwrap_or(false);
            if old {
                return Err(Error::OldData { path: shown(&path), root: shown(root) });
            }
        }
    }
    Ok(())
}

/// What is in an object's directory that has no valid `CURRENT`.
enum Content {
    /// At most what a process has left that died while it created a database.
    Nothing,
    /// Data of RocksDB.
    Database,
    /// Anything else.
    Foreign,
}

fn content(path: &Path) -> Result<Content> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Content::Nothing),
        Err(error) => return Err(Error::io("open", path, &error)),
    };
    let mut content = Content::Nothing;
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", path, &error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !is_database_file(&name) || is_v8_value(&entry.path()) {
            return Ok(Content::Foreign);
        }
        if name == CURRENT || name.ends_with(".sst") || name.ends_with(".log") {
            content = Content::Database;
        }
    }
    Ok(content)
}

/// Whether a file starts as V8's serialization does, in the versions that Miniflare 2 ran on.
fn is_v8_value(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[0] == 0xFF && (0x0D..=0x0F).contains(&start[1])
}

/// Whether the first file in or below `path` is a value or an alarm of Miniflare 2; `None` without any file.
fn first_file_is_old(path: &Path, depth: u32) -> Option<bool> {
    for entry in fs::read_dir(path).ok()?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().ok()?;
        if kind.is_dir() && depth > 0 {
            if let Some(old) = first_file_is_old(&entry.path(), depth - 1) {
                return Some(old);
            }
        } else if kind.is_file() && !name.ends_with(OLD_META_SUFFIX) {
            return Some(name == OLD_ALARMS || is_v8_value(&entry.path()));
        }
    }
    None
}
