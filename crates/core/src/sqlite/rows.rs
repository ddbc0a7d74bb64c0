//! Hands rows over to the worker, and keeps the cursors that are open.

use std::sync::atomic::{AtomicU32, Ordering};

use super::cursor::{Cursor, CursorId, Source, Step};
use super::database::Database;
use super::statement::Counts;
use super::value::{Binding, Column};
use crate::error::{Error, Result};
use crate::range::Scan;

impl Database {
    /// Runs `sql` and hands over the first row of its last statement.
    pub fn execute(
        &mut self,
        sql: &str,
        bindings: &[Binding<'_>],
        value: &mut dyn FnMut(Column<'_>),
    ) -> Result<Step> {
        let cursor = self.start(sql, bindings)?;
        let rows = usize::from(cursor.has_row());
        if rows > 0 {
            cursor.hand_over(value);
        }
        Ok(self.leave_open(cursor, rows))
    }

    /// Opens a cursor over a walk through the keys, with the columns key and value. Nothing is handed over yet: the first
    /// row is the next one.
    pub fn list_entries(&mut self, scan: &Scan) -> Result<Step> {
        let Some(statement) = self.prepare_list(scan)? else {
            return Ok(Step { columns: 2, ..Step::default() });
        };
        Ok(self.leave_open(Cursor::new(statement, None, true), 0))
    }

    /// Goes on to the next row of a cursor, at most `rows` times, and hands each row over.
    pub fn advance(
        &mut self,
        id: CursorId,
        rows: usize,
        value: &mut dyn FnMut(Column<'_>),
    ) -> Result<Step> {
        let Some(mut cursor) = self.cursors.remove(&id) else {
            return Ok(Step::default());
        };
        let mut handed_over = 0;
        while handed_over < rows && cursor.has_row() {
            match self.go_on(&mut cursor) {
                Ok(true) => cursor.hand_over(value),
                Ok(false) => break,
                Err(error) => {
                    self.end(cursor);
                    return Err(error);
                }
            }
            handed_over += 1;
        }
        if matches!(cursor.source, Source::Canceled) {
            self.cursors.insert(id, cursor);
            return Err(canceled());
        }
        if let Source::Running { statement, .. } = &mut cursor.source {
            cursor.names = statement.names();
        }
        Ok(self.step_of(id, cursor, handed_over))
    }

    /// The names of columns, by the number that a [`Step`] has told last.
    pub fn column_names(&mut self, names: u64) -> Result<Vec<String>> {
        let open = self.cursors.values_mut().find_map(|cursor| match &mut cursor.source {
            Source::Running { statement, .. } if cursor.names == names => Some(&*statement),
            _ => None,
        });
        match open.or_else(|| self.cache.find(names)) {
            Some(statement) => statement.column_names(),
            None => Ok(self
                .last_names
                .clone()
                .filter(|(number, _)| *number == names)
                .map_or_else(Vec::new, |(_, list)| list)),
        }
    }

    /// Ends a cursor. One that has ended already is ignored.
    pub fn close_cursor(&mut self, id: CursorId) {
        if let Some(cursor) = self.cursors.remove(&id) {
            self.end(cursor);
        }
    }

    /// Ends all cursors.
    pub fn close_cursors(&mut self) {
        for (_, cursor) in std::mem::take(&mut self.cursors) {
            self.end(cursor);
        }
    }

    fn go_on(&mut self, cursor: &mut Cursor) -> Result<bool> {
        match &mut cursor.source {
            Source::Running { statement, has_row, .. } => {
                *has_row = self.step(statement)?;
                Ok(*has_row)
            }
            Source::Kept { rows, .. } => {
                rows.pop_front();
                Ok(!rows.is_empty())
            }
            Source::Canceled => Ok(false),
        }
    }

    fn leave_open(&mut self, cursor: Cursor, rows: usize) -> Step {
        self.step_of(next_cursor(), cursor, rows)
    }

    /// What the caller gets to know; a cursor that has ended is closed.
    fn step_of(&mut self, id: CursorId, cursor: Cursor, rows: usize) -> Step {
        let Counts { read, written } = cursor.counts();
        let is_open = cursor.has_row();
        let step = Step {
            cursor: if is_open { id } else { 0 },
            columns: cursor.columns,
            names: cursor.names,
            rows,
            is_last: rows > 0 && cursor.is_on_last_row(),
            read,
            written,
        };
        if is_open {
            self.cursors.insert(id, cursor);
        } else {
            self.end(cursor);
        }
        step
    }

    fn end(&mut self, cursor: Cursor) {
        if let Source::Running { statement, text, .. } = cursor.source {
            if text.is_none()
                && let Ok(names) = statement.column_names()
            {
                self.last_names = Some((cursor.names, names));
            }
            self.keep(statement, text);
        }
    }
}

/// Names cursors across all databases of the process: the number of one that has ended with its database names no other.
fn next_cursor() -> CursorId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).max(1)
}

fn canceled() -> Error {
    Error::SqlUsage {
        message: "SQLite query was canceled because the database was deleted.".to_owned(),
    }
}
