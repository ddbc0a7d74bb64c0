//! The calls that make things durable. Their order decides what a power loss leaves.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use crate::error::Result;

/// What makes things durable; tests have one of their own, to see the order of the calls.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes the entries of a directory durable: what was created in it, renamed or removed.
    fn sync_entries(&self, directory: &Path) -> io::Result<()>;

    /// Makes what is in a file durable.
    fn sync_file(&self, file: &Path) -> io::Result<()>;

    /// Makes the log of the database in `path` durable, which is what `sync` does.
    fn sync_log(&self, path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()>;
}

/// The disk of this machine.
#[derive(Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    /// A directory that may be written but not read cannot be synced; nor can any in some file systems.
    #[cfg(unix)]
    fn sync_entries(&self, directory: &Path) -> io::Result<()> {
        use std::fs::File;

        use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, Unsupported};
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        match synced {
            // What is in a directory that is gone is no loss: its objects find out by themselves.
            Err(error)
                if matches!(
                    error.kind(),
                    NotFound | PermissionDenied | InvalidInput | Unsupported
                ) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    /// Windows has no such call: NTFS logs what happens to directories.
    #[cfg(not(unix))]
    fn sync_entries(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_file(&self, file: &Path) -> io::Result<()> {
        // Windows syncs no file that is only open to be read.
        OpenOptions::new().write(true).open(file)?.sync_all()
    }

    fn sync_log(&self, _path: &Path, sync: &dyn Fn() -> Result<()>) -> Result<()> {
        sync()
    }
}
