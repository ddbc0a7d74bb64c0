//! The open database: its connection, and what was prepared for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};

use super::authorizer::{self, Author};
use super::cache::Cache;
use super::connection;
use super::counts::{self, Counts};
use super::cursor::{Cursor, CursorId};
use super::fixed::{Fixed, FixedStatements};
use super::log;
use super::statement::Statement;
use super::value::{Binding, Column};
use crate::error::{Error, Result};

/// What is open of a transaction.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Whether one has begun and was neither committed nor rolled back by us.
    pub(super) begun: bool,
    /// Savepoints that are open.
    pub(super) savepoints: u32,
    /// Callers that keep it open.
    pub(super) holds: u32,
    /// Whether the SQL of the worker has rolled it back.
    pub(super) lost: bool,
}

/// What is called before the first write of each transaction, with what gives the bytes of the database.
type BeforeWrites = Box<dyn FnMut(&mut dyn FnMut() -> Result<Vec<u8>>) -> Result<()> + Send>;

/// One open database. Its statements come first, because they are dropped in this order.
pub struct Database {
    pub(super) cursors: HashMap<CursorId, Cursor>,
    pub(super) cache: Cache,
    fixed: FixedStatements,
    pub(super) connection: Connection,
    /// What SQLite asks: it must not move.
    pub(super) author: Box<Author>,
    /// What SQL asks for counts of changes: it must not move.
    pub(super) counts: Box<Counts>,
    /// The file, if it is in one.
    pub(super) file: Option<PathBuf>,
    /// The names of the columns of a statement that was dropped, by their number.
    pub(super) last_names: Option<(u64, Vec<String>)>,
    pub(super) transaction: Transaction,
    /// Pages in the log, as SQLite tells them after each commit.
    log_pages: Box<AtomicU32>,
    /// Whether the tables of keys and of the alarm exist; nothing if that is not known.
    pub(super) has_keys: Option<bool>,
    pub(super) has_metadata: Option<bool>,
    /// The alarm, if it is known: each call for SQL asks whether it has changed it.
    #[expect(clippy::option_option, reason = "nothing is known, or that there is none")]
    pub(super) known_alarm: Option<Option<i64>>,
    /// Called before the first write of each transaction, with what gives the bytes of the database.
    before_writes: Option<BeforeWrites>,
    /// An error after which SQLite does not go on.
    pub(super) broken: Option<Error>,
}

impl Database {
    /// An empty database in memory.
    pub fn in_memory() -> Result<Self> {
        Self::over(connection::open_memory()?, None)
    }

    /// A database in memory with the content of `image`.
    pub fn from_image(image: &[u8]) -> Result<Self> {
        let mut database = Self::in_memory()?;
        database.restore(image)?;
        Ok(database)
    }

    /// The database in a file, which no other process uses. Nothing is durable before the caller syncs the file and its
    /// log.
    pub fn in_file(path: &Path) -> Result<Self> {
        Self::over(connection::open_file(path)?, Some(path.to_owned()))
    }

    fn over(connection: Connection, file: Option<PathBuf>) -> Result<Self> {
        let author = Box::new(Author::default());
        // SAFETY: the connection is open, and the box outlives it.
        unsafe { authorizer::install(connection.handle(), &author) };
        let counts = Box::<Counts>::default();
        // SAFETY: as before.
        unsafe { counts::install(connection.handle(), &counts) }?;
        let log_pages = Box::<AtomicU32>::default();
        // SAFETY: as before.
        unsafe { log::watch(connection.handle(), &log_pages) };
        Ok(Self {
            cursors: HashMap::new(),
            cache: Cache::default(),
            fixed: FixedStatements::default(),
            connection,
            author,
            counts,
            file,
            last_names: None,
            transaction: Transaction::default(),
            log_pages,
            has_keys: None,
            has_metadata: None,
            known_alarm: None,
            before_writes: None,
            broken: None,
        })
    }

    /// Calls `before_writes` before the first write of each transaction.
    pub fn watch_writes(
        &mut self,
        before_writes: impl FnMut(&mut dyn FnMut() -> Result<Vec<u8>>) -> Result<()> + Send + 'static,
    ) {
        self.before_writes = Some(Box::new(before_writes));
    }

    /// The first write of a transaction is about to come.
    pub(super) fn announce_writes(&mut self) -> Result<()> {
        let Some(mut before_writes) = self.before_writes.take() else {
            return Ok(());
        };
        let announced = before_writes(&mut || self.image());
        self.before_writes = Some(before_writes);
        announced
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        // SAFETY: the connection stays open; the handle is used only as long as it is.
        unsafe { self.connection.handle() }
    }

    pub(super) fn author(&self) -> &Author {
        &self.author
    }

    /// How many pages are in the log.
    pub fn log_pages(&self) -> u32 {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// The log has been moved.
    pub(super) fn forget_log(&self) {
        self.log_pages.store(0, Ordering::Relaxed);
    }

    /// Whether SQLite has met an error after which it does not go on.
    pub fn failed(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// Runs one of our statements, and takes what `read` finds in its first row.
    pub(super) fn run<R>(
        &mut self,
        name: Fixed,
        bindings: &[Binding<'_>],
        read: impl FnOnce(&Statement) -> R,
    ) -> Result<Option<R>> {
        let db = self.raw();
        let Self { fixed, author, .. } = self;
        let result = author.ours(|| {
            // SAFETY: the connection is open and ours.
            let statement = unsafe { fixed.get(db, name) }?;
            let mut run = || {
                for (index, value) in bindings.iter().enumerate() {
                    // SAFETY: the statement is reset below, while the bindings live.
                    unsafe { statement.bind_borrowed(index, value) }?;
                }
                statement.step()
            };
            let stepped = run();
            let found = stepped.map(|has_row| has_row.then(|| read(statement)));
            statement.reset();
            found
        });
        self.notice(result)
    }

    /// The first column of the first row of one of our statements, as a number.
    pub(super) fn number(&mut self, name: Fixed) -> Result<Option<i64>> {
        let found = self.run(name, &[], |row| match row.column(0) {
            Column::Integer(number) => Some(number),
            _ => None,
        })?;
        Ok(found.flatten())
    }

    /// Prepares one of our statements for a cursor.
    pub(super) fn prepare_fixed(&self, name: Fixed) -> Result<Statement> {
        // SAFETY: the connection is open and ours.
        let prepared = self.author.ours(|| unsafe { FixedStatements::prepare(self.raw(), name) });
        prepared.map(Statement::ours)
    }

    /// Goes on to the next row of a statement; says whether there is one.
    pub(super) fn step(&mut self, statement: &mut Statement) -> Result<bool> {
        // SQLite prepares a statement again when the schema has changed.
        let stepped = if statement.is_ours() {
            self.author.ours(|| statement.step())
        } else {
            statement.step()
        };
        self.notice(stepped)
    }
}
