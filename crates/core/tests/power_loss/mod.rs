//! What a power loss leaves of a directory: everything that was acknowledged.

mod creation;
mod losing_disk;
mod order;
mod reading;
mod sqlite;
mod survival;

use std::{fmt, io};

use ferroflare_core::backend::files::disk::Unsynced;

/// Something open that is synced by what the closure does.
struct SyncedBy<F>(F);

impl<F> fmt::Debug for SyncedBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncedBy")
    }
}

fn synced_by(sync: impl Fn() -> io::Result<()> + Send + 'static) -> Box<dyn Unsynced> {
    Box::new(SyncedBy(sync))
}

impl<F: Fn() -> io::Result<()> + Send> Unsynced for SyncedBy<F> {
    fn sync(&self) -> io::Result<()> {
        (self.0)()
    }
}
