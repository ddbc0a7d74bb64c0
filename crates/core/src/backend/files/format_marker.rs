//! The file `.ferroflare/format`, which marks a directory as ours and names the version of its layout.

use std::fs;
use std::io::ErrorKind::{InvalidData, NotADirectory, NotFound};
use std::path::PathBuf;

use super::database::format::FORMAT_VERSION;
use super::disk::atomic_file::write_whole;
use super::disk::directories::Directories;
use super::disk::paths::shown;
use super::layout::Layout;
use super::old_data::check_unmarked_root;
use super::own_links::check_own;
use crate::error::{Error, Result};

fn path(layout: &Layout) -> PathBuf {
    layout.own("format")
}

/// Whether the marker file exists.
pub fn exists(layout: &Layout) -> bool {
    path(layout).exists()
}

/// Marks the directory as ours. It is created if it does not exist.
pub fn create(layout: &Layout, directories: &Directories) -> Result<()> {
    check_root(layout)?;
    directories.create(layout.root())?;
    directories.create(&layout.own_root())?;
    let marker = path(layout);
    if !marker.exists() {
        write_whole(&marker, &layout.draft_of(&marker), &format!("{FORMAT_VERSION}\n"))?;
    }
    directories.mark_unsynced(&marker)
}

/// Refuses a root that is a file, that a newer version has written, or that holds data of Miniflare 2.
pub fn check_root(layout: &Layout) -> Result<()> {
    let root = layout.root();
    match fs::metadata(root) {
        Ok(found) if !found.is_dir() => return Err(Error::NotADirectory { path: shown(root) }),
        Ok(_) => {}
        Err(error) if error.kind() == NotFound => return Ok(()),
        Err(error) => return Err(Error::io("open", root, &error)),
    }
    check_own(layout)?;
    if is_marked(layout)? {
        return Ok(());
    }
    match check_unmarked_root(root) {
        // Meanwhile another first user has marked it and has begun to write objects.
        Err(_) if is_marked(layout)? => Ok(()),
        checked => checked,
    }
}

/// Whether the root is marked as ours; refuses a version that is not this one.
fn is_marked(layout: &Layout) -> Result<bool> {
    let marker = path(layout);
    let text = match fs::read_to_string(&marker) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(false),
        // Bytes that are not text are not a version.
        Err(error) if error.kind() == InvalidData => String::new(),
        Err(error) => return Err(Error::io("read", &marker, &error)),
    };
    let root = shown(layout.root());
    match text.trim().parse::<u32>() {
        Ok(FORMAT_VERSION) => Ok(true),
        Ok(version) => Err(Error::NewerFormat { path: root, version, place: "directory" }),
        Err(_) => Err(Error::CorruptMarker { path: shown(&marker), root, version: FORMAT_VERSION }),
    }
}
