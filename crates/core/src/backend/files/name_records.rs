//! Names of objects, noted in small files beside the databases: `.ferroflare/called/<NAME>.<id>`.
//!
//! A note is written as a whole, but not synced: it is made anew whenever somebody uses the name, and the reader
//! can tell from the id whether it is right.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::FilePlace;
use crate::backend::ObjectKey;
use crate::error::{Error, Result};
use crate::key::Value;

const ROOM: &str = "called";

/// Keeps apart those who write the same note at once in this process.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Notes a name, or removes the note.
pub fn note(place: &FilePlace, key: &ObjectKey, name: Option<&str>) -> Result<()> {
    let path = place.layout().file_of(ROOM, key);
    let Some(name) = name else {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &path, &error))
            }
            _ => Ok(()),
        };
    };
    if fs::read(&path).is_ok_and(|noted| noted == name.as_bytes()) {
        return Ok(());
    }
    place.prepare()?;
    place.directories().create(&place.layout().own(ROOM))?;
    write(&path, name)
}

/// The name that was noted.
pub fn noted(place: &FilePlace, key: &ObjectKey) -> Result<Option<Value>> {
    let path = place.layout().file_of(ROOM, key);
    match fs::read(&path) {
        Ok(name) => Ok(Some(Value::from(name))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

fn write(path: &PathBuf, name: &str) -> Result<()> {
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{draft}", std::process::id()));
    fs::write(&draft, name).and_then(|()| fs::rename(&draft, path)).map_err(|error| {
        let _ = fs::remove_file(&draft);
        Error::io("create", path, &error)
    })
}
