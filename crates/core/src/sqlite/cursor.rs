//! A result that is read row by row.

use std::collections::VecDeque;
use std::sync::Arc;

use super::statement::{Counts, Statement};
use super::value::Column;
use crate::error::Result;

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
    /// Whether the last one of them is known to be the end of the result, though the cursor is open.
    pub is_last: bool,
    /// Rows that the statement has read so far, index entries included.
    pub read: u32,
    /// Rows that the statement has written so far, index entries included.
    pub written: u32,
}

/// A result that is being read.
pub(super) struct Cursor {
    pub(super) source: Source,
    pub(super) columns: usize,
    pub(super) names: u64,
}

/// Where the rows of a cursor come from.
pub(super) enum Source {
    /// The statement stands on a row, or has ended.
    Running { statement: Statement, text: Option<Arc<str>>, has_row: bool },
    /// The statement had to end before the rest of its rows was read.
    Kept { rows: VecDeque<Vec<Owned>>, counts: Counts },
    /// The database of the statement was deleted.
    Canceled,
}

/// A value that outlives its statement.
pub(super) enum Owned {
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
    pub(super) fn has_row(&self) -> bool {
        match &self.source {
            Source::Running { has_row, .. } => *has_row,
            Source::Kept { rows, .. } => !rows.is_empty(),
            Source::Canceled => false,
        }
    }

    /// Whether nothing follows the present row, and reading on would only end the statement.
    pub(super) fn is_on_last_row(&self) -> bool {
        matches!(&self.source, Source::Running { statement, has_row: true, .. } if statement.is_on_last_row())
    }

    pub(super) fn counts(&self) -> Counts {
        match &self.source {
            Source::Running { statement, .. } => statement.counts(),
            Source::Kept { counts, .. } => *counts,
            Source::Canceled => Counts::default(),
        }
    }

    /// Hands over the present row, value by value.
    pub(super) fn hand_over(&self, value: &mut dyn FnMut(Column<'_>)) {
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
