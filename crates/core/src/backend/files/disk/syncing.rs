//! The calls that make files and directories durable. Their order decides what a power loss leaves.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::Result;

/// Makes files and directories durable. Tests have a disk of their own, to see the order of the calls.
///
/// A file or directory is opened before anything is written that needs its sync. So later only the disk can fail.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens a directory, to make its entries durable: what was created, renamed or removed in it.
    fn entries(&self, directory: &Path) -> io::Result<Box<dyn Unsynced>>;

    /// Opens a file, to make its content durable.
    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>>;

    /// Makes the log of the database in `path` durable, by calling `sync`.
    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()>;
}

/// An open file or directory, from which a power loss may still take something.
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
            // Syncing a directory needs read permission. A directory that has been deleted needs no sync: its objects
            // notice the deletion themselves.
            Err(error) if matches!(error.kind(), NotFound | PermissionDenied) => {
                Ok(Box::new(Entries(None)))
            }
            Err(error) => Err(error),
        }
    }

    /// Windows has no such call: NTFS writes changes of directories to its own log.
    #[cfg(not(unix))]
    fn entries(&self, _directory: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(Box::new(Entries(None)))
    }

    fn contents(&self, file: &Path) -> io::Result<Box<dyn Unsynced>> {
        // Windows syncs only files that are open to write.
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

/// A directory, if it can be synced.
#[derive(Debug)]
struct Entries(Option<File>);

impl Unsynced for Entries {
    /// Some file systems cannot sync directories.
    fn sync(&self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};
        match self.0.as_ref().map_or(Ok(()), File::sync_all) {
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            result => result,
        }
    }
}
