//! One prepared statement. Nothing else calls SQLite for a statement.

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::ffi;

use super::failure::failure;
use super::value::{Binding, Column};
use crate::error::{Error, Result};

unsafe extern "C" {
    /// Whether nothing but the end follows the row that the statement stands on. The build script has added it to SQLite.
    fn ferroflare_is_on_last_row(statement: *mut ffi::sqlite3_stmt) -> c_int;
}

/// Counters that the build script has added to SQLite.
const ROWS_READ: c_int = 9;
const ROWS_WRITTEN: c_int = 10;

/// A prepared statement. It must be dropped before its connection is closed.
#[derive(Debug)]
pub(super) struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
    db: *mut ffi::sqlite3,
    /// Names the names of its columns.
    names: u64,
    /// How much memory it takes, if that is known.
    size: Option<usize>,
    /// Whether a worker has not written it.
    is_ours: bool,
    /// How often SQLite had prepared it again when `names` was given.
    times_prepared: c_int,
}

/// Names the column names of statements across all databases of the process.
static NEXT_NAMES: AtomicU64 = AtomicU64::new(1);

fn next_names() -> u64 {
    NEXT_NAMES.fetch_add(1, Ordering::Relaxed)
}

// SAFETY: SQLite is compiled for connections that one thread uses at a time, whichever; only the owner of the connection
// has the statement.
unsafe impl Send for Statement {}

/// What a text begins with.
pub(super) struct Prepared {
    /// The first statement; none if the text holds only spaces and comments.
    pub(super) statement: Option<Statement>,
    /// How many bytes of the text belong to it.
    pub(super) length: usize,
}

/// Rows that a statement has read and written, index entries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) read: u32,
    pub(super) written: u32,
}

impl Statement {
    /// Prepares the first statement of `sql`. A statement that is `kept` is used often.
    ///
    /// # Safety
    ///
    /// `db` is an open connection that no other thread uses, and outlives the statement.
    pub(super) unsafe fn prepare(db: *mut ffi::sqlite3, sql: &str, kept: bool) -> Result<Prepared> {
        let flags = if kept { ffi::SQLITE_PREPARE_PERSISTENT } else { 0 };
        let (mut raw, mut tail) = (ptr::null_mut(), ptr::null());
        let text = sql.as_ptr().cast();
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        // SAFETY: the caller's promise; `text` has `length` bytes.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(db, text, length, flags, &raw mut raw, &raw mut tail)
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: the caller's promise.
            return Err(unsafe { failure(db, code) }.about_limit(sql));
        }
        let statement = NonNull::new(raw).map(|raw| Self {
            raw,
            db,
            names: next_names(),
            size: None,
            is_ours: false,
            times_prepared: 0,
        });
        Ok(Prepared { statement, length: tail as usize - text as usize })
    }

    /// The statement as one of ours.
    pub(super) fn ours(mut self) -> Self {
        self.is_ours = true;
        self
    }

    /// Whether a worker has not written it.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    fn raw(&self) -> *mut ffi::sqlite3_stmt {
        self.raw.as_ptr()
    }

    fn checked(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: the connection is open as long as the statement exists.
        Err(unsafe { failure(self.db, code) })
    }

    /// How many parameters it has.
    pub(super) fn parameters(&self) -> usize {
        // SAFETY: the statement exists.
        count(unsafe { ffi::sqlite3_bind_parameter_count(self.raw()) })
    }

    /// Sets a parameter to a copy of a value; the first one is 0.
    pub(super) fn bind(&mut self, index: usize, value: &Binding<'_>) -> Result<()> {
        // SAFETY: SQLite copies texts and blobs during the call.
        unsafe { self.bind_with(index, value, ffi::SQLITE_TRANSIENT()) }
    }

    /// Sets a parameter to a value that is not copied; the first one is 0.
    ///
    /// # Safety
    ///
    /// `value` lives until the statement is reset.
    pub(super) unsafe fn bind_borrowed(&mut self, index: usize, value: &Binding<'_>) -> Result<()> {
        // SAFETY: the caller's promise; resetting unbinds the parameters.
        unsafe { self.bind_with(index, value, ffi::SQLITE_STATIC()) }
    }

    unsafe fn bind_with(
        &mut self,
        index: usize,
        value: &Binding<'_>,
        keeping: ffi::sqlite3_destructor_type,
    ) -> Result<()> {
        let (raw, index) = (self.raw(), c_int::try_from(index + 1).unwrap_or(c_int::MAX));
        // SAFETY: the statement exists; the caller knows how long the value lives.
        let code = unsafe {
            match *value {
                Binding::Null => ffi::sqlite3_bind_null(raw, index),
                Binding::Integer(number) => ffi::sqlite3_bind_int64(raw, index, number),
                Binding::Number(number) => ffi::sqlite3_bind_double(raw, index, number),
                Binding::Text(text) => {
                    let (start, length) = (text.as_ptr().cast(), text.len() as u64);
                    ffi::sqlite3_bind_text64(raw, index, start, length, keeping, UTF8)
                }
                Binding::Blob(bytes) => {
                    // Null would be NULL.
                    let bytes = if bytes.is_empty() { &[0][..0] } else { bytes };
                    let (start, length) = (bytes.as_ptr().cast(), bytes.len() as u64);
                    ffi::sqlite3_bind_blob64(raw, index, start, length, keeping)
                }
            }
        };
        self.checked(code)
    }

    /// Goes on to the next row; says whether there is one.
    pub(super) fn step(&mut self) -> Result<bool> {
        // SAFETY: the statement exists.
        match unsafe { ffi::sqlite3_step(self.raw()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => self.checked(code).map(|()| false),
        }
    }

    /// Makes it ready to run again, without its parameters. The counters begin at 0.
    pub(super) fn reset(&mut self) {
        // SAFETY: the statement exists. The result of the reset is the error that the last step has told.
        unsafe {
            ffi::sqlite3_reset(self.raw());
            ffi::sqlite3_clear_bindings(self.raw());
            ffi::sqlite3_stmt_status(self.raw(), ROWS_READ, 1);
            ffi::sqlite3_stmt_status(self.raw(), ROWS_WRITTEN, 1);
        }
    }

    /// Whether it changes nothing in the database.
    pub(super) fn is_read_only(&self) -> bool {
        // SAFETY: the statement exists.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw()) != 0 }
    }

    /// Whether the row that [`Self::step`] has found is known to be the last one, and the step to the end does nothing.
    pub(super) fn is_on_last_row(&self) -> bool {
        // SAFETY: the statement exists.
        self.is_read_only() && unsafe { ferroflare_is_on_last_row(self.raw()) != 0 }
    }

    /// Rows read and written since the last reset.
    pub(super) fn counts(&self) -> Counts {
        #[expect(clippy::cast_sign_loss, reason = "SQLite counts in 32 bits without a sign")]
        // SAFETY: the statement exists.
        let of = |counter| unsafe { ffi::sqlite3_stmt_status(self.raw(), counter, 0) as u32 };
        Counts { read: of(ROWS_READ), written: of(ROWS_WRITTEN) }
    }

    /// Another number whenever the names of the columns may be others: SQLite prepares a statement again when the schema
    /// has changed.
    pub(super) fn names(&mut self) -> u64 {
        // SAFETY: the statement exists.
        let times =
            unsafe { ffi::sqlite3_stmt_status(self.raw(), ffi::SQLITE_STMTSTATUS_REPREPARE, 0) };
        if times != self.times_prepared {
            self.times_prepared = times;
            self.names = next_names();
        }
        self.names
    }

    /// How much memory it took when this was asked first, in bytes. SQLite takes long to find out.
    pub(super) fn size(&mut self) -> usize {
        *self.size.get_or_insert_with(|| {
            let used = ffi::SQLITE_STMTSTATUS_MEMUSED;
            // SAFETY: the statement exists.
            count(unsafe { ffi::sqlite3_stmt_status(self.raw.as_ptr(), used, 0) })
        })
    }

    /// How many columns its rows have.
    pub(super) fn columns(&self) -> usize {
        // SAFETY: the statement exists.
        count(unsafe { ffi::sqlite3_column_count(self.raw()) })
    }

    /// The name of a column.
    fn column_name(&self, column: usize) -> Result<String> {
        let index = c_int::try_from(column).unwrap_or(c_int::MAX);
        // SAFETY: the statement exists. SQLite keeps the text until the next call for this statement.
        let name = unsafe {
            let name = ffi::sqlite3_column_name(self.raw(), index);
            (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
        };
        name.ok_or_else(|| Error::Internal("SQLite has no memory for the name of a column".into()))
    }

    /// The names of all columns.
    pub(super) fn column_names(&self) -> Result<Vec<String>> {
        (0..self.columns()).map(|column| self.column_name(column)).collect()
    }

    /// Whether `names` names the names of its columns.
    pub(super) fn is_named(&self, names: u64) -> bool {
        self.names == names
    }

    /// A value of the row that [`Self::step`] has found. It lives until the next step.
    pub(super) fn column(&self, column: usize) -> Column<'_> {
        let (raw, index) = (self.raw(), c_int::try_from(column).unwrap_or(c_int::MAX));
        // SAFETY: the statement exists. SQLite keeps a value until the next step, which needs the statement for
        // itself.
        unsafe {
            match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => Column::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => Column::Number(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_column_text(raw, index);
                    Column::Text(bytes(start, ffi::sqlite3_column_bytes(raw, index)))
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_column_blob(raw, index).cast();
                    Column::Blob(bytes(start, ffi::sqlite3_column_bytes(raw, index)))
                }
                _ => Column::Null,
            }
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement exists, and is not used after this.
        unsafe { ffi::sqlite3_finalize(self.raw()) };
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const UTF8: u8 = ffi::SQLITE_UTF8 as u8;

/// A count that SQLite gives as a number with a sign.
fn count(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// The bytes of a value; SQLite gives null for an empty one.
unsafe fn bytes<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: the caller passes the start and the length of a value.
    unsafe { std::slice::from_raw_parts(start, count(length)) }
}
