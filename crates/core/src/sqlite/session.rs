//! What SQL sees of its connection: the row inserted last, counts of changes, and settings. Each instance of an object has
//! its own, although instances that follow each other may use one connection.

use rusqlite::ffi;

use super::connection::text;
use super::database::Database;
use crate::error::Result;

/// What an instance has seen last. It goes on with that on another connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    last_row: i64,
    changes: i64,
    total: i64,
    /// By the order of [`SETTINGS`]; nothing if all are as at first.
    settings: Option<Vec<bool>>,
}

impl Database {
    /// Makes SQL see what `session` has seen last: nothing, for a new instance.
    pub fn enter(&mut self, session: &Session) -> Result<()> {
        if self.author.take_changed_settings() || session.settings.is_some() {
            let now = self.settings()?;
            for (at, (name, first)) in SETTINGS.iter().enumerate() {
                let on = session.settings.as_ref().map_or(*first, |settings| settings[at]);
                // Setting it again would make another function of LIKE.
                if now[at] == on {
                    continue;
                }
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
        let now = unsafe { ffi::sqlite3_total_changes64(db) };
        self.counts.begin(now, session.total, session.changes);
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
