//! Records of the names that ids were made of: small files beside the databases, `.ferroflare/called/<NAME>.<id>`.
//!
//! A record is written as a whole, but it is not synced. It is written again whenever a program uses the name, and a
//! reader can tell from the id whether the name is right.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::Shared;
use crate::backend::ObjectKey;
use crate::error::{Error, Result};
use crate::key::Value;

/// The directory of the records.
const RECORDS: &str = "called";

/// Numbers drafts: threads of this process may write one record at the same time.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Records the name of an object; without a name the record is removed.
pub fn write(shared: &Shared, key: &ObjectKey, name: Option<&str>) -> Result<()> {
    let path = shared.layout.file_of(RECORDS, key);
    let Some(name) = name else {
        return remove(&path);
    };
    if fs::read(&path).is_ok_and(|recorded| recorded == name.as_bytes()) {
        return Ok(());
    }
    shared.prepare()?;
    shared.directories.create(&shared.layout.own(RECORDS))?;
    replace(&path, name)
}

/// The name that was recorded.
pub fn read(shared: &Shared, key: &ObjectKey) -> Result<Option<Value>> {
    let path = shared.layout.file_of(RECORDS, key);
    match fs::read(&path) {
        Ok(name) => Ok(Some(Value::from(name))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

fn replace(path: &Path, name: &str) -> Result<()> {
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{draft}", std::process::id()));
    fs::write(&draft, name).and_then(|()| fs::rename(&draft, path)).map_err(|error| {
        let _ = fs::remove_file(&draft);
        Error::io("create", path, &error)
    })
}
