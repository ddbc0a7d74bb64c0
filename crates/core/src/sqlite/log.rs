//! Knows how long the log of a database is.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::ffi;

/// Has SQLite keep `pages` true after each commit.
///
/// # Safety
///
/// `db` is an open connection, and `pages` outlives it.
pub(super) unsafe fn watch(db: *mut ffi::sqlite3, pages: &AtomicU32) {
    let context = std::ptr::from_ref(pages).cast_mut().cast();
    // SAFETY: the caller's promise.
    unsafe { ffi::sqlite3_wal_hook(db, Some(committed), context) };
}

/// What SQLite calls.
unsafe extern "C" fn committed(
    context: *mut c_void,
    _db: *mut ffi::sqlite3,
    _schema: *const c_char,
    pages: c_int,
) -> c_int {
    // SAFETY: `watch` has passed a counter that outlives the connection.
    let counter = unsafe { &*context.cast::<AtomicU32>() };
    counter.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
    ffi::SQLITE_OK
}
