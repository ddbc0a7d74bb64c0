//! What the SQL of a worker may do. SQLite asks while it prepares a statement.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::ffi;

use super::functions::is_allowed;

/// Says who has written the statement that is prepared now. SQLite may prepare a statement again when it runs.
#[derive(Debug, Default)]
pub(super) struct Author {
    is_ours: AtomicBool,
    /// Whether a statement about transactions was refused.
    began_transaction: AtomicBool,
    /// Whether a worker may have changed settings of the connection.
    changed_settings: AtomicBool,
}

impl Author {
    /// Statements that are prepared while `work` runs are ours: they may do everything.
    pub(super) fn ours<R>(&self, work: impl FnOnce() -> R) -> R {
        let before = self.is_ours.swap(true, Ordering::Relaxed);
        let result = work();
        self.is_ours.store(before, Ordering::Relaxed);
        result
    }

    /// Whether a worker may have changed settings of the connection.
    pub(super) fn has_changed_settings(&self) -> bool {
        self.changed_settings.load(Ordering::Relaxed)
    }

    /// A worker may have changed settings of the connection.
    pub(super) fn note_changed_settings(&self) {
        self.changed_settings.store(true, Ordering::Relaxed);
    }

    /// Whether a worker may have changed settings. Now they are about to be as at first.
    pub(super) fn take_changed_settings(&self) -> bool {
        self.changed_settings.swap(false, Ordering::Relaxed)
    }

    /// Whether a statement about transactions was refused since this was asked last.
    pub(super) fn take_began_transaction(&self) -> bool {
        self.began_transaction.swap(false, Ordering::Relaxed)
    }
}

/// Has SQLite ask for each action of a statement.
///
/// # Safety
///
/// `db` is an open connection, and `author` outlives it.
pub(super) unsafe fn install(db: *mut ffi::sqlite3, author: &Author) {
    let context = std::ptr::from_ref(author).cast_mut().cast();
    // SAFETY: the caller's promise.
    unsafe { ffi::sqlite3_set_authorizer(db, Some(authorize), context) };
}

/// What SQLite calls.
unsafe extern "C" fn authorize(
    context: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    schema: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: `install` has passed an `Author` that outlives the connection.
    let author = unsafe { &*context.cast::<Author>() };
    if author.is_ours.load(Ordering::Relaxed) {
        return ffi::SQLITE_OK;
    }
    if action == ffi::SQLITE_PRAGMA && !second.is_null() {
        author.note_changed_settings();
    }
    if [ffi::SQLITE_TRANSACTION, ffi::SQLITE_SAVEPOINT].contains(&action) {
        author.began_transaction.store(true, Ordering::Relaxed);
    }
    // SAFETY: SQLite passes null or texts that live as long as the call.
    let [first, second, schema] = [first, second, schema].map(|text| unsafe { utf8(text) });
    if may(action, first, second, schema) { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// The text; nothing for null, and for a text that is not UTF-8.
unsafe fn utf8<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller passes a text that ends with NUL and outlives its use.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

fn may(action: c_int, first: Option<&str>, second: Option<&str>, schema: Option<&str>) -> bool {
    let names_are_free = is_free(first) && is_free(second);
    match action {
        ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE | ffi::SQLITE_REINDEX => true,
        ffi::SQLITE_READ | ffi::SQLITE_INSERT | ffi::SQLITE_UPDATE | ffi::SQLITE_DELETE => {
            is_free(first) && (is_main(schema) || is_schema_table(first))
        }
        ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_CREATE_TABLE
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_CREATE_VIEW
        | ffi::SQLITE_DROP_INDEX
        | ffi::SQLITE_DROP_TABLE
        | ffi::SQLITE_DROP_TRIGGER
        | ffi::SQLITE_DROP_VIEW => names_are_free && is_main(schema),
        // The schema comes first, then the table, and for a new name of the table that one.
        ffi::SQLITE_ALTER_TABLE => is_main(first) && is_free(second) && is_free(schema),
        // It reads all tables, also ours, and tells how many rows they have.
        ffi::SQLITE_ANALYZE => is_main(schema),
        ffi::SQLITE_FUNCTION => second.is_some_and(is_allowed),
        ffi::SQLITE_CREATE_VTABLE | ffi::SQLITE_DROP_VTABLE => {
            is_free(first) && is_main(schema) && second.is_some_and(is_module)
        }
        ffi::SQLITE_PRAGMA => {
            first.is_some_and(|name| may_set(name, second)) && (schema.is_none() || is_main(schema))
        }
        // Transactions have an API of their own, which says so.
        _ => false,
    }
}

/// Whether the name is not one of those that are kept for us.
fn is_free(name: Option<&str>) -> bool {
    !name.is_some_and(|name| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("_cf_")))
}

fn is_main(schema: Option<&str>) -> bool {
    schema.is_none_or(|schema| schema == "main")
}

/// Whether it is a table of SQLite itself: those of the temporary schema exist, but are always empty.
fn is_schema_table(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.starts_with("sqlite_"))
}

fn is_module(name: &str) -> bool {
    ["fts5", "fts5vocab", "rtree", "rtree_i32"]
        .iter()
        .any(|module| name.eq_ignore_ascii_case(module))
}

/// Whether a PRAGMA may be used with that argument.
fn may_set(name: &str, argument: Option<&str>) -> bool {
    match name {
        "data_version" | "page_size" => argument.is_none(),
        "foreign_key_check" | "optimize" | "quick_check" | "table_list" => is_free(argument),
        "case_sensitive_like"
        | "defer_foreign_keys"
        | "foreign_keys"
        | "ignore_check_constraints"
        | "legacy_alter_table"
        | "recursive_triggers"
        | "reverse_unordered_selects" => argument.is_none_or(is_boolean),
        "foreign_key_list" | "index_info" | "index_list" | "index_xinfo" | "table_info"
        | "table_xinfo" => argument.is_some() && is_free(argument),
        _ => false,
    }
}

fn is_boolean(text: &str) -> bool {
    let values = ["0", "1", "on", "off", "yes", "no", "true", "false"];
    values.iter().any(|value| text.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_refused_in_any_spelling() {
        assert!(!is_free(Some("_cf_KV")) && !is_free(Some("_CF_x")));
        assert!(is_free(Some("_c")) && is_free(Some("cf_")) && is_free(Some("ä")) && is_free(None));
    }

    #[test]
    fn a_pragma_needs_its_kind_of_argument() {
        assert!(may_set("foreign_keys", Some("OFF")) && !may_set("foreign_keys", Some("2")));
        assert!(may_set("table_info", Some("t")) && !may_set("table_info", None));
        assert!(!may_set("page_size", Some("8192")) && !may_set("journal_mode", None));
    }
}
