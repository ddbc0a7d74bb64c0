//! Counts of changes as SQL sees them: they begin again with each instance of an object, the connection's own go on.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::ffi;

use crate::error::{Error, Result};

/// Where the counts of a session begin.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The connection's own count of changes at that moment.
    start: AtomicI64,
    /// What `total_changes()` was then.
    total: AtomicI64,
    /// What `changes()` was then.
    changes: AtomicI64,
}

impl Counts {
    /// From now on the counts go on from these; `start` is the connection's own count.
    pub(super) fn begin(&self, start: i64, total: i64, changes: i64) {
        self.start.store(start, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.changes.store(changes, Ordering::Relaxed);
    }

    /// What `total_changes()` is.
    pub(super) fn total(&self, now: i64) -> i64 {
        self.total.load(Ordering::Relaxed) + now - self.start.load(Ordering::Relaxed)
    }

    /// What `changes()` is.
    pub(super) fn changes(&self, now: i64, last: i64) -> i64 {
        let is_unchanged = now == self.start.load(Ordering::Relaxed);
        if is_unchanged { self.changes.load(Ordering::Relaxed) } else { last }
    }
}

/// Has SQL ask `counts` for changes.
///
/// # Safety
///
/// `db` is an open connection, and `counts` outlives it.
pub(super) unsafe fn install(db: *mut ffi::sqlite3, counts: &Counts) -> Result<()> {
    let context = std::ptr::from_ref(counts).cast_mut().cast::<c_void>();
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
    for (name, function) in [(c"changes", changes as Function), (c"total_changes", total_changes)] {
        // SAFETY: the caller's promise.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                db,
                name.as_ptr(),
                0,
                flags,
                context,
                Some(function),
                None,
                None,
                None,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(Error::Internal(format!("SQLite does not take a function ({code})")));
        }
    }
    Ok(())
}

type Function =
    unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

/// What SQLite calls for `changes()`.
unsafe extern "C" fn changes(
    context: *mut ffi::sqlite3_context,
    _count: c_int,
    _values: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: `install` has passed counts that outlive the connection.
    unsafe {
        let counts = &*ffi::sqlite3_user_data(context).cast::<Counts>();
        let db = ffi::sqlite3_context_db_handle(context);
        let (now, last) = (ffi::sqlite3_total_changes64(db), ffi::sqlite3_changes64(db));
        ffi::sqlite3_result_int64(context, counts.changes(now, last));
    }
}

/// What SQLite calls for `total_changes()`.
unsafe extern "C" fn total_changes(
    context: *mut ffi::sqlite3_context,
    _count: c_int,
    _values: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: as above.
    unsafe {
        let counts = &*ffi::sqlite3_user_data(context).cast::<Counts>();
        let now = ffi::sqlite3_total_changes64(ffi::sqlite3_context_db_handle(context));
        ffi::sqlite3_result_int64(context, counts.total(now));
    }
}
