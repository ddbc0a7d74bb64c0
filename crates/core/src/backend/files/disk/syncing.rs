//! The calls that make things durable. Their order decides what a power loss leaves.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::Result;

/// What makes things durable; tests have one of their own, to see the order of the calls.
///
/// Files and directories are opened before anything is written that needs them, so that later only the disk can
/// fail.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens a directory, to make its entries durable: what was created in it, renamed or removed.
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>>;

    /// Opens a file, to make what is in it durable.
    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>>;

    /// Makes the log of the database in `path` durable, which is what `sync` does.
    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()>;
}

/// Something open that a power loss may still take.
pub trait Unsynced: fmt::Debug + Send {
    /// Makes it durable.
    fn sync(&self) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    #[cfg(unix)]
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match File::open(directory) {
            Ok(open) => Ok(Box::new(Entries(Some(open)))),
            // One that may be written but not read cannot be synced. What is in a directory that is gone is no
            // loss: its objects find out by themselves.
            Err(error) if matches!(error.kind(), NotFound | PermissionDenied) => {
                Ok(Box::new(Entries(None)))
            }
            Err(error) => Err(error),
        }
    }

    /// Windows has no such call: NTFS logs what happens to directories.
    #[cfg(not(unix))]
    fn entries(&self, _directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(Box::new(Entries(None)))
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        // Windows syncs no file that is only open to be read.
        Ok(Box::new(OpenOptions::new().write(true).open(file)?))
    }

    fn sync_log(&self, _path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        sync()
    }
}

impl Unsynced for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

/// A directory, where it can be synced.
#[derive(Debug)]
struct Entries(Option<File>);

impl Unsynced for Entries {
    /// Some file systems cannot.
    fn sync(&self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};
        match self.0.as_ref().map_or(Ok(()), File::sync_all) {
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            result => result,
        }
    }
}
