//! Results that are read row by row.

use std::collections::VecDeque;
use std::sync::Arc;

use super::database::Database;
use super::execution::{Binding, Column};
use super::statement::{Counts, Statement};
use crate::error::{Error, Result};

/// Names an open cursor of a database.
pub type CursorId = u32;

/// What a call for rows has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The cursor, as long as it is open; 0 when it has ended.
    pub cursor: CursorId,
    /// How many columns a row has.
    pub columns: usize,
    /// Another number whenever the names of the columns may be others.
    pub names: u64,
    /// Rows that were handed over.
    pub rows: usize,
    /// Rows that the statement has read so far, index entries included.
    pub read: u32,
    /// Rows that the statement has written so far, index entries included.
    pub written: u32,
}

/// A result that is being read.
pub(super) struct Cursor {
    source: Source,
    columns: usize,
    names: u64,
}

enum Source {
    /// The statement stands on a row, or has ended.
    Running { statement: Statement, text: Option<Arc<str>>, has_row: bool },
    /// The statement had to end before the rest of its rows was read.
    Kept { rows: VecDeque<Vec<Owned>>, counts: Counts },
    /// The database of the statement was deleted.
    Canceled,
}

/// A value that outlives its statement.
enum Owned {
    Null,
    Integer(i64),
    Number(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl From<Column<'_>> for Owned {
    fn from(column: Column<'_>) -> Self {
        match column {
            Column::Null => Self::Null,
            Column::Integer(number) => Self::Integer(number),
            Column::Number(number) => Self::Number(number),
            Column::Text(text) => Self::Text(text.to_vec()),
            Column::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl Owned {
    fn column(&self) -> Column<'_> {
        match self {
            Self::Null => Column::Null,
            Self::Integer(number) => Column::Integer(*number),
            Self::Number(number) => Column::Number(*number),
            Self::Text(text) => Column::Text(text),
            Self::Blob(bytes) => Column::Blob(bytes),
        }
    }
}

impl Cursor {
    pub(super) fn new(mut statement: Statement, text: Option<Arc<str>>, has_row: bool) -> Self {
        let (columns, names) = (statement.columns(), statement.names());
        Self { source: Source::Running { statement, text, has_row }, columns, names }
    }

    /// Whether a row is there to be handed over.
    fn has_row(&self) -> bool {
        match &self.source {
            Source::Running { has_row, .. } => *has_row,
            Source::Kept { rows, .. } => !rows.is_empty(),
            Source::Canceled => false,
        }
    }

    fn counts(&self) -> Counts {
        match &self.source {
            Source::Running { statement, .. } => statement.counts(),
            Source::Kept { counts, .. } => *counts,
            Source::Canceled => Counts::default(),
        }
    }

    /// Hands over the present row, value by value.
    fn hand_over(&self, value: &mut dyn FnMut(Column<'_>)) {
        match &self.source {
            Source::Running { statement, .. } => {
                for column in 0..self.columns {
                    value(statement.column(column));
                }
            }
            Source::Kept { rows, .. } => {
                for owned in rows.front().into_iter().flatten() {
                    value(owned.column());
                }
            }
            Source::Canceled => {}
        }
    }

    /// Whether its statement writes and has not ended: it would be in the way of a commit.
    pub(super) fn is_writing(&self) -> bool {
        matches!(&self.source, Source::Running { statement, has_row: true, .. } if !statement.is_read_only())
    }

    /// Ends the statement, and keeps the rest of its rows.
    pub(super) fn read_ahead(&mut self) -> Result<()> {
        let Source::Running { statement, has_row, .. } = &mut self.source else {
            return Ok(());
        };
        let mut rows = VecDeque::new();
        while *has_row {
            rows.push_back((0..self.columns).map(|at| statement.column(at).into()).collect());
            *has_row = statement.step()?;
        }
        let counts = statement.counts();
        self.source = Source::Kept { rows, counts };
        Ok(())
    }

    /// Ends the statement, because its database is deleted.
    pub(super) fn cancel(&mut self) {
        self.source = Source::Canceled;
    }
}

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
    pub fn list_entries(&mut self, scan: &crate::range::Scan) -> Result<Step> {
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
        self.next_cursor = self.next_cursor.wrapping_add(1).max(1);
        self.step_of(self.next_cursor, cursor, rows)
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

fn canceled() -> Error {
    Error::SqlUsage {
        message: "SQLite query was canceled because the database was deleted.".to_owned(),
    }
}
