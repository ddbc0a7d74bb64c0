//! What SQL sees of its connection: the row inserted last, counts of changes, and settings. Each instance of an object has
//! its own, although instances that follow each other may use one connection.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::ffi;

use super::connection::text;
use super::database::Database;
use crate::error::{Error, Result};

/// What an instance has seen last. It goes on with that on another connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    last_row: i64,
    changes: i64,
    total: i64,
    /// By the order of [`SETTINGS`]; nothing if all are as at first.
    settings: Option<Vec<bool>>,
}

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
    fn begin(&self, start: i64, session: &Session) {
        self.start.store(start, Ordering::Relaxed);
        self.total.store(session.total, Ordering::Relaxed);
        self.changes.store(session.changes, Ordering::Relaxed);
    }

    fn total(&self, now: i64) -> i64 {
        self.total.load(Ordering::Relaxed) + now - self.start.load(Ordering::Relaxed)
    }

    fn changes(&self, now: i64, last: i64) -> i64 {
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

impl Database {
    /// Makes SQL see what `session` has seen last: nothing, for a new instance.
    pub fn enter(&mut self, session: &Session) -> Result<()> {
        if self.author.take_changed_settings() || session.settings.is_some() {
            for (at, (name, first)) in SETTINGS.iter().enumerate() {
                let on = session.settings.as_ref().map_or(*first, |settings| settings[at]);
                let pragma = format!("PRAGMA {name} = {}", u8::from(on));
                self.author.ours(|| self.connection.execute_batch(&pragma)).map_err(text)?;
            }
        }
        if session.settings.is_some() {
            self.author.note_changed_settings();
        }
        let db = self.raw();
        // SAFETY: the connection is open and ours.
        unsafe { ffi::sqlite3_set_last_insert_rowid(db, session.last_row) };
        // SAFETY: as before.
        self.counts.begin(unsafe { ffi::sqlite3_total_changes64(db) }, session);
        Ok(())
    }

    /// What SQL has seen last.
    pub fn session(&mut self) -> Result<Session> {
        let db = self.raw();
        // SAFETY: the connection is open and ours.
        let (last_row, now, last) = unsafe {
            (
                ffi::sqlite3_last_insert_rowid(db),
                ffi::sqlite3_total_changes64(db),
                ffi::sqlite3_changes64(db),
            )
        };
        let settings = self.author.has_changed_settings().then(|| self.settings()).transpose()?;
        let (total, changes) = (self.counts.total(now), self.counts.changes(now, last));
        Ok(Session { last_row, changes, total, settings })
    }

    fn settings(&self) -> Result<Vec<bool>> {
        let setting = |name: &str| {
            // This one cannot be read.
            let query = match name {
                "case_sensitive_like" => "SELECT NOT ('a' LIKE 'A')".to_owned(),
                _ => format!("PRAGMA {name}"),
            };
            let found =
                self.author.ours(|| self.connection.query_row(&query, [], |row| row.get(0)));
            found.map_err(text)
        };
        SETTINGS.iter().map(|(name, _)| setting(name)).collect()
    }

    /// Whether neither a cursor nor a transaction is open, so that another connection can go on.
    pub fn is_resting(&self) -> bool {
        self.cursors.is_empty() && !self.is_dirty() && !self.is_nested() && self.failed().is_none()
    }
}

/// The settings that a worker can change, as they are at first.
const SETTINGS: &[(&str, bool)] = &[
    ("foreign_keys", true),
    ("defer_foreign_keys", false),
    ("case_sensitive_like", false),
    ("ignore_check_constraints", false),
    ("legacy_alter_table", false),
    ("recursive_triggers", false),
    ("reverse_unordered_selects", false),
];
