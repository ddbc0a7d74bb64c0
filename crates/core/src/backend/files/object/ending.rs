//! What comes after the last flush of a table: its database is closed and the object released, or the database is kept.

use super::database::Database;
use crate::backend::files::database::inventory::Inventory;
use crate::backend::files::lock::object_lock::ObjectLock;
use crate::backend::files::workers::open_set::Slot;
use crate::error::{Error, Result};

/// What is left of an object that is not open any more and that this process still has.
pub struct Kept {
    /// No other process has the object.
    pub lock: ObjectLock,
    /// The object still counts as open.
    pub slot: Slot,
}

/// What comes after the end of a table.
pub enum After {
    /// Others may have the object.
    Close,
    /// The object is kept, to be opened once more.
    Keep(Box<dyn FnOnce(Result<Kept>) + Send>),
}

impl After {
    /// Ends without a table: its state is in doubt.
    pub fn give_up(self) {
        if let Self::Keep(then) = self {
            then(Err(Error::Internal("a panic has left the state of an object in doubt".into())));
        }
    }
}

/// A table that ends as soon as everything is flushed.
pub struct Ending {
    /// What comes then.
    pub after: After,
    /// How the last flush has ended, when it has.
    pub flushed: Option<Result<()>>,
    /// Whether the table could write its last batch.
    pub sealed: Result<()>,
    /// Whether everything was deleted before the last flush.
    pub cleared: bool,
}

impl Ending {
    /// A table whose last flush is still to come. `cleared` says whether everything may have been deleted.
    pub fn new(after: After, sealed: Result<()>, cleared: bool) -> Self {
        Self { after, flushed: None, sealed, cleared }
    }

    /// Whether the directory goes with the table, if it holds nothing.
    pub fn may_remove(&self) -> bool {
        self.cleared && matches!(self.after, After::Close)
    }
}

/// Closes a database, and releases the object and its slot. If everything is flushed, the lock file tells the next holder.
pub fn close(database: Database, slot: Slot, is_flushed: bool, fsync: bool) {
    let (path, written) = (database.path().to_owned(), database.takes_writes());
    let lock = database.into_lock();
    // A database that was only read is as it was found.
    if is_flushed && written {
        lock.mark_closed(fsync, Inventory::of_closed(&path, fsync).ok());
    }
    drop(lock);
    drop(slot);
}
