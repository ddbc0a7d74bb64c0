//! Runs the SQL of a worker.

use std::sync::Arc;

use super::cursor::Cursor;
use super::database::Database;
use super::statement::{Prepared, Statement};
use super::value::Binding;
use crate::error::{Error, Result};

const NO_STATEMENT: &str = "SQL code did not contain a statement.";
const PARAMETERS_TOO_EARLY: &str = "When executing multiple SQL statements in a single call, only the last statement can have parameters.";
const PARAMETER_COUNT: &str = "Wrong number of parameter bindings for SQL query.";
const TRANSACTION: &str = "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing.";

impl Database {
    /// Runs the statements of `sql`, and the last one to its first row. `bindings` belong to the last one.
    pub(super) fn start(&mut self, sql: &str, bindings: &[Binding<'_>]) -> Result<Cursor> {
        if let Some((text, statement)) = self.cache.take(sql) {
            return self.start_last(statement, Some(text), bindings);
        }
        let mut rest = sql;
        loop {
            let Prepared { statement, length } = self.prepare(rest)?;
            let statement = statement.ok_or_else(|| usage(NO_STATEMENT))?;
            let following = rest[length..].trim_start_matches([' ', '\n']);
            if following.is_empty() {
                let text = (rest.len() == sql.len()).then(|| Arc::from(sql));
                return self.start_last(statement, text, bindings);
            }
            self.run_through(statement)?;
            rest = following;
        }
    }

    fn prepare(&mut self, sql: &str) -> Result<Prepared> {
        self.author().take_began_transaction();
        // SAFETY: the connection is open and ours; all its statements are dropped before it.
        let prepared = unsafe { Statement::prepare(self.raw(), sql, true) };
        prepared.map_err(|error| {
            if self.author().take_began_transaction() { usage(TRANSACTION) } else { error }
        })
    }

    /// Runs a statement that is not the last one. Its rows are of no interest.
    fn run_through(&mut self, mut statement: Statement) -> Result<()> {
        if statement.parameters() > 0 {
            return Err(usage(PARAMETERS_TOO_EARLY));
        }
        self.begin_for(&statement)?;
        self.step(&mut statement).map(drop)
    }

    fn start_last(
        &mut self,
        mut statement: Statement,
        text: Option<Arc<str>>,
        bindings: &[Binding<'_>],
    ) -> Result<Cursor> {
        let started = self.bind_and_step(&mut statement, bindings);
        match started {
            Ok(has_row) => Ok(Cursor::new(statement, text, has_row)),
            Err(error) => {
                self.keep(statement, text);
                Err(error)
            }
        }
    }

    fn bind_and_step(
        &mut self,
        statement: &mut Statement,
        bindings: &[Binding<'_>],
    ) -> Result<bool> {
        if statement.parameters() != bindings.len() {
            return Err(usage(PARAMETER_COUNT));
        }
        for (index, value) in bindings.iter().enumerate() {
            statement.bind(index, value)?;
        }
        self.begin_for(statement)?;
        self.step(statement)
    }

    /// Resets a statement, and keeps it if it has a text.
    pub(super) fn keep(&mut self, mut statement: Statement, text: Option<Arc<str>>) {
        if let Some(text) = text {
            statement.reset();
            self.cache.keep(text, statement);
        }
    }
}

/// What the worker has done wrong, in the words of production.
fn usage(message: &str) -> Error {
    Error::SqlUsage { message: message.to_owned() }
}
